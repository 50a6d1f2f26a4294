//! The symbols of total cloud amount, as synoptic charts have them.
//!
//! Source: WMO, Manual on the Global Data-processing and Forecasting System (No. 485), appendix
//! II-4, graphical representation: N, total amount of cloud. A circle fills with the oktas; 9 is
//! crossed out.

use std::fmt::Write as _;

use celaje_sky::cover::Cover;

/// Elements of the symbol of `cover` in a box of 100 × 100 units, in the colour of the text around
/// it (`currentColor`).
fn symbol(cover: Cover) -> &'static str {
    match cover.code() {
        0 => "",
        1 => "<path class=\"f\" d=\"M47 8h6v84h-6z\"/>",
        2 => "<path class=\"f\" d=\"M50 50V8a42 42 0 0 1 42 42z\"/>",
        3 => {
            "<path class=\"f\" d=\"M50 50V8a42 42 0 0 1 42 42z\"/>\
              <path class=\"f\" d=\"M47 8h6v84h-6z\"/>"
        }
        4 => "<path class=\"f\" d=\"M50 8a42 42 0 0 1 0 84z\"/>",
        5 => {
            "<path class=\"f\" d=\"M50 8a42 42 0 0 1 0 84z\"/>\
              <path class=\"f\" d=\"M8 47h42v6H8z\"/>"
        }
        6 => "<path class=\"f\" d=\"M50 8a42 42 0 1 1 -42 42h42z\"/>",
        7 => {
            "<path class=\"f\" d=\"M43 8.6a42 42 0 0 0 0 82.8z\"/>\
              <path class=\"f\" d=\"M57 8.6a42 42 0 0 1 0 82.8z\"/>"
        }
        8 => "<circle class=\"f\" cx=\"50\" cy=\"50\" r=\"42\"/>",
        _ => "<path class=\"s\" d=\"M20.3 20.3l59.4 59.4M79.7 20.3L20.3 79.7\"/>",
    }
}

/// Elements of the symbol of `cover` in a box of 100 × 100 units.
pub(crate) fn inked(cover: Cover, colour: &str) -> String {
    let inner = symbol(cover)
        .replace("class=\"f\"", &format!("fill=\"{colour}\""))
        .replace("class=\"s\"", &format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"6\""));
    format!(
        "{inner}<circle cx=\"50\" cy=\"50\" r=\"43\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"5\"/>"
    )
}

/// All ten symbols in one document, `#okta-0` to `#okta-9`.
pub fn sprite() -> String {
    let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\">\n");
    for cover in (0..=9).filter_map(Cover::from_code) {
        // Writing to a String does not fail.
        let _ = writeln!(
            svg,
            "<symbol id=\"okta-{}\" viewBox=\"0 0 100 100\">{}</symbol>",
            cover.code(),
            inked(cover, "currentColor")
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{parse, pixels};

    /// The share of the disc that is inked.
    fn inked(code: u8) -> f64 {
        let inner = symbol(Cover::from_code(code).unwrap());
        let inner = inner
            .replace("class=\"f\"", "fill=\"#000\"")
            .replace("class=\"s\"", "fill=\"none\" stroke=\"#000\" stroke-width=\"6\"");
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"200\" \
             viewBox=\"0 0 100 100\">\
             <rect width=\"100\" height=\"100\" fill=\"#fff\"/>{inner}</svg>"
        );
        let picture = pixels(&svg);
        let inside = picture.enumerate_pixels().filter(|(x, y, _)| {
            let (dx, dy) = (f64::from(*x) - 100.0, f64::from(*y) - 100.0);
            dx.hypot(dy) < 80.0
        });
        let dark = inside.map(|(_, _, pixel)| f64::from(255 - pixel.0[0]) / 255.0);
        let dark: Vec<f64> = dark.collect();
        dark.iter().sum::<f64>() / dark.len() as f64
    }

    #[test]
    fn the_circle_fills_with_the_oktas() {
        let shares: Vec<f64> = (0..=8).map(inked).collect();
        assert_eq!(shares[0], 0.0);
        for (code, pair) in shares.windows(2).enumerate() {
            assert!(pair[1] > pair[0] + 0.02, "{code}: {shares:?}");
        }
        for (code, share) in [(2, 0.25), (4, 0.5), (6, 0.75), (8, 1.0)] {
            assert!((shares[code] - share).abs() < 0.01, "{code}: {shares:?}");
        }
        assert!((0.05..0.3).contains(&inked(9)));
    }

    #[test]
    fn the_sprite_has_all_ten() {
        let svg = sprite();
        for code in 0..=9 {
            assert!(svg.contains(&format!("id=\"okta-{code}\"")));
        }
        parse(&svg);
    }
}
