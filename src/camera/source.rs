//! Where pictures are to be had.

use url::Url;

use crate::camera::folder;
use crate::camera::http::address::without_secrets;
use crate::camera::picture_folder::PictureFolder;

/// Where a station's pictures are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A web server, by its base URL.
    Http(Url),
    /// A folder, with pictures at any depth.
    Folder(PictureFolder),
}

impl Source {
    /// The address under which its misses are kept, with a `/` at its end; no secrets.
    pub fn address(&self) -> String {
        let mut address = match self {
            Self::Http(base) => without_secrets(base),
            Self::Folder(folder) => folder::address(folder.root()),
        };
        address.truncate(address.trim_end_matches('/').len());
        address.push('/');
        address
    }
}
