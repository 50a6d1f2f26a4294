use super::*;
use crate::settings::tests::one_sentence;
use celaje_sky::safety::SkyPart;
use celaje_sky::station::{PictureNames, PicturePlace};
use celaje_sky::text::Text;

const STATION: &str = "[station]\nid = 'cerro'\nlatitude = -30.0\nlongitude = -70.0\n\
    time_zone = '-03:00'\nurl_base = 'http://host/'\n";

fn parse(text: &str) -> Result<(Layer, Vec<Station>), Text> {
    FileSettings::parse(text, Path::new("conf")).map(FileSettings::into_parts)
}

/// That the text is refused with a sentence that has all these parts.
fn refused(text: &str, parts: &[&str]) {
    let Err(why) = parse(text) else { panic!("taken: {text}") };
    one_sentence(&why);
    for part in parts {
        assert!(why.en.contains(part), "no '{part}' in: {}", why.en);
    }
}

#[test]
fn a_station_may_name_its_certificates() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls"));
    let trust = |keys: &str| {
        let settings = FileSettings::parse(&format!("{STATION}{keys}"), folder)?;
        Ok::<_, Text>(settings.into_parts().1.remove(0).trust)
    };
    assert_eq!(trust("").unwrap(), Trust::default());
    let named = trust("ca_file = \"camera.pem\"").unwrap();
    assert_eq!((named.certificates.len(), named.anything), (1, false));
    assert!(trust("insecure = true").unwrap().anything);
    for (file, why) in [("camera.key", "no certificate"), ("none.pem", "none.pem")] {
        let text = trust(&format!("ca_file = \"{file}\"")).unwrap_err();
        assert!(text.en.contains(why) && text.en.contains(": ca_file: '"), "{text:?}");
        one_sentence(&text);
    }
}

#[test]
fn one_station_with_its_defaults() {
    let (_, stations) = parse(STATION).unwrap();
    let [station] = &stations[..] else { panic!() };
    assert_eq!((&*station.id, &*station.name), ("cerro", "cerro"));
    assert_eq!((station.latitude, station.longitude), (-30.0, -70.0));
    assert_eq!(station.zone, "-03:00".parse().unwrap());
    assert_eq!(station.layout, LayoutChoice::Auto);
    assert_eq!(station.minutes, SlotGrid::default());
    assert_eq!(station.region, Region::whole());
}

#[test]
fn every_key_of_a_station() {
    let text = format!(
        "{STATION}name = 'Cerro Alto'\nlayout = 'year'\nvalid_minutes = [30, 0]\n\
         [station.region]\ntop = 0.1\nbottom = 0.2\nleft = 0.3\nright = 0.4\n"
    );
    let (_, stations) = parse(&text).unwrap();
    let station = &stations[0];
    assert_eq!(station.name, "Cerro Alto");
    assert_eq!(station.layout, LayoutChoice::Year);
    assert_eq!(station.minutes.as_slice(), [0, 30]);
    let margins = Margins { top: 0.1, bottom: 0.2, left: 0.3, right: 0.4 };
    assert_eq!(station.region, Region::with_margins(margins));
}

#[test]
fn several_stations_keep_their_order() {
    let many = |ids: &[&str]| {
        let one = |id: &&str| STATION.replace("[station]", "[[station]]").replace("cerro", id);
        ids.iter().map(one).collect::<String>()
    };
    let (_, stations) = parse(&many(&["b", "a", "c"])).unwrap();
    let ids: Vec<&str> = stations.iter().map(|station| &*station.id).collect();
    assert_eq!(ids, ["b", "a", "c"]);
    refused(&many(&["a", "b", "a"]), &["two stations", "'a'"]);
    // The line is that of the station that is wrong.
    let spoilt = many(&["a", "b"]).replace("id = 'b'", "di = 'b'");
    refused(&spoilt, &["line 8", "di"]);
}

#[test]
fn no_station_and_no_key_will_do() {
    for text in ["", "# nothing\n", "station = []"] {
        let (layer, stations) = parse(text).unwrap();
        assert!(stations.is_empty() && layer.db.is_none());
    }
}

#[test]
fn paths_start_from_the_files_folder() {
    let (layer, _) = parse("db = 'a.db'\nmodel = '../m.onnx'\nort_lib = '/lib/o.so'").unwrap();
    assert_eq!(layer.db, Some("conf/a.db".into()));
    assert_eq!(layer.model, Some("conf/../m.onnx".into()));
    assert_eq!(layer.ort_lib, Some("/lib/o.so".into()));
    let (layer, _) = parse("model = 'celaje-4-fp32'").unwrap();
    assert_eq!(layer.model, Some("celaje-4-fp32".into()));
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    refused("db = 'a'\nthread = 3", &["line 2", "thread"]);
    // Where no key stands, none is named.
    refused("[station\nthreads = 3", &["line 1: "]);
    refused(&format!("{STATION}lat = 3.0"), &["line 7", "lat"]);
    let region = format!("{STATION}[station.region]\ntopp = 0.1");
    refused(&region, &["line 8", "topp"]);
    // What is not of a station stands above it.
    refused(&format!("{STATION}db = 'a.db'"), &["line 7", "db"]);
}

#[test]
fn a_template_with_an_unknown_placeholder_is_refused() {
    let sender = |more: &str| format!("[[sender]]\nid = 'hook'\nkind = 'webhook'\n{more}");
    for (more, named) in [
        ("url = 'http://a/?t={titel}'", "'{titel}' in url"),
        ("url = 'http://a/'\nbody = '{\"t\": \"{title}\", \"b\": {bogus}}'", "'{bogus}' in body"),
        ("url = 'http://a/'\nbody = '{{ Title }}'", "'{ Title }' in body"),
        ("url = 'http://a/'\nheaders = { X-Sky = '{sky}' }", "'{sky}' in headers.X-Sky"),
    ] {
        refused(&sender(more), &["'hook'", named, "write one of {title}, {text}", "{token}"]);
    }
    for more in [
        "url = 'http://a/?t={title}&n={okta}'\nheaders = { X-Sky = '{token}' }",
        "url = 'http://a/'\nbody = '{\"t\": {\"x\": [1, {}]}, \"b\":{\"c\":\"{text} {a b}\"}}'",
    ] {
        assert!(parse(&sender(more)).is_ok(), "{more}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_named_with_their_line() {
    for (text, parts) in [
        ("threads = 'two'", ["line 1", "threads"]),
        ("\nthreads = -1", ["line 2", "threads"]),
        ("batch = 1.5", ["line 1", "batch"]),
        ("engine = 'torch'", ["line 1", "torch"]),
        ("device = 'tpu'", ["line 1", "tpu"]),
        ("timeout = 'long'", ["line 1", "timeout"]),
        ("db = 3", ["line 1", "db"]),
        ("db = ", ["line 1", "db"]),
        ("station = 3", ["line 1", "station"]),
    ] {
        refused(text, &parts);
    }
}

#[test]
fn values_of_a_station_out_of_range() {
    for (from, to, parts) in [
        ("'cerro'", "''", &["station id ''", "64"][..]),
        ("'cerro'", "'a b'", &["'a b'"]),
        ("'cerro'", "'señal'", &["'señal'"]),
        ("-30.0", "-90.5", &["cerro", "-90.5"]),
        ("-30.0", "nan", &["cerro", "NaN"]),
        ("-70.0", "361.0", &["cerro", "361"]),
        ("-70.0", "-181.0", &["cerro", "-181"]),
        ("'-03:00'", "'Atlantis/Sea'", &["cerro", "'Atlantis/Sea'", "IANA"]),
        ("latitude = -30.0\n", "", &["latitude"]),
        ("'http://host/'", "3", &["line 6", "url_base"]),
    ] {
        assert!(STATION.contains(from), "{from}");
        refused(&STATION.replace(from, to), parts);
    }
    for (line, parts) in [
        ("layout = 'tree'", ["line 7", "tree"]),
        ("valid_minutes = []", ["line 7", "0 to 59"]),
        ("valid_minutes = [60]", ["line 7", "[60]"]),
        ("valid_minutes = [-1]", ["line 7", "-1"]),
    ] {
        refused(&format!("{STATION}{line}"), &parts);
    }
}

#[test]
fn a_long_id_is_refused_and_the_longest_is_taken() {
    let with = |n: usize| STATION.replace("cerro", &"a".repeat(n));
    assert!(parse(&with(64)).is_ok());
    refused(&with(65), &["64"]);
}

#[test]
fn margins_leave_a_tenth() {
    let region = |lines: &str| format!("{STATION}[station.region]\n{lines}\n");
    for lines in [
        "top = -0.1",
        "bottom = 1.0",
        "left = nan",
        "right = 1e300",
        "top = 0.5\nbottom = 0.5",
        "left = 0.9\nright = 0.05",
    ] {
        refused(&region(lines), &["cerro", "margins", "tenth"]);
    }
    refused(&region("bottom = 1.5"), &["bottom 1.5"]);
    assert!(parse(&region("top = 0.4\nbottom = 0.5\nleft = 0.0\nright = 0.9")).is_ok());
}

#[test]
fn a_mask_is_read_from_the_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{STATION}[station.region]\nmask = 'mask.png'\n");
    let parse = || FileSettings::parse(&text, folder.path());
    let path = folder.path().join("mask.png");
    let why = parse().unwrap_err();
    one_sentence(&why);
    assert!(why.en.contains("mask.png"), "{why}");
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(&[255; 12], 2, 2, image::ExtendedColorType::Rgb8)
        .unwrap();
    for (bytes, part) in
        [(&b"no picture"[..], "mask.png"), (b"", "mask.png"), (&jpeg, "it is no PNG")]
    {
        std::fs::write(&path, bytes).unwrap();
        let why = parse().unwrap_err();
        one_sentence(&why);
        assert!(why.en.contains(part), "{why}");
    }
    image::GrayImage::new(4, 2).save(&path).unwrap();
    let why = parse().unwrap_err();
    one_sentence(&why);
    assert!(why.en.contains("black or transparent"), "{why}");
    // Lighter than middle grey is inside: the right half.
    image::GrayImage::from_fn(4, 2, |x, _| image::Luma([if x < 2 { 127 } else { 128 }]))
        .save(&path)
        .unwrap();
    let (_, stations) = parse().unwrap().into_parts();
    let mask = stations[0].region.mask.clone().unwrap();
    assert!(!mask.contains(0.49, 0.5) && mask.contains(0.51, 0.5));
    // Transparent is outside, however light the colour beneath: the left half.
    image::RgbaImage::from_fn(4, 2, |x, _| {
        image::Rgba([255, 255, 255, if x < 2 { 0 } else { 255 }])
    })
    .save(&path)
    .unwrap();
    let (_, stations) = parse().unwrap().into_parts();
    let mask = stations[0].region.mask.clone().unwrap();
    assert!(!mask.contains(0.49, 0.5) && mask.contains(0.51, 0.5));
    image::RgbaImage::from_pixel(4, 2, image::Rgba([255, 255, 255, 0])).save(&path).unwrap();
    assert!(parse().unwrap_err().es.contains("transparente"));
}

#[test]
fn the_example_parses() {
    let text = include_str!("../../celaje.example.toml");
    let (_, stations) = parse(text).unwrap();
    assert_eq!(stations, [Station::rio_grande()]);
}

#[test]
fn a_file_that_is_not_right_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "thread = 3").unwrap();
    let failure = FileSettings::load(Some(&path)).unwrap_err();
    assert_eq!(failure.class.exit_status(), 2);
    one_sentence(&failure.text);
    for part in ["mine.toml", "line 1", "thread"] {
        assert!(failure.text.en.contains(part), "{failure}");
    }
    std::fs::write(&path, b"db = '\xff'").unwrap();
    one_sentence(&FileSettings::load(Some(&path)).unwrap_err().text);
}

/// A station whose pictures are as `lines` say.
fn with_source(lines: &str) -> String {
    format!("{}[station.source]\n{lines}\n", STATION.replace("url_base = 'http://host/'\n", ""))
}

fn source_of(lines: &str) -> Station {
    parse(&with_source(lines)).unwrap_or_else(|e| panic!("{lines}: {e}")).1.remove(0)
}

#[test]
fn sources_are_read() {
    let station = source_of("preset = 'allsky'\ndir = 'images'\nevery = '15s'\ntolerance = '5s'");
    let source = station.source.unwrap();
    assert_eq!(source.place, PicturePlace::Folder(Path::new("conf").join("images")));
    let PictureNames::Tree(names) = source.names else { panic!("a tree") };
    assert_eq!(names.to_string(), "{night:%Y%m%d}/image-%Y%m%d%H%M%S.*");
    assert_eq!(station.minutes.seconds().len(), 240);
    assert_eq!(source.tolerance, chrono::TimeDelta::seconds(5));

    let own =
        source_of("kind = 'template'\nurl = 'http://h/a'\npath = '%Y/%m%d%H%M.jpg'\nclock = 'utc'");
    assert_eq!(own.source.unwrap().clock, celaje_sky::naming::preset::NameClock::Utc);
    assert_eq!((own.minutes.seconds().len(), own.url_base), (6, "http://h/a".to_owned()));

    let address = |lines: &str| match source_of(lines).source.unwrap().place {
        PicturePlace::Address(address) => address,
        place => panic!("{place:?}"),
    };
    assert_eq!(address("preset = 'axis'\nurl = 'http://cam'"), "http://cam/axis-cgi/jpg/image.cgi");
    assert_eq!(address("preset = 'axis'\nurl = 'http://cam/x.jpg'"), "http://cam/x.jpg");
    assert_eq!(
        source_of("kind = 'latest'\ndir = '/tmp'\npath = 'latest.jpg'").source.unwrap().place,
        PicturePlace::Folder("/tmp/latest.jpg".into())
    );
}

#[test]
fn the_password_of_a_camera_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "p@ss/wörd\n").unwrap();
    let address = |lines: &str| {
        let text = with_source(lines);
        let file = FileSettings::parse(&text, folder.path()).unwrap();
        match file.into_parts().1.remove(0).source.unwrap().place {
            PicturePlace::Address(address) => address,
            place => panic!("{place:?}"),
        }
    };
    let auth = "auth = { user = 'me', password_file = 'key' }";
    let axis = address(&format!("preset = 'axis'\nurl = 'http://cam'\n{auth}"));
    assert_eq!(axis, "http://me:p%40ss%2Fw%C3%B6rd@cam/axis-cgi/jpg/image.cgi");
    let reolink = address(&format!("preset = 'reolink'\nurl = 'http://cam'\n{auth}"));
    assert!(reolink.ends_with("cmd=Snap&channel=0&rs=celaje&user=me&password=p%40ss%2Fw%C3%B6rd"));
}

#[test]
fn sources_that_say_too_little_or_too_much_are_refused() {
    for (lines, parts) in [
        ("url = 'http://h/'", &["cerro", "neither kind nor preset"][..]),
        ("preset = 'nikon'\nurl = 'http://h/'", &["'nikon'", "allsky"]),
        ("kind = 'tree'\nurl = 'http://h/'", &["no path"]),
        ("preset = 'allsky'", &["url or dir"]),
        ("preset = 'allsky'\nurl = 'http://h/'\ndir = 'x'", &["url or dir"]),
        ("preset = 'allsky'\nurl = 'secret@host'", &["'…@host'", "no address"]),
        ("preset = 'axis'\nurl = 'ftp://a:b@10.0.0.9/x?c=d'", &["'ftp://…@10.0.0.9/x…'"]),
        ("kind = 'tree'\ndir = 'x'\npath = '%Y%m%d.jpg'", &["cerro", "which moment"]),
        ("kind = 'template'\ndir = 'x'\npath = '*%Y%m%d%H%M.jpg'", &["kind = \"tree\""]),
        ("preset = 'allsky'\ndir = 'x'\nevery = '14s'", &["\"14s\"", "15s to 1h"]),
        ("preset = 'allsky'\ndir = 'x'\nevery = '7m'", &["\"7m\"", "divide"]),
        ("preset = 'allsky'\ndir = 'x'\ntolerance = '0'", &["tolerance"]),
        ("preset = 'allsky'\ndir = 'x'\ntime_from = 'exif'", &["time_from"]),
        (
            "kind = 'template'\nurl = 'http://h/'\npath = 'snap?t=%Y%m%d%H%M'",
            &["'snap?t=%Y%m%d%H%M'", "behind url"],
        ),
        ("preset = 'axis'\nurl = 'http://h'\ntime_from = 'name'", &["says no moment", "fetch"]),
        ("preset = 'axis'\nurl = 'http://h'\nauth = { user = 'a' }", &["password_file"]),
        (
            "preset = 'axis'\nurl = 'http://h'\nauth = { user = 'a', password_file = 'no' }",
            &["/no'", "it is not there; write the camera's password into it, or correct"],
        ),
        (
            "preset = 'axis'\nurl = 'http://h'\nauth = { user = 'a', password_env = 'NO_SUCH' }",
            &["'NO_SUCH'", "is not set; set it, or write password_file"],
        ),
        ("preset = 'axis'\nurl = 'http://h'\npasword = 'a'", &["line 9", "pasword"]),
    ] {
        refused(&with_source(lines), parts);
    }
    let read = |lines: &str| parse(&with_source(lines)).unwrap().1.remove(0);
    let named = read("preset = 'allsky'\ndir = 'x'\ntime_from = 'name'");
    assert!(matches!(named.source.unwrap().names, PictureNames::Tree(_)));
    for (scheme, only_digest) in [("digest", true), ("basic", false)] {
        let login = format!("{{ user = 'a', password_env = 'PATH', scheme = '{scheme}' }}");
        let station = read(&format!("preset = 'axis'\nurl = 'http://h'\nauth = {login}"));
        assert_eq!(station.trust.only_digest, only_digest);
    }
    refused(&STATION.replace("url_base = 'http://host/'\n", ""), &["url_base", "[station.source]"]);
    let both = format!("{STATION}[station.source]\npreset = 'allsky'\ndir = 'x'\n");
    refused(&both, &["both url_base and source"]);
    let twice = with_source("preset = 'allsky'\ndir = 'x'\nevery = '1m'");
    let twice = twice.replace("time_zone", "valid_minutes = [1]\ntime_zone");
    refused(&twice, &["valid_minutes", "every"]);
}

#[test]
fn a_lens_has_its_defaults_and_bounds() {
    let lens = |lines: &str| format!("{STATION}[station.lens]\n{lines}\n");
    let read = |lines: &str| parse(&lens(lines)).unwrap().1.remove(0).region.lens.unwrap();
    assert_eq!(parse(STATION).unwrap().1.remove(0).region.lens, None);
    let usual = read("centre = [0.5, 0.48]\nradius = 0.45");
    assert_eq!(usual, Lens::new([0.5, 0.48], 0.45));
    assert_eq!((usual.edge, usual.limit, usual.zenith), (90.0, 80.0, 60.0));
    let small = read("projection = 'equisolid'\ncentre = [0.5, 0.5]\nradius = 0.4\nedge = 50");
    assert_eq!((small.projection, small.limit, small.zenith), (Projection::Equisolid, 50.0, 50.0));
    let north = read("centre = [0.5, 0.5]\nradius = 0.4\nnorth = -12.5\neast = 'right'");
    assert_eq!((north.north, north.is_flipped, usual.north), (Some(-12.5), true, None));
    for (lines, word) in [
        ("centre = [320, 240]\nradius = 0.4", "centre"),
        ("centre = [0.5, 0.5]\nradius = 0.4\nnorth = 720", "north"),
        ("centre = [0.5, 0.5]\nradius = 0", "radius"),
        ("centre = [0.5, 0.5]\nradius = 0.4\nlimit = 100", "limit"),
        ("centre = [0.5, 0.5]\nradius = 0.4\nlimit = 50\nzenith = 60", "zenith"),
    ] {
        refused(&lens(lines), &["cerro", word]);
    }
    refused(&lens("centre = [0.5]\nradius = 0.4"), &["centre"]);
    refused(&lens("centre = [0.5, 0.5]"), &["radius"]);
    refused(&lens("centre = [0.5, 0.5]\nradius = 0.4\nfocus = 1"), &["focus"]);
}

#[test]
fn zones_are_read_in_their_order() {
    let zone = |name: &str, polygon: &str| {
        format!("[[station.zone]]\nname = '{name}'\npolygon = {polygon}\n")
    };
    let corners = "[[0.1, 0.2], [0.4, 0.2], [0.4, 0.6]]";
    let text = format!("{STATION}{}{}", zone("south", corners), zone("dome", corners));
    let zones = parse(&text).unwrap().1.remove(0).region.zones;
    let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(names, ["south", "dome"]);
    assert_eq!(zones[0].polygon[1], [0.4, 0.2]);
    for (zones, parts) in [
        (zone("two", "[[0.1, 0.2], [0.4, 0.2]]"), &["cerro", "'two'"][..]),
        (zone("px", "[[100, 20], [400, 20], [400, 60]]"), &["'px'"]),
        (zone("dome", corners).repeat(2), &["two zones", "'dome'"]),
        ((0..17).map(|n| zone(&format!("z{n}"), corners)).collect(), &["17", "16"]),
    ] {
        refused(&format!("{STATION}{zones}"), parts);
    }
}

#[test]
fn the_rule_of_safety_follows_the_slots_unless_it_is_written() {
    let of = |more: &str| {
        let head = "[station]\nid = \"a\"\nlatitude = 1.0\nlongitude = 2.0\n\
                    time_zone = \"+01:00\"\nurl_base = \"http://a/\"\nvalid_minutes = [0, 30]\n";
        let parsed = FileSettings::parse(&format!("{head}{more}"), Path::new("/"));
        parsed.map(|file| file.into_parts().1.remove(0).safety)
    };
    assert_eq!(of("").unwrap(), None);
    let usual = of("[station.safety]\n").unwrap().unwrap();
    assert_eq!((usual.safe_after.num_minutes(), usual.stale_after.num_minutes()), (60, 75));
    let own = of("[station.safety]\nsafe_below = 1\nunsafe_above = 3.5\nunsafe_after = \"90s\"\n\
                  when = \"always\"\nmin_confidence = 0\n");
    let own = own.unwrap().unwrap();
    assert_eq!((own.safe_below, own.unsafe_above), (1.0, 3.5));
    assert_eq!(own.unsafe_after.num_seconds(), 90);
    let zone = "[station.safety]\npart = { zone = \"south\" }\n[[station.zone]]\nname = \"south\"\n\
                polygon = [[0.3, 0.6], [0.7, 0.6], [0.7, 0.9]]\n";
    assert_eq!(of(zone).unwrap().unwrap().part, SkyPart::Zone("south".to_owned()));
    let lens =
        "[station.safety]\npart = \"zenith\"\n[station.lens]\ncentre = [0.5, 0.5]\nradius = 0.45\n";
    assert_eq!(of(lens).unwrap().unwrap().part, SkyPart::Zenith);
    for (wrong, named) in [
        ("safe_below = 5", "safe_below (5)"),
        ("unsafe_above = 9", "unsafe_above (9)"),
        ("min_confidence = 50", "min_confidence"),
        ("stale_after = \"30m\"", "stale_after (1800 s)"),
        ("when = \"noon\"", "noon"),
        ("safe_bellow = 1", "safe_bellow"),
        ("safe_after = \"soon\"", "safe_after"),
        ("part = \"zenith\"", "[station.lens]"),
        ("part = { zone = \"south\" }", "'south'"),
        ("part = \"moon\"", "moon"),
    ] {
        let why = of(&format!("[station.safety]\n{wrong}\n")).unwrap_err().en;
        assert!(why.contains(named), "{wrong}: {why}");
    }
}

#[derive(serde::Deserialize)]
struct ValidMinutes {
    #[serde(rename = "valid_minutes")]
    _minutes: celaje_sky::slot::SlotGrid,
}

#[test]
fn no_english_is_left_in_spanish() {
    let told = |text: &str| match toml::from_str::<toml::Table>(text) {
        Err(error) => wording::of_form(error.message()),
        Ok(_) => {
            let refused = match text.starts_with("valid") {
                true => toml::from_str::<ValidMinutes>(text).map(drop),
                false => toml::from_str::<Layer>(text).map(drop),
            };
            wording::of_meaning(refused.unwrap_err().message(), "")
        }
    };
    for (text, es) in [
        ("threads = 'two'", "es un texto, y debe ser un número entero, 0 o más"),
        ("threads = -1", "es -1, y debe ser un número entero, 0 o más"),
        ("batch = 1.5", "es 1.5, y debe ser un número entero, 0 o más"),
        ("timeout = 'long'", "es un texto, y debe ser un número"),
        ("db = 3", "es 3, y debe ser un texto"),
        ("db = [1]", "es una lista, y debe ser un texto"),
        ("engine = 'otn'", "no se conoce 'otn'; escriba uno de auto, onnxruntime, rten"),
        ("thread = 3", "no existe la clave 'thread'; ¿quiso decir 'threads'?"),
        ("valid_minutes = [61]", "deben ser uno o más números de 0 a 59, no [61]"),
        ("db = 'a'\ndb = 'b'", "la clave figura dos veces"),
        ("db", "la clave no tiene valor; escriba clave = valor"),
        ("db = abc", "los textos van entre comillas"),
        ("[station", "falta cerrar la tabla con ]"),
    ] {
        assert_eq!(told(text).es, es, "{text}: {}", told(text).en);
    }
}
