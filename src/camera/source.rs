//! Where pictures are to be had.

use std::sync::Arc;

use url::Url;

use crate::camera::folder;
use crate::camera::http::address::without_secrets;
use crate::camera::picture_folder::PictureFolder;
use crate::camera::scheme::Scheme;

/// Where a station's pictures are to be had.
#[derive(Clone, Debug)]
pub enum Source {
    /// A web server with Celaje's own names, by its base URL.
    Http(Url),
    /// A folder, with pictures of these names at any depth.
    Folder(PictureFolder),
    /// As `[station.source]` says.
    Scheme(Arc<Scheme>),
}

impl Source {
    /// The camera's server; none for a folder or a bucket.
    pub fn base(&self) -> Option<&Url> {
        match self {
            Self::Http(base) => Some(base),
            Self::Folder(_) => None,
            Self::Scheme(scheme) => scheme.base(),
        }
    }

    /// Whether it is what somebody collected: all that it will hold is there, of whatever date.
    pub fn is_archive(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Folder(_) => true,
            Self::Scheme(scheme) => scheme.is_archive(),
        }
    }

    /// Whether it has the latest picture alone, and nothing to go back to.
    pub fn has_only_the_latest(&self) -> bool {
        matches!(self, Self::Scheme(scheme) if scheme.has_only_the_latest())
    }

    /// A pass begins; `stored` is the SHA-256 of the newest pictures in the record.
    pub fn begin(&self, stored: Vec<String>) {
        if let Self::Scheme(scheme) = self {
            scheme.begin(stored);
        }
    }

    /// The address under which its misses are kept, with a `/` at its end where names stand below
    /// it; no secrets.
    pub fn address(&self) -> String {
        let mut address = match self {
            Self::Http(base) => without_secrets(base),
            Self::Folder(folder) => folder::address(folder.root()),
            Self::Scheme(scheme) => scheme.address(),
        };
        if !self.has_only_the_latest() {
            address.truncate(address.trim_end_matches('/').len());
            address.push('/');
        }
        address
    }
}
