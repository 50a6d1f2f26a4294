//! What the name of a file says: whether it is a picture, or belongs to a system.

use std::path::Path;

/// Extensions of pictures, in lower case.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Folders that file systems and file servers keep for themselves, in lower case: archives made on
/// a Mac, thumbnails and wastebaskets of Synology, QNAP and Windows.
const SYSTEM_FOLDERS: [&str; 6] =
    ["__macosx", "@eadir", "#recycle", "@recycle", "$recycle.bin", "lost+found"];

/// Whether what is found at `path` belongs to a system and not to the camera: hidden files and
/// folders, such as `._x.jpg` that macOS puts beside `x.jpg` on disks of other systems.
pub fn is_system_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.to_string_lossy().to_lowercase();
        name.starts_with('.') || SYSTEM_FOLDERS.contains(&name.as_str())
    })
}

/// Whether a file that is found at `path` is a picture, by its name.
pub fn is_picture_name(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    EXTENSIONS.iter().any(|known| extension == *known) && !is_system_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_system_are_no_pictures() {
        for name in ["a.jpg", "a.JPEG", "b/c.Png", ".cache/a.jpg", "._a/x.jpg"] {
            assert!(is_picture_name(Path::new(name)), "{name}");
        }
        for name in ["._a.jpg", "d/.a.png", ".jpg", "Thumbs.db", ".DS_Store", "desktop.ini", "a"] {
            assert!(!is_picture_name(Path::new(name)), "{name}");
        }
        for name in ["__MACOSX", "d/@eaDir", ".Trash-1000", ".thumbnails", "$RECYCLE.BIN"] {
            assert!(is_system_file(Path::new(name)), "{name}");
        }
        assert!(!is_system_file(Path::new("octa_3")) && !is_system_file(Path::new("..")));
    }
}
