//! Copies of a database file: whole and verified, or none.

use std::fs::{File, OpenOptions};
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::store::connection::{Access, connect, damage, file_uri};
use crate::store::lock::folder_of;
use crate::store::owner;

/// Writes what `connection` sees now of the file `from` to the file `to`, by way of `part` in the
/// same folder, and looks whether it is sound and what `right` asks for before it gets its name.
///
/// It is one reading transaction, whoever writes meanwhile. The copy is packed as by `VACUUM`, and
/// may be read by the same users. What stands in its place is replaced, or kept and the copy
/// refused.
///
/// # Errors
/// Why there is no copy; then nothing is left of it, and what stood in its place is as it was.
pub(super) fn copy(
    (connection, from): (&mut SqliteConnection, &Path),
    (part, to): (&Path, &Path),
    replace: bool,
    right: impl FnOnce(&mut SqliteConnection) -> Result<(), String>,
) -> Result<(), String> {
    let write = || -> Result<(), String> {
        if part.exists() {
            std::fs::remove_file(part).map_err(|e| e.to_string())?;
        }
        make_like(from, part).map_err(|e| e.to_string())?;
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
        finish(part, to, replace).map_err(|e| e.to_string())
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(part);
    }
    written
}

/// Makes the empty file `part`, which the same users may read as `from`.
fn make_like(from: &Path, part: &Path) -> std::io::Result<()> {
    let file = File::create_new(part)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file that is copied because it was deleted says nothing any more.
        if let Ok(found) = std::fs::metadata(from) {
            // It is written to, whatever the other one is.
            let mode = found.permissions().mode() | 0o200;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (from, file);
    Ok(())
}

/// Brings `part` onto the disk and gives it its name.
fn finish(part: &Path, to: &Path, replace: bool) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(part)?.sync_all()?;
    if replace {
        std::fs::rename(part, to)?;
    } else {
        // A link, unlike a new name, never takes the place of another file.
        match std::fs::hard_link(part, to) {
            Ok(()) => std::fs::remove_file(part)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(error),
            // A file system without links.
            Err(_) if !to.exists() => std::fs::rename(part, to)?,
            Err(error) => return Err(error),
        }
    }
    // The name too; where folders cannot be opened it is as safe as any.
    if let Ok(folder) = File::open(folder_of(to)) {
        let _ = folder.sync_all();
    }
    Ok(())
}
