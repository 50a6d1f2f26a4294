use super::*;

#[test]
fn frozen_is_put_in_and_taken_out() {
    for (without, with) in [
        ("ok", "frozen"),
        ("night", "night,frozen"),
        ("dark,low_confidence", "dark,frozen,low_confidence"),
        ("twilight,later_flag", "twilight,frozen,later_flag"),
    ] {
        for text in [without, with] {
            assert_eq!(with_frozen(text, true), with);
            assert_eq!(with_frozen(text, false), without);
        }
    }
}

#[test]
fn the_flag_of_a_low_confidence_follows_the_confidence() {
    for (text, confidence, after) in [
        ("ok", 0.49, "low_confidence"),
        ("night,low_confidence", 0.5, "night"),
        ("frozen,low_confidence", 0.2, "frozen,low_confidence"),
        ("night,frozen", 0.9, "night,frozen"),
    ] {
        assert_eq!(with_confidence(text, confidence), after);
    }
}
