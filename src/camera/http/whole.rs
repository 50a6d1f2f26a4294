//! Whether a picture is all there although the connection ended otherwise than announced.

use celaje_vision::picture::decode::is_picture;

/// What a JPEG and a PNG end in.
const ENDS: [&[u8]; 2] = [b"\xff\xd9", b"IEND\xae\x42\x60\x82"];

/// Whether `bytes` begin as a picture does and end as one; blanks may follow.
pub(crate) fn is_whole_picture(bytes: &[u8]) -> bool {
    let blanks = bytes.iter().rev().take_while(|&&b| b == 0 || b.is_ascii_whitespace()).count();
    let bytes = &bytes[..bytes.len() - blanks];
    is_picture(bytes) && ENDS.iter().any(|end| bytes.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_ends_with_its_mark() {
        assert!(is_whole_picture(b"\xff\xd8\xff\xe0 and so on \xff\xd9\r\n\0"));
        assert!(is_whole_picture(b"\x89PNG\r\n\x1a\n and so on IEND\xae\x42\x60\x82"));
        assert!(!is_whole_picture(b"\xff\xd8\xff\xe0 and so on \xff"));
        assert!(!is_whole_picture(b"a page \xff\xd9") && !is_whole_picture(b""));
    }
}
