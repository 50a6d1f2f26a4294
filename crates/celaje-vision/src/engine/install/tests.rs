use super::*;
use celaje_sky::error::Class;
use std::time::Duration;
use zip::write::SimpleFileOptions;

const MEMBER: &str = "onnxruntime/capi/lib.so";

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn sha(bytes: &[u8]) -> &'static str {
    leak(hex(&Sha256::digest(bytes)))
}

/// A wheel with a small "library" in it, and the pin that fits.
struct Fixture {
    root: tempfile::TempDir,
    wheel: PathBuf,
    library: Vec<u8>,
    pinned: PinnedLibrary,
}

impl Fixture {
    fn new() -> Self {
        Self::with_member(&(0..200_000_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>(), None)
    }

    /// The member may hold other bytes than the pin says.
    fn with_member(library: &[u8], member: Option<&[u8]>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let wheel = root.path().join("w-1.2.3.whl");
        let mut archive = zip::ZipWriter::new(File::create(&wheel).unwrap());
        for (name, bytes) in [("../../evil", b"x".as_slice()), (MEMBER, member.unwrap_or(library))]
        {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
        let pinned = PinnedLibrary {
            version: "1.2.3",
            platform: "some_platform",
            wheel: "w-1.2.3.whl",
            wheel_sha256: sha(&fs::read(&wheel).unwrap()),
            member: MEMBER,
            library: "lib.so.1.2.3",
            library_sha256: sha(library),
            library_bytes: library.len() as u64,
        };
        Self { root, wheel, library: library.to_vec(), pinned }
    }

    fn cache(&self) -> PathBuf {
        self.root.path().join("cache/celaje")
    }

    fn install(&self, options: &Install) -> Result<Installed> {
        let none = Pip { commands: Vec::new(), timeout: Duration::from_secs(1) };
        install_into(&self.cache(), &self.pinned, options, &none)
    }

    fn from(&self, file: &Path) -> Result<Installed> {
        self.install(&Install { from: Some(file.to_owned()), force: false })
    }

    /// Everything in the cache, relative to it.
    fn files(&self) -> Vec<PathBuf> {
        let folder = self.cache().join("onnxruntime-1.2.3");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into()).collect()
    }
}

#[test]
fn a_wheel_is_checked_unpacked_and_left_alone_the_second_time() {
    let fixture = Fixture::new();
    let first = fixture.from(&fixture.wheel).unwrap();
    assert!(first.fresh);
    assert_eq!(first.path, fixture.cache().join("onnxruntime-1.2.3/lib.so.1.2.3"));
    assert_eq!(fs::read(&first.path).unwrap(), fixture.library);
    assert_eq!(fixture.files(), [PathBuf::from("lib.so.1.2.3")]);
    // Nothing needs to be fetched any more, and nothing is.
    let second = fixture.install(&Install::default()).unwrap();
    assert!(!second.fresh);
    // With --force it is, and there is no pip here.
    assert!(fixture.install(&Install { from: None, force: true }).is_err());
}

#[test]
fn a_damaged_library_is_replaced() {
    let fixture = Fixture::new();
    let path = fixture.from(&fixture.wheel).unwrap().path;
    fs::write(&path, b"damaged").unwrap();
    assert!(fixture.from(&fixture.wheel).unwrap().fresh);
    assert_eq!(fs::read(&path).unwrap(), fixture.library);
}

#[test]
fn the_bare_library_will_do() {
    let fixture = Fixture::new();
    let file = fixture.root.path().join("bare");
    fs::write(&file, &fixture.library).unwrap();
    assert!(fixture.from(&file).unwrap().fresh);
}

#[test]
fn another_file_installs_nothing() {
    let fixture = Fixture::new();
    let mut bytes = fs::read(&fixture.wheel).unwrap();
    bytes[10] ^= 1;
    let file = fixture.root.path().join("other.whl");
    fs::write(&file, bytes).unwrap();
    let failure = fixture.from(&file).unwrap_err();
    assert_eq!(failure.class, Class::Environment);
    assert!(failure.text.en.contains("nothing was installed"), "{failure}");
    assert!(fixture.from(&fixture.root.path().join("missing")).is_err());
    assert!(fixture.files().is_empty());
}

#[test]
fn a_member_that_is_not_the_library_leaves_nothing_behind() {
    for member in [vec![1; 10], vec![1; 1_000_000]] {
        let fixture = Fixture::with_member(&[7; 1000], Some(&member));
        let failure = fixture.from(&fixture.wheel).unwrap_err();
        assert!(failure.text.en.contains("not the pinned library"), "{failure}");
        assert!(fixture.files().is_empty());
    }
}

#[test]
fn installations_at_once_do_not_disturb_each_other() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let options = Install { from: Some(fixture.wheel.clone()), force: true };
                let path = fixture.install(&options).unwrap().path;
                assert_eq!(fs::read(path).unwrap(), fixture.library);
            });
        }
    });
    assert_eq!(fixture.files(), [PathBuf::from("lib.so.1.2.3")]);
}

#[cfg(unix)]
mod with_pip {
    use super::*;

    /// A command that runs this script; `$dest` is the folder to download into.
    fn command(script: &str) -> Vec<String> {
        let find = "while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; last=$1; shift; done";
        vec!["sh".into(), "-c".into(), format!("{find}; {script}"), "pip".into()]
    }

    fn install(
        fixture: &Fixture,
        commands: Vec<Vec<String>>,
        timeout: Duration,
    ) -> Result<Installed> {
        let pip = Pip { commands, timeout };
        install_into(&fixture.cache(), &fixture.pinned, &Install::default(), &pip)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_first_pip_that_exists_fetches_the_wheel() {
        let fixture = Fixture::new();
        let wheel = fixture.wheel.display();
        let commands = vec![
            vec!["celaje-test-no-such-program".into()],
            command("echo 'No module named pip' >&2; exit 1"),
            command("exit 127"),
            command(&format!("[ $last = onnxruntime==1.2.3 ] && cp '{wheel}' $dest")),
            command("touch $dest/never"),
        ];
        let installed = install(&fixture, commands, LONG).unwrap();
        assert!(installed.fresh && installed.path.is_file());
    }

    #[test]
    fn a_wheel_of_another_name_or_content_is_refused() {
        let fixture = Fixture::new();
        let commands = vec![command("echo hello > $dest/onnxruntime-9.whl")];
        let failure = install(&fixture, commands, LONG).unwrap_err();
        assert!(failure.text.en.contains("not the pinned"), "{failure}");
        let failure = install(&fixture, vec![command("exit 0")], LONG).unwrap_err();
        assert!(failure.text.en.contains("left no wheel"), "{failure}");
    }

    #[test]
    fn a_failing_pip_is_quoted_without_credentials() {
        let fixture = Fixture::new();
        // The command itself is quoted too, and must not hold the word that is looked for.
        let script = "echo 'ERROR: no route to https://me:sec''ret@host/simple'; exit 1";
        let failure = install(&fixture, vec![command(script)], LONG).unwrap_err();
        assert_eq!(failure.class, Class::Environment);
        for text in [&failure.text.en, &failure.text.es] {
            assert!(text.contains("https://***@host/simple") && !text.contains("secret"), "{text}");
            assert!(text.contains("--from") && text.contains("--ort-lib"), "{text}");
        }
    }

    #[test]
    fn a_pip_that_hangs_is_ended() {
        let fixture = Fixture::new();
        let commands = vec![command("exec sleep 600")];
        let failure = install(&fixture, commands, Duration::from_millis(200)).unwrap_err();
        assert!(failure.text.en.contains("was ended"), "{failure}");
    }

    #[test]
    fn without_any_pip_the_ways_out_are_named() {
        let fixture = Fixture::new();
        let failure =
            install(&fixture, vec![vec!["celaje-test-no-such-program".into()]], LONG).unwrap_err();
        assert!(failure.text.en.contains("pip was not found"), "{failure}");
        assert!(failure.text.en.contains("--engine rten"), "{failure}");
    }
}
