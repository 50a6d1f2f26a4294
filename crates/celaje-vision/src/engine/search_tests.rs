use super::*;

fn touch(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"no library").unwrap();
}

/// A file name of the library on this system.
fn named(version: &str) -> String {
    if cfg!(windows) {
        "onnxruntime.dll".to_owned()
    } else if cfg!(target_os = "macos") {
        format!("libonnxruntime.{version}.dylib")
    } else {
        format!("libonnxruntime.so.{version}")
    }
}

#[test]
fn the_order_is_program_cache_python_system() {
    let root = tempfile::tempdir().unwrap();
    let at = |parts: &str| root.path().join(parts);
    for folder in [
        "program",
        "cache/onnxruntime-1.9.0",
        "cache/onnxruntime-1.30.1",
        "python/onnxruntime/capi",
        "system",
    ] {
        touch(&at(folder).join(named("1.30.1")));
    }
    let pinned = format!("cache/onnxruntime-{}", crate::engine::install::VERSION);
    touch(&at(&pinned).join(named("1.2.3")));
    touch(&at("cache/other").join(named("1.2.3")));
    let mut search = Search {
        explicit: None,
        program: Some(at("program")),
        cache: Some(at("cache")),
        python: vec![at("missing"), at("python")],
        system: vec![at("system")],
        prefer_cuda: false,
    };
    let folders: Vec<PathBuf> = search
        .candidates()
        .iter()
        .map(|candidate| {
            candidate.path.parent().unwrap().strip_prefix(root.path()).unwrap().to_owned()
        })
        .collect();
    let wanted = [
        "program",
        &pinned,
        "cache/onnxruntime-1.30.1",
        "cache/onnxruntime-1.9.0",
        "python/onnxruntime/capi",
        "system",
    ];
    assert_eq!(folders, wanted.map(PathBuf::from));

    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    touch(&at("system").join(format!("{prefix}onnxruntime_providers_cuda{suffix}")));
    assert_eq!(search.candidates()[0].origin, Origin::Program);
    search.prefer_cuda = true;
    assert_eq!(search.candidates()[0].origin, Origin::System);
    assert_eq!(search.candidates()[1].origin, Origin::Program);

    search.explicit = Some("mine.so".into());
    let only = Candidate { path: "mine.so".into(), origin: Origin::Explicit };
    assert_eq!(search.candidates(), [only]);
}

#[test]
fn newer_pythons_come_first_and_other_folders_are_left_out() {
    let root = tempfile::tempdir().unwrap();
    for name in ["python3.9", "python3.12", "perl5"] {
        fs::create_dir_all(root.path().join(name).join("site-packages")).unwrap();
    }
    let folders = versions_of_python(root.path());
    assert_eq!(folders[0], root.path().join("python3.12/site-packages"));
    assert_eq!(folders[2], root.path().join("python3.9/site-packages"));
    assert_eq!(folders.len(), 4);
}

#[test]
fn the_active_environment_is_searched() {
    let root = tempfile::tempdir().unwrap();
    let packages = root.path().join("lib/python3.11/site-packages");
    fs::create_dir_all(&packages).unwrap();
    let venv = root.path().to_owned();
    let variable = move |name: &str| (name == "VIRTUAL_ENV").then(|| venv.clone());
    assert_eq!(python_folders(&[], &variable).first(), Some(&packages));
}

#[cfg(unix)]
#[test]
fn the_environment_that_holds_the_program_is_searched_though_it_is_not_active() {
    let root = tempfile::tempdir().unwrap();
    let packages = root.path().join("lib/python3.11/site-packages");
    fs::create_dir_all(&packages).unwrap();
    let program = root.path().join("bin/celaje");
    assert_eq!(python_folders(&[&program], &|_| None).first(), Some(&packages));
    // A name without a folder, as a shell passes it, leads nowhere.
    assert!(!python_folders(&[Path::new("celaje")], &|_| None).contains(&packages));
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_the_library_are_told_from_its_companions() {
    for name in ["libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.so.1.23.2"] {
        assert!(is_library_name(name), "{name}");
    }
    for name in [
        "libonnxruntime_providers_shared.so",
        "libonnxruntime.so.1.23.2.py",
        "onnxruntime.dll",
        "libonnx.so",
    ] {
        assert!(!is_library_name(name), "{name}");
    }
}
