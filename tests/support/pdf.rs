//! What poppler reads in a PDF.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// What `pdftotext` prints of a file; says so and gives none where it is missing.
fn pdftotext(file: &Path, arguments: &[&str]) -> Option<String> {
    match Command::new("pdftotext").args(arguments).arg(file).arg("-").output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            Some(String::from_utf8(output.stdout).unwrap().replace(['\u{a0}', '\u{202f}'], " "))
        }
        Err(_) => {
            // Not `eprintln!`: the harness keeps that back.
            let _ = writeln!(std::io::stderr(), "skipped: pdftotext (poppler-utils) is not here");
            None
        }
    }
}

/// The texts of the pages, columns beside each other.
pub fn pages(file: &Path) -> Option<Vec<String>> {
    let text = pdftotext(file, &["-layout"])?;
    Some(text.trim_end_matches('\u{c}').split('\u{c}').map(str::to_owned).collect())
}

/// The cells of the line that begins with `name`, where blanks are; a unit is one with its number.
pub fn line(pages: &[String], name: &str) -> Vec<String> {
    let lines = pages.iter().flat_map(|page| page.lines());
    let line = lines.map(str::trim).find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no line '{name}' in {pages:#?}"));
    let cells = line[name.len()..].replace(" %", "%");
    cells.split_whitespace().map(str::to_owned).collect()
}

/// The height of each word with the word: in the unit of a page's points, as the font's box is.
pub fn heights(file: &Path) -> Option<Vec<(f64, String)>> {
    let text = pdftotext(file, &["-bbox"])?;
    let words = text.lines().filter(|line| line.trim_start().starts_with("<word"));
    let number = |line: &str, name: &str| -> f64 {
        let after = line.split_once(&format!("{name}=\"")).unwrap().1;
        after.split_once('"').unwrap().0.parse().unwrap()
    };
    let height = |line: &str| {
        let word = line.split_once('>').unwrap().1.trim_end_matches("</word>");
        (number(line, "yMax") - number(line, "yMin"), word.to_owned())
    };
    Some(words.map(height).collect())
}
