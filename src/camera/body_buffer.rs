//! A body as it comes in.

use bytes::{Bytes, BytesMut};

/// Bytes that are put in one place from the start, when so many are announced at most.
const AT_ONCE: usize = 1 << 20;
/// Bytes of a block of what is larger, or of unknown size.
const BLOCK: usize = 64 << 10;

/// A body of which more may come, in blocks, so that one without end is never one large piece of
/// memory.
///
/// glibc's allocator learns from each large piece that it is given back to keep such pieces, up to
/// 32 MiB of them (`M_MMAP_THRESHOLD` in mallopt(3)): after a few bodies of 20 MB the process has
/// grown for good.
#[derive(Debug, Default)]
pub struct BodyBuffer {
    full: Vec<BytesMut>,
    last: BytesMut,
    received: usize,
}

impl BodyBuffer {
    /// None yet, of a body that is said to have `announced` bytes (0: nothing is said).
    pub fn of(announced: usize) -> Self {
        let first = if announced <= AT_ONCE { announced } else { BLOCK };
        Self { last: BytesMut::with_capacity(first), ..Self::default() }
    }

    /// Bytes that came.
    pub const fn received(&self) -> usize {
        self.received
    }

    /// Adds what came next.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.received += bytes.len();
        while !bytes.is_empty() {
            let room = self.last.capacity() - self.last.len();
            if room == 0 {
                let full = std::mem::replace(&mut self.last, BytesMut::with_capacity(BLOCK));
                if !full.is_empty() {
                    self.full.push(full);
                }
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.last.extend_from_slice(now);
            bytes = later;
        }
    }

    /// All of it in one piece.
    pub fn whole(self) -> Bytes {
        if self.full.is_empty() {
            return self.last.freeze();
        }
        let mut whole = BytesMut::with_capacity(self.received);
        for block in self.full.iter().chain([&self.last]) {
            whole.extend_from_slice(block);
        }
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is announced, and in whatever pieces it comes, it is what was sent.
        #[test]
        fn it_is_what_was_sent(
            announced in prop_oneof![Just(0), 1usize..200_000, Just(AT_ONCE + 1), Just(usize::MAX)],
            pieces in proptest::collection::vec(0usize..50_000, 0..12),
        ) {
            let (mut body, mut sent) = (BodyBuffer::of(announced), Vec::new());
            for (k, len) in pieces.into_iter().enumerate() {
                let piece: Vec<u8> = (0..len).map(|byte| (byte * 7 + k) as u8).collect();
                body.push(&piece);
                sent.extend(piece);
                prop_assert_eq!(body.received(), sent.len());
                let mut pieces = body.full.iter().chain([&body.last]);
                prop_assert!(pieces.all(|one| one.capacity() <= AT_ONCE));
            }
            prop_assert_eq!(&body.whole()[..], &sent[..]);
        }
    }
}
