//! A file that was made for answers: sent whole, or a range of its bytes (RFC 9110, 14), without
//! which some players show no film and none can jump in it.

use std::fs::File;
use std::io::{Error, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::Method;
use actix_web::http::header::{self, EntityTag, IfNoneMatch, IfRange, Range};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};

use crate::web::problem::Problem;

/// Bytes that are read at a time.
const PART: usize = 64 * 1024;

/// A file that nobody writes to any more.
pub(crate) struct MadeFile {
    file: Mutex<File>,
    bytes: u64,
    /// A strong one: it is of the bytes.
    tag: EntityTag,
}

impl MadeFile {
    /// Reads the file once, for its ETag.
    pub(crate) fn new(mut file: File) -> Result<Self, Error> {
        let mut hash = Sha256::new();
        file.seek(SeekFrom::Start(0))?;
        let (mut bytes, mut part) = (0, vec![0; PART]);
        loop {
            let read = file.read(&mut part)?;
            if read == 0 {
                break;
            }
            hash.update(part.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
        let short = hash.finalize();
        let tag = short.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { file: Mutex::new(file), bytes, tag: EntityTag::new_strong(tag) })
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What `request` wants of it; `head` adds the headers that all its answers have beside the
    /// media type.
    pub(crate) fn answer(
        self: Arc<Self>,
        request: &HttpRequest,
        media: &str,
        head: impl FnOnce(&mut HttpResponseBuilder),
    ) -> Result<HttpResponse, Problem> {
        let has_it = match request.get_header::<IfNoneMatch>() {
            None => false,
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
        };
        let wanted = match has_it {
            true => None,
            false => self.wanted(request)?,
        };
        let mut response = match (has_it, wanted) {
            (true, _) => HttpResponse::NotModified(),
            (false, Some(_)) => HttpResponse::PartialContent(),
            (false, None) => HttpResponse::Ok(),
        };
        head(&mut response);
        response
            .insert_header((header::ETAG, self.tag.to_string()))
            .insert_header((header::ACCEPT_RANGES, "bytes"));
        if has_it {
            return Ok(response.finish());
        }
        response.content_type(media);
        let (from, bytes) = match wanted {
            Some((first, last)) => {
                let range = format!("bytes {first}-{last}/{}", self.bytes);
                response.insert_header((header::CONTENT_RANGE, range));
                (first, last - first + 1)
            }
            None => (0, self.bytes),
        };
        let parts = stream::try_unfold((self, from, bytes), |(file, from, left)| async move {
            if left == 0 {
                return Ok::<_, Error>(None);
            }
            let read =
                web::block(move || file.read(from, left.min(PART as u64)).map(|part| (part, file)));
            let (part, file) = read.await.map_err(Error::other)??;
            let read = part.len() as u64;
            Ok(Some((part, (file, from + read, left.saturating_sub(read)))))
        });
        Ok(response.no_chunking(bytes).streaming(Box::pin(parts)))
    }

    /// The first and the last byte that are wanted; none for the whole file.
    fn wanted(&self, request: &HttpRequest) -> Result<Option<(u64, u64)>, Problem> {
        // Several ranges at once may be answered with the whole, and only GET has ranges.
        let Some(Range::Bytes(ranges)) = request.get_header::<Range>() else { return Ok(None) };
        let [range] = ranges.as_slice() else { return Ok(None) };
        if request.method() != Method::GET {
            return Ok(None);
        }
        if request.headers().contains_key(header::IF_RANGE) {
            let same = match request.get_header::<IfRange>() {
                Some(IfRange::EntityTag(tag)) => tag.strong_eq(&self.tag),
                // It has no date.
                Some(IfRange::Date(_)) | None => false,
            };
            if !same {
                return Ok(None);
            }
        }
        let range = range.to_satisfiable_range(self.bytes);
        range.map(Some).ok_or_else(|| Problem::no_such_range(self.bytes))
    }

    /// `bytes` of it from the byte `from` on.
    fn read(&self, from: u64, bytes: u64) -> Result<Bytes, Error> {
        let mut part = vec![0; usize::try_from(bytes).map_err(Error::other)?];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut part)?;
        Ok(Bytes::from(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;

    /// A file of several parts, no two of which are the same.
    fn made() -> (Arc<MadeFile>, Vec<u8>) {
        use std::io::Write;
        let bytes: Vec<u8> =
            (0..150_000_u32).flat_map(|n| (n.wrapping_mul(77)).to_le_bytes()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (Arc::new(MadeFile::new(file).unwrap()), bytes)
    }

    async fn answered(
        made: &Arc<MadeFile>,
        request: TestRequest,
    ) -> (u16, Option<String>, Vec<u8>) {
        let answer = Arc::clone(made).answer(&request.to_http_request(), "video/mp4", |_| ());
        let answer = answer.unwrap_or_else(|problem| problem.render(celaje_sky::text::Lang::En));
        assert_eq!(answer.headers().get("accept-ranges").unwrap(), "bytes");
        let range = answer.headers().get("content-range");
        let range = range.map(|range| range.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        (status, range, to_bytes(answer.into_body()).await.unwrap().to_vec())
    }

    #[actix_web::test]
    async fn a_range_has_its_bytes_and_no_others() {
        let (made, bytes) = made();
        let length = bytes.len();
        for (range, first, last) in [
            ("bytes=0-1", 0, 1),
            ("bytes=0-", 0, length - 1),
            ("bytes=70000-200000", 70_000, 200_000),
            ("bytes=599990-9999999", 599_990, length - 1),
            ("bytes=-7", length - 7, length - 1),
            ("bytes=-9999999", 0, length - 1),
        ] {
            let told = answered(&made, TestRequest::get().insert_header(("range", range))).await;
            let said = Some(format!("bytes {first}-{last}/{length}"));
            assert_eq!((told.0, told.1), (206, said), "{range}");
            assert_eq!(told.2, bytes[first..=last], "{range}");
        }
        for range in ["bytes=600000-", "bytes=-0", "bytes=9999999-99999999"] {
            let told = answered(&made, TestRequest::get().insert_header(("range", range))).await;
            assert_eq!((told.0, told.1), (416, Some(format!("bytes */{length}"))), "{range}");
        }
        // What is no range, or several, is answered with the whole.
        for range in ["bytes=a-b", "seconds=1-2", "bytes=0-1,5-6", "0-1"] {
            let told = answered(&made, TestRequest::get().insert_header(("range", range))).await;
            assert_eq!((told.0, told.1), (200, None), "{range}");
            assert_eq!(told.2, bytes, "{range}");
        }
        let head = TestRequest::default().method(Method::HEAD);
        assert_eq!(answered(&made, head.insert_header(("range", "bytes=0-1"))).await.0, 200);
    }

    #[actix_web::test]
    async fn a_range_of_another_file_is_answered_with_the_whole() {
        let (made, bytes) = made();
        let tag = made.tag.to_string();
        let asked = |value: &str| {
            let request = TestRequest::get().insert_header(("range", "bytes=2-3"));
            request.insert_header(("if-range", value.to_owned()))
        };
        assert_eq!(answered(&made, asked(&tag)).await.0, 206);
        for other in ["\"other\"", &format!("W/{tag}"), "Sat, 29 Oct 1994 19:43:31 GMT", "no tag"] {
            let told = answered(&made, asked(other)).await;
            assert_eq!((told.0, told.2.len()), (200, bytes.len()), "{other}");
        }
        let known = TestRequest::get().insert_header(("if-none-match", tag));
        let told = answered(&made, known.insert_header(("range", "bytes=2-3"))).await;
        assert_eq!((told.0, told.2.len()), (304, 0));
    }
}
