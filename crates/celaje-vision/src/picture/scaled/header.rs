//! What a JPEG's segments say before its data (ITU-T T.81, annex B.2).

use super::codes::CodeTable;

/// Most components of a picture that is read: luminance and two of colour.
const COMPONENTS: usize = 3;

/// A colour component of the frame.
pub(super) struct Component {
    id: u8,
    /// Blocks of a minimum coded unit, across and down.
    pub(super) blocks: (usize, usize),
    pub(super) quantisation: usize,
    /// Numbers of the tables of DC and AC codes.
    pub(super) codes: (usize, usize),
}

/// The segments of a baseline JPEG with one scan.
#[derive(Default)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
    /// In zigzag order.
    pub(super) quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<CodeTable>; 4],
    pub(super) ac: [Option<CodeTable>; 4],
    /// Minimum coded units between two restarts; 0 without restarts.
    pub(super) restart: usize,
    /// Offset of the entropy-coded data.
    pub(super) data: usize,
}

impl Header {
    /// Reads the segments up to the scan's data. None if the picture is of a kind that is not
    /// decoded at a fraction of its size: not 8 bits, not sequential, not grey or YCbCr, more than
    /// one scan, sampled in another way than cameras do.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut header = Self::default();
        let mut at = 2;
        loop {
            let [0xFF, code] = *bytes.get(at..)?.first_chunk()? else { return None };
            let length = usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?));
            let segment = bytes.get(at + 4..at + 2 + length)?;
            at += 2 + length;
            match code {
                0xC4 => header.code_tables(segment)?,
                0xC0 | 0xC1 => header.frame(segment)?,
                0xDB => header.quantisation_tables(segment)?,
                0xDD => header.restart = usize::from(u16::from_be_bytes(*segment.first_chunk()?)),
                0xEE if segment.starts_with(b"Adobe") && *segment.get(11)? != 1 => return None,
                0xE0..=0xEF | 0xFE => {}
                0xDA => {
                    header.scan(segment)?;
                    header.data = at;
                    return Some(header);
                }
                _ => return None,
            }
        }
    }

    fn code_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&[kind], rest)) = segment.split_first_chunk() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let number = counts.iter().map(|&n| usize::from(n)).sum();
            let (values, rest) = rest.split_at_checked(number)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(kind & 15))? = CodeTable::new(kind >> 4, counts, values);
            segment = rest;
        }
        Some(())
    }

    fn quantisation_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&[kind], rest)) = segment.split_first_chunk() {
            // Tables of 16 bits are for pictures of 12.
            let (steps, rest) = rest.split_first_chunk::<64>()?;
            *self.quantisation.get_mut(usize::from(kind))? = Some(steps.map(u16::from));
            segment = rest;
        }
        Some(())
    }

    fn frame(&mut self, segment: &[u8]) -> Option<()> {
        let (&[8, h1, h0, w1, w0, number], rest) = segment.split_first_chunk()? else {
            return None;
        };
        self.height = u32::from(u16::from_be_bytes([h1, h0]));
        self.width = u32::from(u16::from_be_bytes([w1, w0]));
        let (parts, rest) = rest.as_chunks::<3>();
        if !self.components.is_empty() || parts.len() != usize::from(number) || !rest.is_empty() {
            return None;
        }
        for &[id, sampling, table] in parts {
            let blocks = (usize::from(sampling >> 4), usize::from(sampling & 15));
            let quantisation = usize::from(table);
            self.components.push(Component { id, blocks, quantisation, codes: (0, 0) });
        }
        match self.components.as_mut_slice() {
            // One component alone has one block a unit, whatever it says (T.81, A.2.2).
            [grey] => grey.blocks = (1, 1),
            [light, colours @ ..] if colours.len() == COMPONENTS - 1 => {
                let once = colours.iter().all(|one| one.blocks == (1, 1));
                let (1 | 2, 1 | 2) = light.blocks else { return None };
                // Named so, they are the colours themselves.
                if !once || light.id == b'R' {
                    return None;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn scan(&mut self, segment: &[u8]) -> Option<()> {
        let (&[number], rest) = segment.split_first_chunk()?;
        let (parts, spectrum) = rest.as_chunks::<2>();
        let (parts, end) = parts.split_at_checked(usize::from(number))?;
        // All coefficients at once: 0 to 63, no approximation.
        let whole = matches!((end, spectrum), ([[0, 63]], [0]));
        if !whole || parts.is_empty() || parts.len() != self.components.len() {
            return None;
        }
        for (component, &[id, tables]) in self.components.iter_mut().zip(parts) {
            if component.id != id {
                return None;
            }
            component.codes = (usize::from(tables >> 4), usize::from(tables & 15));
        }
        Some(())
    }
}
