//! The usable hours of darkness of years side by side: which months are the best, and how the last
//! year stands against those before it.

use std::collections::BTreeMap;

use super::axis::LABEL;
use super::dark_hours::{DarkAmount, DarkColumn, amount_title, month_title, whole_hours};
use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Anchor, Num, TextStyle, fill, stroke};
use super::theme::{AXIS, GRID, INK, okta_colour};
use super::words::{decimal, long_month, month_letter, percent, short_month, tell};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

/// The least share of a month's dark hours that is read where months are compared.
const LEAST_COVERAGE: f64 = 0.5;
/// Months that are told of as the best.
const BEST: usize = 3;
/// From this width of a cell on it has its interval and its coverage below the hours.
const ROOMY: f64 = 44.0;
/// Height of a cell with and without them.
const TALL: (f64, f64) = (50.0, 26.0);

/// The months of years, and the years.
#[derive(Clone, Debug)]
pub struct DarkYears<'a> {
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// In order.
    pub months: &'a [DarkColumn],
    pub years: &'a [(i32, DarkAmount)],
    /// Whether the record has a reading.
    pub begun: bool,
}

/// Usable hours with their interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct UsableHours {
    hours: f64,
    interval: (f64, f64),
}

impl UsableHours {
    /// Those of a month that can be compared with others.
    fn of(month: &DarkColumn) -> Option<Self> {
        let DarkAmount { dark, coverage, usable, interval } = month.hours;
        if !month.is_whole {
            return None;
        }
        if dark <= 0.0 {
            return Some(Self { hours: 0.0, interval: (0.0, 0.0) });
        }
        coverage.filter(|share| *share >= LEAST_COVERAGE)?;
        Some(Self { hours: usable?, interval: interval? })
    }

    /// The sum of independent ones, divided by `parts`; none of none.
    fn sum(all: &[Self], parts: usize) -> Option<Self> {
        if all.is_empty() {
            return None;
        }
        let n = parts.max(1) as f64;
        let hours: f64 = all.iter().map(|one| one.hours).sum();
        let error =
            |of: fn(&Self) -> f64| all.iter().map(|one| of(one).powi(2)).sum::<f64>().sqrt();
        let below = error(|one| one.hours - one.interval.0);
        let above = error(|one| one.interval.1 - one.hours);
        let interval = ((hours - below).max(0.0) / n, (hours + above) / n);
        Some(Self { hours: hours / n, interval })
    }

    /// `47 h (44–50)`.
    fn told(self, lang: Lang) -> String {
        let hours = decimal(lang, self.hours, 0);
        format!("{hours}\u{a0}h ({})", whole_hours(lang, self.interval))
    }
}

impl DarkYears<'_> {
    /// A row a year, a column a month: marks of the class `dark-year`, those of months with
    /// `data-from` (`YYYY-MM-DD`); the best months have the class `best` within.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title = tell!(lang, "Best months, year against year", "Mejores meses, año contra año");
        let left = 44.0;
        let across = look.width() - 2.0 * look.margin() - left - 4.0;
        let wide = across / 13.0;
        let tall = if wide >= ROOMY { TALL.0 } else { TALL.1 };
        let rows = self.years.len() + usize::from(self.years.len() > 1);
        let mut layout = Layout {
            height: if rows == 0 { 2.0 * TALL.0 } else { tall * rows as f64 },
            left,
            right: 4.0,
            below: 6.0,
            ..Layout::new(look, title, self.place, &self.summary(lang))
        };
        if !self.best().is_empty() {
            layout.lines.push(self.compared(lang));
        }
        layout.draw(|plot| self.rows(plot, (wide, tall)))
    }

    fn month(&self, year: i32, month: u32) -> Option<&DarkColumn> {
        self.months.iter().find(|one| one.year == year && one.month == month)
    }

    /// What each month of the year usually has, over the years.
    fn usual(&self) -> BTreeMap<u32, UsableHours> {
        let of = |month: u32| {
            let all: Vec<_> = (self.months.iter().filter(|one| one.month == month))
                .filter_map(UsableHours::of)
                .collect();
            Some((month, UsableHours::sum(&all, all.len())?))
        };
        (1..=12).filter_map(of).collect()
    }

    /// The best months, the best one first; none where there is nothing to choose from.
    fn best(&self) -> Vec<(u32, UsableHours)> {
        let mut months: Vec<_> = self.usual().into_iter().collect();
        if months.len() < 2 {
            return Vec::new();
        }
        months.retain(|(_, usable)| usable.hours > 0.0);
        months.sort_by(|(_, a), (_, b)| b.hours.total_cmp(&a.hours));
        months.truncate(BEST);
        months
    }

    fn summary(&self, lang: Lang) -> String {
        let best = self.best();
        if best.is_empty() {
            return tell!(
                lang,
                "Months cannot be compared yet: it takes two whole ones of which half of the dark \
                 hours were read.",
                "Los meses todavía no se pueden comparar: hacen falta dos enteros con la mitad de \
                 sus horas oscuras leída."
            );
        }
        let told = |(month, usable): &(u32, UsableHours)| {
            format!("{} {}", long_month(lang, *month), usable.told(lang))
        };
        let list = best.iter().map(told).collect::<Vec<_>>().join(", ");
        // The next line ends the sentence.
        match best.len() {
            1 => tell!(lang, "Best month: {list}", "Mejor mes: {list}"),
            _ => tell!(lang, "Best months: {list}", "Mejores meses: {list}"),
        }
    }

    /// The last year against those before it, by the months that both have.
    fn compared(&self, lang: Lang) -> String {
        let none = tell!(
            lang,
            "No month of two years can be compared yet.",
            "Todavía no hay un mismo mes de dos años que se pueda comparar."
        );
        let Some((year, _)) = self.years.last() else { return none };
        let (mut now, mut before) = (Vec::new(), Vec::new());
        for month in 1..=12 {
            let earlier: Vec<_> = (self.months.iter())
                .filter(|one| one.month == month && one.year < *year)
                .filter_map(UsableHours::of)
                .collect();
            let this = self.month(*year, month).and_then(UsableHours::of);
            if let (Some(this), Some(mean)) = (this, UsableHours::sum(&earlier, earlier.len())) {
                now.push(this);
                before.push(mean);
            }
        }
        let n = now.len();
        let (Some(now), Some(before)) = (UsableHours::sum(&now, 1), UsableHours::sum(&before, 1))
        else {
            return none;
        };
        let (now, before) = (now.told(lang), before.told(lang));
        match n {
            1 => tell!(
                lang,
                "{year} had {now} in the month that can be compared, the years before it {before} \
                 on average.",
                "{year} tuvo {now} en el mes que se puede comparar; los años anteriores, {before} \
                 en promedio."
            ),
            _ => tell!(
                lang,
                "{year} had {now} in the {n} months that can be compared, the years before it \
                 {before} on average.",
                "{year} tuvo {now} en los {n} meses que se pueden comparar; los años anteriores, \
                 {before} en promedio."
            ),
        }
    }

    fn rows(&self, plot: &mut Plot, (wide, tall): (f64, f64)) {
        let (lang, frame) = (plot.lang, plot.frame);
        if self.years.is_empty() {
            plot.paper();
            return plot.empty_note(self.begun, None);
        }
        let x = |column: u32| frame.left + wide * f64::from(column);
        let middle = TextStyle::soft(LABEL, Anchor::Middle);
        for month in 1..=12 {
            let name = match wide < 30.0 {
                true => month_letter(lang, month),
                false => short_month(lang, month),
            };
            plot.text((x(month - 1) + wide / 2.0, frame.top - 7.0), middle, &name);
        }
        let name = if wide < 30.0 { "Σ".to_owned() } else { tell!(lang, "year", "año") };
        plot.text((x(12) + wide / 2.0, frame.top - 7.0), middle, &name);
        let most = self.months.iter().filter_map(|one| one.hours.usable).fold(1.0, f64::max);
        let best: Vec<u32> = self.best().iter().map(|(month, _)| *month).collect();
        let is_alone = self.years.len() == 1;
        let mut y = frame.top;
        for (year, whole) in self.years {
            self.label(plot, y + tall / 2.0, &year.to_string());
            for month in 1..=12 {
                let Some(one) = self.month(*year, month) else { continue };
                let data = format!(" data-from=\"{year}-{month:02}-01\"");
                let cell = YearCell {
                    hours: one.hours,
                    shade: one.hours.usable.unwrap_or(0.0) / most,
                    is_dashed: UsableHours::of(one).is_none(),
                    is_best: is_alone && best.contains(&month),
                };
                let at = (x(month - 1), y);
                cell.draw(plot, (at, (wide, tall)), &data, &month_title(lang, one));
            }
            let cell = YearCell { hours: *whole, shade: 0.0, is_dashed: false, is_best: false };
            let title = amount_title(lang, &year.to_string(), *whole);
            cell.draw(plot, ((x(12), y), (wide, tall)), "", &title);
            y += tall;
        }
        if is_alone {
            return;
        }
        self.label(plot, y + tall / 2.0, &tell!(lang, "mean", "media"));
        for (month, usable) in self.usual() {
            let cell = YearCell {
                hours: DarkAmount {
                    dark: usable.hours,
                    coverage: None,
                    usable: Some(usable.hours),
                    interval: Some(usable.interval),
                },
                shade: usable.hours / most,
                is_dashed: false,
                is_best: best.contains(&month),
            };
            let (name, hours) = (long_month(lang, month), usable.told(lang));
            let title = tell!(
                lang,
                "{name} · {hours} usable, the mean of the years",
                "{name} · {hours} aprovechables, media de los años"
            );
            cell.draw(plot, ((x(month - 1), y), (wide, tall)), "", &title);
        }
    }

    fn label(&self, plot: &mut Plot, y: f64, text: &str) {
        let (style, x) = (TextStyle::soft(LABEL, Anchor::Start), plot.look.margin());
        plot.text((x, y + 4.5), style, text);
    }
}

/// A month, a year, or a mean.
struct YearCell {
    hours: DarkAmount,
    /// From 0 to 1.
    shade: f64,
    /// Of what is not compared.
    is_dashed: bool,
    is_best: bool,
}

impl YearCell {
    fn draw(
        &self,
        plot: &mut Plot,
        ((x, y), (wide, tall)): ((f64, f64), (f64, f64)),
        data: &str,
        title: &str,
    ) {
        let lang = plot.lang;
        plot.open(format_args!("class=\"dark-year\"{data}"), title);
        let (at, size) = ((x + 1.0, y + 1.0), ((wide - 2.0).max(1.0), (tall - 2.0).max(1.0)));
        let opacity = Num(0.06 + 0.44 * self.shade.clamp(0.0, 1.0));
        let colour = fill(okta_colour(Okta::ALL[1]));
        plot.rect(at, size, format_args!("{colour} fill-opacity=\"{opacity}\""));
        let frame = match (self.is_best, self.is_dashed) {
            (true, _) => format!("class=\"best\" {}", stroke(INK, 2.0)),
            (_, true) => format!("class=\"part\" {} stroke-dasharray=\"3 3\"", stroke(AXIS, 1.0)),
            _ => stroke(GRID, 1.0),
        };
        plot.rect(at, size, format_args!("fill=\"none\" pointer-events=\"all\" {frame}"));
        let middle = x + wide / 2.0;
        let hours = match self.hours.usable {
            Some(hours) => decimal(lang, hours, 0),
            None if self.hours.dark <= 0.0 => "0".to_owned(),
            None => "–".to_owned(),
        };
        let ink = TextStyle::ink(if wide < 30.0 { 10.5 } else { 14.0 }, Anchor::Middle);
        let is_roomy = wide >= ROOMY;
        plot.text((middle, y + if is_roomy { 19.0 } else { tall / 2.0 + 4.0 }), ink, &hours);
        if is_roomy {
            let soft = TextStyle::soft(10.5, Anchor::Middle);
            // Where there is nothing, there is nothing between.
            if let Some(ends) = self.hours.interval.filter(|ends| ends.1 >= 0.5) {
                plot.text((middle, y + 32.0), soft, &whole_hours(lang, ends));
            }
            if let Some(coverage) = self.hours.coverage {
                plot.text((middle, y + 44.0), soft, &percent(coverage));
            }
        }
        plot.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bare, count, parse};

    fn month(year: i32, month: u32, usable: f64) -> DarkColumn {
        let hours = DarkAmount {
            dark: 100.0,
            coverage: Some(0.9),
            usable: Some(usable),
            interval: Some((usable - 4.0, usable + 4.0)),
        };
        DarkColumn { year, month, is_whole: true, hours }
    }

    fn draw(look: Look, months: &[DarkColumn]) -> String {
        let mut years: Vec<i32> = months.iter().map(|one| one.year).collect();
        years.dedup();
        let years: Vec<_> = years.into_iter().map(|year| (year, months[0].hours)).collect();
        let svg = DarkYears { look, place: "R", months, years: &years, begun: true }.svg();
        parse(&svg);
        svg
    }

    #[test]
    fn the_best_months_and_the_last_year_are_told_with_their_intervals() {
        // Two whole years and a third up to June; June is the best month.
        let usable = |n: u32| 60.0 - 8.0 * (f64::from(n) - 6.0).abs();
        let mut months: Vec<_> = (0..30)
            .map(|n| month(2024 + (n / 12) as i32, n % 12 + 1, usable(n % 12 + 1)))
            .collect();
        for one in &mut months[24..] {
            one.hours.usable = one.hours.usable.map(|hours| hours + 10.0);
            one.hours.interval = one.hours.interval.map(|(low, high)| (low + 10.0, high + 10.0));
        }
        for width in [320.0, 700.0, 1500.0] {
            let svg = draw(bare(Lang::En, width), &months);
            // Three Junes have 60, 60 and 70 hours; their mean is known better than each.
            let best = "Best months: June 63\u{a0}h (61–66), May 55\u{a0}h (53–58), July 52\u{a0}h";
            assert!(svg.contains(best), "{svg:.900}");
            // Six months with ten hours more, the error of each 4 hours.
            let last = "2026 had 300\u{a0}h (290–310) in the 6 months that can be compared, the \
                        years before it 240\u{a0}h (233–247) on average.";
            assert!(svg.contains(last), "{svg:.900}");
            // 30 months, 3 years, 12 means.
            assert_eq!(svg.matches("class=\"dark-year\"").count(), 45, "{width}");
            assert_eq!((count(&svg, "best"), count(&svg, "part")), (3, 0));
            assert!(svg.contains("data-from=\"2026-06-01\"><title>June 2026 · 100 dark hours"));
        }
    }

    #[test]
    fn what_is_in_part_or_hardly_read_is_shown_and_not_compared() {
        let mut months = [month(2025, 6, 50.0), month(2025, 7, 90.0), month(2025, 8, 20.0)];
        months[1].is_whole = false;
        let svg = draw(bare(Lang::Es, 900.0), &months);
        let best = "Mejores meses: junio 50\u{a0}h (46–54), agosto 20\u{a0}h (16–24). Todavía no \
                    hay un mismo mes de dos años que se pueda comparar.";
        assert!(svg.contains(best), "{svg:.900}");
        assert_eq!((count(&svg, "best"), count(&svg, "part")), (2, 1));
        months[2].hours.coverage = Some(0.4);
        let svg = draw(bare(Lang::Es, 900.0), &months);
        assert!(svg.contains("Los meses todavía no se pueden comparar"), "{svg:.900}");
        assert_eq!((count(&svg, "best"), count(&svg, "part")), (0, 2));
        // A month of the polar summer has no dark hour, and is known to have none.
        months[2].hours = DarkAmount::default();
        let svg = draw(bare(Lang::Es, 900.0), &months);
        assert!(svg.contains("Mejor mes: junio 50\u{a0}h (46–54)."), "{svg:.900}");
        let look = bare(Lang::En, 600.0);
        let none = DarkYears { look, place: "R", months: &[], years: &[], begun: false }.svg();
        assert!(none.contains("There are no readings yet"), "{none}");
    }
}
