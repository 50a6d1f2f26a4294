//! What the integration tests share: drawn pictures, a camera server that misbehaves, an engine
//! that sees colours, and a stage on which a whole pipeline runs.
#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod broker;
pub mod judge;
pub mod netcdf;
pub mod onnx;
pub mod pdf;
pub mod pictures;
pub mod record;
pub mod server;
pub mod sink;
pub mod stage;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use celaje_sky::layout::Layout;
use celaje_sky::slot::{Slot, SlotGrid, SlotRange};
use celaje_sky::station::Station;

/// A station like the first one, with its pictures at `url_base`.
pub fn station(url_base: &str) -> Station {
    Station { url_base: url_base.to_owned(), ..Station::rio_grande() }
}

/// The range from `from` to `to`, `YYYY-MM-DDTHH:MM`.
pub fn range(from: &str, to: &str) -> SlotRange {
    let time = |text| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
    SlotRange::new(time(from), time(to)).unwrap()
}

/// The range of the first `n` slots of 2024-03-01.
pub fn first(n: usize) -> SlotRange {
    let day = range("2024-03-01T00:00", "2024-03-31T23:59");
    let last = slots(day)[n - 1];
    SlotRange::new(day.from(), last.local()).unwrap()
}

/// The slots of a range at the first station.
pub fn slots(range: SlotRange) -> Vec<Slot> {
    range.slots(&SlotGrid::default(), Station::rio_grande().zone).collect()
}

/// What a path of a server under `/sky/` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub layout: Layout,
    pub slot: Slot,
    /// Place of the slot in [`first`], from 0.
    pub index: usize,
}

/// The picture that `path` asks for; the name's own year must be the folder's.
pub fn asked(path: &str) -> Option<Asked> {
    let below = path.strip_prefix("/sky/")?;
    let (layout, name) = match below.split_once('/') {
        Some((year, name)) if name.starts_with(year) => (Layout::Year, name),
        Some(_) => return None,
        None => (Layout::Root, below),
    };
    let slot = Slot::at(Slot::parse_file_name(name)?, Station::rio_grande().zone)?;
    let start = range("2024-03-01T00:02", "2024-03-01T00:02").from();
    let minutes = (slot.local() - start).num_minutes();
    let index = usize::try_from(minutes / 10).unwrap_or(0);
    Some(Asked { layout, slot, index })
}

/// A file of the shared material beside the repository; says so when it is missing.
pub fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(file);
    if !path.exists() {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: ../shared/{file} is not here");
        return None;
    }
    Some(path)
}
