use super::*;
use crate::model::manifest::Fit;
use crate::picture::geometry::{UnitRect, content, crop};
use celaje_sky::station::region::Margins;
use proptest::prelude::*;
use std::sync::Arc;

const INPUT: (u32, u32) = (48, 32);

/// A picture of this size, without its left tenth, in the input.
fn geometry(picture: (u32, u32), fit: Fit) -> Geometry {
    let margins = Margins { left: 0.1, ..Margins::default() };
    let taken = crop(picture.0, picture.1, margins);
    let left = f64::from(taken.left) / f64::from(picture.0);
    Geometry {
        input: INPUT,
        content: content((taken.width, taken.height), INPUT, fit),
        crop: UnitRect { left, top: 0.0, width: 1.0 - left, height: 1.0 },
    }
}

#[test]
fn a_row_that_is_not_there_has_no_cells() {
    let geometry = geometry((40, 40), Fit::Letterbox);
    let region = Region::whole();
    let judged = JudgedCells::of(&geometry, &region, 1.0, (6, 4));
    let mut row = [true; 6];
    judged.mark(4, &mut row);
    assert_eq!(row, [false; 6]);
    judged.mark(0, &mut row);
    // 36 × 40 pixels stand in the middle 29 of 48 columns: the outer cells are bars.
    assert_eq!(row, [false, true, true, true, true, false]);
    let middle = MiddleCells::of(&geometry, (6, 4));
    assert_eq!(middle.cells(4).count(), 0);
}

proptest! {
    #[test]
    fn tables_say_what_each_place_alone_says(
        picture in (16u32..200, 16u32..200), size in (1usize..40, 1usize..40),
        letterbox in any::<bool>(), inside in prop::collection::vec(any::<bool>(), 35),
        masked in any::<bool>(),
    ) {
        let fit = if letterbox { Fit::Letterbox } else { Fit::Stretch };
        let geometry = geometry(picture, fit);
        let mask = Mask::new(7, 5, inside).filter(|_| masked).map(Arc::new);
        let region = Region { mask, ..Region::whole() };
        let judged = JudgedCells::of(&geometry, &region, 1.0, size);
        let middle = MiddleCells::of(&geometry, (size.0 as u32, size.1 as u32));
        let at = |cell: usize, side: u32, cells: usize| {
            (cell as f64 + 0.5) * (f64::from(side) / cells as f64)
        };
        let mut marks = vec![true; size.0];
        for row in 0..size.1 {
            judged.mark(row, &mut marks);
            let y = at(row, INPUT.1, size.1);
            let mut near = Vec::new();
            for (column, &mark) in marks.iter().enumerate() {
                let x = at(column, INPUT.0, size.0);
                let place = geometry.to_picture(x, y);
                let alone = place.is_some_and(|(x, y)| {
                    region.mask.as_ref().is_none_or(|mask| mask.contains(x, y))
                });
                prop_assert_eq!(mark, alone);
                let x = (column as f64 + 0.5) * f64::from(INPUT.0) / size.0 as f64;
                let y = (row as f64 + 0.5) * f64::from(INPUT.1) / size.1 as f64;
                let content = geometry.content;
                let u = (x - f64::from(content.left)) / f64::from(content.width) - 0.5;
                let v = (y - f64::from(content.top)) / f64::from(content.height) - 0.5;
                if u.hypot(v) <= 0.25 {
                    near.push((column, (x as u32, y as u32)));
                }
            }
            prop_assert_eq!(middle.cells(row).collect::<Vec<_>>(), near);
        }
    }
}
