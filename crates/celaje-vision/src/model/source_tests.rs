use super::*;
use crate::model::header::tests::tiny_onnx;

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
    assert_eq!(default.label(), "celaje-4 4");
    for bundled in &BUNDLED {
        let model = Model::resolve(Some(Path::new(bundled.name))).unwrap();
        assert_eq!(model.manifest.name, bundled.name);
        // Hash and shapes are checked when it is opened.
        assert!(model.manifest.sha256.is_some());
        assert_eq!(model.header.inputs[0].shape, Some(vec![None, Some(3), Some(192), Some(192)]));
        assert!(model.notice.is_none() && model.path.is_none());
        assert_eq!(model.sha256 == default.sha256, bundled.name == "celaje-4");
    }
}

#[test]
fn a_file_with_a_bundled_models_name_needs_its_folder() {
    let named = Path::new("celaje-4");
    assert!(Model::is_bundled(named) && !Model::is_bundled(Path::new("./celaje-4")));
    assert!(!Model::is_bundled(Path::new("celaje-4.onnx")));
    let text = refused(Path::new("./celaje-4"));
    assert!(text.contains("celaje-4, celaje-4-fp32"), "{text}");
}

#[test]
fn the_replaced_form_needs_no_manifest_and_says_so() {
    let folder = folder();
    let path = folder.path().join("octas.onnx");
    std::fs::write(&path, tiny_onnx(&[1, 3, 224, 224], &[1, 9])).unwrap();
    let model = Model::open(&path).unwrap();
    assert_eq!(model.label(), "octas");
    assert_eq!(model.manifest.kind, Kind::Classification);
    assert_eq!(model.manifest.input.mean, IMAGENET.0);
    assert!(model.notice.unwrap().en.contains("no manifest"));
    assert_eq!(model.header.fixed_batch(), Some(1));
}

#[test]
fn another_form_without_manifest_is_told_what_to_write() {
    let folder = folder();
    let path = folder.path().join("other.onnx");
    std::fs::write(&path, tiny_onnx(&[0, 3, 192, 192], &[0, 3, 96, 96])).unwrap();
    let text = refused(&path);
    assert!(text.contains("other.toml") && text.contains("[input]"), "{text}");
    // The example in the message is itself a manifest that is accepted.
    let example = text.split_once(":\n").unwrap().1;
    std::fs::write(path.with_extension("toml"), example).unwrap();
    assert_eq!(Model::open(&path).unwrap().label(), "my-model");
}

#[test]
fn a_manifest_beside_the_file_is_used_and_its_hash_checked() {
    let folder = folder();
    let path = folder.path().join("c.onnx");
    let bytes = tiny_onnx(&[0, 3, 224, 224], &[0, 9]);
    std::fs::write(&path, &bytes).unwrap();
    let manifest = path.with_extension("toml");
    std::fs::write(&manifest, CLASSIFIER).unwrap();
    assert_eq!(Model::open(&path).unwrap().label(), "c 2");
    // Naming the manifest names the model.
    assert_eq!(Model::open(&manifest).unwrap().label(), "c 2");

    let hash = hex(&Sha256::digest(&bytes)).to_uppercase();
    std::fs::write(&manifest, format!("sha256 = \"{hash}\"\n{CLASSIFIER}")).unwrap();
    assert!(Model::open(&path).is_ok());
    let wrong = "0".repeat(64);
    std::fs::write(&manifest, format!("sha256 = \"{wrong}\"\n{CLASSIFIER}")).unwrap();
    assert!(refused(&path).contains("is not the file that"));
}

#[test]
fn a_network_that_contradicts_its_manifest_is_refused() {
    let folder = folder();
    let path = folder.path().join("c.onnx");
    std::fs::write(path.with_extension("toml"), CLASSIFIER).unwrap();
    std::fs::write(&path, tiny_onnx(&[0, 3, 192, 192], &[0, 9])).unwrap();
    let text = refused(&path);
    assert!(text.contains("Nx3x192x192") && text.contains("Nx3x224x224"), "{text}");
    std::fs::write(&path, tiny_onnx(&[0, 3, 224, 224], &[0, 10])).unwrap();
    let text = refused(&path);
    assert!(text.contains("Nx10") && text.contains("Nx9"), "{text}");
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
        (&BUNDLED[0].onnx[..100_000], "ends too early"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let text = refused(&path);
        assert!(text.contains(part), "{text}");
    }
}
