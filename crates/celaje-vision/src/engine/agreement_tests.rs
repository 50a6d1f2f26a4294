use super::*;
use crate::model::validate;

fn tensor(name: &str, sides: &[usize]) -> DeclaredTensor {
    let side = |side: &usize| Some(*side).filter(|side| *side > 0);
    let shape = Some(sides.iter().map(side).collect());
    DeclaredTensor { name: name.to_owned(), float: Some(true), shape }
}

/// A network that declares these shapes; 0 is a free side.
fn signature(input: &[usize], output: &[usize]) -> Signature {
    Signature { inputs: vec![tensor("in", input)], outputs: vec![tensor("out", output)] }
}

/// A file `c.onnx` with a manifest, or without one: then the replaced system's form is assumed.
fn model(manifest: Option<&str>) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.onnx");
    std::fs::write(&path, b"\x08\x08").unwrap();
    if let Some(manifest) = manifest {
        std::fs::write(path.with_extension("toml"), manifest).unwrap();
    }
    Model::open(&path).unwrap()
}

const SEGMENTATION: &str = "name = 's'\nkind = 'segmentation'\n[input]\nwidth = 64\nheight = 48\n\
    [output]\nclasses = ['background', 'sky', 'cloud']\n";

#[test]
fn what_is_declared_must_allow_the_manifest() {
    let model = model(Some(SEGMENTATION));
    let told = |signature: &Signature| {
        check_declared(signature, &model).map_or_else(|failure| failure.text.en, |()| String::new())
    };
    for output in [&[0, 3, 24, 32][..], &[4, 3, 0, 0]] {
        assert_eq!(told(&signature(&[0, 3, 48, 64], output)), "");
        assert_eq!(told(&signature(&[4, 0, 0, 0], output)), "");
    }
    let other = told(&signature(&[0, 3, 64, 64], &[0, 3, 24, 32]));
    assert!(other.contains("Nx3x64x64") && other.contains("Nx3x48x64"), "{other}");
    let other = told(&signature(&[0, 3, 48, 64], &[0, 4, 24, 32]));
    assert!(other.contains("Nx4x24x32") && other.contains("Nx3xNxN"), "{other}");
    let mut undeclared = signature(&[], &[]);
    for tensor in undeclared.inputs.iter_mut().chain(&mut undeclared.outputs) {
        (tensor.shape, tensor.float) = (None, None);
    }
    assert_eq!(told(&undeclared), "");
    undeclared.outputs[0].float = Some(false);
    assert!(told(&undeclared).contains("32-bit floats for \"out\""));
    undeclared.inputs.clear();
    assert!(told(&undeclared).contains("0 inputs and 1 outputs"));
}

#[test]
fn without_a_manifest_another_form_is_told_what_to_write() {
    let model = model(None);
    assert!(check_declared(&signature(&[1, 3, 224, 224], &[1, 9]), &model).is_ok());
    let declared = check_declared(&signature(&[0, 3, 192, 192], &[0, 3, 96, 96]), &model);
    for failure in [declared.unwrap_err(), check_output(&[1, 4], &model).unwrap_err()] {
        let text = failure.text.en;
        assert!(text.contains("c.toml") && text.contains("[input]"), "{text}");
        // The example in the message is itself a manifest that is accepted.
        let (_, example) = text.split_once(":\n").unwrap();
        assert_eq!(validate::parse(example, "c.toml").unwrap().name, "my-model");
    }
}

#[test]
fn the_output_must_have_the_classes_of_the_manifest() {
    let segmentation = model(Some(SEGMENTATION));
    assert!(check_output(&[1, 3, 24, 32], &segmentation).is_ok());
    for shape in [&[1, 24, 32, 3][..], &[1, 4, 24, 32], &[1, 3], &[2, 3, 24, 32], &[]] {
        let text = check_output(shape, &segmentation).unwrap_err().text;
        assert!(text.en.contains("3 classes") && text.es.contains("3 clases"), "{text}");
    }
    let classification = model(None);
    assert!(check_output(&[1, 9], &classification).is_ok());
    assert!(check_output(&[1, 9, 1, 1], &classification).is_ok());
}

#[test]
fn a_fixed_batch_is_known() {
    assert_eq!(signature(&[4, 3, 8, 8], &[4, 9]).fixed_batch(), Some(4));
    assert_eq!(signature(&[0, 3, 8, 8], &[0, 9]).fixed_batch(), None);
}
