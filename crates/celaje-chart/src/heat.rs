//! Heat maps: a year day by day, and the months by the hour.
//!
//! A cell without a reading has a line through it; one whose pictures never show the sky is
//! crossed. A narrow map is turned on its side, so that a cell stays large enough for a finger.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};

use super::axis::LABEL;
use super::bucket::Bucket;
use super::legend::Key;
use super::look::Look;
use super::plot::{Frame, Layout, Plot};
use super::svg::{Anchor, TextStyle, fill, outlined, stroke};
use super::theme::{GRID, HATCH, PAPER, VEIL, VEIL_INK, mean_colour};
use super::words::{
    hidden_in, long_date, long_month, mean_of, month_letter, readings, short_month, shown_months,
    tell, weekday_letter,
};

const LEGEND: [Key; 3] = [Key::Oktas, Key::Gap, Key::Hidden];
const SOFT: TextStyle = TextStyle::soft(LABEL, Anchor::Start);

/// A year as a calendar: a column a week, a row a weekday.
#[derive(Clone, Debug)]
pub struct Calendar<'a> {
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    pub year: i32,
    /// Days after this one are left blank.
    pub today: NaiveDate,
    /// As are those before the record's first, and all if it has none; months before its month are
    /// left out.
    pub first: Option<NaiveDate>,
    /// The year's days that have readings, in any order.
    pub days: &'a [Bucket],
}

/// The readings of a cell: of a day, or of an hour of the day in a month of the year.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeatCell {
    /// Readings that have an amount.
    pub read: u32,
    /// Their mean in oktas.
    pub mean: Option<f64>,
    /// Pictures that did not show the sky.
    pub obscured: u32,
}

/// The mean amount of each hour in each month, over years.
#[derive(Clone, Debug)]
pub struct ClimatologyChart<'a> {
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// `cells[month - 1][hour]`.
    pub cells: &'a [[HeatCell; 24]; 12],
    /// Which months the record has had so far: the others are left out.
    pub due: [bool; 12],
    /// Whether the record has a reading.
    pub begun: bool,
}

/// Rows and columns of equal cells.
#[derive(Clone, Copy)]
struct HeatGrid {
    /// Width and height of a cell with the space around it.
    pitch: (f64, f64),
    /// Whether the first coordinate runs down and the second across.
    turned: bool,
}

impl HeatGrid {
    fn at(&self, frame: Frame, first: f64, second: f64) -> (f64, f64) {
        let (column, row) = if self.turned { (second, first) } else { (first, second) };
        let (wide, tall) = self.pitch;
        (frame.left + column * wide, frame.top + row * tall)
    }

    /// Labels what runs down, or across if the map is turned: `wide` left of its row, or the
    /// short `narrow` above its column.
    fn row_label(&self, plot: &mut Plot, row: f64, wide: &str, narrow: &str) {
        let (x, y) = self.at(plot.frame, 0.0, row);
        let at = (plot.look.margin(), y + self.pitch.1 / 2.0 + 4.0);
        let above = (x + self.pitch.0 / 2.0 - 4.0, plot.frame.top - 7.0);
        match self.turned {
            false => plot.text(at, SOFT, wide),
            true => plot.text(above, SOFT, narrow),
        }
    }

    /// Labels what runs across, at `y`, or down if the map is turned.
    fn column_label(&self, plot: &mut Plot, at: (f64, f64), y: f64, label: &str) {
        let left = (plot.look.margin(), at.1 + 11.0);
        plot.text(if self.turned { left } else { (at.0, y) }, SOFT, label);
    }

    fn cell(&self, plot: &mut Plot, (x, y): (f64, f64), cell: HeatCell, data: &str, when: &str) {
        let (wide, tall) = ((self.pitch.0 - 1.5).max(1.0), (self.pitch.1 - 1.5).max(1.0));
        let title = mean_of(plot.lang, when, cell.mean, cell.read, cell.obscured);
        plot.open(format_args!("class=\"cell\" {data}"), &title);
        let rising = ((x, y + tall), (x + wide, y));
        match cell.mean {
            Some(mean) => plot.rect((x, y), (wide, tall), fill(mean_colour(mean))),
            None if cell.obscured > 0 => {
                plot.rect((x, y), (wide, tall), fill(VEIL));
                for (from, to) in [((x, y), (x + wide, y + tall)), rising] {
                    let style = format_args!("class=\"veil\" {}", stroke(VEIL_INK, 0.8));
                    plot.line(from, to, style);
                }
            }
            // A line, not the pattern: hundreds of patterns make a printed page slow and large.
            None => {
                plot.rect((x, y), (wide, tall), outlined(PAPER, GRID, 0.6));
                let style = format_args!("class=\"gap\" {}", stroke(HATCH, 0.8));
                plot.line(rising.0, rising.1, style);
            }
        }
        plot.close();
    }
}

impl Calendar<'_> {
    /// The calendar: marks of the class `cell`, with `data-from` (`YYYY-MM-DD`).
    pub fn svg(&self) -> String {
        let (look, lang, year) = (self.look, self.look.lang, self.year);
        let title = tell!(lang, "Cloud amount by day, {year}", "Nubosidad por día, {year}");
        let begins = self.first.filter(|first| first.year() == year);
        let month = begins.map_or(1, |first| first.month());
        let first = NaiveDate::from_ymd_opt(year, month, 1).into_iter();
        let days: Vec<NaiveDate> = (first.flat_map(|first| first.iter_days()))
            .take_while(|day| day.year() == year)
            .collect();
        let read = days.iter().filter(|day| self.read(**day).is_some()).count();
        let of = days.iter().filter(|day| self.expects(**day)).count();
        let summary =
            tell!(lang, "{read} of {of} days with readings.", "{read} de {of} días con lecturas.");
        // Weeks run across if there is room for them, else down.
        let wide = look.is_wide();
        let left = if wide { 22.0 } else { 38.0 };
        let across = look.width() - 2.0 * look.margin() - left;
        let pitch = match wide {
            true => (across / 54.0, (across / 54.0).min(30.0)),
            false => (across / 7.0, 13.0),
        };
        let weeks = days.len().div_ceil(7) + 1;
        let layout = Layout {
            height: if wide { 7.0 } else { weeks as f64 } * pitch.1,
            left,
            below: 8.0,
            legend: &LEGEND,
            ..Layout::new(look, title, self.station, &summary)
        };
        layout.draw(|plot| {
            let turned = !wide;
            self.marks(plot, &HeatGrid { pitch, turned }, &days);
            if self.first.is_none() {
                plot.empty_note(false, None);
            }
        })
    }

    fn expects(&self, day: NaiveDate) -> bool {
        day <= self.today && self.first.is_some_and(|first| first <= day)
    }

    fn read(&self, day: NaiveDate) -> Option<&Bucket> {
        let from = day.and_time(NaiveTime::MIN);
        let bucket = self.days.iter().find(|bucket| bucket.from == from);
        bucket.filter(|bucket| !bucket.is_gap())
    }

    fn marks(&self, plot: &mut Plot, grid: &HeatGrid, days: &[NaiveDate]) {
        let (lang, frame) = (plot.lang, plot.frame);
        for weekday in 0..7_u8 {
            let letter = weekday_letter(lang, weekday.into());
            grid.row_label(plot, f64::from(weekday), letter, letter);
        }
        let weekday = |day: &NaiveDate| day.weekday().num_days_from_monday();
        let (first, begins) =
            days.first().map_or((0, 0), |first| (weekday(first), first.ordinal0()));
        let at = |day: NaiveDate| {
            let week = f64::from((day.ordinal0().saturating_sub(begins) + first) / 7);
            grid.at(frame, week, f64::from(weekday(&day)))
        };
        for day in days {
            if day.day() == 1 {
                // A month is named at its first whole week.
                let (name, week) = (short_month(lang, day.month()), at(*day + Days::new(6)));
                grid.column_label(plot, week, frame.top - 7.0, &name);
            }
            if self.expects(*day) {
                let cell = self.read(*day).map(|bucket| HeatCell {
                    read: bucket.read(),
                    mean: bucket.mean(),
                    obscured: bucket.obscured,
                });
                let data = format!("data-from=\"{day}\"");
                let (cell, when) = (cell.unwrap_or_default(), long_date(lang, *day));
                grid.cell(plot, at(*day), cell, &data, &when);
            }
        }
    }
}

impl ClimatologyChart<'_> {
    /// The months by the hour: marks of the class `cell`, with `data-month` and `data-hour`.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title =
            tell!(lang, "Mean cloud amount by month and hour", "Nubosidad media por mes y hora");
        let sum = |of: fn(&HeatCell) -> u32| {
            let counts = self.cells.iter().flatten().map(of);
            counts.fold(0, u32::saturating_add)
        };
        let (read, obscured) = (sum(|cell| cell.read), sum(|cell| cell.obscured));
        let summary = match hidden_in(lang, obscured) {
            Some(hidden) => format!("{}; {hidden}.", readings(lang, read)),
            None => readings(lang, read) + ".",
        };
        // Twenty-four columns need less room than the weeks of a year.
        let wide = look.width() >= 480.0;
        let left = 38.0;
        let across = look.width() - 2.0 * look.margin() - left;
        let (pitch, rows) = match wide {
            true => ((across / 24.0, 22.0), shown_months(self.due).len() as f64),
            false => ((across / 12.0, 17.0), 24.0),
        };
        let layout = Layout {
            height: rows * pitch.1,
            left,
            below: 24.0,
            legend: &LEGEND,
            ..Layout::new(look, title, self.place, &summary)
        };
        layout.draw(|plot| {
            let turned = !wide;
            self.marks(plot, &HeatGrid { pitch, turned });
            if read == 0 && obscured == 0 {
                plot.empty_note(self.begun, None);
            }
        })
    }

    fn marks(&self, plot: &mut Plot, grid: &HeatGrid) {
        let (lang, frame) = (plot.lang, plot.frame);
        for hour in (0..24_u8).step_by(if grid.turned { 2 } else { 3 }) {
            let at = grid.at(frame, f64::from(hour), 0.0);
            grid.column_label(plot, at, frame.bottom + 14.0, &format!("{hour:02} h"));
        }
        for (n, month) in (0_u8..).zip(shown_months(self.due)) {
            let row = f64::from(n);
            let at = month.saturating_sub(1) as usize;
            let (Some(hours), Some(due)) = (self.cells.get(at), self.due.get(at)) else { continue };
            let (name, letter) = (short_month(lang, month), month_letter(lang, month));
            grid.row_label(plot, row, &name, &letter);
            if !*due {
                continue;
            }
            let name = long_month(lang, month);
            for (hour, cell) in (0_u8..).zip(hours) {
                let when = format!("{name}, {hour:02}:00–{hour:02}:59");
                let data = format!("data-month=\"{month}\" data-hour=\"{hour}\"");
                let at = grid.at(frame, f64::from(hour), row);
                grid.cell(plot, at, *cell, &data, &when);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::height_of;
    use crate::testing::{at, bare, count, parse};
    use celaje_sky::text::Lang;

    fn looks() -> [Look; 3] {
        [Look::alone(Lang::Es), bare(Lang::Es, 340.0), bare(Lang::Es, 2500.0)]
    }

    fn calendar(look: Look, year: i32, today: NaiveDate, days: &[Bucket]) -> String {
        let (station, first) = ("R", NaiveDate::from_ymd_opt(year, 1, 1));
        let svg = Calendar { look, station, year, today, first, days }.svg();
        parse(&svg);
        svg
    }

    #[test]
    fn a_year_has_a_cell_for_each_day_and_marks_gaps() {
        let leap_day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        let mut read = Bucket::empty(leap_day.and_time(NaiveTime::MIN));
        read.count(0, 140);
        for look in looks() {
            let svg = calendar(look, 2024, at(1, 1, 0, 0).date(), &[read.clone()]);
            assert_eq!((count(&svg, "cell"), count(&svg, "gap")), (366, 365));
            let when = "data-from=\"2024-02-29\"><title>jueves 29 de febrero de 2024";
            assert!(svg.contains(&format!("{when} · media 0,0 octas · 140 lecturas")));
            assert!(svg.contains("1 de 366 días con lecturas"));
        }
    }

    #[test]
    fn a_day_of_hidden_sky_is_crossed() {
        let mut hidden = Bucket::empty(at(1, 2, 0, 0));
        hidden.count(9, 144);
        for look in looks() {
            let svg = calendar(look, 2026, at(1, 3, 0, 0).date(), &[hidden.clone()]);
            assert_eq!(count(&svg, "gap"), 2);
            assert_eq!(svg.matches("class=\"veil\" stroke").count(), 2);
            assert!(svg.contains("2 de enero de 2026 · cielo no visible · 144 lecturas"));
            assert!(svg.contains("1 de 3 días con lecturas"));
        }
    }

    #[test]
    fn future_days_are_blank() {
        let svg = calendar(Look::alone(Lang::En), 2026, at(3, 1, 0, 0).date(), &[]);
        assert_eq!(count(&svg, "cell"), 31 + 28 + 1);
        assert!(svg.contains("0 of 60 days with readings"));
    }

    #[test]
    fn days_before_the_record_are_blank() {
        let (station, today) = ("R", at(3, 1, 0, 0).date());
        let first = Some(at(2, 10, 0, 0).date());
        let look = Look::alone(Lang::En);
        let svg = Calendar { look, station, year: 2026, today, first, days: &[] }.svg();
        assert_eq!(count(&svg, "cell"), 19 + 1);
        let none = Calendar { look, station, year: 2026, today, first: None, days: &[] }.svg();
        assert_eq!(count(&none, "cell"), 0);
        assert!(none.contains("There are no readings yet"), "{none}");
        // Nor is there room for the months before: its own month is the first one.
        assert!(!svg.contains(">Jan<") && svg.contains(">Feb<") && svg.contains(">Dec<"), "{svg}");
        let narrow = |first| {
            let look = bare(Lang::En, 340.0);
            height_of(&Calendar { look, station, year: 2026, today, first, days: &[] }.svg())
        };
        let late = narrow(Some(at(2, 10, 0, 0).date()));
        let early = narrow(NaiveDate::from_ymd_opt(2024, 5, 1));
        // Four weeks.
        assert!((early - late - 4.0 * 13.0).abs() < 13.5, "{early} {late}");
        assert!(svg.contains("0 of 20 days with readings"));
    }

    #[test]
    fn months_by_the_hour_have_288_cells() {
        let mut cells = [[HeatCell::default(); 24]; 12];
        cells[10][23] = HeatCell { read: 600, mean: Some(6.26), obscured: 40 };
        cells[5][3].obscured = 2;
        for look in looks() {
            let (place, cells) = ("R", &cells);
            let svg = ClimatologyChart { look, place, cells, due: [true; 12], begun: true }.svg();
            parse(&svg);
            assert_eq!((count(&svg, "cell"), count(&svg, "gap")), (288, 286));
            let when = "data-hour=\"23\"><title>noviembre, 23:00–23:59";
            let what = "media 6,3 octas · 600 lecturas · cielo no visible en 40<";
            assert!(svg.contains(&format!("{when} · {what}")));
            assert!(svg.contains("junio, 03:00–03:59 · cielo no visible · 2 lecturas"));
            assert!(svg.contains("600 lecturas; cielo no visible en 42."));
            assert_eq!(svg.matches("class=\"veil\" stroke").count(), 2);
            // A record of a few weeks has no other months yet.
            let mut due = [false; 12];
            due[10] = true;
            let svg = ClimatologyChart { look, place, cells, due, begun: true }.svg();
            assert_eq!((count(&svg, "cell"), count(&svg, "gap")), (24, 23));
            assert!(!svg.contains(">ene<") && !svg.contains(">E<"), "{svg}");
        }
    }
}
