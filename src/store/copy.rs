//! Copies of a database file: whole and verified, or none.

use std::fs::{File, OpenOptions};
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::store::connection::{Access, connect, damage, file_uri};
use crate::store::lock::folder_of;
use crate::store::owner;
use celaje_sky::error::io_text;

/// Copies the file `from`, as `connection` sees it now, to the file `to`. The copy is written to
/// `part` in the same folder, checked for soundness and by `right`, and then renamed.
///
/// One read transaction, whoever writes meanwhile. The copy is packed as by `VACUUM` and has the
/// permissions of `from`. A file at `to` is replaced if `replace` is set; otherwise there is no
/// copy.
///
/// # Errors
/// Why there is no copy. `part` is removed then, and the file at `to` is as it was.
pub(super) fn copy(
    (connection, from): (&mut SqliteConnection, &Path),
    (part, to): (&Path, &Path),
    replace: bool,
    right: impl FnOnce(&mut SqliteConnection) -> Result<(), String>,
) -> Result<(), String> {
    let write = || -> Result<(), String> {
        if part.exists() {
            std::fs::remove_file(part).map_err(|e| io_text(&e).to_string())?;
        }
        make_like(from, part).map_err(|e| io_text(&e).to_string())?;
        let target = file_uri(part).map_err(|e| e.to_string())?;
        diesel::sql_query("VACUUM INTO ?")
            .bind::<Text, _>(target)
            .execute(connection)
            .map_err(|e| e.to_string())?;
        let mut copied = connect(part, Access::Read).map_err(|e| e.to_string())?;
        owner::clear(&mut copied).map_err(|e| e.to_string())?;
        let found = damage(&mut copied, false).map_err(|e| e.to_string())?;
        if !found.is_empty() {
            return Err(found.join("; "));
        }
        right(&mut copied)?;
        drop(copied);
        finish(part, to, replace).map_err(|e| io_text(&e).to_string())
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(part);
    }
    written
}

/// Puts a copy of the database file at `path`, byte for byte and by way of `part` beside it, into
/// its place, as a file of its own. An empty file is copied too.
///
/// # Errors
/// Why there is no copy: the file is not sound, or cannot be read or replaced.
pub(super) fn exchange(path: &Path, part: &Path) -> Result<(), String> {
    std::fs::copy(path, part).map_err(|e| io_text(&e).to_string())?;
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        use std::os::unix::fs::{MetadataExt, chown};
        // Only root may, and only root needs to.
        let _ = chown(part, Some(found.uid()), Some(found.gid()));
    }
    let mut copied = connect(part, Access::Immutable).map_err(|e| e.to_string())?;
    let found = damage(&mut copied, true).map_err(|e| e.to_string())?;
    drop(copied);
    match found.is_empty() {
        true => finish(part, path, true).map_err(|e| io_text(&e).to_string()),
        false => Err(found.join("; ")),
    }
}

/// Makes the empty file `part` with the permissions of `from`.
fn make_like(from: &Path, part: &Path) -> std::io::Result<()> {
    let file = File::create_new(part)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file that is copied because it was deleted says nothing any more.
        if let Ok(found) = std::fs::metadata(from) {
            // The copy is written even where `from` may only be read.
            let mode = found.permissions().mode() | 0o200;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (from, file);
    Ok(())
}

/// Syncs `part` to the disk and renames it.
fn finish(part: &Path, to: &Path, replace: bool) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(part)?.sync_all()?;
    if replace {
        std::fs::rename(part, to)?;
    } else {
        // Unlike a rename, a link never replaces a file.
        match std::fs::hard_link(part, to) {
            Ok(()) => std::fs::remove_file(part)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(error),
            // A file system without links.
            Err(_) if !to.exists() => std::fs::rename(part, to)?,
            Err(error) => return Err(error),
        }
    }
    // Syncs the name too, where the system lets a folder be opened.
    if let Ok(folder) = File::open(folder_of(to)) {
        let _ = folder.sync_all();
    }
    Ok(())
}
