//! The pictures that the command line names.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// How the names of overlays end; a walk leaves such files out.
pub const OVERLAY_SUFFIX: &str = ".overlay.png";
/// How the names of frames end; a walk leaves such files out too.
pub const FRAME_SUFFIX: &str = ".frame.png";

/// Extensions of pictures, in lower case.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

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
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
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

fn is_picture(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
        && !name.is_some_and(|name| name.ends_with(OVERLAY_SUFFIX) || name.ends_with(FRAME_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_are_walked_by_name_and_extension() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/inner")).unwrap();
        for name in
            ["c.JPG", "a.png", "notes.txt", "b/2.jpeg", "b/inner/3.jpg", "b/1.jpg", "a.overlay.png"]
        {
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
