//! The rows of a table of labels.

use std::path::{Path, PathBuf};

use crate::error::{Failure, Result};
use crate::evaluate::table::{Fields, Table};
use crate::okta::Okta;
use crate::say;
use crate::text::Text;

/// A picture and what people saw in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The label's place for messages: `line 7`.
    pub place: Text,
    /// The picture's name in the label.
    pub image: String,
    /// The picture's file.
    pub path: PathBuf,
    /// The group that it is counted in.
    pub group: Option<String>,
    /// The camera that took it.
    pub camera: Option<String>,
    /// Cloud amount; where it is left out, that of the fraction.
    pub okta: Option<Okta>,
    /// Cloud fraction, 0 to 1; where both are left out, that of the mask.
    pub fraction: Option<f64>,
    /// PNG of the picture's shape: 255 cloud, 100 sky, anything else undefined.
    pub mask: Option<PathBuf>,
}

/// A row that labels nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// One sentence: where, what.
    pub text: Text,
    /// The group that it would be counted in, if it names one.
    pub group: Option<String>,
    /// The camera, if it names one.
    pub camera: Option<String>,
}

/// A row of the labels.
pub type Row = std::result::Result<Label, BadRow>;

impl BadRow {
    /// The row's group, whether it is a label or not.
    pub fn group_of(row: &Row) -> Option<&str> {
        match row {
            Ok(label) => label.group.as_deref(),
            Err(bad) => bad.group.as_deref(),
        }
    }
}

/// Reads the labels in `bytes`, those of the file `name`; pictures and masks are looked for in
/// `folder`.
///
/// Columns are known by their names: `image`, at least one of `okta`, `cloud_fraction` and `mask`,
/// and `group` and `camera` if they are there; others are left alone.
///
/// # Errors
/// When it is no such table. A row that is no label is said in its place.
pub fn read(bytes: &[u8], name: &str, folder: &Path) -> Result<Vec<Row>> {
    let table = Table::read(bytes, name)?;
    let columns = Columns {
        image: table.column(&["image"]),
        okta: table.column(&["okta"]),
        fraction: table.column(&["cloud_fraction"]),
        mask: table.column(&["mask"]),
        group: table.column(&["group"]),
        camera: table.column(&["camera"]),
    };
    if columns.image.is_none() {
        return Err(Failure::usage(say!(
            "{name} has no column 'image'; its first line must name the columns, such as \
            image,okta",
            "{name} no tiene columna 'image'; su primera línea debe nombrar las columnas, p. ej. \
            image,okta"
        )));
    }
    if columns.okta.or(columns.fraction).or(columns.mask).is_none() {
        return Err(Failure::usage(say!(
            "{name} has none of the columns 'okta', 'cloud_fraction' and 'mask'; add one with what \
            the pictures show",
            "{name} no tiene ninguna de las columnas 'okta', 'cloud_fraction' y 'mask'; agregue \
            una con lo que muestran las imágenes"
        )));
    }
    if table.rows.is_empty() {
        return Err(Failure::usage(say!(
            "{name} labels no picture; write a line for each below the header",
            "{name} no etiqueta ninguna imagen; escriba una línea por cada una bajo el encabezado"
        )));
    }
    let rows = table.rows.into_iter();
    Ok(rows.map(|(line, fields)| columns.row(line, fields, folder)).collect())
}

struct Columns {
    image: Option<usize>,
    okta: Option<usize>,
    fraction: Option<usize>,
    mask: Option<usize>,
    group: Option<usize>,
    camera: Option<usize>,
}

impl Columns {
    fn row(&self, line: u64, fields: std::result::Result<Fields, Text>, folder: &Path) -> Row {
        let place = say!("line {line}", "línea {line}");
        let (mut group, mut camera) = (None, None);
        fields
            .and_then(|fields| {
                group = fields.text(self.group).map(str::to_owned);
                camera = fields.text(self.camera).map(str::to_owned);
                self.label(&place, &fields, folder)
            })
            .map(|label| Label { group: group.clone(), camera: camera.clone(), ..label })
            .map_err(|why| BadRow {
                text: Text {
                    en: format!("{}: {}", place.en, why.en),
                    es: format!("{}: {}", place.es, why.es),
                },
                group,
                camera,
            })
    }

    fn label(
        &self,
        place: &Text,
        fields: &Fields,
        folder: &Path,
    ) -> std::result::Result<Label, Text> {
        let Some(image) = fields.text(self.image) else {
            return Err(say!("it names no picture", "no nombra ninguna imagen"));
        };
        let (okta, fraction) = (fields.okta(self.okta)?, fields.fraction(self.fraction)?);
        let mask = fields.text(self.mask).map(|mask| folder.join(mask));
        if okta.is_none() && fraction.is_none() && mask.is_none() {
            return Err(say!(
                "{image} has no label; give an okta, a cloud fraction or a mask",
                "{image} no tiene etiqueta; indique una octa, una fracción de nube o una máscara"
            ));
        }
        Ok(Label {
            place: place.clone(),
            image: image.to_owned(),
            path: folder.join(image),
            group: None,
            camera: None,
            okta,
            fraction,
            mask,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        read(text.as_bytes(), "labels.csv", Path::new("data")).unwrap()
    }

    fn refused(text: &str) -> String {
        let failure = read(text.as_bytes(), "labels.csv", Path::new("data")).unwrap_err();
        assert_eq!(failure.class.exit_status(), 2);
        failure.text.en
    }

    #[test]
    fn columns_are_known_by_their_names() {
        let text = "\u{feff}other,Okta,image,cloud_fraction,group,mask,camera\n\
                    x,3,a.jpg,0.4,day,m/a.png,\"one, of two\"\nx,,/b.jpg,0.991,,,\n";
        let rows = rows(text);
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first.place.en, "line 2");
        assert_eq!(first.path, Path::new("data/a.jpg"));
        assert_eq!(first.mask.as_deref(), Some(Path::new("data/m/a.png")));
        assert_eq!((first.okta, first.fraction), (Okta::new(3), Some(0.4)));
        assert_eq!(first.group.as_deref(), Some("day"));
        assert_eq!(first.camera.as_deref(), Some("one, of two"));
        let second = rows[1].as_ref().unwrap();
        assert_eq!(second.path, Path::new("/b.jpg"));
        assert_eq!((second.okta, second.fraction), (None, Some(0.991)));
        assert_eq!((&second.group, &second.camera), (&None, &None));
    }

    #[test]
    fn a_spreadsheets_semicolons_are_understood() {
        let rows = rows("image;cloud_fraction;okta\na.jpg;0,25;2,0\n");
        let label = rows[0].as_ref().unwrap();
        assert_eq!((label.okta, label.fraction), (Okta::new(2), Some(0.25)));
    }

    /// The lines of the bad rows of `text`, as a text editor counts them.
    fn bad_lines(text: &str) -> Vec<String> {
        let bad = rows(text).into_iter().filter_map(Result::err);
        bad.map(|bad| bad.text.en.split(':').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_line_is_that_of_the_file_however_lines_end() {
        let wanted = ["line 3", "line 6", "line 9"];
        let unix = "image,okta\na.jpg,6\nb.jpg,9\n\n \nc.jpg,x\n\"d\n.jpg\",1\nf.jpg,3,4\n";
        assert_eq!(bad_lines(unix), wanted);
        assert_eq!(bad_lines(&unix.replace('\n', "\r\n")), wanted);
        assert_eq!(bad_lines(&unix.replace('\n', "\r")), wanted);
        assert_eq!(bad_lines(&format!("\u{feff}{unix}")), wanted);
        let later = ["line 4", "line 7", "line 10"];
        assert_eq!(bad_lines(&format!("\n{unix}")), later);
        assert_eq!(bad_lines(&format!("sep=,\r\n{unix}")), later);
        assert_eq!(rows(&format!("sep=,\r\n{unix}")).len(), 5);
    }

    #[test]
    fn what_separates_fields_is_found_or_said() {
        let label = |text: &str| {
            let rows = rows(text);
            let label = rows[0].as_ref().unwrap_or_else(|bad| panic!("{text:?}: {}", bad.text));
            (label.image.clone(), label.fraction, label.place.en.clone())
        };
        let wanted = |line: &str| ("a, b.jpg".to_owned(), Some(0.25), line.to_owned());
        for separator in [";", "\t"] {
            let table = "image|cloud_fraction|\"n, o, p\"\r\na, b.jpg|0,25|\r\n";
            let table = table.replace('|', separator);
            assert_eq!(label(&table), wanted("line 2"));
        }
        for sep in ["sep=;", "\u{feff}SEP=;", "\"sep=;\""] {
            let table = format!("{sep}\r\nimage;cloud_fraction\r\na, b.jpg;0,25\r\n;;\r\n");
            assert_eq!(label(&table), wanted("line 3"));
        }
        assert_eq!(label("sep=|\nimage|cloud_fraction\na, b.jpg|0,25\n"), wanted("line 3"));
        // Excel's "Unicode text".
        let utf16 = "\u{feff}image\tcloud_fraction\r\ncañón.jpg\t0,25\r\n".encode_utf16();
        let bytes: Vec<u8> = utf16.flat_map(u16::to_le_bytes).collect();
        let rows = read(&bytes, "labels.txt", Path::new("")).unwrap();
        assert_eq!(rows[0].as_ref().unwrap().image, "cañón.jpg");
    }

    #[test]
    fn a_bad_row_is_one_sentence_with_its_line() {
        let bytes =
            b"image,okta,cloud_fraction,group\na.jpg,12,,day\n,3,,\nb.jpg,,,\nc.jpg,2.5,,\n\
            d.jpg,x,,\ne.jpg,,1.2,\nf.jpg,3\n\xff.jpg,3,,\ng.jpg,nan,,\nh.jpg,8,,\n";
        let rows = read(bytes, "labels.csv", Path::new("")).unwrap();
        let wanted = [
            "line 2: an okta of 12 is none of 0 to 8",
            "line 3: it names no picture",
            "line 4: b.jpg has no label; give an okta, a cloud fraction or a mask",
            "line 5: an okta of 2.5 is none of 0 to 8",
            "line 6: 'x' is no number",
            "line 7: a cloud fraction of 1.2 is not from 0 to 1",
            "line 8: it has 2 fields and the header 4",
            "line 9: it is not UTF-8",
            "line 10: 'nan' is no number",
        ];
        for (row, wanted) in rows.iter().zip(wanted) {
            assert_eq!(row.as_ref().unwrap_err().text.en, wanted);
        }
        assert_eq!(BadRow::group_of(&rows[0]), Some("day"));
        assert!(rows[9].is_ok() && rows.len() == 10);
    }

    #[test]
    fn what_is_no_table_of_labels_is_refused() {
        assert!(refused("").contains("'image'"));
        assert!(refused("image,other\na,b\n").contains("'cloud_fraction'"));
        assert!(refused("image,okta\n").contains("no picture"));
        assert!(refused("\u{1}\u{2}\n").contains("labels.csv"));
    }
}
