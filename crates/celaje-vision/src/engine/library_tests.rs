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
fn versions_are_read_from_names_and_symbols() {
    assert_eq!(version_in("libonnxruntime.so.1.23.2").as_deref(), Some("1.23.2"));
    assert_eq!(version_in("libonnxruntime.1.23.2").as_deref(), Some("1.23.2"));
    assert_eq!(version_in("libonnxruntime.so"), None);
    assert_eq!(version_in("libonnxruntime.so.1"), None);
    assert_eq!(symbol_version(b"..VERS_1.20.1\0..").as_deref(), Some("1.20.1"));
    assert_eq!(symbol_version(b"..VERS_"), None);
    assert_eq!(symbol_version(b"nothing"), None);

    let root = tempfile::tempdir().unwrap();
    let packages = root.path().join("site-packages");
    let plain = packages.join("onnxruntime/capi/onnxruntime.dll");
    touch(&plain);
    assert_eq!(version_of(&plain), "unknown");
    fs::create_dir_all(packages.join("onnxruntime_gpu-1.22.0.dist-info")).unwrap();
    assert_eq!(version_of(&plain), "1.22.0");
    let cached = root.path().join("onnxruntime-1.23.2").join("onnxruntime.dll");
    touch(&cached);
    assert_eq!(version_of(&cached), "1.23.2");
}

#[test]
fn an_explicit_path_that_does_not_load_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("broken.so");
    touch(&path);
    for path in [path, root.path().join("missing.so"), root.path().to_owned()] {
        let search = Search { explicit: Some(path.clone()), ..Search::default() };
        let text = load(&search).unwrap_err().text.en;
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
}

#[test]
fn candidates_that_do_not_load_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    touch(&root.path().join(named("1.23.2")));
    let search = Search { program: Some(root.path().to_owned()), ..Search::default() };
    assert_eq!(search.candidates().len(), 1);
    assert!(try_load(&search.candidates()[0].path).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_that_is_incomplete_is_not_loaded() {
    // This test's own program is an ELF file too.
    let whole = std::env::current_exe().unwrap();
    assert!(!is_incomplete(&whole));
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("libonnxruntime.so.1.23.2");
    let whole_length = fs::metadata(&whole).unwrap().len();
    let mut file = fs::File::create(&path).unwrap();
    io::copy(&mut fs::File::open(&whole).unwrap().take(whole_length - 1), &mut file).unwrap();
    for length in [whole_length - 1, whole_length / 2, 4096, 100, 64] {
        file.set_len(length).unwrap();
        assert!(is_incomplete(&path), "{length}");
        // A copy that lacks its end may have its full size already.
        file.set_len(whole_length).unwrap();
        assert!(length == whole_length - 1 || is_incomplete(&path), "{length}");
        file.set_len(length).unwrap();
        assert!(try_load(&path).unwrap_err().en.contains("incomplete"));
    }
    let search = Search { program: Some(root.path().to_owned()), ..Search::default() };
    let text = why_none(&search);
    assert!(text.en.contains("incomplete") && text.es.contains("incompleto"), "{text}");
    for length in [63, 0] {
        file.set_len(length).unwrap();
        assert!(is_incomplete(&path), "{length}");
    }
    // Files of other kinds are left to the system's loader.
    assert!(!is_incomplete(Path::new("Cargo.toml")) && !is_incomplete(root.path()));
    assert!(why_none(&Search::default()).en.contains("was not found"));
}
