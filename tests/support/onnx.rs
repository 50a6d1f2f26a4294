//! A tiny network in ONNX's protobuf form, written by hand.

use std::path::Path;

/// Writes a network that takes the redness of a picture of 32×32 pixels for cloud, quick and as
/// good as another, as `<name>.onnx` with its manifest into `folder`.
pub fn write_red(folder: &Path, name: &str, version: &str) {
    let network = red_classifier(32, 0.0, 240.0 / 255.0);
    std::fs::write(folder.join(format!("{name}.onnx")), network).unwrap();
    std::fs::write(folder.join(format!("{name}.toml")), red_manifest(name, version)).unwrap();
}

/// The manifest of that network.
pub fn red_manifest(name: &str, version: &str) -> String {
    format!(
        "name = '{name}'\nversion = '{version}'\nkind = 'classification'\n\
         [input]\nwidth = 32\nheight = 32\n\
         [output]\nclasses = ['0', '1', '2', '3', '4', '5', '6', '7', '8']\n"
    )
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A length-delimited field.
fn bytes(number: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3 | 2);
    varint(&mut out, payload.len() as u64);
    out.extend_from_slice(payload);
    out
}

/// A number field.
fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3);
    varint(&mut out, value);
    out
}

/// A `ValueInfoProto`: a float tensor whose dimensions are these; 0 is a free one.
fn info(name: &str, dims: &[u64]) -> Vec<u8> {
    let dims: Vec<u8> = dims
        .iter()
        .flat_map(|&dim| {
            let dim = if dim == 0 { bytes(2, b"N") } else { number(1, dim) };
            bytes(1, &dim)
        })
        .collect();
    let tensor = [number(1, 1), bytes(2, &dims)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// A `TensorProto` of floats.
fn floats(name: &str, dims: &[u64], data: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| number(1, dim)).collect();
    [dims, number(2, 1), bytes(8, name.as_bytes()), bytes(9, &raw)].concat()
}

fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input.as_bytes())).collect();
    [inputs, bytes(2, output.as_bytes()), bytes(4, op.as_bytes())].concat()
}

/// A network N×3×`side`×`side` → N×9 that sees the mean red of a picture alone.
///
/// Class `k` gets `2·k·red − k²` times a hundred, where `red` goes from 0 to 8 as the tensor's red
/// goes from `black` to `white`: so the nearest okta wins.
pub fn red_classifier(side: u64, black: f32, white: f32) -> Vec<u8> {
    // red = (mean − black) · 8 / (white − black); logits = Gemm(mean of channels, weights, bias).
    let scale = 8.0 / (white - black);
    let mut weights = vec![0.0; 27];
    let mut bias = vec![0.0; 9];
    for k in 0..9 {
        let okta = k as f32;
        weights[k] = 100.0 * 2.0 * okta * scale;
        bias[k] = 100.0 * (-2.0 * okta * scale * black - okta * okta);
    }
    let graph = [
        bytes(1, &node("GlobalAveragePool", &["in"], "pooled")),
        bytes(1, &node("Flatten", &["pooled"], "means")),
        bytes(1, &node("Gemm", &["means", "weights", "bias"], "out")),
        bytes(2, b"red"),
        bytes(5, &floats("weights", &[3, 9], &weights)),
        bytes(5, &floats("bias", &[9], &bias)),
        bytes(11, &info("in", &[0, 3, side, side])),
        bytes(12, &info("out", &[0, 9])),
    ]
    .concat();
    let opset = number(2, 13);
    [number(1, 8), bytes(7, &graph), bytes(8, &opset)].concat()
}
