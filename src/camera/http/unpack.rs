//! Bodies that a server packs although nobody asked it to.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::camera::fault::AccessFault;
use crate::camera::http::failure::FailedRequest;
use crate::camera::http::whole::is_whole_picture;
use celaje_sky::outcome::MissReason;
use celaje_vision::picture::decode::is_picture;

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Codings that are not read: no server sends one to whom it does not say that it takes it, unless
/// it is set up wrongly.
const UNREAD: [&str; 6] = ["br", "zstd", "dcb", "dcz", "compress", "x-compress"];

/// How often a body may be packed: once by the camera, once by a proxy before it.
const DEEPEST: usize = 2;

/// The body without its packing, at most `limit` bytes, and whether it was packed; `encoding` is
/// what the head says of it, which a body that is a picture belies.
pub(super) fn unpack(
    bytes: Bytes,
    encoding: &str,
    limit: usize,
) -> Result<(Bytes, bool), FailedRequest> {
    let (mut body, mut was_packed) = (bytes, false);
    if let Some(coding) = unread(&body, encoding) {
        let detail = format!("packed as {coding}, which was not asked for");
        let failed = FailedRequest::new(MissReason::NotAnImage, detail);
        return Err(FailedRequest { fault: Some(AccessFault::Packed), ..failed });
    }
    for _ in 0..DEEPEST {
        let Some(unpacked) = unpacked(&body, encoding, limit) else {
            break;
        };
        let unpacked = unpacked.map_err(|error| {
            FailedRequest::new(
                MissReason::NotAnImage,
                format!("packed, and cannot be unpacked: {error}"),
            )
        })?;
        if unpacked.len() > limit {
            let detail = format!("more than {limit} bytes when unpacked");
            return Err(FailedRequest::new(MissReason::TooLarge, detail));
        }
        (body, was_packed) = (Bytes::from(unpacked), true);
    }
    Ok((body, was_packed))
}

/// The coding of a body that is not read.
fn unread(body: &[u8], encoding: &str) -> Option<&'static str> {
    let is_plain = is_picture(body) || body.starts_with(&GZIP);
    let named = || encoding.split(',').map(str::trim);
    let is_named = |coding: &&str| named().any(|one| one.eq_ignore_ascii_case(coding));
    UNREAD.into_iter().find(is_named).filter(|_| !is_plain)
}

/// What a body holds; none if it is not packed.
fn unpacked(body: &[u8], encoding: &str, limit: usize) -> Option<std::io::Result<Vec<u8>>> {
    if is_picture(body) {
        None
    } else if body.starts_with(&GZIP) {
        Some(read(MultiGzDecoder::new(body), limit))
    } else if encoding.split(',').any(|one| one.trim().eq_ignore_ascii_case("deflate")) {
        // With the frame of zlib, as it should be, or without.
        let framed = read(ZlibDecoder::new(body), limit);
        Some(framed.or_else(|_| read(DeflateDecoder::new(body), limit)))
    } else {
        None
    }
}

/// All that `packed` holds, up to a byte more than `limit`. What stands behind it, or is missing of
/// its sum, is of no matter where a whole picture came out.
fn read(packed: impl Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    match packed.take(limit as u64 + 1).read_to_end(&mut unpacked) {
        Err(error) if !is_whole_picture(&unpacked) && !is_packed_again(&unpacked) => Err(error),
        _ => Ok(unpacked),
    }
}

/// Whether what came out may be packed itself.
fn is_packed_again(unpacked: &[u8]) -> bool {
    unpacked.starts_with(&GZIP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 what follows is of no matter here \xff\xd9";

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
        for coding in ["br", "Zstd", "gzip, br"] {
            let failed = unpack(Bytes::from_static(b"\x1b\x07\0 packed"), coding, 100).unwrap_err();
            assert_eq!(
                (failed.reason, failed.fault),
                (MissReason::NotAnImage, Some(AccessFault::Packed),)
            );
            assert!(failed.detail.to_lowercase().contains("packed as"), "{}", failed.detail);
            let plain = unpack(Bytes::from_static(PICTURE), coding, 100).unwrap();
            assert_eq!((&plain.0[..], plain.1), (PICTURE, false));
        }
        let bomb = packed(GzEncoder::new(&[0; 100_000][..], level));
        assert_eq!(unpack(bomb, "gzip", 1000).unwrap_err().reason, MissReason::TooLarge);
        // Without the sum at its end, with blanks behind it, and packed twice.
        let padded = [&gzip[..], &[0; 7]].concat();
        for body in [
            gzip.slice(..gzip.len() - 8),
            gzip.slice(..gzip.len() - 3),
            padded.clone().into(),
            [&gzip[..], b"\r\n"].concat().into(),
            packed(GzEncoder::new(&gzip[..], level)),
            packed(ZlibEncoder::new(&padded[..], level)),
        ] {
            let encoding = if body.starts_with(&GZIP) { "gzip, gzip" } else { "gzip, deflate" };
            let (bytes, was_packed) = unpack(body, encoding, 100).unwrap();
            assert_eq!((&bytes[..], was_packed), (PICTURE, true));
        }
        let cut = gzip.slice(..gzip.len() / 2);
        assert_eq!(unpack(cut, "gzip", 100).unwrap_err().reason, MissReason::NotAnImage);
    }
}
