//! A reader of answers that the HTTP library refuses and that browsers, curl or Python take: bytes
//! of any kind in the head, lengths that contradict each other, chunks in HTTP/1.0, a status line
//! of another protocol, or none. For plain HTTP, one request a connection.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Position, Url};

use crate::camera::http::limits::HttpLimits;
use crate::camera::http::whole::is_whole_picture;
use celaje_vision::picture::decode::is_picture;

/// Bytes of a head, and of what chunks add to a body.
const OVERHEAD: usize = 1 << 20;
/// Bytes that are read at once.
const BLOCK: usize = 16 << 10;

/// A line of a head: the name in lower case, and the value.
type Field<'a> = (String, &'a [u8]);

/// Asks `url` of its host.
pub(super) async fn get(
    url: &Url,
    authorization: Option<&HeaderValue>,
    limits: &HttpLimits,
) -> Result<Response> {
    let port = url.port_or_known_default().unwrap_or(80);
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = within(limits.connect_timeout, TcpStream::connect((bare, port))).await?;
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n");
    request += concat!("User-Agent: celaje/", env!("CARGO_PKG_VERSION"), "\r\n");
    let mut request = request.into_bytes();
    if let Some(value) = authorization {
        request.extend([b"Authorization: ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend(b"Connection: close\r\n\r\n");
    stream.write_all(&request).await?;
    let mut reading = AnswerReader::default();
    let most = limits.body_limit.saturating_add(OVERHEAD);
    let mut block = vec![0; BLOCK];
    while !reading.is_done() && reading.received.len() < most {
        let n = match within(limits.read_timeout, stream.read(&mut block)).await {
            Ok(n) => n,
            // What came before may be all.
            Err(_) if reading.body > 0 => 0,
            Err(error) => return Err(error),
        };
        if n == 0 {
            break;
        }
        reading.received.extend_from_slice(&block[..n]);
        reading.find_head();
    }
    reading.response()
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BodyLength {
    #[default]
    UntilTheEnd,
    Known(usize),
    Chunked,
}

/// An answer as it comes.
#[derive(Debug, Default)]
struct AnswerReader {
    received: Vec<u8>,
    /// Where the head begins: after answers of 1xx.
    head: usize,
    /// Where the body begins; 0 while the head is not whole.
    body: usize,
    length: BodyLength,
}

impl AnswerReader {
    /// Looks whether the head is whole now.
    fn find_head(&mut self) {
        while self.body == 0
            && let Some(end) = head_end(&self.received[self.head..])
        {
            let end = self.head + end;
            let (status, fields) = head(&self.received[self.head..end]);
            if status.is_some_and(|status| (100..200).contains(&status)) {
                self.head = end;
                continue;
            }
            self.length = length(&fields);
            self.body = end;
        }
    }

    fn is_done(&self) -> bool {
        let body = &self.received[self.body..];
        self.body > 0
            && match self.length {
                BodyLength::UntilTheEnd => false,
                BodyLength::Known(n) => body.len() >= n,
                BodyLength::Chunked => body.ends_with(b"0\r\n\r\n"),
            }
    }

    /// What was received, as the HTTP library would have given it.
    fn response(self) -> Result<Response> {
        let none = || Error::new(ErrorKind::InvalidData, "no HTTP answer");
        let (status, fields) = head(&self.received[self.head..self.body.max(self.head)]);
        let Some(status) = status else {
            // HTTP/0.9: a picture without any head.
            let picture = is_picture(&self.received).then_some(self.received);
            return picture.map(|bytes| http::Response::new(bytes).into()).ok_or_else(none);
        };
        let rest = &self.received[self.body..];
        let (body, whole) = match self.length {
            BodyLength::UntilTheEnd => (rest.to_vec(), true),
            BodyLength::Known(n) => (rest[..n.min(rest.len())].to_vec(), rest.len() >= n),
            BodyLength::Chunked => unchunked(rest),
        };
        if !whole && !is_whole_picture(&body) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut response = http::Response::builder().status(status);
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes());
            let framing = [CONTENT_LENGTH, TRANSFER_ENCODING];
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value))
                && !framing.contains(&name)
            {
                response = response.header(name, value);
            }
        }
        response.body(body).map(Response::from).map_err(|_| none())
    }
}

/// Where what follows the first blank line begins.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    ends.filter_map(|end| match &bytes[end..] {
        [b'\n', ..] => Some(end + 1),
        [b'\r', b'\n', ..] => Some(end + 2),
        _ => None,
    })
    .next()
}

/// The status that a head begins with, `HTTP/1.1 200 OK` or `ICY 200 OK`, and its fields; a line
/// without a colon is left out.
fn head(bytes: &[u8]) -> (Option<u16>, Vec<Field<'_>>) {
    let mut lines = bytes.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let protocol = words.next().unwrap_or_default().to_ascii_uppercase();
    let status = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    let known = protocol.starts_with(b"HTTP") || protocol == b"ICY";
    let fields = lines.filter_map(|line| {
        let colon = line.iter().position(|&b| b == b':')?;
        let name = String::from_utf8_lossy(line[..colon].trim_ascii_end()).to_lowercase();
        Some((name, line[colon + 1..].trim_ascii()))
    });
    (status.filter(|_| known), fields.collect())
}

/// Chunks go before a length; of several lengths the first counts, as in Python.
fn length(fields: &[Field<'_>]) -> BodyLength {
    let of = |wanted: HeaderName| {
        let values = fields.iter().filter(|(name, _)| *name == wanted.as_str());
        values.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase()).collect::<Vec<_>>()
    };
    if of(TRANSFER_ENCODING).iter().any(|value| value.contains("chunked")) {
        return BodyLength::Chunked;
    }
    let length = of(CONTENT_LENGTH).iter().find_map(|value| value.parse().ok());
    length.map_or(BodyLength::UntilTheEnd, BodyLength::Known)
}

/// The body that chunks make up, and whether its end is there.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.iter().position(|&b| b == b'\n') {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let data = &rest[end + 1..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        if size == 0 {
            return (body, true);
        }
        let Some(next) = data.get(size..) else { break };
        rest = next.strip_prefix(b"\r\n").or_else(|| next.strip_prefix(b"\n")).unwrap_or(next);
    }
    (body, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an answer that comes in pieces of `piece` bytes amounts to.
    async fn read(answer: &[u8], piece: usize) -> Result<(u16, Vec<u8>, bool)> {
        let mut reading = AnswerReader::default();
        for piece in answer.chunks(piece.max(1)) {
            reading.received.extend_from_slice(piece);
            reading.find_head();
        }
        let done = reading.is_done();
        let response = reading.response()?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await.map_err(Error::other)?.to_vec(), done))
    }

    #[actix::test]
    async fn answers_are_read_however_they_are_worded() {
        let picture = b"\xff\xd8\xff\xe0 and so on \xff\xd9";
        let plain = [b"ICY 200 OK\r\n\r\n", &picture[..]].concat();
        assert_eq!(read(&plain, 7).await.unwrap(), (200, picture.to_vec(), false));
        assert_eq!(read(picture, 99).await.unwrap(), (200, picture.to_vec(), false));
        for answer in [
            &b"HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\nServer: \0\x01\ncontent-length : 3\nContent-Length: 5\n\nabc",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc and more",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x\r\nab\r\n\
                1\r\nc\r\n0\r\n\r\n",
        ] {
            let shown = String::from_utf8_lossy(answer);
            assert_eq!(read(answer, 5).await.unwrap(), (200, b"abc".to_vec(), true), "{shown}");
        }
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x15\x03\x01\0\x02\x02\x16",
            b"",
        ] {
            assert!(read(answer, 5).await.is_err(), "{answer:?}");
        }
    }

    proptest! {
        /// Whatever comes, nothing panics.
        #[test]
        fn any_bytes_are_read(
            head in "(HTTP/1.1 200\n(Transfer-Encoding: chunked\n)?\n)?",
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let received = [head.as_bytes(), &body].concat();
            let mut reading = AnswerReader { received, ..AnswerReader::default() };
            reading.find_head();
            let _ = (reading.is_done(), reading.response());
        }
    }
}
