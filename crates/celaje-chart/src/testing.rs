//! What the tests of charts share.

use chrono::{NaiveDate, NaiveDateTime};
use image::RgbImage;
use resvg::usvg::{Options, Tree};

use crate::look::Look;
use crate::png;
use celaje_sky::text::Lang;

/// A minute of 2026.
pub fn at(month: u32, day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    let day = NaiveDate::from_ymd_opt(2026, month, day).unwrap();
    day.and_hms_opt(hour, minute, 0).unwrap()
}

pub fn bare(lang: Lang, width: f64) -> Look {
    let bare = true;
    Look { lang, width, bare }
}

/// How many elements of `svg` have the class.
pub fn count(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

pub fn parse(svg: &str) -> Tree {
    Tree::from_str(svg, &Options::default()).unwrap()
}

pub fn pixels(svg: &str) -> RgbImage {
    let png = png::render(svg, 1.0).unwrap();
    image::load_from_memory(&png).unwrap().to_rgb8()
}

/// How many pixels of these rows have the blue of a clear sky.
pub fn blue(svg: &str, rows: std::ops::Range<u32>) -> usize {
    let picture = pixels(svg);
    let inside = picture.enumerate_pixels().filter(|(_, y, _)| rows.contains(y));
    inside.filter(|(_, _, p)| p.0[2] > 200 && p.0[0] < 150).count()
}

/// The attribute `name` of every element that contains `mark`, as a number.
pub fn numbers(svg: &str, mark: &str, name: &str) -> Vec<f64> {
    let tags = svg.split('<').filter(|tag| tag.contains(mark));
    let value = |tag: &str| {
        let value = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().parse().unwrap()
    };
    tags.map(value).collect()
}
