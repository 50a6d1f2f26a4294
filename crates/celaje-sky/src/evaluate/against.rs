//! Two sets of readings of the same pictures.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::error::{Failure, Result};
use crate::evaluate::table::Table;
use crate::okta::Okta;
use crate::say;

/// Cloud fractions further apart than this are different readings.
pub const FRACTION_TOLERANCE: f64 = 0.005;

/// The okta and the cloud fraction of a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Readout {
    /// None where the picture has no okta.
    pub okta: Option<Okta>,
    /// None where the model gives none.
    pub fraction: Option<f64>,
}

/// Readings that another program, engine or model gave, by picture.
#[derive(Clone, Debug, Default)]
pub struct Others(HashMap<String, Readout>);

impl Others {
    /// Reads `bytes`, a table of the file `name` with the columns `image` and `okta` or
    /// `cloud_fraction`; what [`Comparison`]s are made of may also be named `okta_read` and
    /// `fraction_read`. An okta of 9 (the sky cannot be seen) counts as none.
    ///
    /// # Errors
    /// When it is no such table, or one of its rows is no reading.
    pub fn read(bytes: &[u8], name: &str) -> Result<Self> {
        let table = Table::read(bytes, name)?;
        let image = table.column(&["image"]);
        let okta = table.column(&["okta_read", "okta"]);
        let fraction = table.column(&["fraction_read", "cloud_fraction"]);
        if image.is_none() || okta.or(fraction).is_none() {
            return Err(Failure::usage(say!(
                "{name} needs the columns 'image' and 'okta' or 'cloud_fraction'; add them to its \
                first line",
                "{name} necesita las columnas 'image' y 'okta' o 'cloud_fraction'; agréguelas a su \
                primera línea"
            )));
        }
        let mut readings = HashMap::new();
        for (line, fields) in table.rows {
            let row = fields.and_then(|fields| {
                let obscured = fields.number(okta) == Ok(Some(9.0));
                let readout = Readout {
                    okta: if obscured { None } else { fields.okta(okta)? },
                    fraction: fields.fraction(fraction)?,
                };
                Ok((fields.text(image).map(normal), readout))
            });
            match row {
                Ok((Some(image), readout)) => {
                    readings.insert(image, readout);
                }
                Ok((None, _)) => {}
                Err(why) => {
                    let (en, es) = (why.en, why.es);
                    return Err(Failure::usage(say!(
                        "{name}, line {line}: {en}; correct it",
                        "{name}, línea {line}: {es}; corríjala"
                    )));
                }
            }
        }
        Ok(Self(readings))
    }
}

/// A picture's name, however its folders are written.
fn normal(image: &str) -> String {
    let image = image.replace('\\', "/");
    image.strip_prefix("./").unwrap_or(&image).to_owned()
}

/// A picture with two different oktas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The picture.
    pub image: String,
    /// The reading of this program.
    pub here: Option<u8>,
    /// The reading of the table.
    pub there: Option<u8>,
}

/// The picture whose fractions are furthest apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Furthest {
    /// The picture.
    pub image: String,
    /// The difference, 0 to 1.
    pub difference: f64,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Pictures with a reading on both sides.
    pub compared: usize,
    /// Pictures that only this program read.
    pub only_here: usize,
    /// Pictures that only the table has.
    pub only_there: usize,
    /// Pictures with two different oktas.
    pub okta_differs: Vec<Disagreement>,
    /// Pictures whose fractions are further apart than [`FRACTION_TOLERANCE`], or of which only one
    /// is known.
    pub fraction_differs: usize,
    /// The greatest difference of fractions.
    pub furthest: Option<Furthest>,
}

impl Agreement {
    /// Whether all pictures with two readings agree; false when there are none.
    pub fn holds(&self) -> bool {
        self.compared > 0 && self.okta_differs.is_empty() && self.fraction_differs == 0
    }
}

/// A comparison under way, picture by picture.
#[derive(Clone, Debug)]
pub struct Comparison {
    others: Others,
    seen: BTreeSet<String>,
    /// Whether the table has oktas, and fractions.
    has: (bool, bool),
    agreement: Agreement,
}

impl Comparison {
    /// A comparison of no picture yet.
    pub fn new(others: Others) -> Self {
        let has = (
            others.0.values().any(|readout| readout.okta.is_some()),
            others.0.values().any(|readout| readout.fraction.is_some()),
        );
        Self { others, seen: BTreeSet::new(), has, agreement: Agreement::default() }
    }

    /// Compares the reading of `image`.
    pub fn add(&mut self, image: &str, here: Readout) {
        let name = normal(image);
        let Some(&there) = self.others.0.get(&name) else {
            self.agreement.only_here += 1;
            return;
        };
        self.seen.insert(name);
        let agreement = &mut self.agreement;
        agreement.compared += 1;
        if self.has.0 && here.okta != there.okta {
            agreement.okta_differs.push(Disagreement {
                image: image.to_owned(),
                here: here.okta.map(Okta::eighths),
                there: there.okta.map(Okta::eighths),
            });
        }
        match (here.fraction, there.fraction) {
            (Some(a), Some(b)) => {
                let difference = (a - b).abs();
                // A whisker more than the tolerance is what decimals do.
                agreement.fraction_differs += usize::from(difference > FRACTION_TOLERANCE + 1e-9);
                let most = agreement.furthest.as_ref().map(|f| f.difference);
                if most.is_none_or(|most| difference > most) {
                    agreement.furthest = Some(Furthest { image: image.to_owned(), difference });
                }
            }
            (None, None) => {}
            _ => agreement.fraction_differs += usize::from(self.has.1),
        }
    }

    /// What was found.
    pub fn finish(self) -> Agreement {
        Agreement { only_there: self.others.0.len() - self.seen.len(), ..self.agreement }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(text: &str, here: &[(&str, Option<u8>, Option<f64>)]) -> Agreement {
        let mut comparison = Comparison::new(Others::read(text.as_bytes(), "other.csv").unwrap());
        for &(image, okta, fraction) in here {
            let okta = okta.and_then(Okta::new);
            comparison.add(image, Readout { okta, fraction });
        }
        comparison.finish()
    }

    #[test]
    fn readings_within_the_tolerance_agree() {
        let text = "image,okta,cloud_fraction\n./a/b.jpg,3,0.40\nc.jpg,0,0\nd.jpg,,\ne.jpg,9,\n";
        let here = [
            ("a/b.jpg", Some(3), Some(0.405)),
            ("c.jpg", Some(0), Some(0.001)),
            ("e.jpg", None, None),
            ("f.jpg", Some(1), Some(0.1)),
        ];
        let found = compare(text, &here);
        assert_eq!((found.compared, found.only_here, found.only_there), (3, 1, 1));
        assert!(found.holds(), "{found:?}");
        let furthest = found.furthest.unwrap();
        assert_eq!(furthest.image, "a/b.jpg");
        assert!((furthest.difference - 0.005).abs() < 1e-9);
    }

    #[test]
    fn another_okta_and_a_fraction_too_far_do_not() {
        let text = "image,okta_true,okta_read,fraction_read\na.jpg,3,4,0.5\nb.jpg,1,1,0.1\n";
        let found = compare(text, &[("a.jpg", Some(3), Some(0.5)), ("b.jpg", Some(1), Some(0.11))]);
        assert_eq!(
            found.okta_differs,
            [Disagreement { image: "a.jpg".to_owned(), here: Some(3), there: Some(4) }]
        );
        assert_eq!(found.fraction_differs, 1);
        assert!(!found.holds());
        // No okta is another reading than some okta.
        assert!(!compare("image,okta\na.jpg,4\n", &[("a.jpg", None, None)]).holds());
    }

    #[test]
    fn what_the_others_do_not_give_is_not_compared() {
        let found = compare("image,okta\na.jpg,3\n", &[("a.jpg", Some(3), Some(0.4))]);
        assert!(found.holds() && found.furthest.is_none());
        let found = compare("image,cloud_fraction\na.jpg,0.4\n", &[("a.jpg", Some(3), Some(0.4))]);
        assert!(found.holds());
        assert!(!compare("image,okta\nz.jpg,3\n", &[("a.jpg", Some(3), None)]).holds());
    }

    #[test]
    fn what_is_no_table_of_readings_is_refused() {
        for (text, part) in [
            ("okta\n3\n", "'image'"),
            ("image\na\n", "'okta'"),
            ("image,okta\na,3\nb,x\n", "line 3: 'x' is no number"),
        ] {
            let failure = Others::read(text.as_bytes(), "other.csv").unwrap_err();
            assert!(failure.text.en.contains(part), "{failure}");
        }
    }
}
