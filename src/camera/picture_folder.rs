//! The pictures below a folder, at any depth, by the moment that their names name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::camera::fault::AccessFault;
use crate::camera::file_name::{is_picture_name, is_system_file};
use celaje_sky::error::io_text;
use celaje_sky::slot::Slot;

/// A folder of pictures, as it was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PictureFolder {
    root: PathBuf,
    /// Paths below the root, by station local time.
    pictures: Arc<BTreeMap<NaiveDateTime, PathBuf>>,
    doubles: DoublePictures,
    /// The folders below it that cannot be listed.
    closed: Vec<AccessFault>,
    has_no_gaps: bool,
}

/// Pictures that were left out, since another one has the same moment in its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoublePictures {
    /// How many.
    pub count: usize,
    /// Paths of the first one and of the one that counts, below the root.
    pub first: Option<(PathBuf, PathBuf)>,
}

impl PictureFolder {
    /// Lists the pictures below `root` whose names are of the form `<YYYY>-<MMDDHHmm>`, with any
    /// extension of a picture. Of several of one moment the one nearest to the root counts, then
    /// the first by its path. Folders below it that cannot be listed are [`Self::closed`].
    ///
    /// # Errors
    /// When `root` cannot be listed.
    pub fn list(root: &Path) -> Result<Self> {
        let mut pictures = BTreeMap::new();
        let mut doubles = DoublePictures::default();
        let mut closed = Vec::new();
        let mut level = vec![PathBuf::new()];
        while !level.is_empty() {
            let mut deeper = Vec::new();
            for folder in level {
                let (folders, files) = match entries(&root.join(&folder), &folder) {
                    Ok(found) => found,
                    Err(error) if folder.as_os_str().is_empty() => return Err(error),
                    Err(error) => {
                        let shown = root.join(&folder).display().to_string();
                        closed.push(AccessFault::FolderClosed(shown, io_text(&error)));
                        continue;
                    }
                };
                deeper.extend(folders);
                for file in files {
                    let Some(moment) = moment_of(&file) else { continue };
                    match pictures.entry(moment) {
                        Entry::Vacant(place) => drop(place.insert(file)),
                        Entry::Occupied(counts) => {
                            doubles.count += 1;
                            doubles.first.get_or_insert_with(|| (file, counts.get().clone()));
                        }
                    }
                }
            }
            deeper.sort_unstable();
            level = deeper;
        }
        let (root, pictures) = (root.to_owned(), Arc::new(pictures));
        Ok(Self { root, pictures, doubles, closed, has_no_gaps: false })
    }

    /// From now on a slot without a picture is none that anybody asks for.
    #[must_use]
    pub fn without_gaps(self) -> Self {
        Self { has_no_gaps: true, ..self }
    }

    /// The moments of the pictures, ascending, where nobody asks for others.
    pub fn alone(&self) -> Option<Arc<[NaiveDateTime]>> {
        self.has_no_gaps.then(|| self.moments().collect())
    }

    /// The pictures that were left out, since another one is of the same moment.
    pub const fn doubles(&self) -> &DoublePictures {
        &self.doubles
    }

    /// The folders below it that cannot be listed: what is in them is not known.
    pub fn closed(&self) -> &[AccessFault] {
        &self.closed
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The picture of a slot, if there was one when the folder was listed.
    pub fn picture(&self, slot: Slot) -> Option<PathBuf> {
        self.pictures.get(&slot.local()).map(|below| self.root.join(below))
    }

    /// The moments of the pictures, ascending.
    pub fn moments(&self) -> impl DoubleEndedIterator<Item = NaiveDateTime> {
        self.pictures.keys().copied()
    }
}

/// The folders and the pictures of the folder that is `here`, each as `folder` and its name, in the
/// order of their names.
fn entries(here: &Path, folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(here)? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        // A link to a folder is not followed: no circles.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.extend((!is_system_file(&path)).then_some(path));
        } else if is_picture_name(&path) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok((folders, files))
}

/// The moment that a picture's name names, whatever its extension.
fn moment_of(path: &Path) -> Option<NaiveDateTime> {
    Slot::parse_file_name(&format!("{}.jpg", path.file_stem()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::slot::Zone;
    use std::fs;

    #[test]
    fn a_tree_is_read_at_any_depth_and_whatever_the_extension() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "2024-03010002.jpg",
            "2024/2024-03010002.jpg",
            "a/b/c/d/2024-03010012.JPEG",
            "a/b/2024-03010012.png",
            "imagenes_clara_octa_3/2024-03010022.PNG",
            "a/latest.jpg",
            "a/2024-13990032.jpg",
            "a/2024-03010032.txt",
            "@eaDir/2024-03010042.jpg",
            "a/._2024-03010042.jpg",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        let pictures = PictureFolder::list(folder.path()).unwrap();
        let zone: Zone = "-03:00".parse().unwrap();
        let found: Vec<_> = pictures
            .moments()
            .map(|moment| pictures.picture(Slot::at(moment, zone).unwrap()).unwrap())
            .collect();
        let expected = [
            "2024-03010002.jpg",
            "a/b/2024-03010012.png",
            "imagenes_clara_octa_3/2024-03010022.PNG",
        ];
        assert_eq!(found, expected.map(|name| folder.path().join(name)));
        // The one that is deeper, or comes later, is left out, and that is told.
        let doubles = pictures.doubles();
        let paths = ("2024/2024-03010002.jpg".into(), "2024-03010002.jpg".into());
        assert_eq!((doubles.count, doubles.first.as_ref()), (2, Some(&paths)));
        assert_eq!(pictures.alone(), None);
        assert_eq!(pictures.without_gaps().alone().map(|moments| moments.len()), Some(3));
        assert!(PictureFolder::list(&folder.path().join("none")).is_err());
    }
}
