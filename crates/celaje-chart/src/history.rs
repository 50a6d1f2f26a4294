//! Mean amount an hour, a day or a month, with its trend; and the mean confidence.
//!
//! A bucket without a reading is hatched from top to bottom: a gap is never zero, which is a cap on
//! the zero line. Pictures that do not show the sky are in no mean; their share hangs from the top
//! edge, and a bucket of nothing else is crossed from top to bottom.

use chrono::{Datelike, NaiveDateTime};

use super::bucket::{Bucket, Trend, Unit, trend};
use super::look::Look;
use super::plot::{Plot, Room, Words};
use super::svg::Num;
use super::theme::{INK, MISS, VEIL, mean_colour};
use super::words::{
    day_and_month, decimal, hidden, hidden_in, long_date, long_month, percent, range, readings,
    tell,
};
use celaje_sky::cover::OBSCURED;
use celaje_sky::say;

/// What the charts of this module are drawn from.
#[derive(Clone, Debug)]
pub struct Means<'a> {
    /// Layout and language.
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    /// First and last moment, station local time.
    pub range: (NaiveDateTime, NaiveDateTime),
    /// How long a bucket is.
    pub unit: Unit,
    /// Every bucket of the range in order, empty ones too
    /// ([`regular`](super::bucket::regular)).
    pub buckets: &'a [Bucket],
}

/// Room at the frame's top for the share of pictures that do not show the sky.
const HIDDEN_LANE: f64 = 9.0;

const ROOM: Room = Room {
    left: 34.0,
    right: 6.0,
    below: 26.0,
    legend: true,
};

impl Means<'_> {
    /// The mean amounts with their trend: marks of the class `mean`, with `data-from`; of the class
    /// `hidden` where no picture showed the sky.
    pub fn history(&self) -> String {
        let lang = self.look.lang;
        let found = trend(self.buckets);
        let title = match self.unit {
            Unit::Hour => say!("Mean cloud amount by hour", "Nubosidad media por hora"),
            Unit::Day => say!("Mean cloud amount by day", "Nubosidad media por día"),
            Unit::Month => say!("Mean cloud amount by month", "Nubosidad media por mes"),
        };
        let words = (tell(lang, title), self.place(), self.summary(found));
        let mut plot = self.plot(&words, 250.0);
        let y = |mean: f64, plot: &Plot| {
            let zero = plot.bottom - 4.0;
            zero - (zero - plot.top - HIDDEN_LANE - 4.0) * mean / 8.0
        };
        plot.unit(&tell(lang, say!("oktas", "octas")));
        for okta in [0, 2, 4, 6, 8] {
            let at = y(f64::from(okta), &plot);
            plot.grid(at, &okta.to_string());
        }
        let pitch = self.without_numbers(&mut plot);
        let width = (pitch * 0.8).clamp(0.6, 26.0);
        for (i, bucket) in self.buckets.iter().enumerate() {
            let Some(mean) = bucket.mean() else { continue };
            let x = plot.left + pitch * (i as f64 + 0.5) - width / 2.0;
            let (cap, foot) = (y(mean, &plot), y(0.0, &plot) + 1.5);
            self.open(&mut plot, "mean", bucket, &self.mean_title(bucket, mean));
            if bucket.obscured > 0 {
                let tall = (HIDDEN_LANE * bucket.hidden_share()).max(2.5);
                let style = format_args!("class=\"hidden-share\" fill=\"{VEIL}\"");
                plot.svg.rect((x, plot.top), (width, tall), style);
            }
            let colour = mean_colour(mean);
            let body = format_args!("fill=\"{colour}\" fill-opacity=\"0.5\"");
            plot.svg.rect((x, cap), (width, foot - cap), body);
            plot.svg.rect(
                (x, cap - 1.5),
                (width, 3.0),
                format_args!("fill=\"{colour}\""),
            );
            plot.svg.close();
        }
        if let Some(Trend { slope, start }) = found {
            let last = self.buckets.len().saturating_sub(1) as f64;
            let (a, b) = (
                start.clamp(0.0, 8.0),
                (start + slope * last).clamp(0.0, 8.0),
            );
            let (x0, x1) = (plot.left + pitch / 2.0, plot.right - pitch / 2.0);
            let (y0, y1) = (y(a, &plot), y(b, &plot));
            let style = format_args!(
                "class=\"trend\" stroke=\"{INK}\" stroke-width=\"1.6\" stroke-dasharray=\"7 5\""
            );
            plot.svg.line((x0, y0), (x1, y1), style);
        }
        self.end(plot)
    }

    /// The mean confidences: marks of the class `confidence`, with `data-from`.
    pub fn confidence(&self) -> String {
        let lang = self.look.lang;
        let title = tell(lang, say!("Confidence", "Confianza"));
        let known: Vec<f64> = self
            .buckets
            .iter()
            .filter_map(|bucket| bucket.confidence)
            .collect();
        let lowest = known.iter().copied().reduce(f64::min).map(percent);
        let summary = lowest.map_or_else(String::new, |lowest| {
            tell(
                lang,
                say!(
                    "Mean probability that an okta is right; the lowest is {lowest}.",
                    "Probabilidad media de que una octa sea correcta; la menor es {lowest}."
                ),
            )
        });
        let words = (title, self.place(), summary);
        let mut plot = self.plot(&words, 250.0);
        let y = |share: f64, plot: &Plot| {
            plot.bottom - 5.0 - (plot.bottom - plot.top - 10.0) * share.clamp(0.0, 1.0)
        };
        plot.unit("%");
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let at = y(share, &plot);
            plot.grid(at, &format!("{:.0}", share * 100.0));
        }
        let pitch = self.without_numbers(&mut plot);
        let middle = |i: usize, plot: &Plot| plot.left + pitch * (i as f64 + 0.5);
        // The line breaks where there is a gap.
        for (i, pair) in self.buckets.windows(2).enumerate() {
            if let [Some(a), Some(b)] = [pair[0].confidence, pair[1].confidence] {
                let from = (middle(i, &plot), y(a, &plot));
                let to = (middle(i + 1, &plot), y(b, &plot));
                let style = format_args!("stroke=\"{}\" stroke-width=\"1.6\"", mean_colour(4.0));
                plot.svg.line(from, to, style);
            }
        }
        let radius = (pitch * 0.35).clamp(1.1, 4.0);
        for (i, bucket) in self.buckets.iter().enumerate() {
            let Some(share) = bucket.confidence else {
                continue;
            };
            let colour = if share < celaje_sky::quality::LOW_CONFIDENCE {
                MISS
            } else {
                mean_colour(4.0)
            };
            let when = self.when(bucket);
            let (percent, count) = (percent(share), readings(lang, bucket.read()));
            self.open(
                &mut plot,
                "confidence",
                bucket,
                &format!("{when} · {percent} · {count}"),
            );
            let (x, y) = (Num(middle(i, &plot)), Num(y(share, &plot)));
            plot.svg.raw(format_args!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" fill=\"{colour}\"/>",
                Num(radius)
            ));
            plot.svg.close();
        }
        self.end(plot)
    }

    fn plot(&self, (title, place, summary): &(String, String, String), height: f64) -> Plot {
        let height = if self.look.is_wide() {
            height
        } else {
            height * 0.8
        };
        let mut plot = Plot::new(
            self.look,
            &Words {
                title,
                place,
                summary,
            },
            height,
            &ROOM,
        );
        plot.paper();
        plot
    }

    fn end(&self, mut plot: Plot) -> String {
        plot.frame();
        plot.times(self.buckets);
        if self.buckets.iter().all(Bucket::is_gap) {
            plot.nothing();
        }
        plot.legend(ROOM.below);
        plot.svg.finish()
    }

    /// Hatches runs of gaps and crosses runs of buckets that only have pictures without a sky;
    /// gives the width of a bucket.
    fn without_numbers(&self, plot: &mut Plot) -> f64 {
        let pitch = (plot.right - plot.left) / self.buckets.len().max(1) as f64;
        let (lang, tall) = (self.look.lang, plot.bottom - plot.top);
        let kind = |bucket: &Bucket| (bucket.is_gap(), bucket.mean().is_none());
        let mut at = 0;
        for run in self.buckets.chunk_by(|a, b| kind(a) == kind(b)) {
            let x = plot.left + pitch * at as f64;
            let wide = pitch * run.len() as f64;
            match run.first().map(kind) {
                Some((true, _)) => plot.hatch(x, wide),
                Some((false, true)) => {
                    for (i, bucket) in run.iter().enumerate() {
                        let (when, not_seen) = (self.when(bucket), hidden(lang));
                        let count = readings(lang, bucket.obscured);
                        let title = format!("{when} · {not_seen} · {count}");
                        self.open(plot, "hidden", bucket, &title);
                        let place = (x + pitch * i as f64, plot.top);
                        let style = format_args!("fill=\"{VEIL}\"");
                        plot.svg.rect(place, (pitch, tall), style);
                        plot.svg.close();
                    }
                    plot.crosses((x, plot.top), (wide, tall));
                }
                _ => {}
            }
            at += run.len();
        }
        pitch
    }

    fn open(&self, plot: &mut Plot, class: &str, bucket: &Bucket, title: &str) {
        let from = bucket.from.format("%Y-%m-%dT%H:%M");
        plot.svg
            .open(class, format_args!("data-from=\"{from}\""), title);
    }

    fn place(&self) -> String {
        let when = range(self.look.lang, self.range.0, self.range.1);
        format!("{} · {when}", self.station)
    }

    fn when(&self, bucket: &Bucket) -> String {
        let (lang, date) = (self.look.lang, bucket.from.date());
        match self.unit {
            Unit::Hour => format!(
                "{} {}",
                day_and_month(lang, date),
                bucket.from.format("%H:%M")
            ),
            Unit::Day => long_date(lang, date),
            Unit::Month => {
                format!("{} {}", long_month(lang, date.month()), date.year())
            }
        }
    }

    fn mean_title(&self, bucket: &Bucket, mean: f64) -> String {
        let lang = self.look.lang;
        let (when, mean, count) = (
            self.when(bucket),
            decimal(lang, mean, 1),
            readings(lang, bucket.read()),
        );
        let text = tell(
            lang,
            say!(
                "{when} · mean {mean} oktas · {count}",
                "{when} · media {mean} octas · {count}"
            ),
        );
        match hidden_in(lang, bucket.obscured) {
            Some(hidden) => format!("{text} · {hidden}"),
            None => text,
        }
    }

    /// The mean of the whole range, and the trend a month or a day.
    fn summary(&self, found: Option<Trend>) -> String {
        let lang = self.look.lang;
        let mut all = Bucket::empty(self.range.0);
        for bucket in self.buckets {
            for (code, n) in (0..9).zip(bucket.oktas) {
                all.count(code, n);
            }
            all.count(OBSCURED, bucket.obscured);
        }
        let share = percent(all.hidden_share());
        let hidden = match all.obscured {
            0 => String::new(),
            _ => tell(
                lang,
                say!(
                    "sky not visible in {share}",
                    "cielo no visible en el {share}"
                ),
            ),
        };
        let Some(mean) = all.mean() else {
            let none = tell(lang, say!("No readings.", "Sin lecturas."));
            return if all.is_gap() { none } else { hidden + "." };
        };
        let (mean, count) = (decimal(lang, mean, 1), readings(lang, all.read()));
        let mut text = tell(
            lang,
            say!(
                "Mean {mean} oktas of {count}",
                "Media {mean} octas de {count}"
            ),
        );
        if let Some(Trend { slope, .. }) = found {
            let sentence = match self.unit {
                Unit::Hour => (slope * 24.0, say!("a day", "por día")),
                Unit::Day => (slope * 30.0, say!("in 30 days", "en 30 días")),
                Unit::Month => (slope * 12.0, say!("a year", "por año")),
            };
            let sign = if sentence.0 >= 0.05 { "+" } else { "" };
            let (amount, per) = (decimal(lang, sentence.0, 1), tell(lang, sentence.1));
            text += &tell(
                lang,
                say!(
                    "; trend {sign}{amount} oktas {per}",
                    "; tendencia {sign}{amount} octas {per}"
                ),
            );
        }
        if !hidden.is_empty() {
            text = text + "; " + &hidden;
        }
        text + "."
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
