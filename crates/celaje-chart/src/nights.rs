//! The share of clear nights by month: what astronomers plan by.

use super::axis::{LABEL, ValueAxis};
use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Anchor, TextStyle, fill};
use super::theme::okta_colour;
use super::words::{long_month, month_letter, percent, short_month, shown_months, tell};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

/// The widest column.
const WIDEST: f64 = 96.0;

/// The nights of a month, over years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NightCount {
    /// Nights with enough readings to be judged.
    pub judged: u32,
    /// Of these, the clear ones.
    pub clear: u32,
}

impl NightCount {
    /// The share of clear nights; none if no night was judged.
    pub fn share(self) -> Option<f64> {
        (self.judged > 0).then(|| f64::from(self.clear) / f64::from(self.judged))
    }
}

#[derive(Clone, Debug)]
pub struct ClearNights<'a> {
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// January to December.
    pub months: &'a [NightCount; 12],
    /// Which of them the record has had so far: the others are left out.
    pub due: [bool; 12],
}

impl ClearNights<'_> {
    /// A column a month: marks of the class `nights`, with `data-month`. A month in which no night
    /// could be judged is hatched.
    pub fn svg(&self) -> String {
        let lang = self.look.lang;
        let title = tell!(lang, "Clear nights", "Noches despejadas");
        let layout = Layout {
            height: if self.look.width() >= 480.0 { 244.0 } else { 170.0 },
            left: 36.0,
            right: 6.0,
            below: 44.0,
            ..Layout::new(self.look, title, self.place, &self.summary())
        };
        layout.draw(|plot| {
            plot.paper();
            plot.unit(&tell!(lang, "% of nights", "% de las noches"));
            let axis = plot.frame.value_axis(0.0, 100.0, 16.0);
            plot.grid(&axis, [0, 25, 50, 75, 100]);
            let shown = shown_months(self.due);
            let pitch = (plot.frame.width() / shown.len().max(1) as f64).min(WIDEST);
            for (n, number) in (0_u8..).zip(shown) {
                let at = number.saturating_sub(1) as usize;
                let is_due = self.due.get(at).is_some_and(|due| *due);
                let month = self.months.get(at).copied().filter(|_| is_due);
                let x = plot.frame.left + pitch * f64::from(n);
                column(plot, &axis, (x, pitch), number, month);
            }
            plot.baseline();
        })
    }

    fn summary(&self) -> String {
        let lang = self.look.lang;
        let sum = |of: fn(&NightCount) -> u32| {
            let counts = self.months.iter().map(of);
            counts.fold(0, u32::saturating_add)
        };
        let (judged, clear) = (sum(|month| month.judged), sum(|month| month.clear));
        let Some(share) = (NightCount { judged, clear }).share().map(percent) else {
            return tell!(lang, "No night could be judged.", "No se pudo evaluar ninguna noche.");
        };
        tell!(
            lang,
            "{clear} of {judged} nights ({share}) were clear.",
            "{clear} de {judged} noches ({share}) fueron despejadas."
        )
    }
}

/// The column of month `number`, 1 to 12; its name alone where the record has not had it.
fn column(
    plot: &mut Plot,
    axis: &ValueAxis,
    (x, pitch): (f64, f64),
    number: u32,
    month: Option<NightCount>,
) {
    let (lang, frame) = (plot.lang, plot.frame);
    let middle = x + pitch / 2.0;
    let (size, small) = if pitch < 36.0 { (10.5, 9.0) } else { (LABEL, 11.0) };
    let name = match pitch < 28.0 {
        true => month_letter(lang, number),
        false => short_month(lang, number),
    };
    let style = TextStyle::soft(size, Anchor::Middle);
    plot.text((middle, frame.bottom + 16.0), style, &name);
    let Some(month) = month else { return };
    let data = format_args!("class=\"nights\" data-month=\"{number}\"");
    plot.open(data, &column_title(lang, number, month));
    if let Some(share) = month.share() {
        let tall = (axis.zero - axis.y(100.0 * share)).max(1.5);
        let at = (x + pitch * 0.14, axis.zero - tall);
        let colour = okta_colour(Okta::ALL[1]);
        plot.rect(at, (pitch * 0.72, tall), fill(colour));
        let label = format!("{:.0}", share * 100.0);
        let style = TextStyle::ink(size, Anchor::Middle);
        plot.text((middle, at.1 - 5.0), style, &label);
    } else {
        plot.hatch(x, pitch);
    }
    plot.close();
    let nights = match month.judged {
        0 => "–".to_owned(),
        judged => format!("{}/{judged}", month.clear),
    };
    let style = TextStyle::soft(small, Anchor::Middle);
    plot.text((middle, frame.bottom + 32.0), style, &nights);
}

fn column_title(lang: Lang, number: u32, month: NightCount) -> String {
    let name = long_month(lang, number);
    let NightCount { judged, clear } = month;
    let Some(share) = month.share().map(percent) else {
        return tell!(lang, "{name} · no night judged", "{name} · ninguna noche evaluada");
    };
    tell!(
        lang,
        "{name} · {share} clear · {clear} of {judged} nights",
        "{name} · {share} despejadas · {clear} de {judged} noches"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bare, count, parse};

    fn draw(look: Look, months: &[NightCount; 12]) -> String {
        let place = "R";
        ClearNights { look, place, months, due: [true; 12] }.svg()
    }

    #[test]
    fn a_month_without_judged_nights_is_hatched() {
        let mut months = [NightCount::default(); 12];
        let night = |judged, clear| NightCount { judged, clear };
        (months[5], months[6]) = (night(30, 12), night(31, 0));
        for width in [320.0, 1800.0] {
            let svg = draw(bare(Lang::Es, width), &months);
            parse(&svg);
            assert_eq!(count(&svg, "gap"), 10);
            assert!(svg.contains("junio · 40\u{a0}% despejadas · 12 de 30 noches"));
            assert!(svg.contains("julio · 0\u{a0}% despejadas · 0 de 31 noches"));
            assert!(svg.contains("diciembre · ninguna noche evaluada"));
            assert!(svg.contains("12 de 61 noches (20\u{a0}%) fueron despejadas"));
        }
    }

    #[test]
    fn a_month_that_the_record_has_not_had_has_no_column() {
        let (look, place, months) = (bare(Lang::Es, 900.0), "R", &[NightCount::default(); 12]);
        let mut due = [false; 12];
        due[10] = true;
        let svg = ClearNights { look, place, months, due }.svg();
        assert_eq!((count(&svg, "gap"), count(&svg, "nights")), (1, 1));
        assert!(!svg.contains(">ene<") && svg.matches(">–<").count() == 1, "{svg}");
    }

    #[test]
    fn a_chart_without_judged_nights_says_so() {
        let svg = draw(Look::alone(Lang::En), &[NightCount::default(); 12]);
        assert!(svg.contains("No night could be judged."));
    }
}
