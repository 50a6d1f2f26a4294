use super::*;
use celaje_sky::error::Class;
use zip::write::SimpleFileOptions;

const LIBRARY: &[u8] = &[7; 100_000];
const MEMBER: &str = "onnxruntime/capi/lib.so";

/// A cache folder, a wheel with a small "library" in it, and the pin that fits.
struct Fixture {
    root: tempfile::TempDir,
    file: PathBuf,
    wheel: PinnedWheel,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("onnxruntime.whl");
        let mut archive = zip::ZipWriter::new(File::create(&file).unwrap());
        for (name, bytes) in [("../../evil", b"x".as_slice()), (MEMBER, LIBRARY)] {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
        let wheel = PinnedWheel {
            system: (OS, ARCH),
            platform: "some_platform",
            sha256: "0123",
            member: MEMBER,
            library_sha256: Box::leak(hex(&Sha256::digest(LIBRARY)).into_boxed_str()),
        };
        Self { root, file, wheel }
    }

    fn install(&self, pip: &[&str], from: Option<&Path>) -> Result<InstalledLibrary> {
        let cache = self.root.path().join("cache/celaje");
        install_into(&cache, &self.wheel, &[&["celaje-test-no-such-program"], pip], from, false)
    }

    /// All files in the library's folder.
    fn files(&self) -> Vec<PathBuf> {
        let folder = self.root.path().join("cache/celaje/onnxruntime-1.23.2");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into()).collect()
    }
}

#[test]
fn a_wheel_or_the_bare_library_is_installed_once() {
    let fixture = Fixture::new();
    let first = fixture.install(&[], Some(&fixture.file)).unwrap();
    assert!(first.fresh);
    assert_eq!(fs::read(&first.path).unwrap(), LIBRARY);
    assert_eq!(fixture.files(), [PathBuf::from("lib.so")]);
    // A second time nothing is fetched, so that no pip is missed.
    assert!(!fixture.install(&[], None).unwrap().fresh);
    // A damaged one is replaced.
    fs::write(&first.path, &LIBRARY[..500]).unwrap();
    let bare = fixture.root.path().join("bare");
    fs::write(&bare, LIBRARY).unwrap();
    assert!(fixture.install(&[], Some(&bare)).unwrap().fresh);
    assert_eq!(fs::read(&first.path).unwrap(), LIBRARY);
}

#[test]
fn another_file_installs_nothing() {
    let mut fixture = Fixture::new();
    let other = fixture.root.path().join("other");
    fs::write(&other, b"another library").unwrap();
    let text = fixture.install(&[], Some(&other)).err().unwrap().text;
    assert!(text.en.contains("nothing was installed") && text.en.contains("some_platform"));
    let missing = fixture.root.path().join("missing");
    assert!(fixture.install(&[], Some(&missing)).is_err());
    fixture.wheel.member = "onnxruntime/capi/other.so";
    assert!(fixture.install(&[], Some(&fixture.file)).is_err());
    assert!(fixture.files().is_empty());
}

#[test]
fn without_pip_the_ways_out_are_named() {
    let failure = Fixture::new().install(&["celaje-test-no-such-program"], None).err().unwrap();
    assert_eq!(failure.class, Class::Environment);
    for (text, part) in
        [(&failure.text.en, "pip was not found"), (&failure.text.es, "no se encontró pip")]
    {
        assert!(text.contains(part) && text.contains("--from") && text.contains("--ort-lib"));
        assert!(text.contains("some_platform") && text.contains("--engine rten"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn pip_fetches_the_wheel_by_its_hash() {
    let fixture = Fixture::new();
    let pip = |script: String| {
        let script = format!("[ \"$1\" = --version ] && exit 0; {script}");
        fixture.install(&["sh", "-c", &script, "pip"], None)
    };
    let failure = |script: &str| pip(script.to_owned()).err().unwrap().text.en;
    assert!(failure("exit 7").contains("failed (exit status: 7)"));
    assert!(failure("true").contains("left no wheel"));
    assert!(failure("echo hello > other.whl").contains("not the pinned"));
    let file = fixture.file.display();
    let script = format!("grep -q '^onnxruntime==1.23.2 --hash=sha256:0123$' *.txt && cp {file} .");
    assert!(pip(script).unwrap().fresh);
}

#[test]
fn every_pin_is_complete() {
    for wheel in &WHEELS {
        for hash in [wheel.sha256, wheel.library_sha256] {
            assert!(
                hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{hash}"
            );
        }
        assert!(wheel.member.contains(VERSION) || wheel.system.0 == "windows");
    }
}
