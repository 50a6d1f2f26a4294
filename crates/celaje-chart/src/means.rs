//! Mean amount or confidence by hour, day or month.
//!
//! A bucket without a reading is hatched from top to bottom; a mean of 0 is a cap on the zero line.
//! Pictures that do not show the sky are in no mean: their share hangs from the top edge, and a
//! bucket of nothing else is crossed from top to bottom.

use chrono::{Datelike, NaiveDateTime};

use super::axis::ValueAxis;
use super::bucket::{Bucket, Unit};
use super::legend::Key;
use super::look::Look;
use super::plot::{Frame, Layout, Plot};
use super::svg::{fill, stroke};
use super::theme::{INK, MISS, VEIL, mean_colour};
use super::words::{
    day_and_month, decimal, hidden, interval, long_date, long_month, mean_of, percent, range,
    readings, replaced_until, tell, unit,
};
use celaje_sky::cover::OBSCURED;
use celaje_sky::quality::LOW_CONFIDENCE;
use celaje_sky::trend::{Trend, trend};

#[derive(Clone, Debug)]
pub struct Means<'a> {
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    /// First and last moment, station local time.
    pub range: (NaiveDateTime, NaiveDateTime),
    pub unit: Unit,
    /// Every bucket of the range in order, empty ones too ([`regular`](super::bucket::regular)).
    pub buckets: &'a [Bucket],
    /// The record's first reading, if it has any: buckets before it are no gaps.
    pub first: Option<NaiveDateTime>,
    /// The last slot of which the replaced system made the reading, if any.
    pub replaced_until: Option<NaiveDateTime>,
}

/// The fewest means, of days or months, that are looked at for a trend.
const TREND_NEEDS: usize = 20;
/// If there are more means, every second one (or fewer) makes the trend.
const TREND_MEANS: usize = 800;

/// The trend of means, x being their number from the first bucket on.
#[derive(Clone, Copy)]
struct MeansTrend {
    line: Trend,
    /// The first and the last bucket that has a mean.
    ends: (usize, usize),
}

/// Room at the frame's top for the share of pictures that do not show the sky.
const HIDDEN_LANE: f64 = 9.0;

impl Means<'_> {
    /// The mean amounts with their trend: marks of the class `mean`, with `data-from`; of the class
    /// `hidden` where no picture showed the sky.
    pub fn history(&self) -> String {
        let lang = self.look.lang;
        let trend = self.trend();
        let title = match self.unit {
            Unit::Hour => tell!(lang, "Mean cloud amount by hour", "Nubosidad media por hora"),
            Unit::Day => tell!(lang, "Mean cloud amount by day", "Nubosidad media por día"),
            Unit::Month => tell!(lang, "Mean cloud amount by month", "Nubosidad media por mes"),
        };
        self.draw(title, &self.summary(trend), |plot| {
            let axis = plot.frame.value_axis(4.0, 8.0, HIDDEN_LANE + 4.0);
            plot.unit(&unit(lang));
            plot.grid(&axis, [0, 2, 4, 6, 8]);
            self.buckets_without_mean(plot);
            for (i, bucket) in self.buckets.iter().enumerate() {
                if let Some(mean) = bucket.mean() {
                    self.mean(plot, &axis, i, bucket, mean);
                }
            }
            if let Some(trend) = trend.filter(|trend| trend.line.is_told()) {
                self.draw_trend(plot, &axis, trend);
            }
            if let Some(last) = self.replaced_until {
                let begun = self.buckets.partition_point(|bucket| bucket.from <= last);
                let x = plot.frame.left + self.pitch(plot) * begun as f64;
                plot.end_of_replaced(x, last);
            }
        })
    }

    fn mean(&self, plot: &mut Plot, axis: &ValueAxis, i: usize, bucket: &Bucket, mean: f64) {
        let width = (self.pitch(plot) * 0.8).clamp(0.6, 26.0);
        let x = self.middle(plot, i) - width / 2.0;
        let (cap, foot) = (axis.y(mean), axis.zero + 1.5);
        let when = self.when(bucket);
        let title = mean_of(plot.lang, &when, Some(mean), bucket.read(), bucket.obscured);
        open(plot, "mean", bucket, &title);
        if bucket.obscured > 0 {
            let tall = (HIDDEN_LANE * bucket.hidden_share()).max(2.5);
            let style = format_args!("class=\"hidden-share\" fill=\"{VEIL}\"");
            let top = plot.frame.top;
            plot.rect((x, top), (width, tall), style);
        }
        let colour = fill(mean_colour(mean));
        let body = format_args!("{colour} fill-opacity=\"0.5\"");
        plot.rect((x, cap), (width, foot - cap), body);
        plot.rect((x, cap - 1.5), (width, 3.0), colour);
        plot.close();
    }

    /// None of hours, whose means follow the day, nor of less than twenty days.
    fn trend(&self) -> Option<MeansTrend> {
        let means = self.buckets.iter().enumerate();
        let means = means.filter_map(|(i, bucket)| Some((i, bucket.mean()?)));
        let means: Vec<(usize, f64)> = means.collect();
        let ([first, ..], [.., last]) = (&means[..], &means[..]) else {
            return None;
        };
        if self.unit == Unit::Hour || means.len() < TREND_NEEDS {
            return None;
        }
        let every = means.len().div_ceil(TREND_MEANS);
        let points = means.iter().step_by(every).map(|(i, mean)| (*i as f64, *mean));
        let line = trend(&points.collect::<Vec<_>>())?;
        Some(MeansTrend { line, ends: (first.0, last.0) })
    }

    fn draw_trend(&self, plot: &mut Plot, axis: &ValueAxis, trend: MeansTrend) {
        let Trend { slope, start, .. } = trend.line;
        let at = |i: usize| {
            let mean = (start + slope * i as f64).clamp(0.0, 8.0);
            (self.middle(plot, i), axis.y(mean))
        };
        let (from, to, line) = (at(trend.ends.0), at(trend.ends.1), stroke(INK, 1.6));
        let style = format_args!("class=\"trend\" {line} stroke-dasharray=\"7 5\"");
        plot.line(from, to, style);
    }

    /// The mean confidences: marks of the class `confidence`, with `data-from`.
    pub fn confidence(&self) -> String {
        let lang = self.look.lang;
        let title = tell!(lang, "Confidence", "Confianza");
        let known = self.buckets.iter().filter_map(|bucket| bucket.confidence);
        let summary = known.reduce(f64::min).map(|least| {
            let (lowest, low) = (percent(least), percent(LOW_CONFIDENCE));
            let text = tell!(
                lang,
                "Mean probability that an okta is right; the lowest is {lowest}.",
                "Probabilidad media de que una octa sea correcta; la menor es {lowest}."
            );
            match least < LOW_CONFIDENCE {
                true => text + &tell!(lang, " Orange: below {low}.", " Naranja: menos de {low}."),
                false => text,
            }
        });
        self.draw(title, &summary.unwrap_or_default(), |plot| {
            let axis = plot.frame.value_axis(5.0, 100.0, 5.0);
            plot.unit("%");
            plot.grid(&axis, [0, 25, 50, 75, 100]);
            self.buckets_without_mean(plot);
            self.confidences(plot, &axis);
        })
    }

    fn confidences(&self, plot: &mut Plot, axis: &ValueAxis) {
        let colour = mean_colour(4.0);
        let y = |share: f64| axis.y(100.0 * share.clamp(0.0, 1.0));
        // The line breaks where there is a gap.
        for (i, pair) in self.buckets.windows(2).enumerate() {
            if let [Some(a), Some(b)] = [pair[0].confidence, pair[1].confidence] {
                let (from, to) = (self.middle(plot, i), self.middle(plot, i + 1));
                plot.line((from, y(a)), (to, y(b)), stroke(colour, 1.6));
            }
        }
        let radius = (self.pitch(plot) * 0.35).clamp(1.1, 4.0);
        for (i, bucket) in self.buckets.iter().enumerate() {
            let Some(share) = bucket.confidence else {
                continue;
            };
            let colour = if share < LOW_CONFIDENCE { MISS } else { colour };
            let (when, count) = (self.when(bucket), readings(plot.lang, bucket.read()));
            let title = format!("{when} · {} · {count}", percent(share));
            open(plot, "confidence", bucket, &title);
            let at = (self.middle(plot, i), y(share));
            plot.circle(at, radius, fill(colour));
            plot.close();
        }
    }

    /// A chart of buckets, with the time below it.
    fn draw(&self, title: String, summary: &str, marks: impl FnOnce(&mut Plot)) -> String {
        let when = range(self.look.lang, self.range.0, self.range.1);
        let place = format!("{} · {when}", self.station);
        let layout = Layout {
            height: if self.look.is_wide() { 250.0 } else { 200.0 },
            left: 34.0,
            right: 6.0,
            below: 26.0,
            legend: &[Key::Oktas, Key::Gap, Key::Hidden],
            ..Layout::new(self.look, title, &place, summary)
        };
        layout.draw(|plot| {
            plot.paper();
            marks(plot);
            plot.outline();
            let times: Vec<_> = self.buckets.iter().map(|bucket| bucket.from).collect();
            plot.times(&times);
            if self.buckets.iter().all(Bucket::is_gap) {
                plot.empty_note(self.first.is_some(), None);
            }
        })
    }

    /// Width of a bucket.
    fn pitch(&self, plot: &Plot) -> f64 {
        plot.frame.width() / self.buckets.len().max(1) as f64
    }

    /// The x of the middle of bucket `i`.
    fn middle(&self, plot: &Plot, i: usize) -> f64 {
        plot.frame.left + self.pitch(plot) * (i as f64 + 0.5)
    }

    /// Hatches runs of gaps and crosses runs of buckets whose pictures never show the sky.
    fn buckets_without_mean(&self, plot: &mut Plot) {
        let (lang, pitch) = (plot.lang, self.pitch(plot));
        let Frame { left, top, .. } = plot.frame;
        let tall = plot.frame.height();
        let begins = self.first.map(|first| self.unit.floor(first));
        let is_gap =
            |bucket: &Bucket| bucket.is_gap() && begins.is_some_and(|begins| bucket.from >= begins);
        let kind = |bucket: &Bucket| (is_gap(bucket), !bucket.is_gap() && bucket.mean().is_none());
        let mut at = 0;
        for run in self.buckets.chunk_by(|a, b| kind(a) == kind(b)) {
            let x = left + pitch * at as f64;
            let wide = pitch * run.len() as f64;
            at += run.len();
            match run.first().map(kind) {
                Some((true, _)) => plot.hatch(x, wide),
                Some((false, true)) => {
                    for (i, bucket) in run.iter().enumerate() {
                        let when = self.when(bucket);
                        let title = mean_of(lang, &when, None, 0, bucket.obscured);
                        open(plot, "hidden", bucket, &title);
                        let origin = (x + pitch * i as f64, top);
                        plot.rect(origin, (pitch, tall), fill(VEIL));
                        plot.close();
                    }
                    plot.crosses((x, top), (wide, tall));
                }
                _ => {}
            }
        }
    }

    fn when(&self, bucket: &Bucket) -> String {
        let (lang, date) = (self.look.lang, bucket.from.date());
        match self.unit {
            Unit::Hour => {
                let time = bucket.from.format("%H:%M");
                format!("{} {time}", day_and_month(lang, date))
            }
            Unit::Day => long_date(lang, date),
            Unit::Month => format!("{} {}", long_month(lang, date.month()), date.year()),
        }
    }

    /// The mean of the whole range, its trend, and how often the sky was hidden.
    fn summary(&self, trend: Option<MeansTrend>) -> String {
        let lang = self.look.lang;
        let mut all = Bucket::empty(self.range.0);
        for bucket in self.buckets {
            for (code, n) in (0..9).zip(bucket.oktas) {
                all.count(code, n);
            }
            all.count(OBSCURED, bucket.obscured);
        }
        if all.is_gap() {
            return tell!(lang, "No readings.", "Sin lecturas.");
        }
        let mut parts = Vec::new();
        if let Some(mean) = all.mean() {
            let (mean, count) = (decimal(lang, mean, 1), readings(lang, all.read()));
            parts.push(tell!(
                lang,
                "Mean {mean} oktas of {count}",
                "Media {mean} octas de {count}"
            ));
            parts.extend(trend.map(|trend| self.trend_text(trend.line)));
        }
        if all.obscured > 0 {
            let share = percent(all.hidden_share());
            let hidden = hidden(lang);
            parts.push(tell!(lang, "{hidden} in {share}", "{hidden} en el {share}"));
        }
        let text = parts.join("; ") + ".";
        match self.replaced_until {
            Some(last) => format!("{text} {}.", replaced_until(lang, last)),
            None => text,
        }
    }

    fn trend_text(&self, trend: Trend) -> String {
        let lang = self.look.lang;
        let (times, period) = match self.unit {
            Unit::Hour => (24.0, tell!(lang, "a day", "por día")),
            Unit::Day => (30.0, tell!(lang, "in 30 days", "en 30 días")),
            Unit::Month => (12.0, tell!(lang, "a year", "por año")),
        };
        let amount = |slope: f64| {
            let text = decimal(lang, slope * times, 1);
            if slope * times >= 0.05 { format!("+{text}") } else { text }
        };
        let [slope, low, high] = [trend.slope, trend.low, trend.high].map(amount);
        let range = interval(&low, &high);
        if !trend.is_told() {
            return tell!(
                lang,
                "trend not to be told from none ({range} oktas {period})",
                "tendencia que no se distingue de ninguna ({range} octas {period})"
            );
        }
        tell!(
            lang,
            "trend {slope} oktas {period} ({range})",
            "tendencia {slope} octas {period} ({range})"
        )
    }
}

fn open(plot: &mut Plot, class: &str, bucket: &Bucket, title: &str) {
    let from = bucket.from.format("%Y-%m-%dT%H:%M");
    plot.open(format_args!("class=\"{class}\" data-from=\"{from}\""), title);
}

#[cfg(test)]
#[path = "means_tests.rs"]
mod tests;
