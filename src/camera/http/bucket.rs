//! Objects of a bucket: Amazon's S3, and servers that speak as it does.
//!
//! Keys, region and endpoint are those of the environment, by the names that Amazon's own tools
//! have (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL` and so on).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{Certificate, ClientOptions, Error, GetOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::camera::fault::AccessFault;
use crate::camera::http::address::without_secrets;
use crate::camera::http::limits::HttpLimits;
use crate::camera::picture::Refusal;
use crate::camera::validators::Validators;
use celaje_sky::outcome::MissReason;
use celaje_sky::station::Trust;

/// Where a key may come from. Without any of these only public buckets are read: the library would
/// ask an address of Amazon's network for a key.
const KEYS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
];

/// What lies below an address of a bucket.
pub(in crate::camera) struct PictureBucket {
    store: AmazonS3,
    /// The folder in the bucket; no `/` at its end.
    folder: String,
    /// Its address; no secrets.
    shown: String,
    limits: HttpLimits,
}

/// An object that was read.
pub(in crate::camera) struct Object {
    pub(in crate::camera) bytes: Bytes,
    pub(in crate::camera) validators: Validators,
}

/// The names in a folder, with the times at which objects were written; none for a folder.
pub(in crate::camera) type BucketNames = BTreeMap<String, Option<DateTime<Utc>>>;

impl PictureBucket {
    /// # Errors
    /// What is wrong with the address or the environment, for a person.
    pub(super) fn open(address: &Url, trust: &Trust, limits: &HttpLimits) -> Result<Self, String> {
        let shown = without_secrets(address);
        let failed = |error: Error| format!("{shown}: {error}");
        let mut options = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(limits.connect_timeout)
            .with_read_timeout(limits.read_timeout)
            .with_timeout(limits.total_timeout)
            .with_pool_max_idle_per_host(limits.keep_alive)
            .with_allow_invalid_certificates(trust.anything);
        for certificate in &trust.certificates {
            let certificate = Certificate::from_der(certificate).map_err(failed)?;
            options = options.with_root_certificate(certificate);
        }
        let retry = RetryConfig {
            max_retries: limits.retry.retries as usize,
            retry_timeout: limits.total_timeout * (limits.retry.retries + 1),
            ..RetryConfig::default()
        };
        let has_key = KEYS.iter().any(|name| std::env::var_os(name).is_some());
        let bucket = address.host_str().unwrap_or_default();
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(options)
            .with_retry(retry)
            .with_skip_signature(!has_key)
            .build()
            .map_err(failed)?;
        let folder = percent_encoding::percent_decode_str(address.path()).decode_utf8_lossy();
        let folder = folder.trim_matches('/').to_owned();
        Ok(Self { store, folder, shown, limits: limits.clone() })
    }

    fn key(&self, path: &str) -> String {
        match (self.folder.as_str(), path) {
            ("", path) => path.to_owned(),
            (folder, "") => folder.to_owned(),
            (folder, path) => format!("{folder}/{path}"),
        }
    }

    /// The object at `path`; a refusal with status 304 when it is still the `known` one.
    ///
    /// # Errors
    /// The refusal.
    pub(in crate::camera) async fn get(
        &self,
        path: &str,
        known: &Validators,
    ) -> Result<Object, Option<Refusal>> {
        let if_none_match = known.etag().map(str::to_owned);
        let options = GetOptions { if_none_match, ..GetOptions::default() };
        let key = Path::parse(self.key(path))
            .map_err(|error| Some(refused(MissReason::NotFound, None, error.to_string())))?;
        self.in_time(async {
            let found = self.store.get_opts(&key, options).await.map_err(|e| self.refusal(&e))?;
            let meta = found.meta.clone();
            let limit = self.limits.body_limit;
            if meta.size > limit as u64 {
                let detail = format!("{} bytes are more than the {limit} allowed", meta.size);
                return Err(refused(MissReason::TooLarge, None, detail));
            }
            let bytes = found.bytes().await.map_err(|error| self.refusal(&error))?;
            let validators = Validators::of_object(meta.e_tag.as_deref(), meta.last_modified);
            Ok(Object { bytes, validators })
        })
        .await
        .map_err(Some)
    }

    /// What is in the folder at `path`, `most` names and a page at most; nothing where there is no
    /// such folder.
    ///
    /// # Errors
    /// The refusal.
    pub(in crate::camera) async fn list(
        &self,
        path: &str,
        most: usize,
    ) -> Result<BucketNames, Refusal> {
        let mut prefix = self.key(path);
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let mut names = BucketNames::new();
        let mut page_token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: Some("/".into()),
                page_token,
                ..PaginatedListOptions::default()
            };
            let page = self.store.list_paginated(Some(&prefix), options);
            let page = async { page.await.map_err(|error| self.refusal(&error)) };
            let page = self.in_time(page).await?;
            for object in &page.result.objects {
                // A folder may be an object of its own, without a name.
                if let Some(name) = object.location.filename() {
                    names.insert(name.to_owned(), Some(object.last_modified));
                }
            }
            let folders = page.result.common_prefixes.iter().filter_map(Path::filename);
            names.extend(folders.map(|name| (name.to_owned(), None)));
            page_token = page.page_token;
            if page_token.is_none() || names.len() > most {
                return Ok(names);
            }
        }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let patience = self.patience();
        tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
            let detail = format!("no whole answer within {} s", patience.as_secs_f32());
            Err(refused(MissReason::Timeout, None, detail))
        })
    }

    /// For a request with its retries.
    fn patience(&self) -> Duration {
        self.limits.total_timeout * (self.limits.retry.retries + 1)
    }

    fn refusal(&self, error: &Error) -> Refusal {
        let last = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
        let closed = |status| {
            let fault = AccessFault::BucketClosed(self.shown.clone());
            let refused = refused(MissReason::HttpStatus, Some(status), fault.text().en);
            Refusal { fault: Some(fault), ..refused }
        };
        match error {
            Error::NotFound { .. } => refused(MissReason::NotFound, Some(404), last),
            Error::NotModified { .. } => refused(MissReason::Stale, Some(304), last),
            Error::Unauthenticated { .. } => closed(401),
            Error::PermissionDenied { .. } => closed(403),
            _ => match (status_in(&last), causes(error).find_map(kind)) {
                (Some(404), _) => refused(MissReason::NotFound, Some(404), "HTTP 404".to_owned()),
                (Some(status @ (401 | 403)), _) => closed(status),
                (Some(status), _) => {
                    let place = self.shown.clone();
                    let fault = (status >= 500).then_some(AccessFault::ServerFailed(place, status));
                    let detail = format!("HTTP {status}");
                    let refused = refused(MissReason::HttpStatus, Some(status), detail);
                    Refusal { fault, ..refused }
                }
                (None, Some(HttpErrorKind::Connect)) => {
                    refused(MissReason::Unreachable, None, last)
                }
                (None, Some(HttpErrorKind::Timeout)) => refused(MissReason::Timeout, None, last),
                (None, Some(_)) => refused(MissReason::Reset, None, last),
                (None, None) => refused(MissReason::Unreadable, None, last),
            },
        }
    }
}

/// An error and what it comes of.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let error: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(error), |error| error.source())
}

fn kind(error: &(dyn std::error::Error + 'static)) -> Option<HttpErrorKind> {
    error.downcast_ref::<HttpError>().map(HttpError::kind)
}

/// The status in a text of the library, which keeps it to itself otherwise.
fn status_in(text: &str) -> Option<u16> {
    text.split_once("status code: ")?.1.get(..3)?.parse().ok()
}

fn refused(reason: MissReason, http_status: Option<u16>, detail: String) -> Refusal {
    Refusal { http_status, ..Refusal::new(reason, 1, detail) }
}
