//! The keogram of a day: the middle of every picture, side by side.
//!
//! Each slot is a strip, cut from its picture along the vertical midline. Drifting clouds are
//! slanted lines; a clear night is dark from edge to edge. A slot without a picture is hatched.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};
use image::RgbImage;

use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Num, fill};
use super::words::{moment, range, tell};

/// The colours of a strip.
pub const ROWS: usize = 56;

/// The strip of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// Colours from top to bottom, 8 bits a channel.
    pub colours: [[u8; 3]; ROWS],
}

impl Strip {
    /// The strip along the vertical midline of `frame`, from `top` to `bottom` (shares of its
    /// height, 0 to 1). Each row is the mean of a piece a fiftieth of the picture wide; none if the
    /// picture has no pixel there.
    pub fn cut(frame: &RgbImage, top: f64, bottom: f64) -> Option<Self> {
        let (width, height) = frame.dimensions();
        let row = |share: f64| (share.clamp(0.0, 1.0) * f64::from(height)) as u32;
        let (first, last) = (row(top), row(bottom));
        let half = (width / 100).max(1);
        let columns = (width / 2).saturating_sub(half)..(width / 2 + half).min(width);
        let rows = last.checked_sub(first).filter(|rows| *rows > 0)?;
        let mut colours = [[0; 3]; ROWS];
        for (i, colour) in colours.iter_mut().enumerate() {
            let part = |i: usize| first + (u64::from(rows) * i as u64 / ROWS as u64) as u32;
            let (from, to) = (part(i), part(i + 1).max(part(i) + 1).min(height));
            let mut sums = [0_u64; 3];
            let mut count = 0_u64;
            for y in from..to {
                for x in columns.clone() {
                    let pixel = frame.get_pixel_checked(x, y)?;
                    for (sum, value) in sums.iter_mut().zip(pixel.0) {
                        *sum += u64::from(value);
                    }
                    count += 1;
                }
            }
            if count == 0 {
                return None;
            }
            *colour = sums.map(|sum| (sum / count) as u8);
        }
        Some(Self { colours })
    }
}

#[derive(Clone, Debug)]
pub struct Keogram<'a> {
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    /// Its first moment, of a day that is a midnight; it goes on for 24 hours.
    pub from: NaiveDateTime,
    /// The expected slots, station local time.
    pub slots: &'a [NaiveDateTime],
    /// The strips by slot; a slot without one is hatched.
    pub strips: &'a BTreeMap<NaiveDateTime, Strip>,
    /// Slots whose pictures are being fetched; they are left blank.
    pub waiting: &'a [NaiveDateTime],
}

impl Keogram<'_> {
    /// The keogram: marks of the class `strip`, with `data-slot`.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title = tell!(lang, "Keogram", "Keograma");
        let last = self.end().checked_sub_signed(TimeDelta::minutes(1)).unwrap_or(self.from);
        let place = format!("{} · {}", self.station, range(lang, self.from, last));
        let (drawn, all) = (self.strips.len(), self.slots.len());
        let summary = tell!(
            lang,
            "{drawn} of {all} slots, each the middle of its picture.",
            "{drawn} de {all} turnos, cada uno el centro de su imagen."
        );
        let layout = Layout {
            height: if look.is_wide() { 220.0 } else { 150.0 },
            below: 24.0,
            ..Layout::new(look, title, &place, &summary)
        };
        layout.draw(|plot| self.marks(plot))
    }

    fn end(&self) -> NaiveDateTime {
        self.from.checked_add_signed(TimeDelta::days(1)).unwrap_or(self.from)
    }

    fn marks(&self, plot: &mut Plot) {
        plot.paper();
        let to = self.end();
        let axis = plot.frame.time_axis(self.from, to);
        let pairs = self.slots.iter().zip(self.slots.iter().skip(1));
        let spacing = pairs.map(|(a, b)| *b - *a).min();
        for (i, slot) in self.slots.iter().enumerate() {
            // A strip reaches to the next slot. The last one is as wide as the others: after it is
            // the future, which is no gap.
            let last = spacing.and_then(|spacing| slot.checked_add_signed(spacing));
            let next = self.slots.get(i + 1).copied().or(last).unwrap_or(to);
            let (x0, x1) = (axis.x_within(*slot), axis.x_within(next));
            match self.strips.get(slot) {
                Some(strip) => draw(plot, *slot, strip, (x0, x1)),
                None if self.waiting.contains(slot) => {}
                None => plot.hatch(x0, x1 - x0),
            }
        }
        plot.outline();
        plot.hours(&axis, 5.0, 52.0);
    }
}

/// One strip: a gradient of its colours from top to bottom.
fn draw(plot: &mut Plot, slot: NaiveDateTime, strip: &Strip, (x0, x1): (f64, f64)) {
    let id = slot.format("k%Y%m%d%H%M").to_string();
    plot.raw(format_args!("<linearGradient id=\"{id}\" x2=\"0\" y2=\"1\">"));
    for (i, [r, g, b]) in strip.colours.iter().enumerate() {
        let offset = Num((i as f64 + 0.5) / ROWS as f64);
        plot.raw(format_args!("<stop offset=\"{offset}\" stop-color=\"#{r:02x}{g:02x}{b:02x}\"/>"));
    }
    plot.raw(format_args!("</linearGradient>"));
    let (local, title) = (slot.format("%Y-%m-%dT%H:%M"), moment(plot.lang, slot));
    let data = format_args!("class=\"strip\" data-slot=\"{local}\"");
    plot.open(data, &title);
    // It reaches under the next one, so that no seam shows.
    let (at, size) = ((x0, plot.frame.top), (x1 - x0 + 1.2, plot.frame.height()));
    plot.rect(at, size, fill(&format!("url(#{id})")));
    plot.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, bare, count, numbers, pixels};
    use celaje_sky::text::Lang;
    use image::Rgb;

    fn slots() -> Vec<NaiveDateTime> {
        let slot = |n: i64| at(11, 21, 0, 2) + TimeDelta::minutes(10 * n);
        (0..144).map(slot).collect()
    }

    fn draw(
        slots: &[NaiveDateTime],
        strips: &BTreeMap<NaiveDateTime, Strip>,
        waiting: &[NaiveDateTime],
    ) -> String {
        Keogram {
            look: bare(Lang::Es, 1000.0),
            station: "R",
            from: slots[0] - TimeDelta::minutes(2),
            slots,
            strips,
            waiting,
        }
        .svg()
    }

    #[test]
    fn a_strip_is_the_middle_of_the_picture_from_top_to_bottom() {
        // Red and blue halves below each other, green at both sides.
        let frame = RgbImage::from_fn(200, 112, |x, y| match (x, y) {
            (90..110, 0..56) => Rgb([200, 0, 0]),
            (90..110, _) => Rgb([0, 0, 200]),
            _ => Rgb([0, 200, 0]),
        });
        let colours = Strip::cut(&frame, 0.0, 1.0).unwrap().colours;
        let (red, blue) = ([200, 0, 0], [0, 0, 200]);
        assert_eq!((colours[0], colours[27], colours[28]), (red, red, blue));
        // The lower half alone.
        let lower = Strip::cut(&frame, 0.5, 1.0).unwrap();
        assert_eq!(lower.colours, [blue; ROWS]);
    }

    #[test]
    fn a_picture_of_a_pixel_has_a_strip_and_an_empty_part_none() {
        let dot = RgbImage::from_pixel(1, 1, Rgb([9, 8, 7]));
        let strip = Strip::cut(&dot, 0.0, 1.0).unwrap();
        assert_eq!(strip.colours, [[9, 8, 7]; ROWS]);
        assert_eq!(Strip::cut(&dot, 0.5, 0.5), None);
        assert_eq!(Strip::cut(&RgbImage::new(0, 0), 0.0, 1.0), None);
    }

    #[test]
    fn a_night_goes_from_noon_to_noon() {
        let slots: Vec<_> = slots().into_iter().map(|slot| slot + TimeDelta::hours(12)).collect();
        let colours = [[250, 0, 0]; ROWS];
        let night = slots[..72].iter().map(|slot| (*slot, Strip { colours })).collect();
        let svg = draw(&slots, &night, &[]);
        assert!(svg.contains("21 nov 2026, 12:00 – 22 nov 2026, 11:59"), "{svg}");
        let right = numbers(&svg, "class=\"gap\"", "x").into_iter().fold(1e9, f64::min);
        assert!((right - 500.0).abs() < 4.0, "{right}");
    }

    #[test]
    fn the_future_is_no_gap() {
        let svg = draw(&slots()[..36], &BTreeMap::new(), &[]);
        let numbers = |name| numbers(&svg, "class=\"gap\"", name);
        let right = numbers("x").into_iter().zip(numbers("width"));
        let right = right.map(|(x, width)| x + width).fold(0.0, f64::max);
        // A quarter of the day, and the two minutes that slots are late.
        assert!((right - 250.0).abs() < 4.0, "{right}");
    }

    #[test]
    fn strips_stand_in_their_slot_and_gaps_are_hatched() {
        let slots = slots();
        let colours = [[250, 0, 0]; ROWS];
        let red = slots[..72].iter().map(|slot| (*slot, Strip { colours }));
        let svg = draw(&slots, &red.collect(), &slots[72..100]);
        assert_eq!((count(&svg, "strip"), count(&svg, "gap")), (72, 44));
        assert!(svg.contains("72 de 144 turnos"));
        let picture = pixels(&svg);
        // Before noon it is red all over, after it nowhere.
        let pixel = |x: u32| picture.get_pixel(x, 100).0;
        let red = |x: u32| pixel(x)[0] > 240 && pixel(x)[1] < 10;
        assert!((5..498).all(red), "a seam shows");
        assert!((505..995).all(|x| pixel(x)[0] != 250 || pixel(x)[1] > 200));
    }
}
