//! NetCDF's classic format with 64-bit offsets (CDF-2), written from front to back: the header with
//! the number of records, the variables without time, then record after record.
//!
//! The format: <https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html>.

const DIMENSION: u32 = 0x0A;
const VARIABLE: u32 = 0x0B;
const ATTRIBUTE: u32 = 0x0C;

/// An external type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Byte = 1,
    Char = 2,
    Short = 3,
    Float = 5,
    Double = 6,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    Text(String),
    Bytes(Vec<i8>),
    Shorts(Vec<i16>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Attributes by their names.
pub(super) type Attributes = Vec<(&'static str, Attribute)>;

/// Where a variable's values are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ValuePlace {
    /// In each record, so many bytes of it.
    Records { bytes: u32 },
    /// Before the records.
    Fixed(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) kind: Type,
    /// Places in the list of dimensions.
    pub(super) dimensions: Vec<u32>,
    pub(super) attributes: Attributes,
    pub(super) place: ValuePlace,
}

/// What a file holds besides its records.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Header {
    /// Names and lengths; the length of the one that grows with the records is 0.
    pub(super) dimensions: Vec<(&'static str, u32)>,
    pub(super) attributes: Attributes,
    pub(super) variables: Vec<Variable>,
}

impl Header {
    /// The bytes before the records.
    pub(super) fn bytes(&self, records: u32) -> Vec<u8> {
        let is_fixed = |variable: &&Variable| matches!(variable.place, ValuePlace::Fixed(_));
        let mut begins = vec![0u64; self.variables.len()];
        let length = self.head(records, &begins).len() as u64;
        let mut at = length;
        for of_records in [false, true] {
            for (variable, begin) in self.variables.iter().zip(&mut begins) {
                if is_fixed(&variable) != of_records {
                    *begin = at;
                    at += u64::from(variable.size());
                }
            }
        }
        let mut bytes = self.head(records, &begins);
        for variable in self.variables.iter().filter(is_fixed) {
            if let ValuePlace::Fixed(values) = &variable.place {
                bytes.extend_from_slice(values);
                pad(&mut bytes);
            }
        }
        bytes
    }

    fn head(&self, records: u32, begins: &[u64]) -> Vec<u8> {
        let mut bytes = b"CDF\x02".to_vec();
        number(&mut bytes, records);
        list(&mut bytes, DIMENSION, self.dimensions.len());
        for (dimension, length) in &self.dimensions {
            name(&mut bytes, dimension);
            number(&mut bytes, *length);
        }
        attributes(&mut bytes, &self.attributes);
        list(&mut bytes, VARIABLE, self.variables.len());
        for (variable, begin) in self.variables.iter().zip(begins) {
            name(&mut bytes, &variable.name);
            number(&mut bytes, count(variable.dimensions.len()));
            variable.dimensions.iter().for_each(|place| number(&mut bytes, *place));
            attributes(&mut bytes, &variable.attributes);
            number(&mut bytes, variable.kind as u32);
            number(&mut bytes, variable.size());
            bytes.extend_from_slice(&begin.to_be_bytes());
        }
        bytes
    }
}

impl Variable {
    /// Bytes of all its values, or of those of a record, padded.
    fn size(&self) -> u32 {
        match &self.place {
            ValuePlace::Records { bytes } => bytes.next_multiple_of(4),
            ValuePlace::Fixed(values) => count(values.len()).next_multiple_of(4),
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn number(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_be_bytes());
}

fn name(bytes: &mut Vec<u8>, name: &str) {
    number(bytes, count(name.len()));
    bytes.extend_from_slice(name.as_bytes());
    pad(bytes);
}

/// The tag and the length of a list; of an empty one zeros.
fn list(bytes: &mut Vec<u8>, tag: u32, length: usize) {
    number(bytes, if length == 0 { 0 } else { tag });
    number(bytes, count(length));
}

fn attributes(bytes: &mut Vec<u8>, attributes: &Attributes) {
    list(bytes, ATTRIBUTE, attributes.len());
    for (attribute, value) in attributes {
        name(bytes, attribute);
        let (kind, length) = match value {
            Attribute::Text(text) => (Type::Char, text.len()),
            Attribute::Bytes(values) => (Type::Byte, values.len()),
            Attribute::Shorts(values) => (Type::Short, values.len()),
            Attribute::Floats(values) => (Type::Float, values.len()),
            Attribute::Doubles(values) => (Type::Double, values.len()),
        };
        number(bytes, kind as u32);
        number(bytes, count(length));
        match value {
            Attribute::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            Attribute::Bytes(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            Attribute::Shorts(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            Attribute::Floats(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            Attribute::Doubles(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
        }
        pad(bytes);
    }
}

/// Fills up to a multiple of four bytes. Every part of a file begins at one.
pub(super) fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_the_specification_shows() {
        // The example of the specification, "A little-endian dump" of `tst_example`: one
        // dimension, one variable of five shorts; here with 64-bit offsets.
        let values = [3i16, 1, 4, 1, 5].iter().flat_map(|v| v.to_be_bytes()).collect();
        let header = Header {
            dimensions: vec![("dim", 5)],
            attributes: Vec::new(),
            variables: vec![Variable {
                name: "vx".to_owned(),
                kind: Type::Short,
                dimensions: vec![0],
                attributes: Vec::new(),
                place: ValuePlace::Fixed(values),
            }],
        };
        let expected: &[&[u8]] = &[
            b"CDF\x02\0\0\0\0",
            b"\0\0\0\x0A\0\0\0\x01\0\0\0\x03dim\0\0\0\0\x05",
            b"\0\0\0\0\0\0\0\0",
            b"\0\0\0\x0B\0\0\0\x01\0\0\0\x02vx\0\0\0\0\0\x01\0\0\0\0",
            b"\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x0C\0\0\0\0\0\0\0\x54",
            b"\0\x03\0\x01\0\x04\0\x01\0\x05\0\0",
        ];
        assert_eq!(header.bytes(0), expected.concat());
    }

    #[test]
    fn records_follow_what_has_no_time() {
        let variable = |name: &str, place| Variable {
            name: name.to_owned(),
            kind: Type::Byte,
            dimensions: Vec::new(),
            attributes: vec![("units", Attribute::from("1")), ("x", Attribute::Shorts(vec![1]))],
            place,
        };
        let header = Header {
            dimensions: vec![("time", 0)],
            attributes: vec![("title", Attribute::from("abc"))],
            variables: vec![
                variable("a", ValuePlace::Records { bytes: 1 }),
                variable("b", ValuePlace::Fixed(vec![7])),
                variable("c", ValuePlace::Records { bytes: 8 }),
            ],
        };
        let bytes = header.bytes(9);
        assert_eq!(&bytes[4..8], [0, 0, 0, 9]);
        assert_eq!(&bytes[bytes.len() - 4..], [7, 0, 0, 0]);
        let end = bytes.len() as u64;
        let head = header.head(9, &[end, end - 4, end + 4]);
        assert_eq!(&bytes[..bytes.len() - 4], head);
    }
}
