//! Splits batches for networks with a fixed batch size.

use crate::engine::backend::{BackendError, InputBatch, OutputBatch};

/// Runs `input` through a network that takes exactly `fixed` pictures at a time (any number if
/// `None`). The last piece is filled up with zeros, whose results are dropped.
///
/// # Errors
/// If the numbers do not fill the shape, `run` fails, or the number of results is not that of the
/// pictures.
pub(super) fn in_pieces(
    fixed: Option<usize>,
    input: InputBatch<'_>,
    mut run: impl FnMut(InputBatch<'_>) -> Result<OutputBatch, BackendError>,
) -> Result<OutputBatch, BackendError> {
    let [n, a, b, c] = input.shape;
    let picture = a * b * c;
    if n == 0 || picture == 0 || input.data.len() != n * picture {
        let (shape, numbers) = (input.shape, input.data.len());
        return Err(BackendError::Run(format!("{numbers} numbers do not fill a batch {shape:?}")));
    }
    let Some(fixed) = fixed.filter(|&fixed| fixed != n) else {
        return checked(run(input)?, n);
    };
    let mut whole = OutputBatch { data: Vec::new(), shape: Vec::new() };
    let mut padded = Vec::new();
    for piece in input.data.chunks(fixed * picture) {
        let pictures = piece.len() / picture;
        let data = if pictures == fixed {
            piece
        } else {
            padded.extend_from_slice(piece);
            padded.resize(fixed * picture, 0.0);
            padded.as_slice()
        };
        let output = checked(run(InputBatch { data, shape: [fixed, a, b, c] })?, fixed)?;
        let each = output.data.len() / fixed;
        whole.data.extend_from_slice(&output.data[..each * pictures]);
        whole.shape = output.shape;
    }
    if let Some(first) = whole.shape.first_mut() {
        *first = n;
    }
    Ok(whole)
}

fn checked(output: OutputBatch, n: usize) -> Result<OutputBatch, BackendError> {
    if output.is_batch_of(n) {
        Ok(output)
    } else {
        let OutputBatch { data, shape } = output;
        let numbers = data.len();
        Err(BackendError::Run(format!(
            "{n} pictures gave an output {shape:?} of {numbers} numbers"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives the sum of each picture; takes `fixed` pictures alone.
    fn sums(fixed: Option<usize>, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let [n, a, b, c] = input.shape;
        assert!(fixed.is_none_or(|fixed| fixed == n));
        let data = input.data.chunks(a * b * c).map(|picture| picture.iter().sum()).collect();
        Ok(OutputBatch { data, shape: vec![n, 1] })
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            n in 1_usize..9,
            fixed in proptest::option::of(1_usize..5),
        ) {
            let data: Vec<f32> = (0..n * 6).map(|i| i as f32).collect();
            let input = InputBatch { data: &data, shape: [n, 3, 1, 2] };
            let whole = in_pieces(None, input, |piece| sums(None, piece)).unwrap();
            let pieces = in_pieces(fixed, input, |piece| sums(fixed, piece)).unwrap();
            prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let input = InputBatch { data: &[0.0; 5], shape: [1, 3, 1, 2] };
        assert!(in_pieces(None, input, |piece| sums(None, piece)).is_err());
        let input = InputBatch { data: &[0.0; 6], shape: [1, 3, 1, 2] };
        let two = OutputBatch { data: vec![0.0; 2], shape: vec![2, 1] };
        assert!(in_pieces(None, input, |_| Ok(two.clone())).is_err());
        let short = OutputBatch { data: vec![], shape: vec![1, 9] };
        assert!(in_pieces(None, input, |_| Ok(short.clone())).is_err());
    }
}
