//! Video that is sent as one answer without end, whatever its head says of it.

use crate::camera::http::whole::begins_in_parts;

/// First bytes that are looked at.
const START: usize = 2 << 10;
/// What the head of each part has.
const KIND: &[u8] = b"content-type:";

/// Watches a body as it comes.
#[derive(Debug, Default)]
pub(super) struct StreamWatch {
    start: Vec<u8>,
    is_in_parts: bool,
    /// The end of what came last: a head may be cut in two.
    end: Vec<u8>,
    heads: usize,
}

impl StreamWatch {
    /// Whether a second part has begun with `chunk`, the next bytes of the body.
    pub(super) fn sees_stream(&mut self, chunk: &[u8]) -> bool {
        if !self.is_in_parts {
            if self.start.len() >= START {
                return false;
            }
            self.start.extend_from_slice(&chunk[..chunk.len().min(START - self.start.len())]);
            self.is_in_parts = begins_in_parts(&self.start);
            if !self.is_in_parts {
                return false;
            }
        }
        let bytes = [&std::mem::take(&mut self.end)[..], chunk].concat().to_ascii_lowercase();
        self.heads += bytes.windows(KIND.len()).filter(|at| *at == KIND).count();
        self.end = bytes[bytes.len().saturating_sub(KIND.len() - 1)..].to_vec();
        self.heads > 1
    }

    /// Whether the body is a message in parts.
    pub(super) const fn is_in_parts(&self) -> bool {
        self.is_in_parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &[u8] = b"--b\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0 \xff\xd9\r\n";

    #[test]
    fn a_second_part_makes_a_stream_however_it_is_cut() {
        let stream = [PART, PART, PART].concat();
        for size in [1, 7, 16, 40, stream.len()] {
            let mut watch = StreamWatch::default();
            let seen = stream.chunks(size).any(|chunk| watch.sees_stream(chunk));
            assert!(seen && watch.is_in_parts(), "{size}");
            let mut watch = StreamWatch::default();
            let one = [PART, b"--b--\r\n"].concat();
            assert!(!one.chunks(size).any(|chunk| watch.sees_stream(chunk)), "{size}");
            assert!(watch.is_in_parts(), "{size}");
        }
        let mut watch = StreamWatch::default();
        assert!(!watch.sees_stream(b"\xff\xd8\xff\xe0") && !watch.is_in_parts());
    }
}
