//! Text, tables and charts one below the other on pages of A4.

use super::font::text_width;
use super::svg::{Anchor, Svg, TextStyle, stroke};
use super::theme::{AXIS, GRID};

/// Width and height of A4 in CSS pixels.
pub const PAGE: (f64, f64) = (793.7, 1122.52);
/// Empty space left and right, above and below.
const MARGIN: (f64, f64) = (56.0, 60.0);
/// The width of what stands on a page.
pub const COLUMN: f64 = PAGE.0 - 2.0 * MARGIN.0;

const TITLE: f64 = 30.0;
const HEADING: f64 = 19.0;
const BODY: f64 = 13.0;
const SMALL: f64 = 11.5;
/// The height of a line of text, in its size.
const LEADING: f64 = 1.38;
/// The height of a row of a table.
const ROW: f64 = 17.0;
/// Room between what follows each other.
const GAP: f64 = 12.0;

/// A page that is laid out.
#[derive(Clone, Debug, Default)]
pub struct PaperPage {
    /// What lies on it; the later over the earlier.
    pub parts: Vec<PaperPart>,
}

/// A document at its place on a page.
#[derive(Clone, Debug)]
pub struct PaperPart {
    /// Where its upper left corner is, CSS pixels.
    pub at: (f64, f64),
    pub svg: String,
}

/// A table. The first column stands at its left edge, the others at their right ones.
#[derive(Clone, Debug, Default)]
pub struct PaperTable {
    /// Lines of the columns' heads.
    pub head: Vec<Vec<String>>,
    pub rows: Vec<Vec<String>>,
    /// Share of the width that each column has.
    pub shares: Vec<f64>,
    /// Rows from this one on stand below a line: sums.
    pub sums_from: Option<usize>,
}

/// Lays out pages.
pub struct Paper {
    /// Left in the foot of each page.
    foot: String,
    pages: Vec<PaperPage>,
    /// The texts of the last page.
    svg: Svg,
    figures: Vec<PaperPart>,
    /// The lower edge of what is on the last page.
    y: f64,
}

impl Paper {
    /// An empty page; `foot` stands below each.
    pub fn new(foot: String) -> Self {
        Self { foot, pages: Vec::new(), svg: blank(), figures: Vec::new(), y: MARGIN.1 }
    }

    /// Begins a page, unless the last one is empty.
    pub fn break_page(&mut self) {
        if self.y > MARGIN.1 {
            self.end_page();
        }
    }

    fn end_page(&mut self) {
        let y = PAGE.1 - MARGIN.1 / 2.0;
        let number = (self.pages.len() + 1).to_string();
        self.svg.text((MARGIN.0, y), TextStyle::soft(10.0, Anchor::Start), &self.foot);
        let right = (PAGE.0 - MARGIN.0, y);
        self.svg.text(right, TextStyle::soft(10.0, Anchor::End), &number);
        let text = std::mem::replace(&mut self.svg, blank()).finish();
        let mut parts = vec![PaperPart { at: (0.0, 0.0), svg: text }];
        parts.append(&mut self.figures);
        self.pages.push(PaperPage { parts });
        self.y = MARGIN.1;
    }

    /// Sees to it that what is so tall has room on the page.
    pub fn room(&mut self, tall: f64) {
        if self.y + tall > PAGE.1 - MARGIN.1 {
            self.break_page();
        }
    }

    pub fn title(&mut self, text: &str) {
        self.lines(text, TITLE, TextStyle::ink(TITLE, Anchor::Start));
        self.y += GAP;
    }

    /// The head of a part; it stays with what follows.
    pub fn heading(&mut self, text: &str) {
        self.room(HEADING + 120.0);
        if self.y > MARGIN.1 {
            self.y += GAP;
        }
        self.lines(text, HEADING, TextStyle::ink(HEADING, Anchor::Start));
        self.y += 5.0;
    }

    pub fn paragraph(&mut self, text: &str) {
        self.lines(text, BODY, TextStyle::ink(BODY, Anchor::Start));
        self.y += 7.0;
    }

    /// Smaller, of less weight.
    pub fn note(&mut self, text: &str) {
        self.lines(text, SMALL, TextStyle::soft(SMALL, Anchor::Start));
        self.y += 7.0;
    }

    fn lines(&mut self, text: &str, size: f64, style: TextStyle) {
        for line in broken(text, size, COLUMN) {
            self.line(&line, size, style, MARGIN.0);
        }
    }

    fn line(&mut self, text: &str, size: f64, style: TextStyle, x: f64) {
        self.room(size * LEADING);
        self.svg.text((x, self.y + size), style, text);
        self.y += size * LEADING;
    }

    /// What things are, a line or more each.
    pub fn facts(&mut self, facts: &[(String, String)]) {
        const LEFT: f64 = 170.0;
        let values = facts.iter().map(|(_, value)| broken(value, BODY, COLUMN - LEFT));
        let values: Vec<Vec<String>> = values.collect();
        // Few of them stay together.
        let tall = |lines: &Vec<String>| lines.len() as f64 * BODY * LEADING + 3.0;
        let all: f64 = values.iter().map(tall).sum();
        if all < PAGE.1 / 4.0 {
            self.room(all);
        }
        for ((name, _), lines) in facts.iter().zip(values) {
            self.room(lines.len().min(4) as f64 * BODY * LEADING);
            let style = TextStyle::soft(BODY, Anchor::Start);
            self.svg.text((MARGIN.0, self.y + BODY), style, name);
            for line in lines {
                self.line(&line, BODY, TextStyle::ink(BODY, Anchor::Start), MARGIN.0 + LEFT);
            }
            self.y += 3.0;
        }
        self.y += 6.0;
    }

    /// A table, with its head again on each further page.
    pub fn table(&mut self, table: &PaperTable) {
        self.room(ROW * (table.head.len() + table.rows.len().min(6)) as f64);
        self.head(table);
        for (n, row) in table.rows.iter().enumerate() {
            let begun = self.pages.len();
            self.room(ROW);
            if self.pages.len() > begun {
                self.head(table);
            }
            if table.sums_from == Some(n) {
                self.rule(AXIS);
            }
            self.row(table, row, true);
        }
        self.rule(AXIS);
        self.y += GAP;
    }

    fn head(&mut self, table: &PaperTable) {
        for line in &table.head {
            self.row(table, line, false);
        }
        self.rule(AXIS);
    }

    fn row(&mut self, table: &PaperTable, cells: &[String], is_ink: bool) {
        let whole: f64 = table.shares.iter().sum();
        let mut left = MARGIN.0;
        for (n, (cell, share)) in cells.iter().zip(&table.shares).enumerate() {
            let right = left + COLUMN * share / whole.max(f64::MIN_POSITIVE);
            let (x, anchor) = if n == 0 { (left, Anchor::Start) } else { (right, Anchor::End) };
            let style = if is_ink { TextStyle::ink } else { TextStyle::soft };
            self.svg.text((x, self.y + ROW - 5.0), style(SMALL, anchor), cell);
            left = right;
        }
        self.y += ROW;
    }

    fn rule(&mut self, colour: &'static str) {
        let right = PAGE.0 - MARGIN.0;
        self.svg.line((MARGIN.0, self.y), (right, self.y), stroke(colour, 0.8));
        self.y += 2.0;
    }

    /// A thin line across the page.
    pub fn line_across(&mut self) {
        self.rule(GRID);
        self.y += GAP;
    }

    /// Drawings that stay together, each with its height, below their title and above a note.
    pub fn figure(&mut self, title: &str, drawings: Vec<(String, f64)>, note: &str) {
        let notes = broken(note, SMALL, COLUMN).len() as f64 * SMALL * LEADING;
        let tall: f64 = drawings.iter().map(|(_, tall)| tall).sum();
        self.room(BODY * LEADING + 6.0 + tall + notes);
        self.paragraph(title);
        for (svg, tall) in drawings {
            self.figures.push(PaperPart { at: (MARGIN.0, self.y), svg });
            self.y += tall;
        }
        self.note(note);
        self.y += GAP;
    }

    /// The pages.
    pub fn finish(mut self) -> Vec<PaperPage> {
        self.break_page();
        self.pages
    }
}

fn blank() -> Svg {
    Svg::new(PAGE.0, PAGE.1, "", "")
}

/// The text in lines that are no wider than `width`, broken at its blanks; a word that is wider is
/// broken too. A number stays with its `%`.
fn broken(text: &str, size: f64, width: f64) -> Vec<String> {
    let text = text.replace(" %", "\u{a0}%");
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if text_width(&longer, size) <= width {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            line.push(letter);
            if text_width(&line, size) > width {
                line.pop();
                lines.push(std::mem::replace(&mut line, letter.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The height of an SVG document of this crate.
pub fn height_of(svg: &str) -> f64 {
    let head = svg.get(..svg.find('>').unwrap_or(0)).unwrap_or_default();
    let after = head.split_once(" height=\"").map_or("", |(_, after)| after);
    let number = after.split_once('"').map_or("", |(number, _)| number);
    number.parse().unwrap_or(0.0)
}

/// Title and description of an SVG document of this crate.
pub fn told_by(svg: &str) -> (String, String) {
    let between = |begin: &str, end: &str| {
        let after = svg.split_once(begin).map_or("", |(_, after)| after);
        let text = after.split_once(end).map_or("", |(text, _)| text);
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    };
    (between("<title>", "</title>"), between("<desc>", "</desc>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parse;

    #[test]
    fn words_are_broken_at_blanks_and_long_ones_anywhere() {
        let wide = |text: &str| text_width(text, BODY);
        let text = "nubosidad en octas leída de imágenes ".repeat(9) + &"f".repeat(300);
        let lines = broken(&text, BODY, 240.0);
        assert!(lines.iter().all(|line| wide(line) <= 240.0));
        let joined: String = lines.concat().split(' ').collect();
        assert_eq!(joined, text.split(' ').collect::<String>());
        assert!(broken("", BODY, 100.0).is_empty());
        // A narrow blank keeps a number with its unit.
        let kept = broken("xxxxxxxx 42\u{a0}%", BODY, wide("xxxxxxxx 42"));
        assert_eq!(kept, ["xxxxxxxx", "42\u{a0}%"]);
        assert_eq!(broken("xxxxxxxx 42 %", BODY, wide("xxxxxxxx 42")), kept);
    }

    #[test]
    fn a_document_tells_title_and_description() {
        let svg = Svg::new(10.0, 20.5, "A & <b>", "it's \"5\" &amp;").finish();
        let told = told_by(&svg);
        assert_eq!(told, ("A & <b>".to_owned(), "it's \"5\" &amp;".to_owned()));
        assert_eq!((height_of(&svg), height_of("")), (20.5, 0.0));
    }

    #[test]
    fn few_facts_stay_together() {
        let facts =
            ["exact", "near", "range", "bias"].map(|name| (name.to_owned(), "1".to_owned()));
        for lines in 50..64 {
            let mut paper = Paper::new("foot".to_owned());
            (0..lines)
                .for_each(|_| paper.line("x", BODY, TextStyle::ink(BODY, Anchor::Start), 0.0));
            paper.facts(&facts);
            let pages = paper.finish();
            let on = |name: &str| {
                let part = format!(">{name}<");
                pages.iter().position(|page| page.parts[0].svg.contains(&part))
            };
            assert_eq!(on("exact"), on("bias"), "{lines}");
        }
    }

    #[test]
    fn what_has_no_room_goes_to_the_next_page_with_the_tables_head() {
        let mut paper = Paper::new("foot".to_owned());
        let rows = (0..200).map(|n| vec![format!("row {n}"), n.to_string()]).collect();
        let head = vec![vec!["name".to_owned(), "n".to_owned()]];
        paper.heading("Table");
        paper.table(&PaperTable { head, rows, shares: vec![1.0, 1.0], sums_from: Some(199) });
        let tall = 700.0;
        for _ in 0..2 {
            let svg = Svg::new(COLUMN, tall, "", "").finish();
            assert_eq!(height_of(&svg), tall);
            paper.figure("Figure", vec![(svg, tall)], "A note.");
        }
        let pages = paper.finish();
        let texts: Vec<&str> = pages.iter().map(|page| page.parts[0].svg.as_str()).collect();
        let on = |text: &str| texts.iter().filter(|page| page.contains(text)).count();
        assert_eq!((on(">row 0<"), on(">row 199<"), on(">foot<")), (1, 1, pages.len()));
        assert_eq!(on(">name<"), texts.iter().filter(|page| page.contains(">row ")).count());
        let figures: Vec<usize> = pages.iter().map(|page| page.parts.len() - 1).collect();
        assert_eq!(figures.iter().sum::<usize>(), 2);
        for (page, figures) in pages.iter().zip(figures) {
            assert!(figures <= 1);
            parse(&page.parts[0].svg);
            for figure in &page.parts[1..] {
                assert!(figure.at.1 + tall <= PAGE.1 - MARGIN.1);
            }
        }
    }
}
