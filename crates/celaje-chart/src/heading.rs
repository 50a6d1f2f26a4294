//! Title, place and time, and the counts.

use super::day::{MAX_DAYS, Record};
use super::svg::{Anchor, Svg, Type};
use super::theme::{INK, MARGIN, WIDTH, fit, text_width};
use super::words::{hidden_in, misses, oktas, range, tell};
use celaje_sky::say;

/// The lines above the panels.
pub struct Heading {
    place: String,
    count: String,
    rest: String,
}

impl Heading {
    /// The heading of `record`.
    pub fn of(record: &Record<'_>) -> Self {
        let lang = record.lang;
        let mut when = range(lang, record.from, record.to);
        if record.cut {
            when += &tell(
                lang,
                say!(" (last {MAX_DAYS} days)", " (últimos {MAX_DAYS} días)"),
            );
        }
        let local = tell(lang, say!("local time", "hora local"));
        let tail = format!(" · {when} · {local}");
        let station = fit(record.station, 14.0, 780.0 - text_width(&tail, 14.0));
        let (read, slots) = (record.read(record.from, record.to), record.slots.len());
        let count = if slots > 0 {
            say!(
                "{read} of {slots} slots read",
                "{read} de {slots} turnos leídos"
            )
        } else {
            let read = record.readings.len();
            say!("{read} readings", "{read} lecturas")
        };
        let mut rest = misses(lang, record.misses.len());
        if let Some(median) = record.median() {
            let median = oktas(lang, median);
            rest += &tell(lang, say!(" · median {median}", " · mediana {median}"));
        }
        if let Some(hidden) = hidden_in(lang, u32::try_from(record.hidden()).unwrap_or(u32::MAX)) {
            rest += " · ";
            rest += &hidden;
        }
        Self {
            place: format!("{station}{tail}"),
            count: tell(lang, count),
            rest,
        }
    }

    /// The heading as one sentence.
    pub fn description(&self) -> String {
        format!("{}. {}; {}.", self.place, self.count, self.rest)
    }

    /// Writes it.
    pub fn draw(&self, svg: &mut Svg, record: &Record<'_>) {
        let title = Type {
            size: 23.0,
            fill: INK,
            anchor: Anchor::Start,
        };
        svg.text((MARGIN, 42.0), title, &fit(record.title, 23.0, 860.0));
        svg.text((MARGIN, 66.0), Type::soft(14.0, Anchor::Start), &self.place);
        let right = WIDTH - MARGIN;
        svg.text(
            (right, 42.0),
            Type {
                size: 16.0,
                fill: INK,
                anchor: Anchor::End,
            },
            &self.count,
        );
        svg.text((right, 66.0), Type::soft(14.0, Anchor::End), &self.rest);
    }
}
