//! A line of block characters for the terminal.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What stands where there is no reading.
pub const GAP: char = '·';

/// The okta readings `values` (0 to 8, in order of time; none where there is a gap) in `width`
/// characters.
///
/// Each character is the mean of the readings that fall into it: `▁` is 0, so that a clear sky is
/// a mark, `█` is 8; `·` stands where there is no reading at all. Fewer values than characters are
/// repeated. Values beyond 0 to 8 are clamped; what is no number is a gap.
///
/// ```
/// use celaje::chart::spark;
/// assert_eq!(spark::line(&[Some(0.0), None, Some(4.0), Some(8.0)], 4), "▁·▅█");
/// ```
pub fn line(values: &[Option<f64>], width: usize) -> String {
    (0..width)
        .map(|column| {
            let from = column * values.len() / width;
            let to = ((column + 1) * values.len() / width)
                .max(from + 1)
                .min(values.len());
            values.get(from..to).and_then(mean).map_or(GAP, block)
        })
        .collect()
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let present: Vec<f64> = values
        .iter()
        .flatten()
        .copied()
        .filter(|v| v.is_finite())
        .collect();
    let share = 1.0 / present.len() as f64;
    (!present.is_empty()).then(|| present.iter().map(|v| v.clamp(0.0, 8.0) * share).sum())
}

fn block(okta: f64) -> char {
    let step = (okta / 8.0 * 7.0).round() as usize;
    BLOCKS[step.min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_is_a_mark_and_a_gap_is_none() {
        assert_eq!(
            line(&[Some(0.0), None, Some(1.0), Some(7.0), Some(8.0)], 5),
            "▁·▂▇█"
        );
        assert_eq!(line(&[Some(f64::NAN), Some(-4.0), Some(99.0)], 3), "·▁█");
    }

    #[test]
    fn no_values_and_no_width() {
        assert_eq!(line(&[], 3), "···");
        assert_eq!(line(&[Some(3.0)], 0), "");
    }

    #[test]
    fn a_day_in_half_its_columns_is_averaged_in_pairs() {
        let day: Vec<_> = (0..144)
            .map(|i| Some(if i % 2 == 0 { 8.0 } else { 0.0 }))
            .collect();
        assert_eq!(line(&day, 72), "▅".repeat(72));
    }

    fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
        prop::collection::vec(prop::option::of(0.0..=8.0f64), 1..400)
    }

    proptest! {
        #[test]
        fn it_is_as_wide_as_asked(values in values(), width in 0usize..200) {
            prop_assert_eq!(line(&values, width).chars().count(), width);
        }

        #[test]
        fn a_lone_reading_is_always_seen(len in 1usize..400, at in 0usize..400, width in 1usize..200) {
            let mut values = vec![None; len];
            values[at % len] = Some(0.0);
            // With fewer columns than values each value falls into one; with more, into several.
            prop_assert!(line(&values, width).contains('▁'));
        }

        #[test]
        fn a_character_lies_between_its_readings(values in values(), width in 1usize..200) {
            let level = |c: char| BLOCKS.iter().position(|b| *b == c);
            for (column, c) in line(&values, width).chars().enumerate() {
                let from = column * values.len() / width;
                let to = ((column + 1) * values.len() / width).max(from + 1);
                let readings: Vec<f64> = values[from..to].iter().flatten().copied().collect();
                match level(c) {
                    None => prop_assert!(c == GAP && readings.is_empty()),
                    Some(level) => {
                        let low = readings.iter().copied().fold(f64::MAX, f64::min);
                        let high = readings.iter().copied().fold(f64::MIN, f64::max);
                        let shown = level as f64 * 8.0 / 7.0;
                        prop_assert!(low - 0.58 <= shown && shown <= high + 0.58);
                    }
                }
            }
        }
    }
}
