//! Samples by group and camera, and the report that they make.

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use celaje_sky::evaluate::against::Agreement;
use celaje_sky::evaluate::figures::{Figures, Sample};

/// The group of pictures that have none, where others have one.
const NO_NAME: &str = "-";

/// Samples by name, in the order in which the names came.
#[derive(Default)]
struct Named(Vec<(String, Vec<Sample>, usize)>);

impl Named {
    fn of(&mut self, name: &str) -> &mut (String, Vec<Sample>, usize) {
        let place = self.0.iter().position(|(known, ..)| known == name);
        let place = place.unwrap_or_else(|| {
            self.0.push((name.to_owned(), Vec::new(), 0));
            self.0.len() - 1
        });
        &mut self.0[place]
    }

    /// Their figures, when `least` names or more were given.
    fn figures(&self, least: usize) -> Vec<LabelledGroup> {
        let given = self.0.iter().filter(|(name, ..)| name != NO_NAME).count();
        if given < least {
            return Vec::new();
        }
        self.0
            .iter()
            .map(|(name, samples, failed)| LabelledGroup {
                name: name.clone(),
                figures: Figures::of(samples, *failed),
            })
            .collect()
    }
}

/// All samples so far.
#[derive(Default)]
pub(super) struct Tally {
    all: Vec<Sample>,
    failed: usize,
    groups: Named,
    cameras: Named,
}

impl Tally {
    /// Counts a picture; none is one that failed.
    pub(super) fn add(
        &mut self,
        group: Option<&str>,
        camera: Option<&str>,
        sample: Option<Sample>,
    ) {
        for (names, name) in [(&mut self.groups, group), (&mut self.cameras, camera)] {
            match (sample, name) {
                (Some(sample), name) => names.of(name.unwrap_or(NO_NAME)).1.push(sample),
                (None, Some(name)) => names.of(name).2 += 1,
                // Its group is not known.
                (None, None) => {}
            }
        }
        match sample {
            Some(sample) => self.all.push(sample),
            None => self.failed += 1,
        }
    }

    /// The figures of all, of each group, and of each camera where there are several.
    pub(super) fn parts(&self) -> (Figures, Vec<LabelledGroup>, Vec<LabelledGroup>) {
        (Figures::of(&self.all, self.failed), self.groups.figures(1), self.cameras.figures(2))
    }
}

/// The figures of a group or a camera.
#[derive(Serialize)]
pub(super) struct LabelledGroup {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// Everything that was found out.
#[derive(Serialize)]
pub(super) struct EvaluationReport {
    pub(super) model: String,
    pub(super) engine: String,
    pub(super) labels: String,
    /// Whose region of interest was judged; none: whole pictures.
    pub(super) station: Option<String>,
    pub(super) all: Figures,
    pub(super) groups: Vec<LabelledGroup>,
    pub(super) cameras: Vec<LabelledGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against: Option<Agreement>,
}

impl EvaluationReport {
    /// One line of JSON; numbers have six decimals at most.
    pub(super) fn json(&self) -> String {
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Short);
        // Strings and numbers always have a JSON form.
        let _ = self.serialize(&mut serializer);
        String::from_utf8(bytes).unwrap_or_default()
    }
}

struct Short;

impl Formatter for Short {
    fn write_f64<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        value: f64,
    ) -> std::io::Result<()> {
        CompactFormatter.write_f64(writer, (value * 1e6).round() / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::okta::Okta;

    fn sample(read: u8) -> Option<Sample> {
        Some(Sample {
            okta_true: Okta::ALL[2],
            okta_read: Okta::new(read),
            fraction_true: Some(0.25),
            fraction_read: Some(1.0 / 3.0),
            confidence: Some(0.5),
            pixel_accuracy: None,
        })
    }

    #[test]
    fn groups_keep_their_order_and_a_failure_its_group() {
        let mut tally = Tally::default();
        tally.add(Some("night"), Some("one"), sample(2));
        tally.add(Some("day"), Some("one"), sample(3));
        tally.add(None, Some("one"), sample(3));
        tally.add(Some("night"), None, None);
        tally.add(None, None, None);
        let (all, groups, cameras) = tally.parts();
        assert_eq!((all.n, all.failed), (3, 2));
        let told: Vec<_> = groups
            .iter()
            .map(|part| (part.name.as_str(), part.figures.n, part.figures.failed))
            .collect();
        assert_eq!(told, [("night", 1, 1), ("day", 1, 0), ("-", 1, 0)]);
        assert!(cameras.is_empty(), "one camera is no several");
        let report = EvaluationReport {
            model: "m".to_owned(),
            engine: "e".to_owned(),
            labels: "l".to_owned(),
            station: None,
            all,
            groups,
            cameras,
            against: None,
        };
        let json = report.json();
        assert!(json.contains("\"value\":0.083333,"), "{json}");
        let object: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(object["groups"][1]["confusion"][2][3], 1);
    }

    #[test]
    fn without_names_there_are_no_parts() {
        let mut tally = Tally::default();
        tally.add(None, None, sample(2));
        let (all, groups, cameras) = tally.parts();
        assert_eq!((all.n, groups.len(), cameras.len()), (1, 0, 0));
    }
}
