//! Reads a name by the pieces of a template.

use crate::naming::Piece;
use crate::naming::fields::NameFields;

/// Places at which a piece is tried in one name: far more than a name of a camera needs, so that
/// a name made to be tried at every place costs little.
const MOST_STEPS: usize = 50_000;

/// The fields `above` together with those of `name`; none when it is not of this form. A `*` takes
/// as little as it can.
pub(super) fn read(pieces: &[Piece], name: &str, above: &NameFields) -> Option<NameFields> {
    let mut steps = 0;
    after(pieces, name, *above, &mut steps)
}

fn after(pieces: &[Piece], name: &str, known: NameFields, steps: &mut usize) -> Option<NameFields> {
    *steps += 1;
    if *steps > MOST_STEPS {
        return None;
    }
    let Some((piece, rest)) = pieces.split_first() else {
        return name.is_empty().then_some(known);
    };
    match piece {
        Piece::Text(text) => after(rest, name.strip_prefix(text.as_str())?, known, steps),
        Piece::Phase => [("day", false), ("night", true)].into_iter().find_map(|(word, night)| {
            after(rest, name.strip_prefix(word)?, known.with_phase(night)?, steps)
        }),
        Piece::Any => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            for end in ends {
                if let Some(found) = after(rest, &name[end..], known, steps) {
                    return Some(found);
                }
            }
            None
        }
        Piece::Field(scope, field) => {
            let (least, most) = field.digits();
            let digits = name.bytes().take(most).take_while(u8::is_ascii_digit).count();
            (least..=digits).rev().find_map(|end| {
                let with = known.with(*scope, *field, &name[..end])?;
                after(rest, &name[end..], with, steps)
            })
        }
    }
}
