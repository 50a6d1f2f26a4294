//! A line of block characters for the terminal.

use celaje_sky::cover::Cover;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// No reading.
const GAP: char = '·';

/// The pictures do not show the sky.
const HIDDEN: char = '×';

/// `values`, in order of time and with gaps as none, in `width` characters.
///
/// Each character is the mean of the amounts that fall into it, from `▁` (0) to `█` (8). `×` means
/// that all readings are of a hidden sky (9), `·` that there are none. If there are fewer values
/// than characters, values are repeated.
///
/// ```
/// use celaje_chart::spark;
/// use celaje_sky::cover::Cover;
/// let values = [Cover::from_code(0), None, Cover::from_code(4), Cover::from_code(9)];
/// assert_eq!(spark::line(&values, 4), "▁·▅×");
/// ```
pub fn line(values: &[Option<Cover>], width: usize) -> String {
    (0..width)
        .map(|column| {
            let from = column * values.len() / width;
            let to = ((column + 1) * values.len() / width).max(from + 1).min(values.len());
            values.get(from..to).map_or(GAP, character)
        })
        .collect()
}

fn character(values: &[Option<Cover>]) -> char {
    let amounts: Vec<f64> = values
        .iter()
        .filter_map(|value| Some(f64::from(value.as_ref()?.okta()?.eighths())))
        .collect();
    if amounts.is_empty() {
        let hidden = values.iter().any(Option::is_some);
        return if hidden { HIDDEN } else { GAP };
    }
    block(amounts.iter().sum::<f64>() / amounts.len() as f64)
}

fn block(okta: f64) -> char {
    let step = (okta / 8.0 * 7.0).round() as usize;
    BLOCKS[step.min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(codes: &[u8]) -> Vec<Option<Cover>> {
        codes.iter().map(|code| Cover::from_code(*code)).collect()
    }

    #[test]
    fn zero_is_a_block_and_a_gap_a_dot() {
        assert_eq!(line(&of(&[0, 99, 1, 7, 8]), 5), "▁·▂▇█");
    }

    #[test]
    fn a_hidden_sky_is_in_no_mean_and_no_gap() {
        assert_eq!(line(&of(&[9, 99, 9, 9, 9, 8, 99, 99]), 4), "××█·");
    }

    #[test]
    fn no_values_and_no_width() {
        assert_eq!(line(&[], 3), "···");
        assert_eq!(line(&of(&[3]), 0), "");
    }

    #[test]
    fn a_day_in_half_its_columns_is_averaged_in_pairs() {
        let day: Vec<u8> = (0..144).map(|i| if i % 2 == 0 { 8 } else { 0 }).collect();
        assert_eq!(line(&of(&day), 72), "▅".repeat(72));
    }

    fn values() -> impl Strategy<Value = Vec<Option<Cover>>> {
        let value = (0u8..=10).prop_map(Cover::from_code);
        prop::collection::vec(value, 1..400)
    }

    proptest! {
        #[test]
        fn it_is_as_wide_as_asked(values in values(), width in 0usize..200) {
            prop_assert_eq!(line(&values, width).chars().count(), width);
        }

        #[test]
        fn a_lone_reading_always_shows(
            len in 1usize..400,
            at in 0usize..400,
            width in 1usize..200,
        ) {
            let mut values = vec![None; len];
            values[at % len] = Cover::from_code(0);
            // With fewer columns than values each value falls into one; with more, into several.
            prop_assert!(line(&values, width).contains('▁'));
        }

        #[test]
        fn a_character_lies_between_its_readings(values in values(), width in 1usize..200) {
            let level = |c: char| BLOCKS.iter().position(|b| *b == c);
            for (column, c) in line(&values, width).chars().enumerate() {
                let from = column * values.len() / width;
                let to = ((column + 1) * values.len() / width).max(from + 1);
                let known = values[from..to].iter().flatten();
                let readings: Vec<f64> = known
                    .clone()
                    .filter_map(|cover| Some(f64::from(cover.okta()?.eighths())))
                    .collect();
                match level(c) {
                    None => {
                        prop_assert!(readings.is_empty());
                        prop_assert_eq!(c == HIDDEN, known.count() > 0);
                    }
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
