//! A reader of NetCDF's classic format with 64-bit offsets, after its specification.

use std::collections::BTreeMap;

/// A variable's place.
#[derive(Debug)]
struct Variable {
    dimensions: Vec<usize>,
    kind: u32,
    begin: usize,
    is_record: bool,
}

/// A file.
#[derive(Debug)]
pub struct NetCdf {
    pub records: usize,
    /// Bytes behind the last record.
    pub left_over: i64,
    dimensions: Vec<(String, usize)>,
    attributes: BTreeMap<String, Vec<u8>>,
    variables: BTreeMap<String, Variable>,
    record_size: usize,
    bytes: Vec<u8>,
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, n: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(n);
        self.0 = &rest[(n.next_multiple_of(4) - n).min(rest.len())..];
        taken
    }

    fn number(&mut self) -> usize {
        u32::from_be_bytes(self.take(4).try_into().unwrap()) as usize
    }

    fn name(&mut self) -> String {
        let n = self.number();
        String::from_utf8(self.take(n).to_vec()).unwrap()
    }

    fn list(&mut self, tag: usize) -> usize {
        let (found, n) = (self.number(), self.number());
        assert!(found == tag || (found, n) == (0, 0), "{found}");
        n
    }

    fn attributes(&mut self) -> BTreeMap<String, Vec<u8>> {
        (0..self.list(12))
            .map(|_| {
                let (name, kind, n) = (self.name(), self.number(), self.number());
                (name, self.take(n * size(kind as u32)).to_vec())
            })
            .collect()
    }
}

fn size(kind: u32) -> usize {
    match kind {
        1 | 2 => 1,
        3 => 2,
        4 | 5 => 4,
        6 => 8,
        kind => panic!("type {kind}"),
    }
}

impl NetCdf {
    pub fn read(bytes: &[u8]) -> Self {
        assert_eq!(&bytes[..4], b"CDF\x02");
        let mut cursor = Cursor(&bytes[4..]);
        let records = cursor.number();
        let dimensions: Vec<_> =
            (0..cursor.list(10)).map(|_| (cursor.name(), cursor.number())).collect();
        let attributes = cursor.attributes();
        let (mut variables, mut record_size, mut end) = (BTreeMap::new(), 0, 0);
        for _ in 0..cursor.list(11) {
            let (name, n) = (cursor.name(), cursor.number());
            let dims: Vec<usize> = (0..n).map(|_| cursor.number()).collect();
            cursor.attributes();
            let (kind, bytes) = (cursor.number() as u32, cursor.number());
            let begin = u64::from_be_bytes(cursor.take(8).try_into().unwrap()) as usize;
            let is_record = dims.first().is_some_and(|first| dimensions[*first].1 == 0);
            let own = dims.iter().map(|at| dimensions[*at].1).filter(|n| *n > 0);
            let own = own.product::<usize>() * size(kind);
            assert_eq!(bytes, own.next_multiple_of(4), "{name}");
            record_size += if is_record { bytes } else { 0 };
            end = end.max(begin + if is_record { 0 } else { bytes });
            variables.insert(name, Variable { dimensions: dims, kind, begin, is_record });
        }
        let begins = variables.values().filter(|v| v.is_record).map(|v| v.begin);
        let end = begins.min().unwrap_or(end) + records * record_size;
        let left_over = bytes.len() as i64 - end as i64;
        let bytes = bytes.to_vec();
        Self { records, left_over, dimensions, attributes, variables, record_size, bytes }
    }

    /// A text that the file says of itself.
    pub fn text(&self, attribute: &str) -> String {
        String::from_utf8(self.attributes[attribute].clone()).unwrap()
    }

    fn at(&self, name: &str, record: usize) -> &[u8] {
        let variable = &self.variables[name];
        let step = if variable.is_record { self.record_size } else { 0 };
        &self.bytes[variable.begin + record * step..]
    }

    /// A variable's value in a record.
    pub fn number(&self, name: &str, record: usize) -> f64 {
        let bytes = self.at(name, record);
        match self.variables[name].kind {
            1 => f64::from(bytes[0] as i8),
            3 => f64::from(i16::from_be_bytes(bytes[..2].try_into().unwrap())),
            5 => f64::from(f32::from_be_bytes(bytes[..4].try_into().unwrap())),
            6 => f64::from_be_bytes(bytes[..8].try_into().unwrap()),
            kind => panic!("type {kind}"),
        }
    }

    /// A text in a record.
    pub fn chars(&self, name: &str, record: usize) -> String {
        let last = *self.variables[name].dimensions.last().unwrap();
        let bytes = &self.at(name, record)[..self.dimensions[last].1];
        String::from_utf8(bytes.to_vec()).unwrap().trim_end_matches('\0').to_owned()
    }
}
