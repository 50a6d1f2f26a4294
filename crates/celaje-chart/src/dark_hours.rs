//! The usable hours of darkness by month, with their interval.

use super::axis::LABEL;
use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Anchor, TextStyle, fill, outlined, stroke};
use super::theme::{AXIS, INK, NIGHT, okta_colour};
use super::words::{decimal, interval, long_month, month_letter, percent, short_month, tell};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

/// The hours of darkness of a month or a year.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DarkAmount {
    pub dark: f64,
    /// Share of them that has readings.
    pub coverage: Option<f64>,
    /// Those that can be used.
    pub usable: Option<f64>,
    pub interval: Option<(f64, f64)>,
}

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DarkColumn {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// Whether the range has the month from its first to its last day.
    pub is_whole: bool,
    pub hours: DarkAmount,
}

#[derive(Clone, Debug)]
pub struct DarkHoursChart<'a> {
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// In order; the last ones are drawn where there are more than fit.
    pub months: &'a [DarkColumn],
    /// What the whole range gives: dark hours, usable ones.
    pub whole: Option<(f64, f64)>,
    /// Whether the record has a reading.
    pub begun: bool,
}

/// The narrowest and the widest column.
const PITCH: (f64, f64) = (12.0, 96.0);
/// Hours between two lines of the grid, and how many lines there are at most.
const STEPS: [u8; 8] = [1, 2, 5, 10, 20, 50, 100, 200];
const LINES: f64 = 6.0;

impl DarkHoursChart<'_> {
    /// A column a month: marks of the class `dark-hours`, with `data-from` (`YYYY-MM-DD`).
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title = tell!(lang, "Usable dark hours", "Horas oscuras aprovechables");
        let layout = Layout {
            height: if look.width() >= 480.0 { 244.0 } else { 190.0 },
            left: 36.0,
            right: 6.0,
            below: 44.0,
            ..Layout::new(look, title, self.place, &self.summary(lang))
        };
        layout.draw(|plot| {
            plot.paper();
            plot.unit(&tell!(lang, "hours", "horas"));
            let fit = (plot.frame.width() / PITCH.0).max(1.0) as usize;
            let shown = &self.months[self.months.len().saturating_sub(fit)..];
            let most = shown.iter().map(|month| month.hours.dark).fold(1.0, f64::max);
            let step = STEPS.into_iter().find(|step| most / f64::from(*step) <= LINES);
            let step = step.unwrap_or(200);
            let axis = plot.frame.value_axis(0.0, most, 14.0);
            let steps = (0..=u8::MAX).step_by(usize::from(step));
            plot.grid(&axis, steps.take_while(|hours| f64::from(*hours) <= most));
            let pitch = (plot.frame.width() / shown.len().max(1) as f64).min(PITCH.1);
            for (n, month) in shown.iter().enumerate() {
                let x = plot.frame.left + pitch * n as f64;
                self.column(plot, (x, pitch), |hours| axis.y(hours), month);
            }
            plot.baseline();
            if shown.is_empty() {
                plot.empty_note(self.begun, None);
            }
        })
    }

    fn summary(&self, lang: Lang) -> String {
        let Some((dark, usable)) = self.whole.filter(|(dark, _)| *dark > 0.0) else {
            return tell!(lang, "No dark hour was read.", "No se leyó ninguna hora oscura.");
        };
        let share = percent(usable / dark);
        let (dark, usable) = (decimal(lang, dark, 0), decimal(lang, usable, 0));
        tell!(
            lang,
            "About {usable} of {dark} dark hours ({share}) had 0 or 1 okta.",
            "Unas {usable} de {dark} horas oscuras ({share}) tuvieron 0 o 1 octa."
        )
    }

    fn column(
        &self,
        plot: &mut Plot,
        (x, pitch): (f64, f64),
        y: impl Fn(f64) -> f64,
        month: &DarkColumn,
    ) {
        let (lang, zero) = (plot.lang, plot.frame.bottom);
        let (year, number) = (month.year, month.month);
        let data = format_args!("class=\"dark-hours\" data-from=\"{year}-{number:02}-01\"");
        plot.open(data, &month_title(lang, month));
        // A month without darkness can be pointed at, too.
        let origin = (x, plot.frame.top);
        let room = "fill=\"none\" pointer-events=\"all\"";
        plot.rect(origin, (pitch, zero - origin.1), room);
        let (left, wide) = (x + pitch * 0.14, pitch * 0.72);
        let hours = month.hours;
        let top = y(hours.dark);
        plot.rect((left, top), (wide, zero - top), outlined(NIGHT, AXIS, 0.6));
        if let Some(usable) = hours.usable {
            let top = y(usable);
            plot.rect((left, top), (wide, zero - top), fill(okta_colour(Okta::ALL[1])));
        } else if hours.dark > 0.0 {
            plot.hatch(left, wide);
        }
        let middle = x + pitch / 2.0;
        if let Some((low, high)) = hours.interval.filter(|(low, high)| high - low > 0.5) {
            let whisker = stroke(INK, 1.3);
            plot.line((middle, y(low)), (middle, y(high)), whisker.clone());
            let foot = (pitch * 0.14).min(5.0);
            for end in [low, high] {
                plot.line((middle - foot, y(end)), (middle + foot, y(end)), whisker.clone());
            }
        }
        plot.close();
        let bottom = plot.frame.bottom;
        let size = if pitch < 36.0 { 10.5 } else { LABEL };
        let name = match pitch < 30.0 {
            true => month_letter(lang, number),
            false => short_month(lang, number),
        };
        let style = TextStyle::soft(size, Anchor::Middle);
        plot.text((middle, bottom + 16.0), style, &name);
        let below = match (number, hours.coverage) {
            (1, _) if pitch < 36.0 => year.to_string(),
            (_, Some(coverage)) if pitch >= 36.0 => percent(coverage),
            _ => return,
        };
        plot.text((middle, bottom + 32.0), TextStyle::soft(10.5, Anchor::Middle), &below);
    }
}

/// The tooltip of a month.
pub fn month_title(lang: Lang, month: &DarkColumn) -> String {
    let when = format!("{} {}", long_month(lang, month.month), month.year);
    amount_title(lang, &when, month.hours)
}

/// The tooltip of the hours of a time for people.
pub fn amount_title(lang: Lang, when: &str, hours: DarkAmount) -> String {
    if hours.dark <= 0.0 {
        return tell!(lang, "{when} · no dark hour", "{when} · ninguna hora oscura");
    }
    let dark = decimal(lang, hours.dark, 0);
    let coverage = percent(hours.coverage.unwrap_or(0.0));
    let all = tell!(
        lang,
        "{when} · {dark} dark hours, {coverage} of them read",
        "{when} · {dark} horas oscuras, leídas al {coverage}"
    );
    let Some(usable) = hours.usable.map(|hours| decimal(lang, hours, 0)) else {
        return all;
    };
    let text = tell!(lang, "{all} · about {usable} usable", "{all} · unas {usable} aprovechables");
    match hours.interval {
        Some(ends) => format!("{text} ({})", whole_hours(lang, ends)),
        None => text,
    }
}

/// `30–45`.
pub fn whole_hours(lang: Lang, (low, high): (f64, f64)) -> String {
    interval(&decimal(lang, low, 0), &decimal(lang, high, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bare, count, parse};

    #[test]
    fn each_month_has_its_column_and_interval() {
        let month = |n: u32| DarkColumn {
            year: 2025 + (n / 12) as i32,
            month: n % 12 + 1,
            is_whole: true,
            hours: DarkAmount {
                dark: 20.0 * f64::from(n % 12),
                coverage: (!n.is_multiple_of(12)).then_some(0.9),
                usable: (n % 12 > 1).then_some(8.0 * f64::from(n % 12)),
                interval: (n % 12 > 2)
                    .then_some((6.0 * f64::from(n % 12), 9.0 * f64::from(n % 12))),
            },
        };
        let months: Vec<_> = (0..30).map(month).collect();
        for (width, shown) in [(340.0, 24), (1200.0, 30)] {
            let look = bare(Lang::En, width);
            let whole = Some((1000.0, 400.0));
            let svg =
                DarkHoursChart { look, place: "R", months: &months, whole, begun: true }.svg();
            parse(&svg);
            assert_eq!(svg.matches("class=\"dark-hours\"").count(), shown, "{width}");
            assert!(svg.contains("About 400 of 1,000 dark hours (40\u{a0}%) had 0 or 1 okta."));
            let title =
                "June 2026 · 100 dark hours, 90\u{a0}% of them read · about 40 usable (30–45)";
            assert!(svg.contains(title), "{svg:.3000}");
            assert!(svg.contains("January 2027 · no dark hour<"), "{svg:.3000}");
            // January has none, February no reading.
            assert!(count(&svg, "gap") >= 2);
        }
        // A short record has an axis that fits, and columns no wider than others.
        let hours =
            DarkAmount { dark: 4.5, coverage: Some(1.0), usable: Some(2.0), interval: None };
        let few = [DarkColumn { year: 2026, month: 6, is_whole: false, hours }];
        let look = bare(Lang::En, 600.0);
        let short =
            DarkHoursChart { look, place: "R", months: &few, whole: None, begun: true }.svg();
        for line in ["0", "1", "2", "3", "4"] {
            assert!(short.contains(&format!(">{line}<")), "{line}: {short}");
        }
        let look = bare(Lang::Es, 600.0);
        let none = DarkHoursChart { look, place: "R", months: &[], whole: None, begun: true }.svg();
        assert!(none.contains("Sin lecturas en este intervalo"));
    }
}
