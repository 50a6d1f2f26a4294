//! Pages of SVG documents as a PDF, with the font that the program carries, in which text can be
//! searched and copied.

use chrono::{DateTime, Datelike, Timelike, Utc};
use krilla::Document;
use krilla::geom::{Size, Transform};
use krilla::metadata::{self, Metadata};
use krilla::page::PageSettings;
use krilla::surface::Surface;
use krilla_svg::{SurfaceExt, SvgSettings};

use super::paper::{PAGE, PaperPage};
use super::png::tree;
use celaje_sky::text::Lang;

/// Points of a CSS pixel.
pub const POINTS: f32 = 0.75;

/// What a PDF says of itself.
#[derive(Clone, Debug)]
pub struct PdfAbout {
    pub title: String,
    /// Who made what it tells; none where nobody is named.
    pub author: Option<String>,
    /// Name and version of the program.
    pub program: String,
    pub lang: Lang,
    pub made: DateTime<Utc>,
}

#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    #[error("the SVG does not parse: {0}")]
    Parse(#[from] resvg::usvg::Error),
    #[error("the PDF could not be written: {0}")]
    Write(String),
}

/// The pages as the bytes of a PDF.
pub fn write(pages: &[PaperPage], about: &PdfAbout) -> Result<Vec<u8>, PdfError> {
    let mut document = Document::new();
    document.set_metadata(metadata(about));
    for page in pages {
        let (width, height) = (PAGE.0 as f32 * POINTS, PAGE.1 as f32 * POINTS);
        let size = PageSettings::from_wh(width, height);
        let size = size.ok_or_else(|| PdfError::Write("a page has no size".to_owned()))?;
        let mut paper = document.start_page_with(size);
        let mut surface = paper.surface();
        for part in &page.parts {
            place(&mut surface, part.at, &part.svg)?;
        }
        surface.finish();
        paper.finish();
    }
    document.finish().map_err(|error| PdfError::Write(error.to_string()))
}

/// Draws `svg` with its upper left corner at `at`.
fn place(surface: &mut Surface<'_>, at: (f64, f64), svg: &str) -> Result<(), PdfError> {
    let tree = tree(svg)?;
    let (width, height) = (tree.size().width() * POINTS, tree.size().height() * POINTS);
    let (x, y) = (at.0 as f32 * POINTS, at.1 as f32 * POINTS);
    if let Some(size) = Size::from_wh(width, height) {
        surface.push_transform(&Transform::from_translate(x, y));
        let drawn = surface.draw_svg(&tree, size, SvgSettings::default());
        surface.pop();
        drawn.ok_or_else(|| PdfError::Write("a figure could not be drawn".to_owned()))?;
    }
    Ok(())
}

fn metadata(about: &PdfAbout) -> Metadata {
    let made = about.made;
    let part = |n: u32| u8::try_from(n).unwrap_or_default();
    let made = metadata::DateTime::new(u16::try_from(made.year()).unwrap_or_default())
        .month(part(made.month()))
        .day(part(made.day()))
        .hour(part(made.hour()))
        .minute(part(made.minute()))
        .second(part(made.second()))
        .utc_offset_hour(0);
    let language = match about.lang {
        Lang::En => "en",
        Lang::Es => "es",
    };
    let told = Metadata::new()
        .title(about.title.clone())
        .creator(about.program.clone())
        .language(language.to_owned())
        .creation_date(made);
    match &about.author {
        Some(author) => told.authors(vec![author.clone()]),
        None => told,
    }
}
