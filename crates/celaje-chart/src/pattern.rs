//! Fills that are patterns: the hatching of gaps, and the crosses over a hidden sky.

use super::svg::{Svg, fill, stroke};
use super::theme::{HATCH, VEIL_INK};

/// The paint of a gap.
pub const HATCHED: &str = "url(#celaje-gap)";
/// The ids of the crosses' patterns begin with this.
const CROSSES_ID: &str = "celaje-veil";
/// Side of the square that a cross stands in.
const CROSS: f64 = 8.0;

/// Defines the patterns in `svg`. There is one of crosses for each unit that they can be moved by.
pub fn define(svg: &mut Svg) {
    svg.raw(format_args!(
        "<defs><pattern id=\"celaje-gap\" patternUnits=\"userSpaceOnUse\" width=\"6\" height=\"6\" \
         patternTransform=\"rotate(45)\"><rect width=\"1.2\" height=\"6\" {}/></pattern>",
        fill(HATCH)
    ));
    for step in 0..CROSS as u32 {
        svg.raw(format_args!(
            "<pattern id=\"{CROSSES_ID}-{step}\" patternUnits=\"userSpaceOnUse\" x=\"{step}\" \
             width=\"{CROSS}\" height=\"{CROSS}\">\
             <path d=\"M2 2L6 6M6 2L2 6\" fill=\"none\" {}/></pattern>",
            stroke(VEIL_INK, 1.0)
        ));
    }
    svg.raw(format_args!("</defs>\n"));
}

/// The paint of a stretch from `x` on, `width` wide, in the middle of which the crosses stand.
pub fn crosses(x: f64, width: f64) -> String {
    let whole = (width / CROSS).floor().max(1.0) * CROSS;
    let begin = (x + (width - whole) / 2.0).rem_euclid(CROSS).round();
    let step = if begin < CROSS { begin } else { 0.0 };
    format!("url(#{CROSSES_ID}-{step})")
}
