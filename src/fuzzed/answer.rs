//! Answers of a camera's server, with heads of any kind.

use crate::camera::http::read_answer;
use crate::fuzzed::expect;

/// An answer, as the lenient reader takes it.
///
/// # Errors
/// What did not hold.
pub fn answer(bytes: &[u8]) -> Result<(), String> {
    let whole = read_answer(bytes, bytes.len());
    if let Ok((status, body)) = &whole {
        expect(body.len() <= bytes.len(), || format!("{} bytes of {}", body.len(), bytes.len()))?;
        expect(*status >= 100, || format!("status {status}"))?;
    }
    // It is the same however the network cuts it.
    for piece in [1, 7, 100] {
        let cut = read_answer(bytes, piece);
        expect(whole.as_ref().ok() == cut.as_ref().ok(), || {
            format!("{whole:?} as a whole, {cut:?} in pieces of {piece}")
        })?;
    }
    Ok(())
}
