//! How often each amount was read.

use super::bucket::Bucket;
use super::look::Look;
use super::plot::{LABEL, Plot, Room, Words};
use super::svg::{Anchor, Type};
use super::theme::{AXIS, INK, VEIL, okta_colour};
use super::words::{category, hidden, percent, readings, tell};
use celaje_sky::okta::{Category, Okta};
use celaje_sky::say;

/// What the distribution is drawn from.
#[derive(Clone, Debug)]
pub struct Distribution<'a> {
    /// Layout and language.
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// All readings in one bucket.
    pub readings: &'a Bucket,
}

const GROUPS: [(Category, u8, u8); 5] = [
    (Category::Skc, 0, 0),
    (Category::Few, 1, 2),
    (Category::Sct, 3, 4),
    (Category::Bkn, 5, 7),
    (Category::Ovc, 8, 8),
];

const ROOM: Room = Room {
    left: 6.0,
    right: 6.0,
    below: 62.0,
    legend: false,
};

impl Distribution<'_> {
    /// A column an okta, and one for pictures that do not show the sky: marks of the class `share`,
    /// with `data-okta`. The share of each METAR group stands below.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let all = self.readings.read().saturating_add(self.readings.obscured);
        let share = |n: u32| {
            if all > 0 {
                f64::from(n) / f64::from(all)
            } else {
                0.0
            }
        };
        let counts: Vec<u32> = self
            .readings
            .oktas
            .iter()
            .copied()
            .chain([self.readings.obscured])
            .collect();
        let highest = counts.iter().map(|n| share(*n)).fold(0.05, f64::max);
        let title = tell(
            lang,
            say!(
                "Distribution of cloud amount",
                "Distribución de la nubosidad"
            ),
        );
        let summary = self.summary(&share);
        let words = Words {
            title: &title,
            place: self.place,
            summary: &summary,
        };
        let height = if look.is_wide() { 210.0 } else { 170.0 };
        let mut plot = Plot::new(look, &words, height, &ROOM);
        plot.paper();
        let pitch = (plot.right - plot.left) / counts.len() as f64;
        for (code, n) in counts.iter().enumerate() {
            let okta = u8::try_from(code).ok().and_then(Okta::new);
            let part = share(*n);
            let tall = (plot.bottom - plot.top - 30.0) * part / highest;
            let (x, middle) = (
                plot.left + pitch * code as f64,
                plot.left + pitch * (code as f64 + 0.5),
            );
            let (name, fill) = match okta {
                Some(okta) => (
                    format!("{okta}/8 {}", category(lang, okta.category())),
                    okta_colour(okta).to_owned(),
                ),
                None => (hidden(lang), VEIL.to_owned()),
            };
            let told = format!("{name} · {} · {}", percent(part), readings(lang, *n));
            plot.svg
                .open("share", format_args!("data-okta=\"{code}\""), &told);
            let size = (pitch * 0.76, tall.max(if *n > 0 { 1.5 } else { 0.0 }));
            if *n > 0 {
                let outline = if okta.is_none() { AXIS } else { "none" };
                let style =
                    format_args!("fill=\"{fill}\" stroke=\"{outline}\" stroke-width=\"0.8\"");
                let at = (x + pitch * 0.12, plot.bottom - size.1);
                plot.svg.rect(at, size, style);
                if okta.is_none() {
                    plot.crosses(at, size);
                }
            }
            let label = if *n > 0 && part < 0.005 {
                "<1 %".to_owned()
            } else {
                percent(part)
            };
            let small = if pitch < 40.0 { 10.5 } else { LABEL };
            let at = (middle, plot.bottom - size.1 - 6.0);
            plot.svg.text(
                at,
                Type {
                    size: small,
                    fill: INK,
                    anchor: Anchor::Middle,
                },
                &label,
            );
            plot.svg.close();
            let under = okta.map_or_else(|| "×".to_owned(), |okta| okta.to_string());
            let at = (middle, plot.bottom + 17.0);
            plot.svg.text(
                at,
                Type {
                    size: 14.0,
                    fill: INK,
                    anchor: Anchor::Middle,
                },
                &under,
            );
        }
        let (x0, x1, y) = (plot.left, plot.right, plot.bottom);
        let axis = format_args!("stroke=\"{AXIS}\" stroke-width=\"1\"");
        plot.svg.line((x0, y), (x1, y), axis);
        self.groups(&mut plot, pitch, &share);
        if all == 0 {
            plot.nothing();
        }
        plot.svg.finish()
    }

    fn of_group(&self, low: u8, high: u8) -> u32 {
        let inside = self
            .readings
            .oktas
            .iter()
            .take(usize::from(high) + 1)
            .skip(usize::from(low));
        inside.fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn groups(&self, plot: &mut Plot, pitch: f64, share: &impl Fn(u32) -> f64) {
        let y = plot.bottom + 24.0;
        for (group, low, high) in GROUPS {
            let x0 = plot.left + pitch * (f64::from(low) + 0.12);
            let x1 = plot.left + pitch * (f64::from(high) + 0.88);
            let style = format_args!("stroke=\"{AXIS}\" stroke-width=\"1.4\"");
            plot.svg.line((x0, y), (x1, y), style);
            let (middle, size) = (
                f64::midpoint(x0, x1),
                if pitch < 40.0 { 10.5 } else { LABEL },
            );
            let soft = Type::soft(size, Anchor::Middle);
            plot.svg.text((middle, y + 15.0), soft, group.as_str());
            let part = percent(share(self.of_group(low, high)));
            plot.svg.text((middle, y + 30.0), soft, &part);
        }
    }

    fn summary(&self, share: &impl Fn(u32) -> f64) -> String {
        let lang = self.look.lang;
        let groups: Vec<String> = GROUPS
            .into_iter()
            .map(|(group, low, high)| {
                format!(
                    "{} {}",
                    category(lang, group),
                    percent(share(self.of_group(low, high)))
                )
            })
            .collect();
        let hidden = percent(share(self.readings.obscured));
        let hidden = tell(
            lang,
            say!("sky not visible {hidden}", "cielo no visible {hidden}"),
        );
        format!("{}, {hidden}.", groups.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::text::Lang;
    use chrono::NaiveDateTime;

    fn drawn(oktas: [u32; 9], obscured: u32, look: Look) -> String {
        let readings = Bucket {
            oktas,
            obscured,
            ..Bucket::empty(NaiveDateTime::MIN)
        };
        Distribution {
            look,
            place: "Río Grande",
            readings: &readings,
        }
        .svg()
    }

    #[test]
    fn the_shares_are_of_all_pictures_and_add_up_in_groups() {
        let svg = drawn([10, 5, 5, 0, 0, 1, 2, 7, 50], 20, Look::alone(Lang::Es));
        assert!(svg.contains("data-okta=\"0\"><title>0/8 despejado · 10 % · 10 lecturas"));
        assert!(svg.contains("data-okta=\"9\"><title>cielo no visible · 20 % · 20 lecturas"));
        let told = "despejado 10 %, pocas nubes 10 %, nubes dispersas 0 %, muy nublado 10 %, cubierto 50 %";
        assert!(svg.contains(told), "{svg:.600}");
    }

    #[test]
    fn a_sky_that_is_not_seen_is_not_hatched_like_a_gap() {
        let svg = drawn([10, 0, 0, 0, 0, 0, 0, 0, 0], 20, Look::alone(Lang::Es));
        assert!(!svg.contains("fill=\"url(#celaje-gap)\""));
        assert_eq!(svg.matches("class=\"veil\"").count(), 1);
        let svg = drawn([10, 0, 0, 0, 0, 0, 0, 0, 0], 0, Look::alone(Lang::Es));
        assert_eq!(svg.matches("class=\"veil\"").count(), 0);
    }

    #[test]
    fn nothing_read_is_said_and_a_rarity_is_seen() {
        let svg = drawn([0; 9], 0, Look::alone(Lang::En));
        assert!(svg.contains("No readings in this range"));
        let svg = drawn([9_999, 1, 0, 0, 0, 0, 0, 0, 0], 0, Look::alone(Lang::En));
        assert!(svg.contains("&lt;1 %") && !svg.contains("No readings"));
        assert!(svg.contains("height=\"1.5\""));
    }
}
