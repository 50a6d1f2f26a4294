use super::*;
use crate::picture::testing::{draw, fixture, jpeg, mean_difference, png, shared_data, sky};
use proptest::prelude::*;

fn decoded(bytes: &[u8]) -> DecodedPicture {
    decode(bytes, &Limits::default()).unwrap()
}

fn limits(max_pixels: u64) -> Limits {
    Limits { max_pixels, ..Limits::default() }
}

fn refused(bytes: &[u8]) -> (&'static str, String) {
    let error = decode(bytes, &Limits::default()).unwrap_err();
    (error.reason().as_str(), error.to_string())
}

#[test]
fn every_form_of_a_picture_shows_the_same_sky() {
    let truth = sky(64, 48);
    // A JPEG loses something at hard edges; lossless and in colour nothing is lost.
    for (name, most) in [
        ("rgb.png", 0.0),
        ("alpha.png", 0.0),
        ("palette.png", 6.0),
        ("baseline.jpg", 7.5),
        ("progressive.jpg", 7.5),
        ("restarts.jpg", 7.5),
        ("thumbnail.jpg", 9.0),
        ("cmyk.jpg", 7.0),
    ] {
        let picture = decoded(&fixture(name));
        assert_eq!((picture.width, picture.height), (64, 48), "{name}");
        let off = mean_difference(&picture.rgb, &truth.rgb);
        assert!(off <= most, "{name} is off by {off}");
    }
}

#[test]
fn grey_pictures_get_three_equal_channels() {
    let truth = sky(64, 48);
    let grey = truth.rgb.chunks_exact(3).flat_map(|p| {
        let light = crate::picture::stats::luminance([p[0], p[1], p[2]]) * 255.0;
        [light.round() as u8; 3]
    });
    let grey: Vec<u8> = grey.collect();
    for (name, most) in
        [("grey.png", 0.6), ("grey-alpha.png", 0.6), ("sixteen.png", 0.6), ("grey.jpg", 4.0)]
    {
        let picture = decoded(&fixture(name));
        assert!(picture.rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]), "{name}");
        let off = mean_difference(&picture.rgb, &grey);
        assert!(off <= most, "{name} is off by {off}");
    }
}

#[test]
fn an_orientation_is_not_applied() {
    assert_eq!(decoded(&fixture("turned.jpg")).rgb, decoded(&fixture("baseline.jpg")).rgb);
}

#[test]
fn what_is_no_picture_is_told() {
    assert_eq!(refused(b""), ("empty", "no bytes at all".to_owned()));
    for (bytes, part) in [
        (&b"<!doctype html><title>404</title>"[..], "HTML"),
        (b"\n  <html>", "HTML"),
        (b"{\"error\":1}", "JSON"),
        (b"GIF89a", "GIF"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (b"\x00\x11\x22\x33\x44", "00 11 22 33"),
    ] {
        let (reason, text) = refused(bytes);
        assert!(reason == "not_an_image" && text.contains(part), "{text}");
    }
}

#[test]
fn the_extension_of_a_picture_is_its_bytes() {
    // Noise with a good start is a damaged picture, not a foreign file.
    let noise: Vec<u8> =
        (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for start in [&b"\xff\xd8\xff\xe0"[..], b"\x89PNG\r\n\x1a\n"] {
        let (reason, text) = refused(&[start, &noise].concat());
        assert!(["truncated", "corrupt"].contains(&reason), "{text}");
    }
}

/// A JPEG's or PNG's header that claims any size; nothing follows that could fill it.
fn claims(width: u16, height: u16) -> [Vec<u8>; 2] {
    let mut jpeg = fixture("baseline.jpg");
    let at = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap() + 5;
    jpeg[at..at + 2].copy_from_slice(&height.to_be_bytes());
    jpeg[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
    let mut png = fixture("rgb.png");
    png[16..20].copy_from_slice(&u32::from(width).to_be_bytes());
    png[20..24].copy_from_slice(&u32::from(height).to_be_bytes());
    [jpeg, png]
}

#[test]
fn bombs_are_refused_by_their_header() {
    for bytes in claims(65_000, 65_000) {
        let (reason, text) = refused(&bytes);
        assert_eq!(reason, "too_many_pixels");
        assert!(text.contains("65000×65000"), "{text}");
    }
    assert!(decode(&fixture("baseline.jpg"), &limits(64 * 48)).is_ok());
    assert!(decode(&fixture("baseline.jpg"), &limits(64 * 48 - 1)).is_err());
}

#[test]
fn a_header_that_claims_more_than_follows_is_refused() {
    for bytes in claims(4000, 3000) {
        assert_eq!(refused(&bytes).0, "corrupt");
    }
}

#[test]
fn a_long_compressed_text_is_never_unpacked() {
    // zTXt: keyword, a zero, method 0, then zlib data of what would be very long.
    let zeros = vec![0u8; 1 << 20];
    let mut packed = Vec::new();
    {
        let mut encoder = ::png::Encoder::new(&mut packed, 1024, 1024);
        encoder.set_color(::png::ColorType::Grayscale);
        encoder.set_compression(::png::Compression::High);
        encoder.write_header().unwrap().write_image_data(&zeros).unwrap();
    }
    let idat = packed.windows(4).position(|w| w == b"IDAT").unwrap();
    let length = u32::from_be_bytes(packed[idat - 4..idat].try_into().unwrap()) as usize;
    let body = [b"zTXtbomb\0\0", &packed[idat + 4..idat + 4 + length]].concat();
    let whole = fixture("rgb.png");
    let mut bytes = whole[..33].to_vec();
    for kind in [&b"zTXt"[..], b"iCCP"] {
        let body = [kind, &body[4..]].concat();
        bytes.extend(u32::try_from(body.len() - 4).unwrap().to_be_bytes());
        bytes.extend(&body);
        bytes.extend(crc(&body).to_be_bytes());
    }
    bytes.extend(&whole[33..]);
    assert_eq!(decoded(&bytes).rgb, sky(64, 48).rgb);
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |c, _| {
                if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 }
            },
        )
    })
}

#[test]
fn a_speck_is_no_sky() {
    for (width, height) in [(1, 1), (15, 400), (400, 3)] {
        let speck = draw(width, height, |_, _| [90; 3]);
        for bytes in [jpeg(&speck), png(&speck)] {
            let (reason, text) = refused(&bytes);
            assert!(reason == "corrupt" && text.contains("show no sky"), "{text}");
        }
    }
    let least = draw(16, 16, |_, _| [90; 3]);
    assert_eq!(decoded(&png(&least)).rgb.len(), 16 * 16 * 3);
}

#[test]
fn padding_behind_the_end_is_harmless() {
    for name in ["baseline.jpg", "progressive.jpg", "rgb.png"] {
        let whole = fixture(name);
        let padded = [whole.as_slice(), &[0; 700]].concat();
        assert_eq!(decoded(&padded), decoded(&whole), "{name}");
    }
}

#[test]
fn the_thumbnails_end_is_not_the_pictures() {
    let bytes = fixture("thumbnail.jpg");
    let inner = bytes.windows(2).position(|w| w == [0xFF, 0xD9]).unwrap();
    assert!(inner < bytes.len() - 2);
    assert_eq!(refused(&bytes[..inner + 2]).0, "truncated");
    assert_eq!(refused(&bytes[..bytes.len() - 2]).0, "truncated");
}

#[test]
fn a_hole_in_the_middle_is_found() {
    for name in ["baseline.jpg", "restarts.jpg", "grey.jpg"] {
        let bytes = fixture(name);
        let from = bytes.windows(2).rposition(|w| w == [0xFF, 0xDA]).unwrap() + 40;
        let cut = [&bytes[..from], &bytes[bytes.len() - 20..]].concat();
        assert_eq!(refused(&cut).0, "corrupt", "{name}");
    }
    let big = jpeg(&sky(480, 450));
    let half = big.len() / 2;
    let cut = [&big[..half], &big[big.len() - 10..]].concat();
    assert_eq!(refused(&cut).0, "corrupt");
}

#[test]
fn a_foreign_marker_in_the_data_is_found() {
    let mut bytes = jpeg(&sky(480, 450));
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4].copy_from_slice(&[0xFF, 0xC8, 0x00, 0x10]);
    assert_eq!(refused(&bytes).0, "corrupt");
}

/// Bytes of the fixtures that the properties cut and change.
fn pictures() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        "baseline.jpg",
        "progressive.jpg",
        "restarts.jpg",
        "thumbnail.jpg",
        "cmyk.jpg",
        "grey.jpg",
        "rgb.png",
        "palette.png",
        "sixteen.png",
    ])
    .prop_map(fixture)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_picture_cut_anywhere_is_refused(bytes in pictures(), at in any::<prop::sample::Index>()) {
        let cut = &bytes[..at.index(bytes.len())];
        let error = decode(cut, &Limits::default()).unwrap_err();
        prop_assert!(
            matches!(
                error,
                PictureError::Empty | PictureError::Truncated(_) | PictureError::NotAnImage(_)
            ),
            "{}", error
        );
    }

    #[test]
    fn no_change_of_bytes_makes_it_panic(
        mut bytes in pictures(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // A changed size may be a large one: keep the test quick.
        if let Ok(picture) = decode(&bytes, &limits(1_000_000)) {
            prop_assert_eq!(
                picture.rgb.len() as u64,
                u64::from(picture.width) * u64::from(picture.height) * 3
            );
        }
    }

    #[test]
    fn nor_does_any_insertion_or_removal(
        mut bytes in pictures(),
        at in any::<prop::sample::Index>(),
        removed in 0usize..40,
        inserted in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let at = at.index(bytes.len());
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, inserted);
        let _ = decode(&bytes, &limits(1_000_000));
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0..3usize) {
        let start = [&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"][kind];
        prop_assert!(decode(&[start, &bytes].concat(), &Limits::default()).is_err());
    }
}

#[test]
fn real_pictures_are_whole() {
    let Some(data) = shared_data() else { return };
    for group in ["allsky-day", "allsky-clear", "perspective-day", "allsky-night"] {
        let mut files: Vec<_> = std::fs::read_dir(data.join(group).join("images"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files.iter().step_by(9) {
            let bytes = std::fs::read(file).unwrap();
            decode(&bytes, &Limits::default())
                .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let cut = &bytes[..bytes.len() * 2 / 3];
            assert_eq!(refused(cut).0, "truncated", "{}", file.display());
        }
    }
}

/// ITU-T T.81, B.2.5: a DNL segment behind the first scan defines the number of lines, whether the
/// frame header says 0 or another one.
#[test]
fn a_height_behind_the_first_scan_is_read() {
    let bytes = jpeg(&sky(64, 48));
    let header = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    for before in [0u16, 400] {
        let (mut late, end) = (bytes.clone(), bytes.len() - 2);
        late[header + 5..header + 7].copy_from_slice(&before.to_be_bytes());
        assert_eq!(refused(&late).0, "corrupt");
        late.splice(end..end, [0xFF, 0xDC, 0, 4, 0, 48]);
        assert_eq!(decoded(&late), decoded(&bytes));
    }
}

/// A JPEG as a motion-JPEG camera sends it: without its Huffman tables.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    while let Some(at) = bytes.windows(2).position(|pair| pair == [0xFF, 0xC4]) {
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        bytes.drain(at..at + 2 + length);
    }
    bytes
}

/// A JPEG with those tables alone of which `keeps` says so, by class and number in one byte.
fn with_some_tables(jpeg: &[u8], keeps: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut tables = Vec::new();
    let mut rest = jpeg;
    while let Some(at) = rest.windows(2).position(|pair| pair == [0xFF, 0xC4]) {
        let length = usize::from(u16::from_be_bytes([rest[at + 2], rest[at + 3]]));
        let mut segment = &rest[at + 4..at + 2 + length];
        while !segment.is_empty() {
            let n = 17 + segment[1..17].iter().map(|&n| usize::from(n)).sum::<usize>();
            if keeps(segment[0]) {
                tables.extend([0xFF, 0xC4]);
                tables.extend(u16::try_from(n + 2).unwrap().to_be_bytes());
                tables.extend(&segment[..n]);
            }
            segment = &segment[n..];
        }
        rest = &rest[at + 2 + length..];
    }
    let mut bytes = without_tables(jpeg);
    let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    bytes.splice(scan..scan, tables);
    bytes
}

#[test]
fn each_huffman_table_that_is_left_out_is_the_standard_one() {
    let whole = jpeg(&sky(480, 450));
    let wanted = decoded(&whole);
    for left_out in [0x00, 0x01, 0x10, 0x11] {
        for frame in [
            with_some_tables(&whole, |table| table != left_out),
            with_some_tables(&whole, |table| table == left_out),
        ] {
            assert_eq!(decoded(&frame), wanted, "{left_out:02x}");
        }
    }
    assert_eq!(decoded(&with_some_tables(&whole, |_| true)), wanted);
}

#[test]
fn motion_jpeg_frames_use_the_standard_huffman_tables() {
    // The encoder uses the standard tables too.
    for picture in [sky(64, 48), sky(480, 450)] {
        let whole = jpeg(&picture);
        let frame = without_tables(&whole);
        assert!(frame.len() + 400 < whole.len());
        assert_eq!(decoded(&frame), decoded(&whole));
        assert_eq!(refused(&frame[..frame.len() / 2]).0, "truncated");
    }
    // A progressive picture has tables of its own, for which there is no standard.
    assert_eq!(refused(&without_tables(&fixture("progressive.jpg"))).0, "corrupt");
}

#[test]
fn large_pictures_wait_for_each_other_and_others_do_not() {
    let held = turn_of(LARGE + 1).unwrap();
    assert!(turn_of(LARGE).is_none());
    assert!(LARGE_PICTURE.try_lock().is_err());
    drop(held);
    assert!(turn_of(LARGE + 1).is_some());
}
