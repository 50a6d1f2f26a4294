//! Pictures from a folder on disk.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::camera::{Found, Picture, Refusal};
use crate::pipeline::layout::{Layout, Lesson};
use crate::pipeline::outcome::MissReason;
use crate::pipeline::slot::Slot;

/// The address of a file or folder as it is stored: a `file:` URL of its absolute path.
pub fn address(path: &Path) -> String {
    std::path::absolute(path)
        .ok()
        .and_then(|path| url::Url::from_file_path(path).ok())
        .map_or_else(|| path.display().to_string(), String::from)
}

/// Looks for a slot's picture below `root` in both layouts.
pub async fn look_for(root: &Path, slot: Slot, limit: usize) -> Found {
    let mut attempts = 0;
    let mut layout = Layout::Root;
    loop {
        let path = root.join(layout.path(slot));
        let url = address(&path);
        match read(path, limit).await {
            Ok(bytes) => {
                let picture = Picture {
                    bytes,
                    url,
                    layout,
                    attempts: attempts + 1,
                };
                return Found::Picture(picture, Lesson::Nothing);
            }
            Err(refusal) if refusal.reason == MissReason::NotFound && layout == Layout::Root => {
                attempts += refusal.attempts;
                layout = Layout::Year;
            }
            Err(refusal) => return Found::Miss(refusal.into_miss(slot, attempts)),
        }
    }
}

/// Reads a picture of at most `limit` bytes, off the calling thread.
///
/// # Errors
/// When there is no such file, it cannot be read, or it is larger.
async fn read(path: PathBuf, limit: usize) -> Result<Bytes, Refusal> {
    let refusal = |reason, detail| Refusal {
        reason,
        http_status: None,
        attempts: 1,
        detail,
    };
    let read = tokio::task::spawn_blocking(move || {
        // A pipe of that name would be waited for for ever.
        if !std::fs::metadata(&path)?.is_file() {
            return Err(std::io::Error::other("not a file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(limit as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    });
    match read.await {
        Ok(Ok(bytes)) if bytes.len() > limit => Err(refusal(
            MissReason::TooLarge,
            format!("more than {limit} bytes"),
        )),
        Ok(Ok(bytes)) => Ok(Bytes::from(bytes)),
        Ok(Err(e)) if e.kind() == ErrorKind::NotFound => {
            Err(refusal(MissReason::NotFound, "no such file".to_owned()))
        }
        Ok(Err(e)) => Err(refusal(MissReason::Unreadable, e.to_string())),
        Err(e) => Err(refusal(MissReason::Unreadable, e.to_string())),
    }
}
