//! A small writer of SVG elements.

use std::fmt::{self, Display, Write as _};

use super::theme::{FONT_FAMILY, PAPER, SOFT_INK};

/// A number with two decimals at most; what is no number is written as 0.
#[derive(Clone, Copy)]
pub struct Num(pub f64);

impl Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        write!(
            f,
            "{}",
            if rounded.is_finite() {
                rounded + 0.0
            } else {
                0.0
            }
        )
    }
}

/// Text made safe for an element's content or an attribute's value: the five special characters
/// become entities, characters that XML 1.0 forbids become U+FFFD.
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

/// Where a text stands relative to its x.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// The look of a text.
#[derive(Clone, Copy)]
pub struct Type {
    /// Font size in SVG units.
    pub size: f64,
    /// Colour.
    pub fill: &'static str,
    /// Alignment.
    pub anchor: Anchor,
}

impl Type {
    /// Secondary text of `size`.
    pub const fn soft(size: f64, anchor: Anchor) -> Self {
        Self {
            size,
            fill: SOFT_INK,
            anchor,
        }
    }
}

/// An SVG document being written.
pub struct Svg {
    out: String,
}

impl Svg {
    /// A document of `width` × `height` units on white paper; `title` and `description` are what a
    /// screen reader tells.
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let mut svg = Self {
            out: String::with_capacity(64 * 1024),
        };
        let (w, h) = (Num(width), Num(height));
        svg.raw(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\" font-family=\"{FONT_FAMILY}\" \
             font-weight=\"300\">\n<title>{}</title>\n<desc>{}</desc>\n",
            Escaped(title),
            Escaped(description),
        ));
        svg.rect(
            (0.0, 0.0),
            (width, height),
            format_args!("fill=\"{PAPER}\""),
        );
        svg
    }

    /// Appends what is already SVG.
    pub fn raw(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.out.write_fmt(text);
    }

    /// A rectangle; `attributes` are already SVG.
    pub fn rect(&mut self, (x, y): (f64, f64), (w, h): (f64, f64), attributes: fmt::Arguments<'_>) {
        let (x, y, w, h) = (Num(x), Num(y), Num(w.max(0.0)), Num(h.max(0.0)));
        self.raw(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {attributes}/>\n"
        ));
    }

    /// A straight line; `attributes` are already SVG.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), attributes: fmt::Arguments<'_>) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Num);
        self.raw(format_args!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {attributes}/>\n"
        ));
    }

    /// A line of text on the baseline `y`.
    pub fn text(&mut self, (x, y): (f64, f64), style: Type, text: &str) {
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

    /// Begins a mark: a group with a class, what it stands for (`data-…` attributes, already SVG)
    /// and what a pointer over it, or a screen reader, reads. [`close`](Self::close) ends it.
    pub fn open(&mut self, class: &str, data: fmt::Arguments<'_>, title: &str) {
        self.raw(format_args!(
            "<g class=\"{class}\" {data}><title>{}</title>",
            Escaped(title)
        ));
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
            svg.text((1.0, 2.0), Type::soft(3.0, Anchor::End), &text);
            let svg = svg.finish();
            let tree = resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default());
            prop_assert!(tree.is_ok(), "{:?}", tree.err());
        }
    }
}
