//! The share of clear nights by month: what astronomers plan by.

use super::look::Look;
use super::panel::HATCH_ID;
use super::plot::{LABEL, Plot, Room, Words};
use super::svg::{Anchor, Type};
use super::theme::{AXIS, INK, okta_colour};
use super::words::{long_month, percent, short_month, tell};
use celaje_sky::okta::Okta;
use celaje_sky::say;

/// The nights of a month, over years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nights {
    /// Nights that were read well enough to be judged.
    pub judged: u32,
    /// Of these, the clear ones.
    pub clear: u32,
}

impl Nights {
    /// The share of clear nights; none where no night was judged.
    pub fn share(self) -> Option<f64> {
        (self.judged > 0).then(|| f64::from(self.clear) / f64::from(self.judged))
    }
}

/// What the chart is drawn from.
#[derive(Clone, Debug)]
pub struct ClearNights<'a> {
    /// Layout and language.
    pub look: Look,
    /// Place and time for people.
    pub place: &'a str,
    /// January to December.
    pub months: &'a [Nights; 12],
}

const ROOM: Room = Room {
    left: 36.0,
    right: 6.0,
    below: 44.0,
    legend: false,
};

impl ClearNights<'_> {
    /// A column a month: marks of the class `nights`, with `data-month`. A month without a night
    /// that could be judged is hatched.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title = tell(lang, say!("Clear nights", "Noches despejadas"));
        let all = self
            .months
            .iter()
            .fold(Nights::default(), |sum, month| Nights {
                judged: sum.judged.saturating_add(month.judged),
                clear: sum.clear.saturating_add(month.clear),
            });
        let summary = match all.share() {
            Some(share) => {
                let (share, clear, judged) = (percent(share), all.clear, all.judged);
                tell(
                    lang,
                    say!(
                        "{clear} of {judged} nights ({share}) were clear.",
                        "{clear} de {judged} noches ({share}) fueron despejadas."
                    ),
                )
            }
            None => tell(
                lang,
                say!(
                    "No night could be judged.",
                    "No se pudo juzgar ninguna noche."
                ),
            ),
        };
        let words = Words {
            title: &title,
            place: self.place,
            summary: &summary,
        };
        let mut plot = Plot::new(
            look,
            &words,
            if look.width() >= 480.0 { 244.0 } else { 170.0 },
            &ROOM,
        );
        plot.paper();
        plot.unit(&tell(lang, say!("% of nights", "% de las noches")));
        let span = plot.bottom - plot.top - 16.0;
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let y = plot.bottom - span * share;
            plot.grid(y, &format!("{:.0}", share * 100.0));
        }
        let pitch = (plot.right - plot.left) / 12.0;
        for (i, month) in self.months.iter().enumerate() {
            let number = i as u32 + 1;
            let x = plot.left + pitch * i as f64;
            let middle = x + pitch / 2.0;
            let small = if pitch < 36.0 { 10.5 } else { LABEL };
            let name = long_month(lang, number);
            let Nights { judged, clear } = *month;
            let told = match month.share() {
                Some(share) => {
                    let share = percent(share);
                    tell(
                        lang,
                        say!(
                            "{name} · {share} clear · {clear} of {judged} nights",
                            "{name} · {share} despejadas · {clear} de {judged} noches"
                        ),
                    )
                }
                None => tell(
                    lang,
                    say!("{name} · no night judged", "{name} · ninguna noche juzgada"),
                ),
            };
            plot.svg
                .open("nights", format_args!("data-month=\"{number}\""), &told);
            if let Some(share) = month.share() {
                let tall = (span * share).max(1.5);
                let colour = okta_colour(Okta::ALL[1]);
                let size = (pitch * 0.72, tall);
                let at = (x + pitch * 0.14, plot.bottom - tall);
                plot.svg.rect(at, size, format_args!("fill=\"{colour}\""));
                let label = Type {
                    size: small,
                    fill: INK,
                    anchor: Anchor::Middle,
                };
                plot.svg.text(
                    (middle, at.1 - 5.0),
                    label,
                    &format!("{:.0}", share * 100.0),
                );
            } else {
                let size = (pitch, plot.bottom - plot.top);
                let style = format_args!("class=\"gap\" fill=\"url(#{HATCH_ID})\"");
                plot.svg.rect((x, plot.top), size, style);
            }
            plot.svg.close();
            let soft = Type::soft(small, Anchor::Middle);
            let name = short_month(lang, number);
            let name = if pitch < 28.0 {
                name.chars().take(1).flat_map(char::to_uppercase).collect()
            } else {
                name
            };
            plot.svg.text((middle, plot.bottom + 16.0), soft, &name);
            let nights = if judged > 0 {
                format!("{clear}/{judged}")
            } else {
                "–".to_owned()
            };
            let soft = Type::soft(if pitch < 36.0 { 9.0 } else { 11.0 }, Anchor::Middle);
            plot.svg.text((middle, plot.bottom + 32.0), soft, &nights);
        }
        let (x0, x1, y) = (plot.left, plot.right, plot.bottom);
        plot.svg.line(
            (x0, y),
            (x1, y),
            format_args!("stroke=\"{AXIS}\" stroke-width=\"1\""),
        );
        plot.svg.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::text::Lang;
    use resvg::usvg::{Options, Tree};

    #[test]
    fn a_month_without_nights_is_no_month_without_clear_ones() {
        let mut months = [Nights::default(); 12];
        months[5] = Nights {
            judged: 30,
            clear: 12,
        };
        months[6] = Nights {
            judged: 31,
            clear: 0,
        };
        for width in [320.0, 1800.0] {
            let look = Look {
                lang: Lang::Es,
                width,
                bare: true,
            };
            let svg = ClearNights {
                look,
                place: "R",
                months: &months,
            }
            .svg();
            assert!(Tree::from_str(&svg, &Options::default()).is_ok());
            assert_eq!(svg.matches("class=\"gap\"").count(), 10);
            assert!(svg.contains("junio · 40 % despejadas · 12 de 30 noches"));
            assert!(svg.contains("julio · 0 % despejadas · 0 de 31 noches"));
            assert!(svg.contains("diciembre · ninguna noche juzgada"));
            assert!(svg.contains("12 de 61 noches (20 %) fueron despejadas"));
        }
    }

    #[test]
    fn no_nights_at_all_are_said() {
        let look = Look::alone(Lang::En);
        let svg = ClearNights {
            look,
            place: "R",
            months: &[Nights::default(); 12],
        }
        .svg();
        assert!(svg.contains("No night could be judged."));
    }
}
