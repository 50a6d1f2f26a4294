//! A reader of answers that the HTTP library refuses and that browsers, curl or Python take: bytes
//! of any kind in the head, lengths that contradict each other, chunks in HTTP/1.0, a status line
//! of another protocol, or none; lines of chunks that end otherwise. One request a connection.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Position, Url};

use crate::camera::http::limits::HttpLimits;
use crate::camera::http::unpack::unpack;
use crate::camera::http::whole::{head_end, is_whole_picture};
use celaje_vision::picture::decode::is_picture;

/// Bytes of a head, and of what chunks add to a body.
const OVERHEAD: usize = 1 << 20;
/// Bytes that are read at once.
const BLOCK: usize = 16 << 10;

/// A line of a head: the name in lower case, and the value.
type Field<'a> = (String, &'a [u8]);

/// A connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the host of `url`, by `tls` where it is given.
async fn connect(url: &Url, tls: Option<Arc<ClientConfig>>) -> Result<Box<dyn Stream>> {
    let port = url.port_or_known_default().unwrap_or(80);
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(bare.to_owned()).map_err(Error::other)?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, stream).await?))
}

/// Asks `url` of its host, by `tls` where it is given.
pub(super) async fn get(
    url: &Url,
    authorization: Option<&HeaderValue>,
    limits: &HttpLimits,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Response> {
    let mut stream = within(limits.connect_timeout, connect(url, tls)).await?;
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
    stream.flush().await?;
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
    reading.answer(limits.body_limit).map(Response::from)
}

/// What an answer amounts to that comes in pieces of `piece` bytes: its status and its body.
#[cfg(feature = "testing")]
pub fn read_answer(bytes: &[u8], piece: usize) -> Result<(u16, Vec<u8>)> {
    let mut reading = AnswerReader::default();
    for piece in bytes.chunks(piece.max(1)) {
        reading.received.extend_from_slice(piece);
        reading.find_head();
        if reading.is_done() {
            break;
        }
    }
    let answer = reading.answer(bytes.len())?;
    Ok((answer.status().as_u16(), answer.into_body()))
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
            // What has no status line is no head, whatever its lines say.
            if status.is_some() {
                self.length = length(&fields);
            }
            self.body = end;
        }
    }

    fn is_done(&self) -> bool {
        let body = &self.received[self.body..];
        self.body > 0
            && match self.length {
                BodyLength::UntilTheEnd => false,
                BodyLength::Known(n) => body.len() >= n,
                BodyLength::Chunked => chunks(body).1,
            }
    }

    /// What was received, as the HTTP library would have given it; a body that ends too early is
    /// one if a whole picture is in it, of `limit` bytes.
    fn answer(self, limit: usize) -> Result<http::Response<Vec<u8>>> {
        let none = || Error::new(ErrorKind::InvalidData, "no HTTP answer");
        let (status, fields) = head(&self.received[self.head..self.body.max(self.head)]);
        let Some(status) = status else {
            // HTTP/0.9: a picture without any head.
            let picture = is_picture(&self.received).then_some(self.received);
            return picture.map(http::Response::new).ok_or_else(none);
        };
        let rest = &self.received[self.body..];
        let (body, whole) = match self.length {
            BodyLength::UntilTheEnd => (rest.to_vec(), true),
            BodyLength::Known(n) => (rest[..n.min(rest.len())].to_vec(), rest.len() >= n),
            BodyLength::Chunked => {
                let (chunks, whole) = chunks(rest);
                (chunks.concat(), whole)
            }
        };
        if !whole && !is_whole_when_unpacked(&body, &fields, limit) {
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
        response.body(body).map_err(|_| none())
    }
}

/// The status that a head begins with, `HTTP/1.1 200 OK`, `ICY 200 OK` or `HTTP/ 1.1 200OK`, and
/// its fields; a line without a colon is left out.
fn head(bytes: &[u8]) -> (Option<u16>, Vec<Field<'_>>) {
    let mut lines = bytes.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let protocol = words.next().unwrap_or_default().to_ascii_uppercase();
    let status = words.take(2).find_map(status);
    let known = protocol.starts_with(b"HTTP") || protocol == b"ICY";
    let fields = lines.filter_map(|line| {
        let colon = line.iter().position(|&b| b == b':')?;
        let name = String::from_utf8_lossy(line[..colon].trim_ascii_end()).to_lowercase();
        Some((name, line[colon + 1..].trim_ascii()))
    });
    (status.filter(|_| known), fields.collect())
}

/// The three digits that a word of a status line begins with; curl minds nothing behind them but
/// another digit.
fn status(word: &[u8]) -> Option<u16> {
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    let digits = std::str::from_utf8(&word[..digits]).ok().filter(|digits| digits.len() == 3);
    digits?.parse().ok()
}

/// Chunks go before a length; of several lengths the first counts, as in Python.
fn length(fields: &[Field<'_>]) -> BodyLength {
    let of = |wanted: HeaderName| {
        let values = fields.iter().filter(|(name, _)| *name == wanted.as_str());
        values.map(|(_, value)| lower(value)).collect::<Vec<_>>()
    };
    if of(TRANSFER_ENCODING).iter().any(|value| value.contains("chunked")) {
        return BodyLength::Chunked;
    }
    let length = of(CONTENT_LENGTH).iter().find_map(|value| value.parse().ok());
    length.map_or(BodyLength::UntilTheEnd, BodyLength::Known)
}

/// Whether a body that ends too early has all of a picture: some servers announce another length
/// than that of what they packed.
fn is_whole_when_unpacked(body: &[u8], fields: &[Field<'_>], limit: usize) -> bool {
    let encoding = fields.iter().find(|(name, _)| *name == CONTENT_ENCODING.as_str());
    let encoding = encoding.map_or_else(String::new, |(_, value)| lower(value));
    let unpacked = unpack(body.to_vec().into(), &encoding, limit);
    unpacked.is_ok_and(|(body, _)| is_whole_picture(&body))
}

fn lower(value: &[u8]) -> String {
    String::from_utf8_lossy(value).to_lowercase()
}

/// The chunks of a body, and whether its end is there. Their lines may end in `\n` alone.
fn chunks(mut rest: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut chunks = Vec::new();
    while let Some(end) = rest.iter().position(|&b| b == b'\n') {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let data = &rest[end + 1..];
        if size == 0 {
            return (chunks, true);
        }
        chunks.push(&data[..size.min(data.len())]);
        let Some(next) = data.get(size..) else { break };
        rest = next.strip_prefix(b"\r\n").or_else(|| next.strip_prefix(b"\n")).unwrap_or(next);
    }
    (chunks, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an answer that comes in pieces of `piece` bytes amounts to.
    fn read(answer: &[u8], piece: usize) -> Result<(u16, Vec<u8>, bool)> {
        let mut reading = AnswerReader::default();
        for piece in answer.chunks(piece.max(1)) {
            reading.received.extend_from_slice(piece);
            reading.find_head();
        }
        let done = reading.is_done();
        let answer = reading.answer(1000)?;
        Ok((answer.status().as_u16(), answer.into_body(), done))
    }

    #[test]
    fn answers_are_read_however_they_are_worded() {
        let picture = b"\xff\xd8\xff\xe0 and so on \xff\xd9";
        let plain = [b"ICY 200 OK\r\n\r\n", &picture[..]].concat();
        assert_eq!(read(&plain, 7).unwrap(), (200, picture.to_vec(), false));
        assert_eq!(read(picture, 99).unwrap(), (200, picture.to_vec(), false));
        for answer in [
            &b"HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\nServer: \0\x01\ncontent-length : 3\nContent-Length: 5\n\nabc",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc and more",
            b"HTTP/1.1 200OK\r\r\nContent-Length: 3\r\r\n\r\r\nabc",
            b"HTTP/ 1.1 200:OK\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x\r\nab\r\n\
                1\r\nc\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nab\n01\nc\n0\n\n",
        ] {
            let shown = String::from_utf8_lossy(answer);
            assert_eq!(read(answer, 5).unwrap(), (200, b"abc".to_vec(), true), "{shown}");
        }
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 20\r\nContent-Length: 3\r\n\r\nabc",
            b"\x15\x03\x01\0\x02\x02\x16",
            b"",
        ] {
            assert!(read(answer, 5).is_err(), "{answer:?}");
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
            let _ = (reading.is_done(), reading.answer(1000));
        }
    }
}
