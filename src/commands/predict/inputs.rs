//! The pictures that the command line names.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::camera::file_name::{is_picture_name, is_system_file};

/// How the names of overlays end; a walk leaves such files out.
pub const OVERLAY_SUFFIX: &str = ".overlay.png";
/// How the names of frames end; a walk leaves such files out too.
pub const FRAME_SUFFIX: &str = ".frame.png";

/// Files and folders, walked one folder at a time.
pub(in crate::commands) struct Pictures {
    /// What is still to be visited, first first; the names within a folder are put in front.
    pending: VecDeque<Entry>,
}

struct Entry {
    path: PathBuf,
    /// Named by the user, not found in a folder.
    named: bool,
}

impl Pictures {
    pub(in crate::commands) fn new(inputs: &[PathBuf]) -> Self {
        let pending = inputs.iter().map(|path| Entry { path: path.clone(), named: true }).collect();
        Self { pending }
    }

    /// Puts what `folder` holds in front, in the order of the names.
    fn enter(&mut self, folder: &Path) -> std::io::Result<()> {
        let entries = std::fs::read_dir(folder)?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = paths.filter(|path| !is_system_file(path)).collect();
        paths.sort_unstable();
        for path in paths.into_iter().rev() {
            self.pending.push_front(Entry { path, named: false });
        }
        Ok(())
    }
}

impl Iterator for Pictures {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        loop {
            let Entry { path, named } = self.pending.pop_front()?;
            // A link to a folder is followed when it is named, not when it is found: no circles.
            let is_folder = if named {
                path.is_dir()
            } else {
                path.symlink_metadata().is_ok_and(|entry| entry.is_dir())
            };
            if is_folder {
                // A folder that cannot be listed is answered as an unreadable picture.
                if self.enter(&path).is_err() {
                    return Some(path);
                }
            } else if named || (is_picture(&path) && path.is_file()) {
                return Some(path);
            }
        }
    }
}

/// Whether it is a picture by its name, and not one that this program drew.
fn is_picture(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    is_picture_name(path) && !name.ends_with(OVERLAY_SUFFIX) && !name.ends_with(FRAME_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_are_walked_by_name_and_extension() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let pictures = ["c.JPG", "a.png", "b/2.jpeg", "b/inner/3.jpg", "b/1.jpg"];
        let others = ["notes.txt", "a.overlay.png", "b/._1.jpg", "Thumbs.db", "b/@eaDir/1.jpg"];
        for name in pictures.into_iter().chain(others) {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), "").unwrap();
        }
        let found: Vec<String> = Pictures::new(&[root.to_owned(), root.join("notes.txt")])
            .map(|path| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"))
            .collect();
        assert_eq!(found, ["a.png", "b/1.jpg", "b/2.jpeg", "b/inner/3.jpg", "c.JPG", "notes.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_makes_no_circle() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken.jpg")).unwrap();
        fs::write(folder.path().join("a.jpg"), "").unwrap();
        assert_eq!(Pictures::new(&[folder.path().to_owned()]).count(), 1);
    }
}
