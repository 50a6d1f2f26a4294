//! Which layer is stronger, and which station is meant. That flags go before their environment
//! twins is clap's doing; `tests/cli/settings.rs` and `tests/cli/twins.rs` watch it.

use std::time::Duration;

use super::*;
use crate::camera::kept::KeptSize;
use celaje_sky::error::Class;
use celaje_sky::station::LayoutChoice;
use celaje_vision::picture::decode::Limits;

const STATION: &str = "[station]\nid = 'cerro'\nlatitude = -30.0\nlongitude = -70.0\n\
    time_zone = '-03:00'\nurl_base = 'http://file/'\nlayout = 'root'\n";

/// A settings file in a folder of its own.
struct Written(tempfile::TempDir);

impl Written {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("celaje.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn resolve(&self, flags: Layer, variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::resolve(flags, Some(&self.path("celaje.toml")), |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn refused(&self, flags: Layer) -> Failure {
        let failure = self.resolve(flags, &[]).unwrap_err();
        assert_eq!(failure.class, Class::Usage, "{failure}");
        one_sentence(&failure.text);
        failure
    }
}

/// One line in both languages, which says something different in each.
pub(super) fn one_sentence(text: &celaje_sky::text::Text) {
    for said in [&text.en, &text.es] {
        assert!(!said.is_empty() && !said.contains('\n'), "{said}");
        assert!(!said.contains(". "), "{said}");
    }
    assert_ne!(text.en, text.es);
}

fn everything(place: &str, n: usize) -> Layer {
    let base = format!("http://{place}/");
    Layer {
        station: Some("cerro".to_owned()),
        url_base: Some(base),
        ca_file: Some("tests/fixtures/tls/camera.pem".into()),
        insecure: Some(true),
        trust_clock: Some(true),
        layout: Some(LayoutChoice::Year),
        db: Some(format!("{place}.db").into()),
        model: Some(format!("{place}.onnx").into()),
        shadow_model: Some(format!("{place}-next.onnx").into()),
        catch_up: Some(format!("{n}h").parse().unwrap()),
        keep: Some(format!("{n}d").parse().unwrap()),
        keep_mb: Some(n as u64 + 9),
        keep_size: Some(KeptSize::Original),
        keep_dir: Some(format!("{place}-pictures").into()),
        ort_lib: Some(format!("{place}.so").into()),
        engine: Some(EngineChoice::Rten),
        device: Some(Device::Cpu),
        concurrency: Some(n),
        max_concurrency: Some(n + 5),
        max_rps: Some(n as f64 + 6.0),
        batch: Some(n + 1),
        threads: Some(n + 2),
        session_threads: Some(n + 7),
        timeout: Some(n as f64 + 3.0),
        max_bytes: Some(n + 4),
        max_megapixels: Some(n + 8),
        queue: Some(format!("nats://{place}:4222")),
        queue_ca_file: Some(format!("{place}-queue.pem").into()),
        queue_credentials: Some(format!("{place}.creds").into()),
        queue_patience: Some(n as f64 + 10.0),
        mqtt: Default::default(),
        alert: Default::default(),
        sender: Default::default(),
        data: Default::default(),
    }
}

const FILE: &str = "db = 'file.db'\nmodel = 'file.onnx'\nort_lib = 'file.so'\n\
    engine = 'onnxruntime'\ndevice = 'cuda'\nconcurrency = 21\nbatch = 22\nthreads = 23\n\
    max_concurrency = 26\nmax_rps = 27.0\nsession_threads = 28\n\
    timeout = 24.0\nmax_bytes = 25\nmax_megapixels = 29\n";

const VARIABLES: [(&str, &str); 4] = [
    ("IMG_URL_BASE", "http://old/"),
    ("DB_FILE", "old.db"),
    ("OCTAS_MODEL_PATH", "old.onnx"),
    ("ORT_DYLIB_PATH", "old.so"),
];

#[test]
fn flags_are_stronger_than_all_else() {
    let written = Written::new(&format!("{FILE}{STATION}"));
    let settings = written.resolve(everything("flag", 11), &VARIABLES).unwrap();
    assert_eq!(settings.station.url_base, "http://flag/");
    assert_eq!(settings.station.layout, LayoutChoice::Year);
    let trust = &settings.station.trust;
    assert_eq!((trust.certificates.len(), trust.anything), (1, true));
    assert!(settings.trust_clock);
    assert_eq!(settings.db, Path::new("flag.db"));
    assert_eq!(settings.model.as_deref(), Some(Path::new("flag.onnx")));
    let shadow = settings.shadow_model.as_deref();
    assert_eq!(shadow, Some(Path::new("flag-next.onnx")));
    assert_eq!(settings.catch_up.to_string(), "11h");
    let queue = settings.queue.unwrap();
    assert_eq!(queue.to_string(), "nats://flag:4222");
    assert_eq!(queue.ca_file, Some("flag-queue.pem".into()));
    assert_eq!(queue.credentials, Some("flag.creds".into()));
    assert_eq!(queue.patience.as_secs(), 21);
    assert_eq!(settings.ort_lib.as_deref(), Some(Path::new("flag.so")));
    assert_eq!(settings.engine, EngineChoice::Rten);
    assert_eq!(settings.device, Device::Cpu);
    let tuning = &settings.tuning;
    assert_eq!((tuning.concurrency, tuning.batch, tuning.threads), (11, 12, 13));
    assert_eq!((tuning.adaptive, tuning.max_rps), (false, Some(17.0)));
    assert_eq!((tuning.session_threads, tuning.decoders), (18, 13));
    assert!(settings.sessions_given);
    assert_eq!(tuning.http.total_timeout, Duration::from_secs(14));
    assert_eq!((tuning.http.body_limit, tuning.picture.max_bytes), (15, 15));
    assert_eq!(tuning.picture.max_pixels, 19_000_000);
    assert!(settings.batch_given);
}

#[test]
fn the_replaced_systems_variables_are_stronger_than_the_file() {
    let written = Written::new(&format!("{FILE}{STATION}"));
    let settings = written.resolve(Layer::default(), &VARIABLES).unwrap();
    assert_eq!(settings.station.url_base, "http://old/");
    assert_eq!(settings.db, Path::new("old.db"));
    assert_eq!(settings.model.as_deref(), Some(Path::new("old.onnx")));
    assert_eq!(settings.ort_lib.as_deref(), Some(Path::new("old.so")));
    // An empty one says nothing.
    let empty = VARIABLES.map(|(name, _)| (name, ""));
    let settings = written.resolve(Layer::default(), &empty).unwrap();
    assert_eq!(settings.station.url_base, "http://file/");
    assert_eq!(settings.db, written.path("file.db"));
}

/// `runtime` and `--version` have no flag that clap would read its twin for.
#[test]
fn the_librarys_twin_counts_where_there_is_no_flag() {
    let written = Written::new(FILE);
    let of = |flag: Option<&str>, variables: &[(&str, &str)]| {
        let flags = Layer { ort_lib: flag.map(PathBuf::from), ..Layer::default() };
        written.resolve(flags, variables).unwrap().ort_lib.unwrap()
    };
    let both = [("CELAJE_ORT_LIB", "twin.so"), ("ORT_DYLIB_PATH", "old.so")];
    assert_eq!(of(Some("flag.so"), &both), Path::new("flag.so"));
    assert_eq!(of(None, &both), Path::new("twin.so"));
    assert_eq!(of(None, &both[1..]), Path::new("old.so"));
    assert_eq!(of(None, &[]), written.path("file.so"));
}

#[test]
fn the_file_is_stronger_than_the_defaults() {
    let written = Written::new(&format!("{FILE}{STATION}"));
    let settings = written.resolve(Layer::default(), &[]).unwrap();
    assert_eq!(settings.station.id, "cerro");
    assert_eq!(settings.station.url_base, "http://file/");
    assert_eq!(settings.station.layout, LayoutChoice::Root);
    // Its paths start from its folder.
    assert_eq!(settings.db, written.path("file.db"));
    assert_eq!(settings.model, Some(written.path("file.onnx")));
    assert_eq!(settings.ort_lib, Some(written.path("file.so")));
    assert_eq!(settings.engine, EngineChoice::OnnxRuntime);
    assert_eq!(settings.device, Device::Cuda);
    let tuning = &settings.tuning;
    assert_eq!((tuning.concurrency, tuning.batch, tuning.threads), (21, 22, 23));
    assert_eq!((tuning.adaptive, tuning.max_rps), (false, Some(27.0)));
    assert_eq!(tuning.session_threads, 28);
    assert_eq!(tuning.http.total_timeout, Duration::from_secs(24));
    assert_eq!((tuning.http.body_limit, tuning.picture.max_bytes), (25, 25));
    assert_eq!(tuning.picture.max_pixels, 29_000_000);
    assert_eq!(tuning.http.keep_alive, 21);
    assert!(settings.batch_given);
}

#[test]
fn an_empty_file_leaves_the_defaults() {
    let settings = Written::new("").resolve(Layer::default(), &[]).unwrap();
    assert_eq!(settings.station, Station::rio_grande());
    assert_eq!(settings.db, Path::new(DEFAULT_DB));
    assert_eq!((&settings.model, &settings.ort_lib), (&None, &None));
    assert_eq!(settings.engine, EngineChoice::Auto);
    assert_eq!(settings.device, Device::Auto);
    let tuning = &settings.tuning;
    assert_eq!((tuning.concurrency, tuning.batch), (MAX_CONCURRENCY, 4));
    assert_eq!((tuning.adaptive, tuning.max_rps), (true, None));
    assert!(tuning.threads >= 1);
    assert_eq!(tuning.http.body_limit, 20_000_000);
    assert_eq!(tuning.http.total_timeout, Duration::from_secs(60));
    assert_eq!(tuning.picture, Limits::default());
    assert!(!settings.batch_given && !settings.sessions_given);
}

#[test]
fn each_key_is_settled_by_itself() {
    let flags = everything("flag", 11);
    let below = everything("below", 31);
    let over = Layer { db: None, threads: None, ..flags }.over(below);
    assert_eq!(over.db.as_deref(), Some(Path::new("below.db")));
    assert_eq!((over.threads, over.batch), (Some(33), Some(12)));
}

#[test]
fn a_short_timeout_bounds_the_others() {
    let flags = Layer { timeout: Some(0.5), ..Layer::default() };
    let http = Written::new("").resolve(flags, &[]).unwrap().tuning.http;
    let half = Duration::from_millis(500);
    assert_eq!([http.connect_timeout, http.read_timeout, http.total_timeout], [half; 3]);
}

#[test]
fn values_out_of_bounds_name_the_key_the_bounds_and_the_value() {
    for (line, parts) in [
        ("concurrency = 0", ["concurrency", "1", "1024", "not 0"]),
        ("concurrency = 1025", ["concurrency", "1", "1024", "not 1025"]),
        ("batch = 0", ["batch", "1", "1024", "not 0"]),
        ("threads = 257", ["threads", "1", "256", "not 257"]),
        ("max_concurrency = 0", ["max-concurrency", "1", "1024", "not 0"]),
        ("max_rps = 0.0", ["max-rps", "0.01", "1000000", "not 0"]),
        ("session_threads = 0", ["session-threads", "1", "256", "not 0"]),
        ("max_bytes = 0", ["max-bytes", "1", "1000000000", "not 0"]),
        ("max_megapixels = 0", ["max-megapixels", "1", "200", "not 0"]),
        ("max_megapixels = 201", ["max-megapixels", "1", "200", "not 201"]),
        ("timeout = 0.0", ["timeout", "0.1", "3600", "not 0"]),
        ("timeout = nan", ["timeout", "0.1", "3600", "not NaN"]),
        ("timeout = 1e9", ["timeout", "0.1", "3600", "not 1000000000"]),
    ] {
        let failure = Written::new(line).refused(Layer::default());
        for part in parts {
            assert!(failure.text.en.contains(part), "{line}: {}", failure.text.en);
        }
    }
}

#[test]
fn a_file_that_is_named_has_to_be_there() {
    let written = Written::new("");
    let missing = written.path("none.toml");
    let failure = Settings::resolve(Layer::default(), Some(&missing), |_| None).unwrap_err();
    assert_eq!(failure.class, Class::Usage);
    assert!(failure.text.en.contains("none.toml"), "{failure}");
    one_sentence(&failure.text);
}

#[test]
fn stations_are_chosen_by_id_and_the_first_is_meant() {
    let two =
        ["norte", "sur"].map(|id| STATION.replace("[station]", "[[station]]").replace("cerro", id));
    let written = Written::new(&two.concat());
    let of = |id: Option<&str>| {
        let station = id.map(str::to_owned);
        let flags = Layer { station, ..Layer::default() };
        written.resolve(flags, &[]).map(|settings| settings.station)
    };
    assert_eq!(of(None).unwrap().id, "norte");
    assert_eq!(of(Some("norte")).unwrap().id, "norte");
    assert_eq!(of(Some("sur")).unwrap().id, "sur");
    // The default station is always there.
    assert_eq!(of(Some("rio-grande")).unwrap(), Station::rio_grande());
    let failure = of(Some("este")).unwrap_err();
    assert_eq!(failure.class, Class::Usage);
    one_sentence(&failure.text);
    assert!(failure.text.en.contains("'este'"), "{failure}");
    assert!(failure.text.en.contains("norte, sur"), "{failure}");
}

#[test]
fn an_override_changes_the_chosen_station_alone() {
    let written = Written::new(STATION);
    let flags = Layer {
        station: Some("rio-grande".to_owned()),
        url_base: Some("http://flag/".to_owned()),
        ..Layer::default()
    };
    let station = written.resolve(flags, &[]).unwrap().station;
    assert_eq!(station.url_base, "http://flag/");
    let wanted = Station { url_base: station.url_base.clone(), ..Station::rio_grande() };
    assert_eq!(station, wanted);
}

#[test]
fn a_camera_is_nobodys_until_something_says_whose_it_is() {
    let empty = || FileSettings::parse("", Path::new(".")).unwrap();
    let notice = |flags: Layer, file: FileSettings| {
        crate::service::notices::whose_camera(&Settings::settle(flags, file).unwrap())
    };
    let text = notice(Layer::default(), empty()).unwrap();
    one_sentence(&text);
    for part in ["Río Grande", "201.251.63.225", "celaje init"] {
        assert!(text.en.contains(part) && text.es.contains(part), "{text}");
    }
    let said = |flags: Layer| notice(flags, empty()).is_none();
    assert!(said(Layer { url_base: Some("http://127.0.0.1:9/".to_owned()), ..Layer::default() }));
    assert!(said(Layer { station: Some("rio-grande".to_owned()), ..Layer::default() }));
    let station = "[station]\nid = 'a'\nlatitude = 1.0\nlongitude = 2.0\ntime_zone = 'UTC'\n\
        url_base = 'http://127.0.0.1:9/'\n";
    let file = FileSettings::parse(station, Path::new(".")).unwrap();
    assert_eq!(notice(Layer::default(), file), None);
}

#[test]
fn copies_lie_beside_the_database() {
    let settle = |text: &str| {
        let file = FileSettings::parse(text, Path::new("conf")).unwrap();
        Settings::settle(Layer::default(), file).unwrap().keep
    };
    let keep = settle("db = 'sky.db'");
    assert_eq!(keep.folder, Path::new("conf/sky-pictures"));
    assert_eq!((keep.keep, keep.most), (TimeDelta::zero(), 2_000_000_000));
    let keep = settle("keep = '30d'\nkeep_mb = 5\nkeep_size = 'original'\nkeep_dir = 'p'");
    assert_eq!(keep.folder, Path::new("conf/p"));
    assert_eq!((keep.keep, keep.most), (TimeDelta::days(30), 5_000_000));
    assert_eq!(keep.size, KeptSize::Original);
}
