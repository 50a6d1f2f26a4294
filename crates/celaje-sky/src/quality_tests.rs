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
        ("ok", 0.29, "low_confidence"),
        ("low_confidence", 0.3, "ok"),
        ("twilight", 0.49, "twilight,low_confidence"),
        ("night", 0.49, "night,low_confidence"),
        ("night,low_confidence", 0.5, "night"),
        ("frozen,low_confidence", 0.2, "frozen,low_confidence"),
        ("night,frozen", 0.9, "night,frozen"),
    ] {
        assert_eq!(with_confidence(text, confidence), after);
    }
}

#[test]
fn what_is_low_by_night_may_do_by_day() {
    for (phase, least) in [
        (Some(DayPhase::Day), LOW_CONFIDENCE_BY_DAY),
        (Some(DayPhase::Twilight), LOW_CONFIDENCE),
        (Some(DayPhase::Night), LOW_CONFIDENCE),
        (None, LOW_CONFIDENCE),
    ] {
        assert!(is_low(least - 1e-9, phase) && !is_low(least, phase), "{phase:?}");
    }
    // The chance of an amount that a picture says nothing of.
    assert!(crate::confidence::PRIOR.iter().all(|p| is_low(*p, Some(DayPhase::Day))));
}
