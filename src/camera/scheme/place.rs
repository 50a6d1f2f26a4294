//! A place that files are read from and folders are listed of: a web server, a folder or a bucket.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use url::Url;

use crate::camera::fault::AccessFault;
use crate::camera::folder::{self, FileContent};
use crate::camera::http::{HttpClient, without_secrets};
use crate::camera::picture::Refusal;
use crate::camera::scheme::listing::{self, ListedEntry};
use crate::camera::scheme::{refusal, refused_for};
use crate::camera::validators::Validators;
use celaje_sky::error::io_text;
use celaje_sky::outcome::MissReason;

/// Files and folders of one folder at most.
const MOST_ENTRIES: usize = 200_000;

#[derive(Clone, Debug)]
pub enum SchemePlace {
    /// Below this URL.
    Http(Url),
    /// Below this folder.
    Folder(PathBuf),
    /// Below this address of a bucket, `s3://bucket/folder`.
    Bucket(Url),
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct PlacedFile {
    pub(super) bytes: Bytes,
    /// Its address; no secrets.
    pub(super) url: String,
    pub(super) attempts: u32,
    /// When a file was last written to.
    pub(super) modified: Option<DateTime<Utc>>,
    /// What a server says of its state.
    pub(super) validators: Validators,
}

impl SchemePlace {
    /// Its address; no secrets.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Http(base) | Self::Bucket(base) => without_secrets(base),
            Self::Folder(root) => folder::address(root),
        }
    }

    /// The same for a person: the path of a folder.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Http(base) | Self::Bucket(base) => without_secrets(base),
            Self::Folder(root) => root.display().to_string(),
        }
    }

    /// The file at `path`; the place itself when that is empty.
    pub(super) async fn get(
        &self,
        client: &HttpClient,
        path: &str,
        known: &Validators,
    ) -> Result<PlacedFile, Option<Refusal>> {
        match self {
            Self::Http(base) => {
                let url = below(base, path);
                let body = client.get_changed(url.clone(), known).await?;
                Ok(PlacedFile {
                    bytes: body.bytes,
                    url: without_secrets(&url),
                    attempts: body.attempts,
                    modified: None,
                    validators: body.validators,
                })
            }
            Self::Folder(root) => {
                let path = if path.is_empty() { root.clone() } else { root.join(path) };
                let limits = client.limits();
                let url = folder::address(&path);
                let read = folder::read(path, limits.body_limit, limits.total_timeout).await;
                let FileContent { bytes, modified } = read.map_err(Some)?;
                let validators = Validators::default();
                Ok(PlacedFile { bytes, url, attempts: 1, modified, validators })
            }
            Self::Bucket(base) => {
                let bucket = client.bucket(base).map_err(Some)?;
                let object = client.in_grace(bucket.get(path, known)).await??;
                Ok(PlacedFile {
                    bytes: object.bytes,
                    url: without_secrets(&below(base, path)),
                    attempts: 1,
                    modified: None,
                    validators: object.validators,
                })
            }
        }
    }

    /// What is in the folder at `path`; nothing when there is no such folder below the place. With
    /// `has_times` a folder on disk says when its entries were written.
    pub(super) async fn list(
        &self,
        client: &HttpClient,
        path: &str,
        has_times: bool,
    ) -> Result<Vec<ListedEntry>, Option<Refusal>> {
        let listed = match self {
            Self::Http(base) => {
                let mut url = below(base, path);
                let folder = format!("{}/", url.path().trim_end_matches('/'));
                url.set_path(&folder);
                let body = client.get(url.clone()).await?;
                listing::entries(&url, &body.bytes).ok_or_else(|| {
                    refused_for(AccessFault::ListUnknown(without_secrets(&url)), body.attempts)
                })
            }
            Self::Folder(root) => {
                let folder = if path.is_empty() { root.clone() } else { root.join(path) };
                read_folder(folder, client.limits().total_timeout, has_times).await
            }
            Self::Bucket(base) => match client.bucket(base) {
                Ok(bucket) => {
                    client.in_grace(bucket.list(path, MOST_ENTRIES)).await?.map(|names| {
                        let entry =
                            |(name, written): (String, Option<DateTime<Utc>>)| ListedEntry {
                                name,
                                is_folder: written.is_none(),
                                written: written.map(|time| time.naive_utc()),
                            };
                        names.into_iter().map(entry).collect()
                    })
                }
                Err(refused) => Err(refused),
            },
        };
        match listed {
            Ok(entries) if entries.len() > MOST_ENTRIES => {
                let shown = self.address();
                let detail = format!("'{path}' of {shown} holds more than {MOST_ENTRIES} entries");
                Err(Some(refusal(MissReason::Unreadable, 1, detail)))
            }
            Ok(entries) => Ok(entries),
            Err(refused) if refused.reason == MissReason::NotFound && !path.is_empty() => {
                Ok(Vec::new())
            }
            Err(refused) if refused.reason == MissReason::NotFound => {
                let fault = AccessFault::FolderMissing(self.shown());
                let http_status = refused.http_status;
                Err(Some(Refusal { http_status, ..refused_for(fault, refused.attempts) }))
            }
            Err(refused) => Err(Some(refused)),
        }
    }
}

/// The URL of `path` below `base`, whose query stays.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    if !path.is_empty() {
        let base = base.path().trim_end_matches('/');
        // A name is taken as it is: what looks like an escape in it is none.
        url.set_path(&format!("{base}/{}", path.replace('%', "%25")));
    }
    url
}

async fn read_folder(
    folder: PathBuf,
    patience: Duration,
    has_times: bool,
) -> Result<Vec<ListedEntry>, Refusal> {
    let shown = folder.display().to_string();
    let read = folder::off_the_thread(patience, move || {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            // A name that is no text is of no template.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            // A link to a folder is followed: a walk goes no deeper than its template.
            let is_folder = kind.is_dir()
                || (kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()));
            let modified = || std::fs::metadata(entry.path()).and_then(|meta| meta.modified());
            let written = has_times.then(modified).and_then(Result::ok);
            let written = written.map(|time| DateTime::<Utc>::from(time).naive_utc());
            entries.push(ListedEntry { name, is_folder, written });
            if entries.len() > MOST_ENTRIES {
                break;
            }
        }
        Ok::<_, std::io::Error>(entries)
    });
    match read.await {
        Ok(Ok(entries)) => Ok(entries),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            Err(refusal(MissReason::NotFound, 1, format!("there is no folder '{shown}'")))
        }
        Ok(Err(error)) => Err(refused_for(AccessFault::FolderClosed(shown, io_text(&error)), 1)),
        Err(reason) => {
            let detail = format!("the folder '{shown}' was not listed in time");
            Err(refusal(reason, 1, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_below_a_url_as_they_are() {
        let base: Url = "http://host/a/?key=1".parse().unwrap();
        assert_eq!(
            below(&base, "b c/1%41?.jpg").as_str(),
            "http://host/a/b%20c/1%2541%3F.jpg?key=1"
        );
        assert_eq!(below(&base, ""), base);
    }
}
