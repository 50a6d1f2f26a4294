//! What an ONNX file says about its inputs and outputs, without an engine.
//!
//! ONNX files are protocol-buffer messages
//! ([`ModelProto`](https://onnx.ai/onnx/repo-docs/IR.html)); only the fields that describe the
//! outer shape are walked, weights are stepped over, and nothing is allocated on the word of a
//! length in the file.

use std::collections::HashSet;

/// The number that stands for 32-bit floats in ONNX (`TensorProto.DataType.FLOAT`).
pub const FLOAT: u64 = 1;

/// What a file says that is no ONNX model, or not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The bytes are no ONNX model.
    #[error("not an ONNX model")]
    Foreign,
    /// The bytes begin as an ONNX model and end too early.
    #[error("the ONNX model is cut off")]
    CutOff,
}

/// Inputs and outputs of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Inputs that must be fed (weights listed among the inputs are left out).
    pub inputs: Vec<TensorInfo>,
    /// Outputs in their order.
    pub outputs: Vec<TensorInfo>,
    /// Whether weights lie in a file of their own beside the ONNX file.
    pub external_weights: bool,
}

/// Dimensions, `None` where one is free.
pub type Shape = Vec<Option<usize>>;

/// Name, element type and shape of one input or output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the graph.
    pub name: String,
    /// ONNX's number for the element type; [`FLOAT`] is 32-bit floats, 0 is unknown.
    pub element: u64,
    /// `None` when no shape is declared.
    pub shape: Option<Shape>,
}

impl Header {
    /// Reads the header of an ONNX file.
    ///
    /// # Errors
    /// When the bytes are no ONNX model or are cut off.
    pub fn read(bytes: &[u8]) -> Result<Self, HeaderError> {
        let (mut known, mut graph) = (false, None);
        for field in Fields(bytes) {
            match field {
                // `ir_version` is required, small, and comes first.
                Ok((1, Value::Varint(version))) => known = (1..=1000).contains(&version),
                Ok((7, Value::Bytes(b))) => graph = Some(b),
                Ok(_) => {}
                Err(error) => return Err(if known { error } else { HeaderError::Foreign }),
            }
        }
        if !known {
            return Err(HeaderError::Foreign);
        }
        Self::read_graph(graph.ok_or(HeaderError::Foreign)?)
    }

    fn read_graph(graph: &[u8]) -> Result<Self, HeaderError> {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let (mut weights, mut external_weights) = (HashSet::new(), false);
        for field in Fields(graph) {
            match field? {
                (5, Value::Bytes(tensor)) => {
                    let (name, external) = weight(tensor)?;
                    weights.insert(name);
                    external_weights |= external;
                }
                (11, Value::Bytes(info)) => inputs.push(tensor_info(info)?),
                (12, Value::Bytes(info)) => outputs.push(tensor_info(info)?),
                _ => {}
            }
        }
        inputs.retain(|input: &TensorInfo| !weights.contains(&input.name));
        Ok(Self { inputs, outputs, external_weights })
    }

    /// The number of pictures that the network insists on in a batch, when it does.
    pub fn fixed_batch(&self) -> Option<usize> {
        self.inputs.first()?.shape.as_ref()?.first().copied().flatten()
    }
}

/// Name of a `TensorProto` and whether its data lie elsewhere.
fn weight(tensor: &[u8]) -> Result<(String, bool), HeaderError> {
    let (mut name, mut external) = (String::new(), false);
    for field in Fields(tensor) {
        match field? {
            (8, Value::Bytes(b)) => name = text(b),
            (14, Value::Varint(v)) => external = v == 1,
            _ => {}
        }
    }
    Ok((name, external))
}

/// A `ValueInfoProto`.
fn tensor_info(info: &[u8]) -> Result<TensorInfo, HeaderError> {
    let mut result = TensorInfo::default();
    for field in Fields(info) {
        match field? {
            (1, Value::Bytes(b)) => result.name = text(b),
            (2, Value::Bytes(kind)) => {
                for field in Fields(kind) {
                    if let (1, Value::Bytes(tensor)) = field? {
                        (result.element, result.shape) = tensor_type(tensor)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(result)
}

/// Element type and dimensions of a `TypeProto.Tensor`.
fn tensor_type(tensor: &[u8]) -> Result<(u64, Option<Shape>), HeaderError> {
    let (mut element, mut shape) = (0, None);
    for field in Fields(tensor) {
        match field? {
            (1, Value::Varint(v)) => element = v,
            (2, Value::Bytes(b)) => {
                let mut dims = Vec::new();
                for field in Fields(b) {
                    if let (1, Value::Bytes(dim)) = field? {
                        dims.push(dimension(dim)?);
                    }
                }
                shape = Some(dims);
            }
            _ => {}
        }
    }
    Ok((element, shape))
}

/// A `TensorShapeProto.Dimension`; zero and negative lengths (some exporters write -1) are free.
fn dimension(dim: &[u8]) -> Result<Option<usize>, HeaderError> {
    let mut length = None;
    for field in Fields(dim) {
        if let (1, Value::Varint(v)) = field? {
            length = i64::try_from(v).ok().and_then(|v| usize::try_from(v).ok()).filter(|&v| v > 0);
        }
    }
    Ok(length)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of one protocol-buffer message; ends after the first error.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, HeaderError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(HeaderError::CutOff)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(HeaderError::Foreign)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], HeaderError> {
        let length = usize::try_from(length).map_err(|_| HeaderError::CutOff)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(HeaderError::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), HeaderError> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(HeaderError::Foreign),
        };
        if tag >> 3 == 0 { Err(HeaderError::Foreign) } else { Ok((tag >> 3, value)) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut length = payload.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(payload);
        out
    }

    fn varint(number: u8, value: u8) -> Vec<u8> {
        vec![number << 3, value]
    }

    fn info(name: &str, dims: &[u8]) -> Vec<u8> {
        let dims: Vec<u8> = dims
            .iter()
            .flat_map(|&dim| {
                let dim = match dim {
                    0 => field(2, b"N"),
                    large @ 128.. => vec![8, large, 1],
                    small => varint(1, small),
                };
                field(1, &dim)
            })
            .collect();
        let tensor = [varint(1, 1), field(2, &dims)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    }

    /// An ONNX file with an identity node: input and output of the given shapes (0 is free).
    pub(crate) fn tiny_onnx(input: &[u8], output: &[u8]) -> Vec<u8> {
        let node = [field(1, b"in"), field(2, b"out"), field(4, b"Identity")].concat();
        let weight = [field(8, b"w"), field(9, &[0; 300])].concat();
        let graph = [
            field(1, &node),
            field(5, &weight),
            field(11, &info("in", input)),
            field(11, &info("w", &[75])),
            field(12, &info("out", output)),
        ]
        .concat();
        let opset = varint(2, 17);
        [varint(1, 8), field(7, &graph), field(8, &opset)].concat()
    }

    #[test]
    fn shapes_are_read_and_weights_are_no_inputs() {
        let header = Header::read(&tiny_onnx(&[0, 3, 224, 224], &[0, 9])).unwrap();
        assert_eq!(header.inputs.len(), 1);
        assert_eq!(header.inputs[0].name, "in");
        assert_eq!(header.inputs[0].element, FLOAT);
        assert_eq!(header.inputs[0].shape, Some(vec![None, Some(3), Some(224), Some(224)]));
        assert_eq!(header.outputs[0].shape, Some(vec![None, Some(9)]));
        assert_eq!(header.fixed_batch(), None);
        assert!(!header.external_weights);
    }

    #[test]
    fn a_fixed_batch_is_seen() {
        let header = Header::read(&tiny_onnx(&[4, 3, 8, 8], &[4, 9])).unwrap();
        assert_eq!(header.fixed_batch(), Some(4));
    }

    #[test]
    fn foreign_and_cut_off_bytes_are_told_apart() {
        assert_eq!(Header::read(b""), Err(HeaderError::Foreign));
        assert_eq!(Header::read(b"\x08\x08"), Err(HeaderError::Foreign));
        assert!(Header::read(b"\x89HDF\r\n\x1a\n").is_err());
        assert!(Header::read(b"PK\x03\x04").is_err());
        let whole = tiny_onnx(&[0, 3, 224, 224], &[0, 9]);
        assert_eq!(Header::read(&whole[..whole.len() / 2]), Err(HeaderError::CutOff));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Header::read(&bytes);
        }

        #[test]
        fn a_damaged_model_is_survived(at in 0_usize..300, byte: u8) {
            let mut bytes = tiny_onnx(&[0, 3, 224, 224], &[0, 9]);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Header::read(&bytes);
        }
    }
}
