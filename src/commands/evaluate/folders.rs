//! Labelled folders, as the replaced system had them: `…octa_0` to `…octa_8`, full of pictures.

use std::path::{Path, PathBuf};

use crate::camera::file_name::is_system_file;
use crate::commands::predict::Pictures;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::evaluate::labels::{BadRow, Label, Row};
use celaje_sky::okta::Okta;
use celaje_sky::say;

/// How the names of labelled folders end, before the number.
const ENDINGS: [&str; 2] = ["octa_", "okta_"];

/// The pictures in the labelled folders below `root`, in the order of their names. What stands
/// before `octa_3` in the name of a folder, and the folders above it, is their group.
///
/// # Errors
/// When `root` cannot be listed, or holds no labelled folder, or none with pictures.
pub(super) fn read(root: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut labelled = 0;
    visit(root, root, &mut labelled, &mut rows)?;
    let shown = root.display();
    if labelled == 0 {
        return Err(Failure::usage(say!(
            "no folder in {shown} has a name that ends in octa_0 to octa_8; name a table of labels \
            or such folders",
            "ninguna carpeta de {shown} tiene un nombre que termine en octa_0 a octa_8; indique \
            una tabla de etiquetas o carpetas así"
        )));
    }
    if rows.is_empty() {
        return Err(Failure::usage(say!(
            "the labelled folders in {shown} hold no picture; put JPEG or PNG files into them",
            "las carpetas etiquetadas de {shown} no tienen ninguna imagen; ponga en ellas archivos \
            JPEG o PNG"
        )));
    }
    Ok(rows)
}

fn visit(root: &Path, folder: &Path, labelled: &mut usize, rows: &mut Vec<Row>) -> Result<()> {
    let cannot = |error: std::io::Error| {
        let shown = folder.display();
        Failure::environment(say!(
            "the folder {shown} cannot be read: {error}",
            "no se puede leer la carpeta {shown}: {error}",
            error = io_text(&error),
        ))
    };
    let mut inner: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(cannot)?
        .flatten()
        .map(|entry| entry.path())
        // A link to a folder is not followed: no circles.
        .filter(|path| {
            !is_system_file(path) && path.symlink_metadata().is_ok_and(|entry| entry.is_dir())
        })
        .collect();
    inner.sort_unstable();
    for path in inner {
        let Some((before, number)) = labelled_as(&path) else {
            visit(root, &path, labelled, rows)?;
            continue;
        };
        *labelled += 1;
        let above = folder.strip_prefix(root).unwrap_or(folder);
        let group = above.join(before).to_string_lossy().replace('\\', "/");
        let group = group.trim_end_matches('/');
        let group = (!group.is_empty()).then(|| group.to_owned());
        match number.parse().ok().and_then(Okta::new) {
            Some(okta) => label(root, &path, okta, group.as_deref(), rows),
            None => {
                let shown = path.display();
                rows.push(Err(BadRow {
                    text: say!(
                        "{shown}: an okta of {number} is none of 0 to 8",
                        "{shown}: una octa de {number} no es ninguna de 0 a 8"
                    ),
                    group,
                    camera: None,
                }));
            }
        }
    }
    Ok(())
}

/// What stands before `octa_3` in a folder's name, and its digits.
fn labelled_as(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let rest = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let lower = rest.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|ending| lower.ends_with(**ending))?;
    let before = &rest[..rest.len() - ending.len()];
    let before = before.trim_end_matches(['_', '-', ' ', '.']).to_owned();
    let number = &name[rest.len()..];
    (!number.is_empty()).then(|| (before, number.to_owned()))
}

fn label(root: &Path, folder: &Path, okta: Okta, group: Option<&str>, rows: &mut Vec<Row>) {
    for path in Pictures::new(&[folder.to_owned()]) {
        let image = path.strip_prefix(root).unwrap_or(&path);
        let image = image.to_string_lossy().replace('\\', "/");
        let shown = folder.display();
        rows.push(Ok(Label {
            place: say!("{shown}", "{shown}"),
            image,
            path,
            group: group.map(str::to_owned),
            camera: None,
            okta: Some(okta),
            fraction: None,
            mask: None,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_names_of_folders_are_labels_and_groups() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "dia_octa_3/a.jpg",
            "dia_octa_3/more/b.PNG",
            "dia_octa_3/notes.txt",
            "Octa_0/c.jpg",
            "2024/noche-okta_8/d.jpg",
            "octa_12/e.jpg",
            "octa_/f.jpg",
            "dia_octa_3/._a.jpg",
            "__MACOSX/octa_3/a.jpg",
            "other/g.jpg",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let rows = read(root.path()).unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| match row {
                Ok(label) => {
                    (label.image.as_str(), label.okta.unwrap().eighths(), label.group.as_deref())
                }
                Err(bad) => {
                    assert!(bad.text.en.contains("an okta of 12"), "{}", bad.text);
                    ("", 12, None)
                }
            })
            .collect();
        assert_eq!(
            told,
            [
                ("2024/noche-okta_8/d.jpg", 8, Some("2024/noche")),
                ("Octa_0/c.jpg", 0, None),
                ("dia_octa_3/a.jpg", 3, Some("dia")),
                ("dia_octa_3/more/b.PNG", 3, Some("dia")),
                ("", 12, None),
            ]
        );
    }

    #[test]
    fn a_folder_without_labels_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert!(read(root.path()).unwrap_err().text.en.contains("octa_0"));
        fs::create_dir(root.path().join("octa_4")).unwrap();
        let text = read(root.path()).unwrap_err().text.en;
        assert!(text.contains("no picture"), "{text}");
    }
}
