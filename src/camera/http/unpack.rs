//! Bodies that a server packs although nobody asked it to.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::camera::http::failure::FailedRequest;
use celaje_sky::outcome::MissReason;
use celaje_vision::picture::decode::is_picture;

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The body without its packing, at most `limit` bytes, and whether it was packed; `encoding` is
/// what the head says of it, which a body that is a picture belies.
pub(super) fn unpack(
    bytes: Bytes,
    encoding: &str,
    limit: usize,
) -> Result<(Bytes, bool), FailedRequest> {
    if is_picture(&bytes) {
        return Ok((bytes, false));
    }
    let unpacked = if bytes.starts_with(&GZIP) {
        read(MultiGzDecoder::new(&bytes[..]), limit)
    } else if encoding.trim().eq_ignore_ascii_case("deflate") {
        // With the frame of zlib, as it should be, or without.
        read(ZlibDecoder::new(&bytes[..]), limit)
            .or_else(|_| read(DeflateDecoder::new(&bytes[..]), limit))
    } else {
        return Ok((bytes, false));
    };
    match unpacked {
        Ok(unpacked) if unpacked.len() > limit => Err(FailedRequest::new(
            MissReason::TooLarge,
            format!("more than {limit} bytes when unpacked"),
        )),
        Ok(unpacked) => Ok((Bytes::from(unpacked), true)),
        Err(error) => Err(FailedRequest::new(
            MissReason::NotAnImage,
            format!("packed, and cannot be unpacked: {error}"),
        )),
    }
}

/// All that `packed` holds, up to a byte more than `limit`.
fn read(packed: impl Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    packed.take(limit as u64 + 1).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 what follows is of no matter here";

    fn packed(mut packer: impl Read) -> Bytes {
        let mut bytes = Vec::new();
        packer.read_to_end(&mut bytes).unwrap();
        bytes.into()
    }

    #[test]
    fn a_packed_body_is_unpacked_within_the_limit() {
        let level = Compression::fast();
        let gzip = packed(GzEncoder::new(PICTURE, level));
        for (body, encoding) in [
            (gzip.clone(), "gzip"),
            (gzip.clone(), ""),
            (packed(ZlibEncoder::new(PICTURE, level)), "Deflate"),
            (packed(DeflateEncoder::new(PICTURE, level)), "deflate"),
        ] {
            let (bytes, was_packed) = unpack(body, encoding, 100).unwrap();
            assert_eq!((&bytes[..], was_packed), (PICTURE, true), "{encoding}");
        }
        // A head that says so of a body that is not.
        let plain = unpack(Bytes::from_static(PICTURE), "gzip", 100).unwrap();
        assert_eq!((&plain.0[..], plain.1), (PICTURE, false));
        let bomb = packed(GzEncoder::new(&[0; 100_000][..], level));
        assert_eq!(unpack(bomb, "gzip", 1000).unwrap_err().reason, MissReason::TooLarge);
        let cut = gzip.slice(..gzip.len() / 2);
        assert_eq!(unpack(cut, "gzip", 100).unwrap_err().reason, MissReason::NotAnImage);
    }
}
