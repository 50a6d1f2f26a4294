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
