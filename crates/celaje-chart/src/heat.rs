//! Heat maps: a year day by day, and the months by the hour.
//!
//! A cell without a reading has a line through it; one whose pictures never show the sky is crossed.
//! On a narrow chart both are turned on their side, so that a
//! cell stays large enough for a finger.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};

use super::bucket::Bucket;
use super::look::Look;
use super::plot::{LABEL, Plot, Room, Words};
use super::svg::{Anchor, Type};
use super::theme::{GRID, HATCH, PAPER, VEIL, VEIL_INK, mean_colour};
use super::words::{
    decimal, hidden, hidden_in, long_date, long_month, readings, short_month, tell, weekday_letter,
};
use celaje_sky::say;
use celaje_sky::text::Lang;

/// A year as a calendar: a column a week, a row a day of the week.
#[derive(Clone, Debug)]
pub struct Calendar<'a> {
    /// Layout and language.
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    /// The year.
    pub year: i32,
    /// The last day that can have readings; later ones are left blank.
    pub today: NaiveDate,
    /// Its days, in any order; days that are not here are gaps.
    pub days: &'a [Bucket],
}

/// What was read in one hour of the clock in one month of the year.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HourCell {
    /// Readings that have an amount.
    pub read: u32,
    /// Their mean in oktas; none without a reading.
    pub mean: Option<f64>,
    /// Pictures that did not show the sky.
    pub obscured: u32,
}

/// The mean amount of each hour in each month, over years.
#[derive(Clone, Debug)]
pub struct Climatology<'a> {
    /// Layout and language.
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// `cells[month - 1][hour]`.
    pub cells: &'a [[HourCell; 24]; 12],
}

/// One cell of a heat map.
struct Cell<'a> {
    at: (f64, f64),
    size: (f64, f64),
    read: HourCell,
    data: &'a str,
    title: &'a str,
}

fn draw(plot: &mut Plot, cell: &Cell<'_>) {
    plot.svg
        .open("cell", format_args!("{}", cell.data), cell.title);
    let (x, y) = cell.at;
    let size = ((cell.size.0 - 1.5).max(1.0), (cell.size.1 - 1.5).max(1.0));
    match cell.read.mean {
        Some(mean) => {
            let colour = mean_colour(mean);
            plot.svg
                .rect((x, y), size, format_args!("fill=\"{colour}\""));
        }
        None if cell.read.obscured > 0 => {
            plot.svg.rect((x, y), size, format_args!("fill=\"{VEIL}\""));
            for (from, to) in [(y, y + size.1), (y + size.1, y)] {
                let stroke =
                    format_args!("class=\"veil\" stroke=\"{VEIL_INK}\" stroke-width=\"0.8\"");
                plot.svg.line((x, from), (x + size.0, to), stroke);
            }
        }
        // Lines, not the hatching of a pattern: hundreds of these make a printed page slow and large.
        None => {
            let frame = format_args!("fill=\"{PAPER}\" stroke=\"{GRID}\" stroke-width=\"0.6\"");
            plot.svg.rect((x, y), size, frame);
            let stroke = format_args!("class=\"gap\" stroke=\"{HATCH}\" stroke-width=\"0.8\"");
            plot.svg.line((x, y + size.1), (x + size.0, y), stroke);
        }
    }
    plot.svg.close();
}

impl Calendar<'_> {
    /// The calendar: marks of the class `cell`, with `data-from` (`YYYY-MM-DD`).
    pub fn svg(&self) -> String {
        let (look, lang, year) = (self.look, self.look.lang, self.year);
        let title = tell(
            lang,
            say!("Cloud amount by day, {year}", "Nubosidad por día, {year}"),
        );
        let days: Vec<NaiveDate> = NaiveDate::from_ymd_opt(year, 1, 1)
            .map(|first| {
                first
                    .iter_days()
                    .take_while(|day| day.year() == year)
                    .collect()
            })
            .unwrap_or_default();
        let known = |day: NaiveDate| {
            let from = day.and_time(NaiveTime::MIN);
            self.days
                .iter()
                .find(|bucket| bucket.from == from)
                .filter(|bucket| !bucket.is_gap())
        };
        let read = days.iter().filter(|day| known(**day).is_some()).count();
        let of = days.iter().filter(|day| **day <= self.today).count();
        let summary = tell(
            lang,
            say!(
                "{read} of {of} days with readings.",
                "{read} de {of} días con lecturas."
            ),
        );
        let words = Words {
            title: &title,
            place: self.station,
            summary: &summary,
        };
        let wide = look.is_wide();
        let room = Room {
            left: if wide { 22.0 } else { 38.0 },
            right: 0.0,
            below: 8.0,
            legend: true,
        };
        let across = look.width() - 2.0 * look.margin() - room.left;
        // Weeks run across where there is room for them, else down.
        let size = if wide {
            (across / 54.0, (across / 54.0).min(30.0))
        } else {
            (across / 7.0, 13.0)
        };
        let height = if wide { 7.0 * size.1 } else { 54.0 * size.1 };
        let mut plot = Plot::new(look, &words, height, &room);
        let first = days
            .first()
            .map_or(0, |day| day.weekday().num_days_from_monday());
        let at = |day: NaiveDate, plot: &Plot| {
            let week = f64::from((day.ordinal0() + first) / 7);
            let weekday = f64::from(day.weekday().num_days_from_monday());
            let (column, row) = if wide {
                (week, weekday)
            } else {
                (weekday, week)
            };
            (plot.left + column * size.0, plot.top + row * size.1)
        };
        let soft = Type::soft(LABEL, Anchor::Start);
        for weekday in 0..7_u8 {
            let letter = weekday_letter(lang, usize::from(weekday));
            let n = f64::from(weekday);
            let place = if wide {
                (look.margin(), plot.top + n * size.1 + size.1 / 2.0 + 4.0)
            } else {
                (plot.left + (n + 0.5) * size.0 - 4.0, plot.top - 7.0)
            };
            plot.svg.text(place, soft, letter);
        }
        for day in &days {
            if day.day() == 1 {
                // A month is named at its first whole week.
                let (x, y) = at(*day + Days::new(6), &plot);
                let place = if wide {
                    (x, plot.top - 7.0)
                } else {
                    (look.margin(), y + 11.0)
                };
                plot.svg.text(place, soft, &short_month(lang, day.month()));
            }
            if *day > self.today {
                continue;
            }
            let bucket = known(*day);
            let read = bucket.map_or_else(HourCell::default, |bucket| HourCell {
                read: bucket.read(),
                mean: bucket.mean(),
                obscured: bucket.obscured,
            });
            let title = told(long_date(lang, *day), lang, read);
            let data = format!("data-from=\"{day}\"");
            let at = at(*day, &plot);
            draw(
                &mut plot,
                &Cell {
                    at,
                    size,
                    read,
                    data: &data,
                    title: &title,
                },
            );
        }
        plot.legend(room.below);
        plot.svg.finish()
    }
}

/// `when · mean 3.4 oktas · 144 readings`.
fn told(when: String, lang: Lang, cell: HourCell) -> String {
    let Some(mean) = cell.mean else {
        if cell.obscured > 0 {
            let (not_seen, count) = (hidden(lang), readings(lang, cell.obscured));
            return format!("{when} · {not_seen} · {count}");
        }
        return tell(lang, say!("{when} · no reading", "{when} · sin lectura"));
    };
    let (mean, count) = (decimal(lang, mean, 1), readings(lang, cell.read));
    let text = tell(
        lang,
        say!(
            "{when} · mean {mean} oktas · {count}",
            "{when} · media {mean} octas · {count}"
        ),
    );
    match hidden_in(lang, cell.obscured) {
        Some(hidden) => format!("{text} · {hidden}"),
        None => text,
    }
}

impl Climatology<'_> {
    /// The months by the hour: marks of the class `cell`, with `data-month` and `data-hour`.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title = tell(
            lang,
            say!(
                "Mean cloud amount by month and hour",
                "Nubosidad media por mes y hora"
            ),
        );
        let cells = || {
            let hours = |(month, row): (usize, &[HourCell; 24])| {
                row.iter()
                    .enumerate()
                    .map(move |(hour, cell)| (month, hour, *cell))
                    .collect::<Vec<_>>()
            };
            self.cells.iter().enumerate().flat_map(hours)
        };
        let count = cells().fold(0_u32, |sum, (_, _, cell)| sum.saturating_add(cell.read));
        let not_seen = cells().fold(0_u32, |sum, (_, _, cell)| sum.saturating_add(cell.obscured));
        let summary = match hidden_in(lang, not_seen) {
            Some(hidden) => format!("{}; {hidden}.", readings(lang, count)),
            None => readings(lang, count) + ".",
        };
        let words = Words {
            title: &title,
            place: self.place,
            summary: &summary,
        };
        // Twenty-four columns need less room than the weeks of a year.
        let wide = look.width() >= 480.0;
        let room = Room {
            left: 38.0,
            right: 0.0,
            below: 24.0,
            legend: true,
        };
        let across = look.width() - 2.0 * look.margin() - room.left;
        let size = if wide {
            (across / 24.0, 22.0)
        } else {
            (across / 12.0, 17.0)
        };
        let height = if wide { 12.0 * size.1 } else { 24.0 * size.1 };
        let mut plot = Plot::new(look, &words, height, &room);
        let place = |month: usize, hour: usize, plot: &Plot| {
            let (column, row) = if wide { (hour, month) } else { (month, hour) };
            (
                plot.left + column as f64 * size.0,
                plot.top + row as f64 * size.1,
            )
        };
        let soft = Type::soft(LABEL, Anchor::Start);
        for month in 0..12_u32 {
            let name = short_month(lang, month + 1);
            let (x, y) = place(month as usize, 0, &plot);
            if wide {
                plot.svg.text((look.margin(), y + 15.0), soft, &name);
            } else {
                let letter: String = name.chars().take(1).flat_map(char::to_uppercase).collect();
                plot.svg
                    .text((x + size.0 / 2.0 - 4.0, plot.top - 7.0), soft, &letter);
            }
        }
        for hour in (0..24).step_by(if wide { 3 } else { 2 }) {
            let (x, y) = place(0, hour, &plot);
            let label = format!("{hour:02} h");
            let at = if wide {
                (x, plot.bottom + 14.0)
            } else {
                (look.margin(), y + 11.0)
            };
            plot.svg.text(at, soft, &label);
        }
        for (month, hour, cell) in cells() {
            let number = month as u32 + 1;
            let when = format!("{}, {hour:02}:00–{hour:02}:59", long_month(lang, number));
            let title = told(when, lang, cell);
            let data = format!("data-month=\"{number}\" data-hour=\"{hour}\"");
            let (at, read) = (place(month, hour, &plot), cell);
            draw(
                &mut plot,
                &Cell {
                    at,
                    size,
                    read,
                    data: &data,
                    title: &title,
                },
            );
        }
        if count == 0 && not_seen == 0 {
            plot.nothing();
        }
        plot.legend(room.below);
        plot.svg.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resvg::usvg::{Options, Tree};

    fn looks() -> [Look; 3] {
        let bare = |width| Look {
            lang: Lang::Es,
            width,
            bare: true,
        };
        [Look::alone(Lang::Es), bare(340.0), bare(2500.0)]
    }

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn a_year_has_a_cell_a_day_and_gaps_stay_gaps() {
        let mut read = Bucket::empty(day(2024, 2, 29).and_time(NaiveTime::MIN));
        read.count(0, 140);
        for look in looks() {
            let calendar = Calendar {
                look,
                station: "R",
                year: 2024,
                today: day(2025, 1, 1),
                days: &[read.clone()],
            };
            let svg = calendar.svg();
            assert!(Tree::from_str(&svg, &Options::default()).is_ok());
            assert_eq!(svg.matches("class=\"cell\"").count(), 366);
            assert_eq!(svg.matches("class=\"gap\"").count(), 365);
            assert!(svg.contains(
                "data-from=\"2024-02-29\"><title>jueves 29 de febrero de 2024 · media 0,0 octas · 140 lecturas"
            ));
            assert!(svg.contains("1 de 366 días con lecturas"));
        }
    }

    #[test]
    fn a_day_on_which_the_sky_was_never_seen_is_no_gap_and_no_amount() {
        let mut hidden = Bucket::empty(day(2026, 1, 2).and_time(NaiveTime::MIN));
        hidden.count(9, 144);
        for look in looks() {
            let svg = Calendar {
                look,
                station: "R",
                year: 2026,
                today: day(2026, 1, 3),
                days: &[hidden.clone()],
            }
            .svg();
            assert_eq!(svg.matches("class=\"gap\"").count(), 2);
            assert_eq!(svg.matches("class=\"veil\" stroke").count(), 2);
            assert!(svg.contains("2 de enero de 2026 · cielo no visible · 144 lecturas"));
            assert!(svg.contains("1 de 3 días con lecturas"));
        }
    }

    #[test]
    fn days_to_come_are_blank() {
        let today = day(2026, 3, 1);
        let look = Look::alone(Lang::En);
        let svg = Calendar {
            look,
            station: "R",
            year: 2026,
            today,
            days: &[],
        }
        .svg();
        assert_eq!(svg.matches("class=\"cell\"").count(), 31 + 28 + 1);
        assert!(svg.contains("0 of 60 days with readings"));
    }

    #[test]
    fn months_by_the_hour_have_288_cells() {
        let mut cells = [[HourCell::default(); 24]; 12];
        cells[10][23] = HourCell {
            read: 600,
            mean: Some(6.26),
            obscured: 40,
        };
        cells[5][3].obscured = 2;
        for look in looks() {
            let svg = Climatology {
                look,
                place: "R",
                cells: &cells,
            }
            .svg();
            assert!(Tree::from_str(&svg, &Options::default()).is_ok());
            assert_eq!(svg.matches("class=\"cell\"").count(), 288);
            assert_eq!(svg.matches("class=\"gap\"").count(), 286);
            assert!(svg.contains(
                "data-hour=\"23\"><title>noviembre, 23:00–23:59 · media 6,3 octas · 600 lecturas · cielo no visible en 40<"
            ));
            assert!(svg.contains("junio, 03:00–03:59 · cielo no visible · 2 lecturas"));
            assert!(svg.contains("600 lecturas; cielo no visible en 42."));
            // Two lines of one cell; the legend of a chart that stands alone has its own.
            assert_eq!(svg.matches("class=\"veil\" stroke").count(), 2);
        }
    }
}
