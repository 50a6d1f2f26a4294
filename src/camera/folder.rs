//! Pictures from a folder on disk.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::camera::fault::AccessFault;
use crate::camera::http::HttpClient;
use crate::camera::picture::{Picture, Refusal, SearchResult};
use crate::camera::picture_folder::PictureFolder;
use celaje_sky::error::io_text;
use celaje_sky::layout::{Layout, Lesson};
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::Slot;

/// The address of a file or folder as it is stored: a `file:` URL of its absolute path.
pub fn address(path: &Path) -> String {
    std::path::absolute(path)
        .ok()
        .and_then(|path| url::Url::from_file_path(path).ok())
        .map_or_else(|| path.display().to_string(), String::from)
}

/// Looks for a slot's picture where it was when the folder was listed, else in both layouts: it may
/// have come since. A disk that does not answer in time (one behind a network that is gone) is a
/// host that cannot be reached. `client` bounds the picture.
pub async fn look_for(folder: &PictureFolder, client: &HttpClient, slot: Slot) -> SearchResult {
    let limits = client.limits();
    let mut attempts = 0;
    let mut layout = Layout::Root;
    loop {
        let listed = (layout == Layout::Root).then(|| folder.picture(slot)).flatten();
        let path = listed.unwrap_or_else(|| folder.root().join(layout.path(slot)));
        let url = address(&path);
        match read(path, limits.body_limit, limits.total_timeout).await {
            Ok(FileContent { bytes, .. }) => {
                let attempts = attempts + 1;
                let picture = Picture { bytes, url, layout, attempts, taken_at: None };
                return SearchResult::Picture(picture, Lesson::Nothing);
            }
            Err(refusal) if refusal.reason == MissReason::NotFound && layout == Layout::Root => {
                attempts += refusal.attempts;
                layout = Layout::Year;
            }
            Err(refusal) => {
                let refusal = match folder.closed().first() {
                    // It may be in there.
                    Some(closed) if refusal.reason == MissReason::NotFound => Refusal {
                        reason: MissReason::Unreadable,
                        detail: closed.text().en,
                        fault: Some(closed.clone()),
                        ..refusal
                    },
                    _ => refusal,
                };
                if let Some(fault) = &refusal.fault {
                    folder.closed().iter().chain([fault]).for_each(|fault| client.report(fault));
                }
                return SearchResult::Miss(refusal.into_miss(slot, attempts));
            }
        }
    }
}

/// A file that was read.
pub(super) struct FileContent {
    pub(super) bytes: Bytes,
    /// When it was last written to.
    pub(super) modified: Option<DateTime<Utc>>,
}

/// Reads a picture of at most `limit` bytes, off the calling thread.
///
/// # Errors
/// When there is no such file, it cannot be read, it is larger, or the disk does not answer.
pub(super) async fn read(
    path: PathBuf,
    limit: usize,
    patience: Duration,
) -> Result<FileContent, Refusal> {
    let refusal =
        |reason, detail| Refusal { reason, http_status: None, attempts: 1, detail, fault: None };
    let folder = path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let read = off_the_thread(patience, move || {
        // A pipe of that name would be waited for for ever.
        if !std::fs::metadata(&path)?.is_file() {
            return Err(std::io::Error::other("not a file"));
        }
        let file = std::fs::File::open(path)?;
        // Of the file that is read: another one may have taken its place.
        let modified = file.metadata()?.modified().ok().map(DateTime::from);
        let mut bytes = Vec::new();
        file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>((bytes, modified))
    });
    match read.await {
        Ok(Ok((bytes, _))) if bytes.len() > limit => {
            Err(refusal(MissReason::TooLarge, format!("more than {limit} bytes")))
        }
        Ok(Ok((bytes, modified))) => Ok(FileContent { bytes: Bytes::from(bytes), modified }),
        Ok(Err(e)) if e.kind() == ErrorKind::NotFound => {
            Err(refusal(MissReason::NotFound, "no such file".to_owned()))
        }
        Ok(Err(e)) => {
            let is_closed = e.kind() == ErrorKind::PermissionDenied;
            let fault = is_closed.then(|| AccessFault::FolderClosed(folder, io_text(&e)));
            let detail = fault.as_ref().map_or_else(|| e.to_string(), |fault| fault.text().en);
            Err(Refusal { fault, ..refusal(MissReason::Unreadable, detail) })
        }
        Err(reason) => Err(refusal(
            reason,
            match reason {
                MissReason::Unreachable => {
                    format!("the disk has not answered for {} s", patience.as_secs())
                }
                _ => "the reading of it was broken off".to_owned(),
            },
        )),
    }
}

/// Does what may block, and waits for it no longer than `patience`; what blocks for ever keeps a
/// thread, of which there are as many as slots are looked for at the same time, and those that are
/// tried while the host counts as down.
pub(super) async fn off_the_thread<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, MissReason> {
    let work = tokio::task::spawn_blocking(work);
    match tokio::time::timeout(patience, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(MissReason::Unreadable),
        Err(_) => Err(MissReason::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_answer_cannot_be_reached() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let blocked = off_the_thread(Duration::from_millis(20), move || released.recv().is_ok());
        assert_eq!(blocked.await, Err(MissReason::Unreachable));
        drop(release);
        let answered = off_the_thread(Duration::from_secs(60), || 7);
        assert_eq!(answered.await, Ok(7));
    }
}
