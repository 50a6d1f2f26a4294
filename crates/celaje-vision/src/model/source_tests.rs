use super::*;

/// Bytes that pass for an ONNX file as long as no engine reads them.
const ONNX: &[u8] = b"\x08\x08";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn refused(path: &Path) -> String {
    Model::open(path).unwrap_err().text.en
}

const CLASSIFIER: &str = "name = \"c\"\nversion = \"2\"\nkind = \"classification\"\n\
    [input]\nwidth = 224\nheight = 224\n[output]\nclasses = \
    [\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]\n";

#[test]
fn the_bundled_models_are_whole() {
    let default = Model::resolve(None).unwrap();
    assert_eq!(default.label(), "celaje-6 6");
    for bundled in &BUNDLED {
        let model = Model::resolve(Some(Path::new(bundled.name))).unwrap();
        assert_eq!(model.manifest.name, bundled.name);
        // The hash is checked when it is opened.
        assert!(model.manifest.sha256.is_some());
        assert!(model.notice.is_none() && model.path.is_none());
        assert_eq!(model.sha256 == default.sha256, bundled.name == "celaje-6");
    }
}

#[test]
fn a_file_with_a_bundled_models_name_needs_its_folder() {
    let named = Path::new("celaje-6");
    assert!(Model::is_bundled(named) && !Model::is_bundled(Path::new("./celaje-6")));
    assert!(!Model::is_bundled(Path::new("celaje-6.onnx")));
    let text = refused(Path::new("./celaje-6"));
    assert!(text.contains("celaje-6, celaje-4, celaje-4-fp32"), "{text}");
}

#[test]
fn the_replaced_form_needs_no_manifest_and_says_so() {
    let folder = folder();
    let path = folder.path().join("octas.onnx");
    std::fs::write(&path, ONNX).unwrap();
    let model = Model::open(&path).unwrap();
    assert_eq!(model.label(), "octas");
    assert_eq!(model.manifest.kind, Kind::Classification);
    assert_eq!(model.manifest.input.mean, IMAGENET.0);
    assert!(model.has_assumed_manifest() && model.manifest_file().ends_with("octas.toml"));
    assert!(model.notice.unwrap().en.contains("no manifest"));
}

#[test]
fn a_manifest_beside_the_file_is_used_and_its_hash_checked() {
    let folder = folder();
    let path = folder.path().join("c.onnx");
    std::fs::write(&path, ONNX).unwrap();
    let manifest = path.with_extension("toml");
    std::fs::write(&manifest, CLASSIFIER).unwrap();
    assert_eq!(Model::open(&path).unwrap().label(), "c 2");
    // Naming the manifest names the model.
    assert_eq!(Model::open(&manifest).unwrap().label(), "c 2");

    let hash = hex(&Sha256::digest(ONNX)).to_uppercase();
    std::fs::write(&manifest, format!("sha256 = \"{hash}\"\n{CLASSIFIER}")).unwrap();
    assert!(Model::open(&path).is_ok());
    let wrong = "0".repeat(64);
    std::fs::write(&manifest, format!("sha256 = \"{wrong}\"\n{CLASSIFIER}")).unwrap();
    assert!(refused(&path).contains("is not the file that"));
}

#[test]
fn what_is_no_model_gets_one_clear_sentence() {
    let folder = folder();
    let path = folder.path().join("m.onnx");
    assert!(refused(&path).contains("there is no model"));
    assert!(refused(folder.path()).contains("is not a file"));
    for (bytes, part) in [
        (b"".as_slice(), "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<html>Not found</html>", "not an ONNX model"),
        (b"\x89HDF\r\n\x1a\n", "not an ONNX model"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let text = refused(&path);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_is_said_of_a_model_is_what_its_card_says() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    for (name, card) in [
        ("celaje-6 6", include_str!("../../../../models/celaje-6/MODEL_CARD.md")),
        ("celaje-4 4", include_str!("../../../../models/celaje-4/MODEL_CARD.md")),
    ] {
        let said = card_of(name).unwrap();
        assert!(words(card).contains(&words(&said.en)), "{name}");
    }
    for bundled in &BUNDLED {
        assert!(card_of(bundled.name).is_some(), "{}", bundled.name);
    }
    assert_eq!(card_of("another 6"), None);
}
