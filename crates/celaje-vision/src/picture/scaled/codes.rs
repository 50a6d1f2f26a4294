//! Huffman codes of a JPEG, and the bits that they are read from (ITU-T T.81, annexes C and F.2.2).

/// Bits of a code that one look into a table decides; few codes are longer.
const QUICK: u32 = 10;

/// Zero bytes behind a run of entropy-coded data, so that a whole word can always be read.
const PADDING: usize = 8;

/// A code, and what it says.
#[derive(Clone, Copy, Default)]
pub(super) struct Symbol {
    /// Bits of the code and of the value behind it; 0 where no such code is defined.
    pub(super) bits: u8,
    /// Bits of the code.
    code: u8,
    /// Coefficients of zero before this one.
    pub(super) run: u8,
    /// Bits of the value.
    pub(super) size: u8,
}

/// More zeros than a block has: it ends here.
pub(super) const END_OF_BLOCK: u8 = 127;

impl Symbol {
    /// A DC code: the size of the difference to the block before (T.81, F.1.2.1).
    fn dc(code: u8, value: u8) -> Option<Self> {
        (value <= 11).then(|| Self { bits: code + value, code, run: 0, size: value })
    }

    /// An AC code: a run of zeros and the size of the coefficient behind it (T.81, F.1.2.2).
    fn ac(code: u8, value: u8) -> Option<Self> {
        let (run, size) = match (value >> 4, value & 15) {
            (0, 0) => (END_OF_BLOCK, 0),
            (15, 0) => (15, 0),
            (_, 0) | (_, 11..) => return None,
            other => other,
        };
        Some(Self { bits: code + size, code, run, size })
    }
}

/// Codes in a row, with their values, that are passed over at once.
#[derive(Clone, Copy, Default)]
pub(super) struct Stretch {
    /// Bits of all of them; 0 where the first one is too long or undefined.
    pub(super) bits: u8,
    /// Coefficients that they stand for.
    pub(super) coefficients: u8,
    /// Whether the last one is the end of the block.
    pub(super) ends: bool,
}

/// A Huffman table.
pub(super) struct CodeTable {
    /// By the next [`QUICK`] bits; undefined where the code is longer.
    quick: Box<[Symbol]>,
    /// By the next [`QUICK`] bits, of AC codes.
    stretches: Box<[Stretch]>,
    /// By a code's length: the first word of 16 bits that lies above its codes.
    limits: [u32; 17],
    /// By a code's length: what is added to a code to get its place in `symbols`.
    offsets: [i32; 17],
    symbols: Vec<Symbol>,
}

impl CodeTable {
    /// A table of DC codes (class 0) or AC codes: how many there are of 1 to 16 bits, and their
    /// values. None if they are no prefix code or one of them has no meaning.
    pub(super) fn new(class: u8, counts: &[u8], values: &[u8]) -> Option<Self> {
        if class > 1 {
            return None;
        }
        let mut table = Self {
            quick: vec![Symbol::default(); 1 << QUICK].into_boxed_slice(),
            stretches: Box::default(),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: Vec::with_capacity(values.len()),
        };
        let meaning = if class == 0 { Symbol::dc } else { Symbol::ac };
        let mut code = 0_u32;
        for (length, count) in (1_u8..).zip(counts) {
            let bits = u32::from(length);
            let first = u32::try_from(table.symbols.len()).ok()?;
            table.offsets[usize::from(length)] = first.cast_signed() - code.cast_signed();
            for _ in 0..*count {
                let symbol = meaning(length, *values.get(table.symbols.len())?)?;
                if let Some(unused) = QUICK.checked_sub(bits) {
                    let place = (code << unused) as usize;
                    table.quick.get_mut(place..place + (1 << unused))?.fill(symbol);
                }
                table.symbols.push(symbol);
                code += 1;
            }
            if code > 1 << bits {
                return None;
            }
            table.limits[usize::from(length)] = code << (16 - bits);
            code <<= 1;
        }
        if class == 1 {
            table.stretches = (0..1 << QUICK).map(|bits| table.stretch(bits)).collect();
        }
        Some(table)
    }

    /// The codes that lie wholly in these [`QUICK`] bits, the values between them included.
    fn stretch(&self, bits: usize) -> Stretch {
        let mut all = Stretch::default();
        while u32::from(all.bits) < QUICK && !all.ends {
            let rest = (bits << all.bits) & ((1 << QUICK) - 1);
            let symbol = self.quick[rest];
            if symbol.bits == 0 || u32::from(all.bits + symbol.code) > QUICK {
                break;
            }
            all.bits += symbol.bits;
            all.ends = symbol.run == END_OF_BLOCK;
            all.coefficients += if all.ends { 0 } else { symbol.run + 1 };
        }
        all
    }

    /// The AC codes that the bits begin with.
    #[inline(always)]
    pub(super) fn stretch_of(&self, bits: &Bits<'_>) -> Stretch {
        self.stretches[(bits.held >> (64 - QUICK)) as usize]
    }

    /// The code that the bits begin with; of no bits where there is none.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &Bits<'_>) -> Symbol {
        let quick = self.quick[(bits.held >> (64 - QUICK)) as usize];
        if quick.bits > 0 { quick } else { self.long(bits) }
    }

    #[cold]
    fn long(&self, bits: &Bits<'_>) -> Symbol {
        let word = (bits.held >> 48) as u32;
        let length = (QUICK as usize + 1..17).find(|&n| word < self.limits[n]);
        let symbol = length.and_then(|n| {
            let code = (word >> (16 - n)).cast_signed();
            self.symbols.get(usize::try_from(code + self.offsets[n]).ok()?)
        });
        symbol.copied().unwrap_or_default()
    }
}

/// Entropy-coded data between two markers, without the zeros that are stuffed behind each byte of
/// ones.
#[derive(Default)]
pub(super) struct Interval {
    bytes: Vec<u8>,
}

impl Interval {
    /// Takes the data from `at` up to the next marker. Gives that marker's code and the offset
    /// behind it.
    pub(super) fn fill(&mut self, data: &[u8], mut at: usize) -> Option<(u8, usize)> {
        self.bytes.clear();
        loop {
            let rest = data.get(at..)?;
            let length = rest.iter().position(|&byte| byte == 0xFF)?;
            self.bytes.extend_from_slice(&rest[..length]);
            let code = *rest.get(length + 1)?;
            at += length + 2;
            if code != 0 {
                self.bytes.extend_from_slice(&[0; PADDING]);
                return Some((code, at));
            }
            self.bytes.push(0xFF);
        }
    }

    pub(super) fn bits(&self) -> Bits<'_> {
        Bits { bytes: &self.bytes, at: 0, held: 0, count: 0 }
    }
}

/// Bits of an interval.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the highest one on.
    held: u64,
    /// Those of them that count as taken from `bytes`.
    count: u32,
}

impl Bits<'_> {
    /// Makes sure that 56 bits are held: more than a code and its value have. Behind the data are
    /// zeros.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            self.held |= u64::from_be_bytes(*word) >> self.count;
        }
        let taken = (63 - self.count) >> 3;
        self.at += taken as usize;
        self.count += 8 * taken;
    }

    /// Passes over `bits` bits, those of codes and their values.
    #[inline(always)]
    pub(super) fn pass(&mut self, bits: u8) {
        self.held <<= bits;
        self.count -= u32::from(bits);
    }

    /// The value behind a code (T.81, F.2.2.1: EXTEND).
    #[inline(always)]
    pub(super) fn value(&self, symbol: Symbol) -> i32 {
        let size = u32::from(symbol.size);
        // In two steps: a shift by all 64 bits is none.
        let raw = ((self.held << symbol.code) >> 32 >> (32 - size)) as i32;
        let negative = (1 << size >> 1) > raw;
        if negative { raw + 1 - (1 << size) } else { raw }
    }

    /// Bits beyond those that were read: less than none where more were read than there are.
    pub(super) fn left(&self) -> i64 {
        let all = 8 * (self.bytes.len() - PADDING) as i64;
        all - (8 * self.at as i64 - i64::from(self.count))
    }
}
