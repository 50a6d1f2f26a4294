use super::*;
use crate::picture::decode::{DecodedPicture, Limits, decode as whole};
use crate::picture::testing::{draw, fixture, jpeg, mean_difference, sky};
use proptest::prelude::*;

/// Pictures of the common kind: every way to sample colour, restarts, grey, odd sides.
const COMMON: [&str; 7] = [
    "baseline.jpg",
    "restarts.jpg",
    "thumbnail.jpg",
    "turned.jpg",
    "grey.jpg",
    "full-colour.jpg",
    "half-colour.jpg",
];

fn scaled(bytes: &[u8], original: (u32, u32), divisor: u32) -> Option<DecodedPicture> {
    let mut rgb = vec![7; 5];
    let (width, height) = decode(bytes, original, divisor, &mut rgb)?;
    Some(DecodedPicture { width, height, rgb })
}

/// The means of `divisor`×`divisor` pixels.
fn means(picture: &DecodedPicture, divisor: u32) -> DecodedPicture {
    let (width, height) = (picture.width, picture.height);
    draw(width.div_ceil(divisor), height.div_ceil(divisor), |x, y| {
        let mut sums = [0; 4];
        for row in divisor * y..height.min(divisor * (y + 1)) {
            for column in divisor * x..width.min(divisor * (x + 1)) {
                let at = 3 * (row * width + column) as usize;
                (0..3).for_each(|c| sums[c] += u32::from(picture.rgb[at + c]));
                sums[3] += 1;
            }
        }
        [0, 1, 2].map(|c| ((sums[c] + sums[3] / 2) / sums[3]) as u8)
    })
}

#[test]
fn pixels_are_the_means_of_those_that_they_stand_for() {
    let mut pictures: Vec<_> = COMMON.iter().map(|name| fixture(name)).collect();
    pictures.push(jpeg(&sky(480, 450)));
    for (n, bytes) in pictures.iter().enumerate() {
        let plain = whole(bytes, &Limits::default()).unwrap();
        for divisor in [2, 4, 8] {
            let original = (plain.width, plain.height);
            let small = scaled(bytes, original, divisor).unwrap();
            let wanted = means(&plain, divisor);
            assert_eq!((small.width, small.height), (wanted.width, wanted.height));
            let off = mean_difference(&small.rgb, &wanted.rgb);
            assert!(off < 4.0, "picture {n} at 1/{divisor} is off by {off}");
        }
    }
}

/// training/tests/test_picture.py has the same numbers: Python decodes at a fraction as this
/// program does.
#[test]
fn fractions_are_those_of_the_training() {
    let bytes = fixture("baseline.jpg");
    for (divisor, sums) in
        [(2, (353_012, 409_128_669)), (4, (88_272, 25_644_084)), (8, (22_083, 1_616_567))]
    {
        let rgb = scaled(&bytes, (64, 48), divisor).unwrap().rgb;
        let sum: u64 = rgb.iter().map(|v| u64::from(*v)).sum();
        let weighted: u64 = rgb.iter().zip(1u64..).map(|(v, place)| u64::from(*v) * place).sum();
        assert_eq!((sum, weighted), sums, "1/{divisor}");
    }
}

#[test]
fn a_plain_area_keeps_its_colour() {
    for colour in [[0, 0, 0], [255, 255, 255], [30, 90, 200], [250, 120, 10]] {
        let bytes = jpeg(&draw(48, 40, |_, _| colour));
        let plain = whole(&bytes, &Limits::default()).unwrap();
        for divisor in [2, 4, 8] {
            let small = scaled(&bytes, (48, 40), divisor).unwrap();
            assert_eq!(small.rgb.len() as u32, 3 * 48 * 40 / divisor / divisor);
            for pixel in small.rgb.chunks_exact(3) {
                assert!(pixel.iter().zip(&plain.rgb).all(|(a, b)| a.abs_diff(*b) <= 1));
            }
        }
    }
}

#[test]
fn other_kinds_are_left_to_the_whole_decoder() {
    for (name, size) in [("progressive.jpg", (64, 48)), ("cmyk.jpg", (64, 48))] {
        assert_eq!(scaled(&fixture(name), size, 2), None, "{name}");
    }
    let bytes = fixture("baseline.jpg");
    assert!(scaled(&bytes, (64, 48), 8).is_some());
    for divisor in [0, 1, 3, 16] {
        assert_eq!(scaled(&bytes, (64, 48), divisor), None);
    }
    assert_eq!(scaled(&bytes, (64, 40), 8), None, "the header says another size");
}

#[test]
fn codes_of_all_lengths_are_told_apart() {
    // One code of each length from 2 to 16: 0, 10, 110 and so on behind a bit of 0.
    let counts: [u8; 16] = std::array::from_fn(|n| u8::from(n > 0));
    let values: Vec<u8> = (0..15).map(|n| 16 * n + 1).collect();
    let table = codes::CodeTable::new(1, &counts, &values).unwrap();
    for n in 0_u8..15 {
        // n ones, a zero; the first code is two zeros.
        let word = if n == 0 { 0 } else { !(u16::MAX >> n) >> 1 };
        let data = [word.to_be_bytes().as_slice(), &[0x12, 0x34, 0xFF, 0xD9]].concat();
        let stuffed: Vec<u8> = data[..4]
            .iter()
            .flat_map(|&byte| if byte == 0xFF { vec![0xFF, 0] } else { vec![byte] })
            .chain([0xFF, 0xD9])
            .collect();
        let mut interval = Interval::default();
        assert_eq!(interval.fill(&stuffed, 0), Some((0xD9, stuffed.len())));
        let mut bits = interval.bits();
        bits.refill();
        let symbol = table.symbol(&bits);
        assert_eq!((symbol.run, symbol.size, symbol.bits), (n, 1, n + 3), "{n}");
    }
    // 1 bits alone are no code; more codes than there is room for are no table.
    let mut interval = Interval::default();
    interval.fill(&[0xFF, 0, 0xFF, 0, 0xFF, 0xD9], 0).unwrap();
    let mut bits = interval.bits();
    bits.refill();
    assert_eq!(table.symbol(&bits).bits, 0);
    let mut crowded = [0; 16];
    crowded[1] = 5;
    assert!(codes::CodeTable::new(1, &crowded, &[1; 5]).is_none());
    assert!(codes::CodeTable::new(1, &counts, &values[1..]).is_none());
}

fn common() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(COMMON.to_vec()).prop_map(fixture)
}

fn size_of(bytes: &[u8]) -> (u32, u32) {
    let plain = whole(bytes, &Limits::default()).unwrap();
    (plain.width, plain.height)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_cut_is_never_filled_up(
        bytes in common(),
        at in any::<prop::sample::Index>(),
        divisor in prop::sample::select(vec![2, 4, 8]),
    ) {
        let size = size_of(&bytes);
        // Into the data, with an end marker where there should be more of the picture.
        let cut = [&bytes[..at.index(bytes.len() - 2)], &[0xFF, 0xD9]].concat();
        if whole(&cut, &Limits::default()).is_err() {
            prop_assert!(scaled(&cut, size, divisor).is_none());
        }
    }

    #[test]
    fn no_change_of_bytes_makes_it_panic(
        mut bytes in common(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        divisor in prop::sample::select(vec![2, 4, 8]),
    ) {
        let size = size_of(&bytes);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(picture) = scaled(&bytes, size, divisor) {
            prop_assert_eq!(picture.rgb.len() as u32, 3 * picture.width * picture.height);
        }
    }
}
