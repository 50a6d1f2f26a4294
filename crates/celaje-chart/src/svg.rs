//! Writes SVG elements.

use std::fmt::{self, Display, Write as _};

use super::font::FAMILY;
use super::theme::{INK, PAPER, SOFT_INK};

/// A number with at most two decimals; NaN and infinities are written as 0.
#[derive(Clone, Copy)]
pub struct Num(pub f64);

impl Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        let finite = if rounded.is_finite() { rounded } else { 0.0 };
        // -0 becomes 0.
        write!(f, "{}", finite + 0.0)
    }
}

/// Text safe as an element's content or an attribute's value: the five special characters become
/// entities, characters that XML 1.0 forbids become U+FFFD.
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Which part of a text lies at its x.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Clone, Copy)]
pub struct TextStyle {
    size: f64,
    fill: &'static str,
    anchor: Anchor,
}

impl TextStyle {
    /// Text in the main colour.
    pub const fn ink(size: f64, anchor: Anchor) -> Self {
        Self::coloured(size, INK, anchor)
    }

    /// Secondary text.
    pub const fn soft(size: f64, anchor: Anchor) -> Self {
        Self::coloured(size, SOFT_INK, anchor)
    }

    pub const fn coloured(size: f64, fill: &'static str, anchor: Anchor) -> Self {
        Self { size, fill, anchor }
    }
}

/// The attribute of a filled shape.
pub fn fill(colour: &str) -> String {
    format!("fill=\"{colour}\"")
}

/// The attributes of a line.
pub fn stroke(colour: &str, width: f64) -> String {
    format!("stroke=\"{colour}\" stroke-width=\"{}\"", Num(width))
}

/// The attributes of a filled shape with an outline.
pub fn outlined(colour: &str, line: &str, width: f64) -> String {
    format!("{} {}", fill(colour), stroke(line, width))
}

/// An SVG document being written. The `attributes` of its elements must be valid SVG already.
pub struct Svg {
    out: String,
}

impl Svg {
    /// A document of `width` × `height` units on white paper; a screen reader reads `title` and
    /// `description`.
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let mut svg = Self { out: String::with_capacity(64 * 1024) };
        let (w, h) = (Num(width), Num(height));
        svg.raw(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\" font-family=\"{FAMILY}\" \
             font-weight=\"300\">\n<title>{}</title>\n<desc>{}</desc>\n",
            Escaped(title),
            Escaped(description),
        ));
        svg.rect((0.0, 0.0), (width, height), fill(PAPER));
        svg
    }

    /// Appends `text`, which is SVG.
    pub fn raw(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.out.write_fmt(text);
    }

    pub fn rect(&mut self, (x, y): (f64, f64), (w, h): (f64, f64), attributes: impl Display) {
        // One without an area shows nothing, and is an error in SVG.
        if w < 0.005 || h < 0.005 {
            return;
        }
        let (x, y, w, h) = (Num(x), Num(y), Num(w), Num(h));
        self.raw(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {attributes}/>\n"
        ));
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), attributes: impl Display) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Num);
        self.raw(format_args!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {attributes}/>\n"
        ));
    }

    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, attributes: impl Display) {
        let (x, y, r) = (Num(x), Num(y), Num(radius));
        self.raw(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {attributes}/>\n"));
    }

    /// A line of text with its baseline at `y`.
    pub fn text(&mut self, (x, y): (f64, f64), style: TextStyle, text: &str) {
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.raw(format_args!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}>{}</text>\n",
            Num(x),
            Num(y),
            Num(style.size),
            style.fill,
            Escaped(text),
        ));
    }

    /// Begins a mark, a group that can be pointed at: its class and `data-` attributes, and what
    /// a tooltip or a screen reader says. [`close`](Self::close) ends it.
    pub fn open(&mut self, attributes: impl Display, title: &str) {
        self.raw(format_args!("<g {attributes}><title>{}</title>", Escaped(title)));
    }

    /// Ends a mark.
    pub fn close(&mut self) {
        self.raw(format_args!("</g>\n"));
    }

    /// The finished document.
    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_short_and_always_numbers() {
        let written = [1.0, 0.126, -0.001, f64::NAN, f64::INFINITY].map(|n| Num(n).to_string());
        assert_eq!(written, ["1", "0.13", "0", "0", "0"]);
    }

    #[test]
    fn special_characters_become_entities() {
        assert_eq!(
            Escaped("<a b=\"c\">'&\u{0}").to_string(),
            "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn any_text_makes_a_document_that_parses(text in any::<String>()) {
            let mut svg = Svg::new(10.0, 10.0, &text, &text);
            svg.text((1.0, 2.0), TextStyle::soft(3.0, Anchor::End), &text);
            crate::testing::parse(&svg.finish());
        }
    }
}
