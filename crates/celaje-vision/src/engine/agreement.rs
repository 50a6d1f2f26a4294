//! Compares what a network declares, and what it gives, with its manifest.

use crate::engine::backend::{DeclaredTensor, Signature};
use crate::model::manifest::{Kind, Manifest, TensorLayout};
use crate::model::source::Model;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// Checks inputs and outputs, as far as the network declares their types and shapes.
///
/// # Errors
/// If the manifest says otherwise, or the file has no manifest and is not of the form that is
/// assumed then.
pub(super) fn check_declared(signature: &Signature, model: &Model) -> Result<()> {
    let file = model.file();
    let ([input], [output, ..]) = (signature.inputs.as_slice(), signature.outputs.as_slice())
    else {
        let (inputs, outputs) = (signature.inputs.len(), signature.outputs.len());
        return Err(Failure::environment(say!(
            "{file} has {inputs} inputs and {outputs} outputs; a network with one input and an \
             output is needed",
            "{file} tiene {inputs} entradas y {outputs} salidas; se necesita una red con una \
             entrada y una salida"
        )));
    };
    if let Some(tensor) = [input, output].into_iter().find(|tensor| tensor.float == Some(false)) {
        let name = &tensor.name;
        return Err(Failure::environment(say!(
            "{file} does not use 32-bit floats for \"{name}\"; export it with float32 input and \
             output",
            "{file} no usa números de 32 bits en coma flotante para \"{name}\"; expórtelo con \
             entrada y salida float32"
        )));
    }
    let wanted = [wanted_input(&model.manifest), wanted_output(&model.manifest)];
    let mut pairs = [input, output].into_iter().zip(&wanted);
    let Some((tensor, wanted)) = pairs.find(|(tensor, wanted)| !allows(tensor, wanted)) else {
        return Ok(());
    };
    if model.has_assumed_manifest() {
        return Err(manifest_needed(model));
    }
    let (name, wanted) = (&tensor.name, shape_text(wanted));
    let declared = shape_text(tensor.shape.as_deref().unwrap_or_default());
    Err(Failure::environment(say!(
        "{file} does not agree with its manifest: \"{name}\" is {declared} and the manifest says \
         {wanted}; correct the manifest",
        "{file} no concuerda con su manifiesto: \"{name}\" es {declared} y el manifiesto dice \
         {wanted}; corrija el manifiesto"
    )))
}

/// Checks the shape of the output for one picture.
///
/// # Errors
/// If it does not fit the classes of the manifest.
pub(super) fn check_output(shape: &[usize], model: &Model) -> Result<()> {
    let manifest = &model.manifest;
    let classes = manifest.output.classes.len();
    let agrees = match (manifest.kind, shape) {
        (Kind::Classification, [1, rest @ ..]) => rest.iter().product::<usize>() == classes,
        (Kind::Segmentation, &[1, first, _, last]) => match manifest.input.layout {
            TensorLayout::Nchw => first == classes,
            TensorLayout::Nhwc => last == classes,
        },
        _ => false,
    };
    match agrees {
        true => Ok(()),
        false if model.has_assumed_manifest() => Err(manifest_needed(model)),
        false => {
            let label = model.label();
            Err(Failure::environment(say!(
                "the model {label} gives an output of shape {shape:?} for one picture, which does \
                 not fit the {classes} classes of its manifest; correct the manifest",
                "el modelo {label} da una salida de forma {shape:?} para una imagen, que no \
                 concuerda con las {classes} clases de su manifiesto; corrija el manifiesto"
            )))
        }
    }
}

fn wanted_input(manifest: &Manifest) -> Vec<Option<usize>> {
    let [_, a, b, c] = manifest.input.shape(1);
    vec![None, Some(a), Some(b), Some(c)]
}

fn wanted_output(manifest: &Manifest) -> Vec<Option<usize>> {
    let classes = Some(manifest.output.classes.len());
    match (manifest.kind, manifest.input.layout) {
        (Kind::Classification, _) => vec![None, classes],
        (Kind::Segmentation, TensorLayout::Nchw) => vec![None, classes, None, None],
        (Kind::Segmentation, TensorLayout::Nhwc) => vec![None, None, None, classes],
    }
}

/// Whether a declared shape allows the wanted one; an undeclared one allows any.
fn allows(tensor: &DeclaredTensor, wanted: &[Option<usize>]) -> bool {
    tensor.shape.as_ref().is_none_or(|shape| {
        shape.len() == wanted.len()
            && shape.iter().zip(wanted).all(|pair| !matches!(pair, (Some(a), Some(b)) if a != b))
    })
}

/// A shape such as `Nx3x224x224`.
fn shape_text(shape: &[Option<usize>]) -> String {
    let sides = shape.iter().map(|side| side.map_or("N".to_owned(), |side| side.to_string()));
    sides.collect::<Vec<_>>().join("x")
}

fn manifest_needed(model: &Model) -> Failure {
    let (file, manifest) = (model.file(), model.manifest_file());
    let example = "name = \"my-model\"\nkind = \"segmentation\"  # or \
        \"classification\"\n\n[input]\nwidth = 192\nheight = 192\n\n[output]\nclasses = \
        [\"background\", \"sky\", \"cloud\"]  # or the nine oktas \"0\" to \"8\"";
    Failure::environment(say!(
        "{file} has no manifest and is not of the form Nx3x224x224 to Nx9; write {manifest}, for \
         example:\n{example}",
        "{file} no tiene manifiesto ni la forma Nx3x224x224 a Nx9; escriba {manifest}, por \
         ejemplo:\n{example}"
    ))
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
