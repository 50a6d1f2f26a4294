use super::*;
use proptest::prelude::*;

fn at(text: &str) -> NaiveDateTime {
    Moment::parse(text).unwrap().first()
}

#[test]
fn a_query_says_what_it_wants() {
    let query = observations(
        "from=2024-01-31&to=2024-02-01T08%3A02&by=hour&quality=ok,frozen&phase=night&limit=7",
    )
    .unwrap();
    assert_eq!(query.range.from, Some(at("2024-01-31")));
    assert_eq!(query.range.to, Some(at("2024-02-01T08:02")));
    assert_eq!(query.by, By::Sum(Width::Hour));
    assert_eq!(query.quality, [QualityFilter::Faultless, QualityFilter::With(Flag::Frozen)]);
    assert_eq!((query.phase, query.limit), (Some(DayPhase::Night), 7));
    let open = observations("").unwrap();
    assert_eq!(
        (open.range, open.by, open.limit, open.after),
        (Range::default(), By::Raw, MOST_ROWS, None)
    );
}

#[test]
fn a_bad_query_names_its_parameter() {
    for (query, parameter) in [
        ("from=ayer", "from"),
        ("from=10000-01-01", "from"),
        ("from=-001-01-01", "from"),
        ("from=2024-01-02&to=2024-01-01", "to"),
        ("by=week", "by"),
        ("quality=fine", "quality"),
        ("quality=ok,,frozen", "quality"),
        ("phase=noon", "phase"),
        ("limit=0", "limit"),
        ("limit=100001", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e3", "limit"),
        ("cursor=x", "cursor"),
        ("station=x", "station"),
        ("limit=1&limit=2", "limit"),
        ("%00=1", "\u{fffd}"),
    ] {
        let bad = observations(query).unwrap_err();
        assert_eq!(bad.parameter, parameter, "{query}");
        assert_ne!(bad.reason.en, bad.reason.es, "{query}");
    }
    assert_eq!(misses("reason=rain").unwrap_err().parameter, "reason");
    assert_eq!(runs("cursor=0").unwrap_err().parameter, "cursor");
    assert_eq!(nothing("a").unwrap_err().parameter, "a");
}

#[test]
fn pictures_leave_alone_what_keeps_caches_off() {
    for query in ["", "t=1704110400", "_=1&_=2", "ts=1&t=", "1704110400", "0.42371"] {
        assert_eq!(picture(query), Ok(()), "{query}");
    }
    let known = Parameters::read_picture("from=2024-01-01&t=5&to=2024-01-02", CLIMATOLOGY).unwrap();
    assert_eq!((known.get("from"), known.get("t")), (Some("2024-01-01"), None));
    for (query, parameter) in [("x=1", "x"), ("7=1", "7"), ("t=1&width=2", "width")] {
        assert_eq!(picture(query).unwrap_err().parameter, parameter, "{query}");
    }
    // Where nothing is a picture all that is unknown is said.
    assert_eq!(nothing("t=1").unwrap_err().parameter, "t");
}

#[test]
fn pages_go_on_behind_the_last_item() {
    let from = at("2024-01-01");
    assert_eq!(resumed(from, None), from);
    assert_eq!(resumed(from, Some(at("2023-01-01"))), from);
    let raw = observations("cursor=2024-01-01T08:02").unwrap();
    assert_eq!(resumed(from, raw.after), at("2024-01-01T08:03"));
    let hour = observations("by=hour&cursor=2024-01-01T08:00").unwrap();
    assert_eq!(resumed(from, hour.after), at("2024-01-01T09:00"));
    let day = observations("by=day&cursor=2024-01-01T00:00").unwrap();
    assert_eq!(resumed(from, day.after), at("2024-01-02"));
}

fn text() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "from", "to", "by", "quality", "phase", "limit", "cursor", "reason", "x", "",
    ]);
    let value = prop_oneof![
        any::<String>(),
        "[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}(T[0-9]{1,2}:[0-9]{1,2})?",
        prop::sample::select(vec!["ok", "day", "raw", "hour", "night", "%ff", "%", "9999-12-31"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec((name, value), 0..6).prop_map(|pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        pairs.join("&")
    })
}

proptest! {
    #[test]
    fn no_query_panics(query in prop_oneof![any::<String>(), text()]) {
        let outcomes = [
            observations(&query).map(|query| {
                let (from, to) = query.range.closed();
                assert!(from <= to);
                assert!(resumed(from, query.after) >= from);
                assert!((1..=MOST_ROWS).contains(&query.limit));
            }),
            misses(&query).map(drop),
            runs(&query).map(drop),
            climatology(&query).map(drop),
            nothing(&query),
            picture(&query),
        ];
        for bad in outcomes.into_iter().filter_map(Result::err) {
            prop_assert!(!bad.reason.en.is_empty() && !bad.reason.es.is_empty());
            prop_assert!(bad.parameter.chars().count() <= 81);
        }
    }
}
