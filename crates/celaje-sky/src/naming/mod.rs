//! Naming schemes: what a picture's name says of its moment, and which names a moment may have.
//!
//! A [`NameTemplate`] is a path below the place of the pictures. Its directives are those of
//! `strftime` that name a moment (`%Y %y %m %d %j %H %M %S`), `%s` (seconds since 1970) and `%f`
//! (a fraction of a second, any number of digits), and
//!
//! * `*`: any text within one part of the path,
//! * `{night:…}`: the date of the night, which is that of twelve hours earlier; by day the date
//!   itself. Programs differ in when a day begins, so both are taken when a name is read,
//! * `{phase}`: `day` or `night`.
//!
//! Every template reads names. One without `*`, `%s` and `%f` gives names too.

mod fields;
mod matching;
pub mod preset;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

pub use self::fields::NameFields;
use self::fields::{Directive, Scope};
use crate::say;
use crate::text::Text;

/// Longest template, in bytes.
const LONGEST: usize = 512;

/// A piece of a part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `*`.
    Any,
    Field(Scope, Directive),
    /// `{phase}`.
    Phase,
}

/// The moment that a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedTime {
    /// What the camera's clock showed.
    Clock(NaiveDateTime),
    /// Seconds since 1970.
    Unix(DateTime<Utc>),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    text: String,
    /// Of the path, from the outermost folder to the file.
    parts: Vec<Vec<Piece>>,
}

/// Why a text is no template: one sentence, with the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTemplate(pub Text);

impl NameTemplate {
    /// Parts of the path: its folders and the file.
    pub fn depth(&self) -> usize {
        self.parts.len()
    }

    /// The name of part `depth` where it is the same at every moment: it need not be listed.
    pub fn fixed_part(&self, depth: usize) -> Option<&str> {
        match self.parts.get(depth)?.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What the folders above say together with `name`, which is found at `depth`; none when it is
    /// not of this template.
    pub fn read_part(&self, depth: usize, name: &str, above: &NameFields) -> Option<NameFields> {
        matching::read(self.parts.get(depth)?, name, above)
    }

    /// The moment that the path names; none when it is not of this template.
    pub fn read(&self, path: &str) -> Option<NamedTime> {
        let mut names = path.split('/');
        let mut fields = NameFields::default();
        for depth in 0..self.depth() {
            fields = self.read_part(depth, names.next()?, &fields)?;
        }
        if names.next().is_some() {
            return None;
        }
        fields.time()
    }

    /// Whether it gives names: it has no `*` and no fraction of a second.
    pub fn is_exact(&self) -> bool {
        let open = |piece: &Piece| {
            matches!(
                piece,
                Piece::Any
                    | Piece::Field(_, Directive::Fraction)
                    | Piece::Field(_, Directive::Unix)
            )
        };
        !self.parts.iter().flatten().any(open)
    }

    /// Whether names have seconds.
    pub fn has_seconds(&self) -> bool {
        let second =
            |piece: &Piece| matches!(piece, Piece::Field(_, Directive::Second | Directive::Unix));
        self.parts.iter().flatten().any(second)
    }

    /// The paths that a picture of this moment may have, the likeliest first: two where they depend
    /// on when a night begins. None when the template [is not exact](Self::is_exact).
    pub fn paths(&self, clock: NaiveDateTime, by_night: bool) -> Vec<String> {
        if !self.is_exact() {
            return Vec::new();
        }
        let of = |night| self.render(clock, night, "");
        let (first, second) = (of(by_night), of(!by_night));
        if first == second { vec![first] } else { vec![first, second] }
    }

    /// The path of this moment, with `fill` for each `*`. The `night` decides on the dates and
    /// words of `{night:…}` and `{phase}`.
    pub fn render(&self, clock: NaiveDateTime, night: bool, fill: &str) -> String {
        let date = clock.date();
        let of_night = if night { (clock - TimeDelta::hours(12)).date() } else { date };
        let part = |pieces: &Vec<Piece>| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(known) => text.push_str(known),
                    Piece::Any => text.push_str(fill),
                    Piece::Phase => text.push_str(if night { "night" } else { "day" }),
                    Piece::Field(Scope::Moment, field) => text.push_str(&field.text(clock)),
                    Piece::Field(Scope::Night, field) => {
                        text.push_str(&field.text(of_night.and_time(clock.time())));
                    }
                }
            }
            text
        };
        self.parts.iter().map(part).collect::<Vec<_>>().join("/")
    }

    /// Whether a picture of this template is of any moment at all: the fields that make one up.
    fn names_a_moment(&self) -> bool {
        let has = |wanted: Directive| {
            let own = Piece::Field(Scope::Moment, wanted);
            self.parts.iter().flatten().any(|piece| *piece == own)
        };
        let year = has(Directive::Year) || has(Directive::ShortYear);
        let day = has(Directive::YearDay) || (has(Directive::Month) && has(Directive::Day));
        has(Directive::Unix) || (year && day && has(Directive::Hour) && has(Directive::Minute))
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for NameTemplate {
    type Err = BadTemplate;

    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(BadTemplate(say!(
                "the template '{text}' must have 1 to {LONGEST} characters",
                "la plantilla '{text}' debe tener de 1 a {LONGEST} caracteres"
            )));
        }
        let parts: Result<Vec<_>, _> = text.split('/').map(|part| pieces(text, part)).collect();
        let template = Self { text: text.to_owned(), parts: parts? };
        if !template.names_a_moment() {
            return Err(BadTemplate(say!(
                "the template '{text}' doesn't say which moment a name stands for: write its date \
                 and time, as in %Y%m%d%H%M, or %s",
                "la plantilla '{text}' no dice de qué momento es un nombre: escriba su fecha y su \
                 hora, como en %Y%m%d%H%M, o %s"
            )));
        }
        Ok(template)
    }
}

impl TryFrom<String> for NameTemplate {
    type Error = BadTemplate;

    fn try_from(text: String) -> Result<Self, BadTemplate> {
        text.parse()
    }
}

/// The pieces of a `part` of the template `whole`.
fn pieces(whole: &str, part: &str) -> Result<Vec<Piece>, BadTemplate> {
    if part.is_empty() || part == "." || part == ".." {
        return Err(BadTemplate(say!(
            "the template '{whole}' has the part '{part}': write a path below the pictures' place, \
             without '/' at its ends",
            "la plantilla '{whole}' tiene la parte '{part}': escriba una ruta bajo el lugar de las \
             imágenes, sin '/' en los extremos"
        )));
    }
    let mut found = Vec::new();
    let mut rest = part;
    let mut night = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' if !night => found.push(Piece::Any),
            '%' => {
                let Some(letter) = rest.chars().next() else {
                    return Err(unknown(whole, "%"));
                };
                rest = &rest[letter.len_utf8()..];
                let scope = if night { Scope::Night } else { Scope::Moment };
                match Directive::of(letter).filter(|field| !night || field.is_date()) {
                    Some(field) => found.push(Piece::Field(scope, field)),
                    None if letter == '%' => push(&mut found, '%'),
                    None => return Err(unknown(whole, &format!("%{letter}"))),
                }
            }
            '{' if !night && rest.starts_with("phase}") => {
                found.push(Piece::Phase);
                rest = &rest["phase}".len()..];
            }
            '{' if !night && rest.starts_with("night:") => {
                night = true;
                rest = &rest["night:".len()..];
            }
            '}' if night => night = false,
            '{' | '}' | '*' => return Err(unknown(whole, &c.to_string())),
            c => push(&mut found, c),
        }
    }
    if night {
        return Err(unknown(whole, "{night:"));
    }
    Ok(found)
}

fn push(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    }
}

fn unknown(whole: &str, what: &str) -> BadTemplate {
    BadTemplate(say!(
        "the template '{whole}' has '{what}', which is not known: write %Y %y %m %d %j %H %M %S %s \
         %f, *, {{phase}} or {{night:%Y%m%d}}, and %% for a %",
        "la plantilla '{whole}' tiene '{what}', que no se conoce: escriba %Y %y %m %d %j %H %M %S \
         %s %f, *, {{phase}} o {{night:%Y%m%d}}, y %% por un %"
    ))
}

#[cfg(test)]
mod tests;
