use super::preset::{COMMON, Preset, SourceKind};
use super::*;
use chrono::{NaiveDate, Timelike};
use proptest::prelude::*;

/// Naming schemes of known programs and cameras: a template, one of its names, and the moment
/// of that.
const SCHEMES: &[(&str, &str, &str)] = &[
    ("%Y/%Y-%m%d%H%M.jpg", "2024/2024-01010902.jpg", "2024-01-01T09:02:00"),
    ("%Y-%m%d%H%M.jpg", "2024-01010902.jpg", "2024-01-01T09:02:00"),
    (
        "{night:%Y%m%d}/image-%Y%m%d%H%M%S.jpg",
        "20240101/image-20240102031510.jpg",
        "2024-01-02T03:15:10",
    ),
    (
        "ccd_*/exposures/{night:%Y%m%d}/{phase}/%d_%H/ccd*_%Y%m%d_%H%M%S.jpg",
        "ccd_3f1-a/exposures/20240101/night/02_03/ccd1_20240102_031510.jpg",
        "2024-01-02T03:15:10",
    ),
    (
        "{night:%Y%m%d}/{phase}/%H/image_ccd*_%Y%m%d_%H%M%S.jpg",
        "20240101/night/03/image_ccd1_20240102_031510.jpg",
        "2024-01-02T03:15:10",
    ),
    (
        "*.%Y%m%d.%H%M%S.jpg*",
        "sgptsiskyimageC1.a1.20160414.162830.jpg.20160414162830.jpg",
        "2016-04-14T16:28:30",
    ),
    ("%Y/%m/%d/*_%Y%m%d%H%M%S.jpg", "2024/01/01/Cam_00_20240101031510.jpg", "2024-01-01T03:15:10"),
    ("*_%Y%m%d%H%M%S.jpg", "prefix_20050107175903.jpg", "2005-01-07T17:59:03"),
    (
        "Img_%Y-%m-%d/Snap_%H%M%S_*.jpg",
        "Img_2010-08-10/Snap_103130_021_1.jpg",
        "2010-08-10T10:31:30",
    ),
    (
        "*/%Y-%m-%d/%H/*_%Y-%m-%d-%H-%M-%S-*.jpg",
        "cam/2021-01-09/14/TYPE_2021-01-09-14-10-05-123_001.jpg",
        "2021-01-09T14:10:05",
    ),
    ("sky_%Y%m%d_%H%M.jpg", "sky_20100101_0900.jpg", "2010-01-01T09:00:00"),
    (
        "AllSkEye%Y%m%d/*%Y%m%d*%H%M%S*.jpg",
        "AllSkEye20240101/img_20240101_031510_x.jpg",
        "2024-01-01T03:15:10",
    ),
    (
        "CapturedFiles/*_%Y%m%d_*/FF_*_%Y%m%d_%H%M%S_*_*.fits",
        "CapturedFiles/AR0001_20240101_223355_123456/FF_AR0001_20240101_223412_000_0.fits",
        "2024-01-01T22:34:12",
    ),
    (
        "%Y/%Y%m/%Y%m%d/M%Y%m%d_%H%M%S_*P.jpg",
        "2024/202401/20240101/M20240101_031510_Station_P.jpg",
        "2024-01-01T03:15:10",
    ),
    ("%y%j/%H%M%S.%f.jpg", "24001/031510.250.jpg", "2024-01-01T03:15:10.250"),
];

fn template(text: &str) -> NameTemplate {
    text.parse().unwrap_or_else(|BadTemplate(why)| panic!("{}", why.en))
}

fn time(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap()
}

#[test]
fn the_names_of_known_programs_are_read() {
    for (text, name, moment) in SCHEMES {
        let read = template(text).read(name);
        assert_eq!(read, Some(NamedTime::Clock(time(moment))), "{text}: {name}");
    }
    let unix = template("snap-%s.jpg").read("snap-1704078910.jpg");
    assert_eq!(unix, Some(NamedTime::Unix(time("2024-01-01T03:15:10").and_utc())));
}

#[test]
fn other_names_are_not() {
    let allsky = template("{night:%Y%m%d}/image-%Y%m%d%H%M%S.jpg");
    for name in [
        "20240101/thumbnails/image-20240102031510.jpg",
        "20240101/keogram/keogram-20240101.jpg",
        "20240102/image-20240101031510.jpg",
        "20240101/image-20240103031510.jpg",
        "20240101/image-20240102251510.jpg",
        "20240101/image-20240230031510.jpg",
        "20240101/image-20240102031510.jpg.part",
        "20240101/xmage-20240102031510.jpg",
        "image-20240102031510.jpg",
        "20240101",
        "",
        "20240101/imágen-20240102031510.jpg",
    ] {
        assert_eq!(allsky.read(name), None, "{name}");
    }
    // By night the date of the evening, by day the day's own.
    assert!(allsky.read("20240102/image-20240102101510.jpg").is_some());
    let hours = template("{night:%Y%m%d}/{phase}/%d_%H/c_%Y%m%d_%H%M%S.jpg");
    assert!(hours.read("20240101/night/02_03/c_20240102_031510.jpg").is_some());
    assert_eq!(hours.read("20240101/night/02_04/c_20240102_031510.jpg"), None);
    assert_eq!(hours.read("20240101/dusk/02_03/c_20240102_031510.jpg"), None);
}

#[test]
fn a_template_that_cannot_be_read_back_is_refused() {
    for (text, what) in [
        ("", "1 to 512"),
        ("%Y%m%d.jpg", "which moment"),
        ("%H%M%S.jpg", "which moment"),
        ("{night:%Y%m%d}/%H%M%S.jpg", "which moment"),
        ("latest.jpg", "which moment"),
        ("/%Y%m%d%H%M.jpg", "part ''"),
        ("a//%Y%m%d%H%M.jpg", "part ''"),
        ("../%Y%m%d%H%M.jpg", "part '..'"),
        ("%Y%m%d%H%M%Q.jpg", "'%Q'"),
        ("%Y%m%d%H%M.jpg%", "'%'"),
        ("{night:%Y%m%d/%Y%m%d%H%M.jpg", "'{night:'"),
        ("{night:%H}/%Y%m%d%H%M.jpg", "'%H'"),
        ("{moon}/%Y%m%d%H%M.jpg", "'{'"),
        ("{phase}}/%Y%m%d%H%M.jpg", "'}'"),
    ] {
        let BadTemplate(why) = text.parse::<NameTemplate>().unwrap_err();
        assert!(why.en.contains(what), "{text}: {}", why.en);
        assert!(why.es.contains("plantilla"), "{}", why.es);
    }
    assert_eq!(template("100%%/%Y%m%d%H%M.jpg").fixed_part(0), Some("100%"));
}

#[test]
fn an_exact_template_gives_the_names_of_a_moment() {
    let year = template("%Y/%Y-%m%d%H%M.jpg");
    assert_eq!(year.paths(time("2024-01-01T09:02:00"), false), ["2024/2024-01010902.jpg"]);
    let night = template("{night:%Y%m%d}/{phase}/%Y%m%d%H%M.jpg");
    let early = time("2024-01-01T05:02:00");
    let names = ["20231231/night/202401010502.jpg", "20240101/day/202401010502.jpg"];
    assert_eq!(night.paths(early, true), names);
    assert_eq!(night.paths(early, false), [names[1], names[0]]);
    let plain = template("{night:%Y%m%d}/%Y%m%d%H%M.jpg");
    assert_eq!(plain.paths(time("2024-01-01T12:02:00"), true), ["20240101/202401011202.jpg"]);
    assert_eq!(template("*%Y%m%d%H%M.jpg").paths(early, true), [""; 0]);
}

#[test]
fn a_name_made_to_be_slow_is_given_up() {
    let slow = template("*a*a*a*a*a*a*%Y%m%d%H%M.jpg");
    assert_eq!(slow.read(&"a".repeat(200)), None);
}

#[test]
fn presets_are_templates_of_their_programs() {
    for preset in Preset::ALL.iter().filter(|preset| preset.kind != SourceKind::Latest) {
        let scheme = template(preset.path);
        assert!(!scheme.is_exact() && scheme.has_seconds(), "{}", preset.name);
        assert_eq!(Preset::named(preset.name), Some(preset));
        let known = SCHEMES.iter().filter(|(_, name, _)| scheme.read(name).is_some());
        assert!(known.count() >= 1, "{}", preset.name);
    }
    assert_eq!(Preset::named("nikon"), None);
    assert!(COMMON.iter().all(|path| template(path).depth() > 0));
}

fn moments() -> impl Strategy<Value = NaiveDateTime> {
    (0i64..7_258_118_400, 0u32..1000).prop_map(|(seconds, millis)| {
        let start = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        (start + TimeDelta::seconds(seconds)).with_nanosecond(millis * 1_000_000).unwrap()
    })
}

proptest! {
    /// What a template makes of a moment, it reads back, whatever stands for its `*`; and each of
    /// its folders is one that a search around that moment looks into.
    #[test]
    fn names_read_back(
        moment in moments(),
        by_night in any::<bool>(),
        fill in "[a-zA-Z_.é-]{1,12}",
        (before, after) in (0i64..90_000, 0i64..90_000),
    ) {
        for (text, _, _) in SCHEMES {
            let scheme = template(text);
            if text.contains("%y") && moment.date() < NaiveDate::from_ymd_opt(2000, 1, 1).unwrap()
                || moment.date() >= NaiveDate::from_ymd_opt(2100, 1, 1).unwrap()
            {
                continue;
            }
            let seconds = if scheme.has_seconds() { moment.second() } else { 0 };
            let named = moment.with_second(seconds).and_then(|t| t.with_nanosecond(0)).unwrap();
            let path = scheme.render(named, by_night, &fill);
            prop_assert_eq!(scheme.read(&path), Some(NamedTime::Clock(named)), "{}", path);
            for exact in scheme.paths(named, by_night) {
                prop_assert_eq!(scheme.read(&exact), Some(NamedTime::Clock(named)), "{}", exact);
            }
            let (from, to) =
                (named - TimeDelta::seconds(before), named + TimeDelta::seconds(after));
            let mut fields = NameFields::default();
            for (depth, name) in path.split('/').enumerate() {
                fields = scheme.read_part(depth, name, &fields).unwrap();
                prop_assert!(fields.may_lie_within(from, to), "{name} of {path}");
            }
            // What is over is not looked into.
            let late = to + TimeDelta::days(3);
            prop_assert!(!fields.may_lie_within(late, late + TimeDelta::days(7)));
        }
    }

    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,40}", name in "\\PC{0,60}") {
        if let Ok(scheme) = text.parse::<NameTemplate>() {
            let _ = scheme.read(&name);
            prop_assert_eq!(scheme.to_string(), text);
        }
        let _ = template("*%Y%m%d*%H%M%S*.jpg").read(&name);
    }
}
