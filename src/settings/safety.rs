//! `[station.safety]` of `celaje.toml`.

use serde::Deserialize;

use crate::settings::span::Span;
use celaje_sky::safety::{SafetyRule, SkyPart, SunLimit};
use celaje_sky::say;
use celaje_sky::slot::SlotGrid;
use celaje_sky::station::region::Region;
use celaje_sky::text::Text;

/// The table as it is written; what is left out follows from the station's slots.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSafety {
    part: SkyPart,
    safe_below: Option<f64>,
    unsafe_above: Option<f64>,
    safe_after: Option<Span>,
    unsafe_after: Option<Span>,
    stale_after: Option<Span>,
    min_confidence: Option<f64>,
    when: Option<SunLimit>,
}

impl RawSafety {
    /// The rule for a station with pictures at `minutes`, of which `region` is judged.
    pub(super) fn check(
        self,
        station: &str,
        minutes: &SlotGrid,
        region: &Region,
    ) -> Result<SafetyRule, Text> {
        let usual = SafetyRule::usual(minutes);
        let span = |given: Option<Span>, usual| given.map_or(usual, Span::length);
        let rule = SafetyRule {
            part: self.part,
            safe_below: self.safe_below.unwrap_or(usual.safe_below),
            unsafe_above: self.unsafe_above.unwrap_or(usual.unsafe_above),
            safe_after: span(self.safe_after, usual.safe_after),
            unsafe_after: span(self.unsafe_after, usual.unsafe_after),
            stale_after: span(self.stale_after, usual.stale_after),
            min_confidence: self.min_confidence.unwrap_or(usual.min_confidence),
            when: self.when.unwrap_or(usual.when),
        };
        match &rule.part {
            SkyPart::Zenith if region.lens.is_none() => {
                return Err(say!(
                    "station '{station}': part = \"zenith\" needs [station.lens], which says where \
                     in the picture the zenith is",
                    "estación '{station}': part = \"zenith\" necesita [station.lens], que dice \
                     dónde está el cenit en la imagen"
                ));
            }
            SkyPart::Zone(zone) if !region.zones.iter().any(|known| known.name == *zone) => {
                return Err(say!(
                    "station '{station}': part names the zone '{zone}', which no \
                     [[station.zone]] has",
                    "estación '{station}': part nombra la zona '{zone}', que ninguna \
                     [[station.zone]] tiene"
                ));
            }
            _ => {}
        }
        let (low, high) = (rule.safe_below, rule.unsafe_above);
        if !(0.0..=8.0).contains(&low) || !(0.0..=8.0).contains(&high) || low > high {
            return Err(say!(
                "station '{station}': safe_below ({low}) and unsafe_above ({high}) must be oktas \
                 from 0 to 8, the first no greater than the second",
                "estación '{station}': safe_below ({low}) y unsafe_above ({high}) deben ser octas \
                 de 0 a 8, la primera no mayor que la segunda"
            ));
        }
        let confidence = rule.min_confidence;
        if !(0.0..=1.0).contains(&confidence) {
            return Err(say!(
                "station '{station}': min_confidence must lie between 0 and 1, not {confidence}",
                "estación '{station}': min_confidence debe estar entre 0 y 1, no {confidence}"
            ));
        }
        // A shorter time would make every reading stale before the next one comes.
        let (least, stale) = (minutes.longest_gap(), rule.stale_after);
        if stale <= least {
            let (least, stale) = (least.num_seconds(), stale.num_seconds());
            return Err(say!(
                "station '{station}': stale_after ({stale} s) must be longer than the time \
                 between two pictures, {least} s",
                "estación '{station}': stale_after ({stale} s) debe superar el tiempo entre dos \
                 imágenes, {least} s"
            ));
        }
        Ok(rule)
    }
}
