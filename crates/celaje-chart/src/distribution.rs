//! How often each amount was read.

use super::axis::LABEL;
use super::bucket::Bucket;
use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Anchor, TextStyle, outlined, stroke};
use super::theme::{AXIS, VEIL, okta_colour};
use super::words::{GROUPS, category, hidden, percent, readings, tell};
use celaje_sky::okta::Okta;

#[derive(Clone, Debug)]
pub struct Distribution<'a> {
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// All readings in one bucket.
    pub readings: &'a Bucket,
    /// Whether the record has one, of whatever range.
    pub begun: bool,
}

impl Distribution<'_> {
    /// A column for each okta, and one for pictures that do not show the sky: marks of the class
    /// `share`, with `data-okta`. The share of each METAR group stands below.
    pub fn svg(&self) -> String {
        let lang = self.look.lang;
        let title = tell!(lang, "Distribution of cloud amount", "Distribución de la nubosidad");
        let layout = Layout {
            height: if self.look.is_wide() { 210.0 } else { 170.0 },
            left: 6.0,
            right: 6.0,
            below: 62.0,
            ..Layout::new(self.look, title, self.place, &self.summary())
        };
        layout.draw(|plot| {
            plot.paper();
            let counts = self.readings.oktas.iter().copied();
            let counts: Vec<u32> = counts.chain([self.readings.obscured]).collect();
            let highest = counts.iter().map(|n| self.share(*n)).fold(0.05, f64::max);
            let pitch = plot.frame.width() / counts.len() as f64;
            for (code, n) in (0_u8..).zip(counts) {
                self.column(plot, pitch, code, n, highest);
            }
            plot.baseline();
            self.groups(plot, pitch);
            if self.all() == 0 {
                plot.empty_note(self.begun, None);
            }
        })
    }

    fn all(&self) -> u32 {
        self.readings.read().saturating_add(self.readings.obscured)
    }

    fn share(&self, n: u32) -> f64 {
        f64::from(n) / f64::from(self.all().max(1))
    }

    /// The column of `n` readings of `code`; the highest column stands for the share `highest`.
    fn column(&self, plot: &mut Plot, pitch: f64, code: u8, n: u32, highest: f64) {
        let (lang, frame, share) = (plot.lang, plot.frame, self.share(n));
        let okta = Okta::new(code);
        let (name, under, colour, line) = match okta {
            Some(okta) => {
                let name = format!("{okta}/8 {}", category(lang, okta.category()));
                (name, okta.to_string(), okta_colour(okta), "none")
            }
            None => (hidden(lang), "×".to_owned(), VEIL, AXIS),
        };
        let title = format!("{name} · {} · {}", percent(share), readings(lang, n));
        plot.open(format_args!("class=\"share\" data-okta=\"{code}\""), &title);
        let mut top = frame.bottom;
        if n > 0 {
            let tall = ((frame.height() - 30.0) * share / highest).max(1.5);
            top -= tall;
            let at = (frame.left + pitch * (f64::from(code) + 0.12), top);
            let size = (pitch * 0.76, tall);
            plot.rect(at, size, outlined(colour, line, 0.8));
            if okta.is_none() {
                plot.crosses(at, size);
            }
        }
        let label = percent(share);
        let middle = frame.left + pitch * (f64::from(code) + 0.5);
        let style = TextStyle::ink(label_size(pitch), Anchor::Middle);
        plot.text((middle, top - 6.0), style, &label);
        plot.close();
        let style = TextStyle::ink(14.0, Anchor::Middle);
        plot.text((middle, frame.bottom + 17.0), style, &under);
    }

    /// The share of the oktas from `low` to `high`.
    fn group_share(&self, low: u8, high: u8) -> f64 {
        let inside = self.readings.oktas.iter().take(usize::from(high) + 1);
        let counts = inside.skip(usize::from(low));
        self.share(counts.fold(0, |sum, n| sum.saturating_add(*n)))
    }

    fn groups(&self, plot: &mut Plot, pitch: f64) {
        let y = plot.frame.bottom + 24.0;
        for (group, low, high) in GROUPS {
            let x0 = plot.frame.left + pitch * (f64::from(low) + 0.12);
            let x1 = plot.frame.left + pitch * (f64::from(high) + 0.88);
            plot.line((x0, y), (x1, y), stroke(AXIS, 1.4));
            let middle = f64::midpoint(x0, x1);
            let soft = TextStyle::soft(label_size(pitch), Anchor::Middle);
            plot.text((middle, y + 15.0), soft, group.as_str());
            let share = percent(self.group_share(low, high));
            plot.text((middle, y + 30.0), soft, &share);
        }
    }

    fn summary(&self) -> String {
        let lang = self.look.lang;
        let group = |(group, low, high)| {
            format!("{} {}", category(lang, group), percent(self.group_share(low, high)))
        };
        let hidden_share = percent(self.share(self.readings.obscured));
        let mut parts: Vec<String> = GROUPS.into_iter().map(group).collect();
        parts.push(format!("{} {hidden_share}", hidden(lang)));
        parts.join(", ") + "."
    }
}

fn label_size(pitch: f64) -> f64 {
    if pitch < 40.0 { 10.5 } else { LABEL }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::count;
    use celaje_sky::text::Lang;
    use chrono::NaiveDateTime;

    fn draw(lang: Lang, oktas: [u32; 9], obscured: u32) -> String {
        let readings = Bucket { oktas, obscured, ..Bucket::empty(NaiveDateTime::MIN) };
        let (look, place) = (Look::alone(lang), "Río Grande");
        let readings = &readings;
        Distribution { look, place, readings, begun: true }.svg()
    }

    #[test]
    fn the_shares_are_of_all_pictures_and_add_up_in_groups() {
        let svg = draw(Lang::Es, [10, 5, 5, 0, 0, 1, 2, 7, 50], 20);
        assert!(svg.contains("data-okta=\"0\"><title>0/8 despejado · 10\u{a0}% · 10 lecturas"));
        assert!(svg.contains("data-okta=\"9\"><title>cielo no visible · 20\u{a0}% · 20 lecturas"));
        let groups = "despejado 10\u{a0}%, pocas nubes 10\u{a0}%, nubes dispersas 0\u{a0}%, \
                      muy nublado 10\u{a0}%, cubierto 50\u{a0}%";
        assert!(svg.contains(groups), "{svg:.600}");
    }

    #[test]
    fn a_hidden_sky_is_crossed_and_not_hatched() {
        for (obscured, crossed) in [(20, 1), (0, 0)] {
            let svg = draw(Lang::Es, [10, 0, 0, 0, 0, 0, 0, 0, 0], obscured);
            assert_eq!((count(&svg, "veil"), count(&svg, "gap")), (crossed, 0));
        }
    }

    #[test]
    fn an_empty_range_says_so_and_a_rare_amount_shows() {
        assert!(draw(Lang::En, [0; 9], 0).contains("No readings in this range"));
        let svg = draw(Lang::En, [9_999, 1, 0, 0, 0, 0, 0, 0, 0], 0);
        assert!(svg.contains("&lt;1\u{a0}%") && !svg.contains("No readings"));
        assert!(svg.contains("height=\"1.5\""));
    }
}
