//! A row a day, a cell a slot: weeks to a year of readings in one picture, with the sun's times
//! over it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::axis::LABEL;
use super::font::text_width;
use super::legend::Key;
use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Anchor, Num, TextStyle, fill, stroke};
use super::theme::{GAP, INK, PAPER, SOFT_INK, VEIL, okta_colour};
use super::words::{hidden_in, long_date, mean_of, range, readings, short_date, short_month, tell};
use celaje_sky::cover::Cover;
use celaje_sky::okta::Okta;
use celaje_sky::slot::Zone;
use celaje_sky::sun::position;

/// Days of a raster at most: a leap year.
pub const MAX_DAYS: i64 = 366;
/// Cells of a day at most: where slots are closer, a cell has the last reading of its minutes.
const MOST_CELLS: u32 = 288;
/// More days are named by their months.
const BY_MONTH: usize = 45;
/// Height that is shared by the days, and that of one.
const TALL: f64 = 760.0;
const ROW: (f64, f64) = (2.0, 22.0);
/// The sun's elevations whose times are drawn: sunrise and sunset, the edges of darkness.
const SUN: [(f64, &str); 2] = [(-0.833, "6 3"), (-18.0, "2 3")];
/// Steps in which a day is searched for them.
const STEP: i64 = 10;
/// The most that the time of an event may move from a day to the next; beyond, its line is broken.
const MOVES: f64 = 45.0;

const LEGEND: [Key; 3] = [Key::Oktas, Key::FlatGap, Key::Hidden];

/// The readings of the days of a range.
#[derive(Clone, Debug)]
pub struct Raster<'a> {
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    /// The moment until which a cell without a reading is a gap, station local time.
    pub now: NaiveDateTime,
    /// The first reading of the record: before it there are no gaps.
    pub first: Option<NaiveDateTime>,
    /// Minutes between slots.
    pub spacing: u32,
    /// By their slots.
    pub readings: &'a [(NaiveDateTime, Cover)],
    pub zone: Zone,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
}

/// A day's cells and their sums.
#[derive(Default)]
struct RasterRow {
    cells: BTreeMap<u32, Cover>,
    read: u32,
    sum: u32,
    obscured: u32,
}

impl RasterRow {
    fn mean(&self) -> Option<f64> {
        (self.read > 0).then(|| f64::from(self.sum) / f64::from(self.read))
    }
}

impl Raster<'_> {
    /// The raster as SVG: a mark of the class `day` with `data-from` each day, a path of the class
    /// `cells` each amount, a line of the class `sun` each event of the sun.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let days = self.all_days();
        let rows = self.rows(&days);
        let title = tell!(lang, "Cloud amount, a row a day", "Nubosidad, una fila por día");
        let (first, last) = (days.first().copied(), days.last().copied());
        let edge = |day: Option<NaiveDate>| day.unwrap_or_default().and_time(NaiveTime::MIN);
        let end = edge(last) + TimeDelta::minutes(24 * 60 - 1);
        let place = format!("{} · {}", self.station, range(lang, edge(first), end));
        let pitch = (TALL / days.len().max(1) as f64).clamp(ROW.0, ROW.1);
        let layout = Layout {
            height: pitch * days.len() as f64,
            left: if look.is_wide() { 84.0 } else { self.labels_room(&days) },
            right: 8.0,
            below: 26.0,
            legend: &LEGEND,
            ..Layout::new(look, title, &place, &self.summary(&rows))
        };
        layout.draw(|plot| {
            plot.paper();
            self.cells(plot, &days, &rows, pitch);
            self.marks(plot, &days, &rows, pitch);
            plot.outline();
            self.sun(plot, &days, pitch);
            self.day_labels(plot, &days, pitch);
            let (from, to) = (edge(first), edge(first) + TimeDelta::days(1));
            let axis = plot.frame.time_axis(from, to);
            plot.hours(&axis, 4.0, 52.0);
            if self.readings.is_empty() {
                plot.empty_note(self.first.is_some(), None);
            }
        })
    }

    fn all_days(&self) -> Vec<NaiveDate> {
        let (from, to) = self.days;
        let days = from.iter_days().take_while(|day| *day <= to);
        days.take(MAX_DAYS as usize).collect()
    }

    fn per_day(&self) -> u32 {
        (1440 / self.spacing.clamp(1, 1440)).min(MOST_CELLS)
    }

    fn cell_of(&self, t: NaiveDateTime) -> u32 {
        (t.hour() * 60 + t.minute()) * self.per_day() / 1440
    }

    fn rows(&self, days: &[NaiveDate]) -> Vec<RasterRow> {
        let mut rows: Vec<RasterRow> = days.iter().map(|_| RasterRow::default()).collect();
        let Some(first) = days.first() else {
            return rows;
        };
        for (slot, cover) in self.readings {
            let day = usize::try_from((slot.date() - *first).num_days());
            let Some(row) = day.ok().and_then(|day| rows.get_mut(day)) else {
                continue;
            };
            row.cells.insert(self.cell_of(*slot), *cover);
            match cover.okta() {
                Some(okta) => {
                    row.read += 1;
                    row.sum += u32::from(okta.eighths());
                }
                None => row.obscured += 1,
            }
        }
        rows
    }

    fn summary(&self, rows: &[RasterRow]) -> String {
        let lang = self.look.lang;
        let read = rows.iter().map(|row| row.read).fold(0, u32::saturating_add);
        let hidden = rows.iter().map(|row| row.obscured).fold(0, u32::saturating_add);
        let mut text = readings(lang, read);
        if let Some(hidden) = hidden_in(lang, hidden) {
            text = text + "; " + &hidden;
        }
        let sun = tell!(
            lang,
            "dashed lines are sunrise and sunset, dotted ones the sun 18° below the horizon",
            "las líneas de rayas son la salida y la puesta del sol; las de puntos, el sol 18° bajo \
             el horizonte"
        );
        format!("{text}; {sun}.")
    }

    /// One path an amount: runs of equal cells, in units of cells and days.
    fn cells(&self, plot: &mut Plot, days: &[NaiveDate], rows: &[RasterRow], pitch: f64) {
        let (frame, across) = (plot.frame, self.per_day());
        let mut paths: BTreeMap<u8, String> = BTreeMap::new();
        let mut gaps = String::new();
        for (y, (day, row)) in days.iter().zip(rows).enumerate() {
            let mut x = 0;
            while x < across {
                let cell = row.cells.get(&x);
                let run = (x..across).take_while(|at| row.cells.get(at) == cell).count() as u32;
                // Writing to a String does not fail.
                match (cell, self.expected(*day, x, run)) {
                    (Some(cover), _) => {
                        let path = paths.entry(cover.code()).or_default();
                        let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
                    }
                    (None, Some((from, to))) => {
                        let wide = to - from;
                        let _ = write!(gaps, "M{from} {y}h{wide}v1h-{wide}z");
                    }
                    (None, None) => {}
                }
                x += run;
            }
        }
        let scale = (frame.width() / f64::from(across), pitch);
        plot.raw(format_args!(
            "<g transform=\"translate({} {}) scale({:.6} {:.6})\" \
             shape-rendering=\"crispEdges\">\n",
            Num(frame.left),
            Num(frame.top),
            scale.0,
            scale.1
        ));
        // A pattern would be scaled, too, and hardly be seen: gaps are flat here.
        if !gaps.is_empty() {
            plot.raw(format_args!("<path class=\"gap\" d=\"{gaps}\" {}/>\n", fill(GAP)));
        }
        for (code, path) in &paths {
            let colour = Okta::new(*code).map_or(VEIL, okta_colour);
            plot.raw(format_args!(
                "<path class=\"cells\" data-okta=\"{code}\" d=\"{path}\" {}/>\n",
                fill(colour)
            ));
        }
        plot.close();
    }

    /// The part of a run of empty cells in which there ought to be readings.
    fn expected(&self, day: NaiveDate, x: u32, run: u32) -> Option<(u32, u32)> {
        let midnight = day.and_time(NaiveTime::MIN);
        let first = self.first?;
        let from = match first.date() {
            date if date > day => return None,
            date if date == day => x.max(self.cell_of(first)),
            _ => x,
        };
        let to = match self.now.date() {
            _ if self.now < midnight => return None,
            date if date == day => (x + run).min(self.cell_of(self.now)),
            _ => x + run,
        };
        (from < to).then_some((from, to))
    }

    /// A mark that can be pointed at each day.
    fn marks(&self, plot: &mut Plot, days: &[NaiveDate], rows: &[RasterRow], pitch: f64) {
        let (lang, frame) = (plot.lang, plot.frame);
        let known = |day: NaiveDate| {
            day <= self.now.date() && self.first.is_some_and(|first| first.date() <= day)
        };
        for (n, (day, row)) in days.iter().zip(rows).enumerate() {
            if !known(*day) {
                continue;
            }
            let when = long_date(lang, *day);
            let title = mean_of(lang, &when, row.mean(), row.read, row.obscured);
            plot.open(format_args!("class=\"day\" data-from=\"{day}\""), &title);
            let style = "fill=\"none\" pointer-events=\"all\"";
            let at = (frame.left, frame.top + pitch * n as f64);
            plot.rect(at, (frame.width(), pitch), style);
            plot.close();
        }
    }

    /// The room that the names of the days need.
    fn labels_room(&self, days: &[NaiveDate]) -> f64 {
        let names = days.iter().map(|day| match days.len() > BY_MONTH {
            true => short_month(self.look.lang, day.month()),
            false => short_date(self.look.lang, *day),
        });
        names.map(|name| text_width(&name, LABEL)).fold(32.0, f64::max) + 10.0
    }

    fn day_labels(&self, plot: &mut Plot, days: &[NaiveDate], pitch: f64) {
        let (lang, frame, margin) = (plot.lang, plot.frame, plot.look.margin());
        let style = TextStyle::soft(LABEL, Anchor::Start);
        let each = (14.0 / pitch).ceil().max(1.0) as usize;
        for (n, day) in days.iter().enumerate() {
            let y = frame.top + pitch * (n as f64 + 0.5) + 4.5;
            let by_month = days.len() > BY_MONTH;
            let label = match by_month {
                true if day.day() == 1 && day.month() == 1 => day.year().to_string(),
                true if day.day() == 1 => short_month(lang, day.month()),
                true => continue,
                false if n % each == 0 => short_date(lang, *day),
                false => continue,
            };
            plot.text((margin, y.min(frame.bottom)), style, &label);
            if by_month {
                let top = frame.top + pitch * n as f64;
                plot.line((frame.left - 6.0, top), (frame.left, top), stroke(SOFT_INK, 1.0));
            }
        }
    }

    /// The times at which the sun crosses each height, from day to day.
    fn sun(&self, plot: &mut Plot, days: &[NaiveDate], pitch: f64) {
        let all: Vec<_> = days.iter().map(|day| self.elevations(*day)).collect();
        for (height, dashes) in SUN {
            for rising in [false, true] {
                let times = all.iter().map(|day| crossing(day, height, rising));
                let times: Vec<Option<f64>> = times.collect();
                let mut path = String::new();
                let mut last: Option<f64> = None;
                for (n, time) in times.iter().enumerate() {
                    if let Some(time) = time {
                        let x = plot.frame.left + plot.frame.width() * time / 1440.0;
                        let y = plot.frame.top + pitch * (n as f64 + 0.5);
                        let joins = last.is_some_and(|last| (last - time).abs() < MOVES);
                        let pen = if joins { 'L' } else { 'M' };
                        let _ = write!(path, "{pen}{} {}", Num(x), Num(y));
                    }
                    last = *time;
                }
                // Light below dark, so that it shows on every amount.
                for (colour, width) in [(PAPER, 3.0), (INK, 1.2)] {
                    let line = stroke(colour, width);
                    plot.raw(format_args!(
                        "<path class=\"sun\" d=\"{path}\" fill=\"none\" {line} \
                         stroke-dasharray=\"{dashes}\" pointer-events=\"none\"/>\n"
                    ));
                }
            }
        }
    }

    /// The sun's elevations of a day, a step apart.
    fn elevations(&self, day: NaiveDate) -> Vec<Option<f64>> {
        let midnight = day.and_time(NaiveTime::MIN);
        let at = |minute: i64| {
            let local = midnight.checked_add_signed(TimeDelta::minutes(minute))?;
            let instant = self.zone.instant(local)?;
            Some(position(instant, self.latitude, self.longitude).elevation)
        };
        (0..=1440 / STEP).map(|n| at(n * STEP)).collect()
    }
}

/// The minute at which a day's elevations, [`STEP`] apart, cross `height`.
fn crossing(elevations: &[Option<f64>], height: f64, rising: bool) -> Option<f64> {
    let pairs = elevations.iter().zip(elevations.iter().skip(1)).enumerate();
    let mut crossings = pairs.filter_map(|(n, (before, after))| {
        let (a, b) = ((*before)? - height, (*after)? - height);
        let crosses = (a <= 0.0) == rising && (b > 0.0) == rising && a != b;
        crosses.then(|| (n as f64 + a / (a - b)) * STEP as f64)
    });
    crossings.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, bare, parse};
    use celaje_sky::text::Lang;
    use chrono::Days;

    fn raster(from: NaiveDate, days: u64, read: impl Fn(NaiveDateTime) -> Option<u8>) -> String {
        raster_of(bare(Lang::En, 900.0), from, days, read)
    }

    fn raster_of(
        look: Look,
        from: NaiveDate,
        days: u64,
        read: impl Fn(NaiveDateTime) -> Option<u8>,
    ) -> String {
        let last = from + Days::new(days - 1);
        let begin = from.and_time(NaiveTime::MIN) + TimeDelta::minutes(2);
        let slots = (0..days as i64 * 144).map(|n| begin + TimeDelta::minutes(10 * n));
        let readings: Vec<_> =
            slots.filter_map(|slot| Some((slot, Cover::from_code(read(slot)?)?))).collect();
        let svg = Raster {
            look,
            station: "R",
            days: (from, last),
            now: last.and_time(NaiveTime::MIN) + TimeDelta::hours(12),
            first: Some(begin + TimeDelta::days(1)),
            spacing: 10,
            readings: &readings,
            zone: "America/Argentina/Ushuaia".parse().unwrap(),
            latitude: -53.79,
            longitude: -67.70,
        }
        .svg();
        parse(&svg);
        svg
    }

    /// Cells of the paths of a class, or of an amount.
    fn area(svg: &str, mark: &str) -> u32 {
        let paths = svg.split("<path ").filter(|path| path.starts_with(mark));
        let runs = paths.flat_map(|path| {
            let d = path.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
            d.split('h')
                .skip(1)
                .step_by(2)
                .map(|run| run.split('v').next().unwrap().parse::<u32>().unwrap())
        });
        runs.sum()
    }

    #[test]
    fn every_reading_is_a_cell_and_what_is_missing_a_gap() {
        let from = at(6, 1, 0, 0).date();
        let svg = raster(from, 10, |slot| match (slot.day(), slot.hour()) {
            (1, _) => None,
            (10, hour) if hour >= 11 => None,
            (3, 0..6) => None,
            (4, _) => Some(9),
            (day, _) => Some((day % 9) as u8),
        });
        assert_eq!(area(&svg, "class=\"cells\" data-okta=\"9\""), 144);
        assert_eq!(area(&svg, "class=\"cells\" data-okta=\"2\""), 144);
        // Six hours on the third; on the tenth from eleven to noon; the record begins on the 2nd.
        assert_eq!(area(&svg, "class=\"gap\""), 36 + 6);
        assert_eq!(area(&svg, "class=\"cells\""), 7 * 144 + 108 + 66);
        assert_eq!(svg.matches("class=\"day\"").count(), 9);
        let day =
            "data-from=\"2026-06-05\"><title>Friday 5 June 2026 · mean 5.0 oktas · 144 readings";
        assert!(svg.contains(day), "{svg:.3000}");
    }

    #[test]
    fn the_names_of_the_days_have_room_on_a_phone() {
        for (days, name) in [(30, "Wed 10 Jun"), (200, "Jun")] {
            for width in [300.0, 340.0, 480.0] {
                let from = at(6, 1, 0, 0).date();
                let svg = raster_of(bare(Lang::En, width), from, days, |_| Some(3));
                let left = svg.split("translate(").nth(1).unwrap().split(' ').next().unwrap();
                let text = svg.split("<text ").find(|text| text.contains(&format!(">{name}<")));
                let x = text.unwrap().split('"').nth(1).unwrap().parse::<f64>().unwrap();
                let right = x + text_width(name, LABEL);
                assert!(right + 4.0 < left.parse().unwrap(), "{width}: {right} {left}");
            }
        }
    }

    #[test]
    fn a_year_is_small_and_has_the_suns_times() {
        let from = at(1, 1, 0, 0).date();
        let svg = raster(from, 365, |slot| Some(((slot.hour() / 3 + slot.day()) % 9) as u8));
        assert!(svg.len() < 400_000, "{}", svg.len());
        assert_eq!(svg.matches("class=\"sun\"").count(), 8);
        assert_eq!(area(&svg, "class=\"cells\""), 365 * 144);
        // In Río Grande's summer the sun never goes 18° below the horizon.
        for path in svg.split("<path class=\"sun\" d=\"").filter(|path| path.contains("\"2 3\"")) {
            let points = path.split('"').next().unwrap().matches(['M', 'L']).count();
            assert!((200..345).contains(&points), "{points}");
        }
    }

    #[test]
    fn an_empty_range_says_so() {
        let svg = raster(at(1, 1, 0, 0).date(), 7, |_| None);
        assert!(svg.contains("No readings in this range"));
        assert_eq!(area(&svg, "class=\"cells\""), 0);
    }
}
