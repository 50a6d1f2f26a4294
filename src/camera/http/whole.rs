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

/// Where a message in parts begins one: its boundary's first line.
const PART: &[u8] = b"--";
/// Bytes within which the first part of a message has its head.
const HEAD: usize = 2 << 10;

/// The picture in a message of one part, which is how some cameras answer a form.
pub(super) fn only_part(bytes: &[u8]) -> Option<&[u8]> {
    let boundary = bytes.trim_ascii_start().split(|&b| b == b'\n').next()?.trim_ascii_end();
    if boundary.len() <= PART.len() || !boundary.starts_with(PART) {
        return None;
    }
    let head = head_end(bytes).filter(|end| *end <= HEAD)?;
    let part = bytes.get(head..)?;
    let ends = part.windows(boundary.len()).position(|at| at == boundary);
    let (part, rest) = part.split_at(ends.unwrap_or(part.len()));
    // Behind the last part the boundary has two more of these; then nothing of use follows.
    let rest = rest.get(boundary.len()..).unwrap_or_default();
    let is_only = rest.trim_ascii().is_empty() || rest.starts_with(PART);
    (is_only && is_whole_picture(part)).then_some(part)
}

/// Whether a body begins as a message in parts, of which a video over HTTP consists, whatever its
/// head says.
pub(super) fn begins_in_parts(bytes: &[u8]) -> bool {
    let start = bytes[..bytes.len().min(HEAD)].trim_ascii_start();
    start.starts_with(PART)
        && head_end(start).is_some_and(|end| {
            start[..end].to_ascii_lowercase().windows(13).any(|at| at == b"content-type:")
        })
}

/// Where what follows the first blank line begins; before its end may be any number of `\r`.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    ends.filter_map(|end| {
        let returns = bytes[end..].iter().take_while(|&&b| b == b'\r').count();
        (bytes.get(end + returns) == Some(&b'\n')).then_some(end + returns + 1)
    })
    .next()
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

    #[test]
    fn a_picture_alone_in_a_message_of_parts_is_found() {
        let picture = b"\xff\xd8\xff\xe0 and so on \xff\xd9";
        let head = b"\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Length: 17\r\n\r\n";
        let message = [head, &picture[..], b"\r\n--b--\r\n"].concat();
        // The line's end before the boundary comes with it, as a picture's trailing blanks do.
        assert_eq!(only_part(&message).map(<[u8]>::trim_ascii_end), Some(&picture[..]));
        assert!(begins_in_parts(&message) && begins_in_parts(&message[..head.len()]));
        for message in [[head, &picture[..]].concat(), [head, &picture[..], b"\n--b\n"].concat()] {
            assert!(only_part(&message).is_some());
        }
        for other in [
            [head, &picture[..], head, picture].concat(),
            [head, &picture[..8]].concat(),
            picture.to_vec(),
            b"--".to_vec(),
            b"--b\r\n\r\n".to_vec(),
        ] {
            assert_eq!(only_part(&other), None);
        }
        assert!(!begins_in_parts(picture) && !begins_in_parts(b"-- a comment\n\n<html>"));
    }
}
