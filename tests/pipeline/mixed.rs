//! All faults at random: what can succeed gets the very row that a run without faults gives it.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use celaje_sky::station::LayoutChoice;

use crate::support::judge::{Trouble, picture};
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::support::{Asked, first, pictures, slots};
use crate::{camera, okta};

const SLOTS: usize = 150;

/// What is wrong with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// So many bad answers of this kind (by number) before the picture comes; two are forgiven.
    Passing(u8, usize),
    /// A status for good.
    Refused(u16),
    /// A body that is no picture of the sky, by number.
    Body(usize),
    /// A picture that the network does not take.
    Network(Trouble),
}

const BODIES: [&str; 5] = ["empty", "not_an_image", "truncated", "too_many_pixels", "too_large"];

impl Fault {
    fn draw(random: &mut StdRng) -> Self {
        match random.random_range(0..20) {
            0..8 => Self::None,
            8..13 => Self::Passing(random.random_range(0..5), random.random_range(1..=4)),
            13..15 => Self::Refused([404, 403, 410, 500, 503][random.random_range(0..5)]),
            15..18 => Self::Body(random.random_range(0..BODIES.len())),
            _ => Self::Network(
                [Trouble::NotANumber, Trouble::Fail, Trouble::Panic, Trouble::Short]
                    [random.random_range(0..4)],
            ),
        }
    }

    fn reply(self, asked: Asked, nth: usize) -> Option<Reply> {
        match self {
            Self::Passing(kind, times) if nth < times => Some(match kind {
                0 => Reply::Reset,
                1 => Reply::Half(pictures::jpeg(0.1)),
                2 => Reply::Status(503, vec![("retry-after", "0".to_owned())]),
                3 => Reply::status(500),
                _ => Reply::status(429).late(5),
            }),
            Self::None | Self::Passing(..) => None,
            Self::Refused(status) => Some(Reply::status(status)),
            Self::Body(0) => Some(Reply::Body(Vec::new())),
            Self::Body(1) => Some(Reply::Body(pictures::html())),
            Self::Body(2) => Some(Reply::Body(pictures::jpeg(0.7)[..400].to_vec())),
            Self::Body(3) => Some(Reply::Body(pictures::bomb())),
            Self::Body(_) => Some(Reply::Endless),
            Self::Network(trouble) => Some(Reply::Body(picture(okta(asked.index), trouble, 1))),
        }
    }

    /// The reason of the miss that it must end as; none when it must be stored.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Passing(_, ..=2) => None,
            Self::Passing(0 | 1, _) => Some("reset"),
            Self::Passing(..) => Some("http_status"),
            Self::Refused(404 | 410) => Some("not_found"),
            Self::Refused(_) => Some("http_status"),
            Self::Body(kind) => Some(BODIES[kind]),
            Self::Network(Trouble::Panic) => Some("poison"),
            Self::Network(_) => Some("model"),
        }
    }
}

async fn stored(server: &Server) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut stage = Stage::new(server).with_layout(LayoutChoice::Root);
    (stage.tuning.concurrency, stage.tuning.batch) = (8, 6);
    stage.tuning.batch_deadline = Duration::from_millis(3);
    stage.run(first(SLOTS)).await;
    let host = server.base();
    let rows = stage.record().rows();
    let rows = rows.into_iter().map(|(slot, row)| (slot, row.replace(&host, "")));
    let misses = stage.record().misses();
    let misses = misses.into_iter().map(|(slot, m)| (slot, m.reason));
    (rows.collect(), misses.collect())
}

#[actix::test]
async fn what_can_succeed_gets_the_row_of_a_faultless_run() {
    let faultless = stored(&Server::start(camera(|_, _| None))).await.0;
    assert_eq!(faultless.len(), SLOTS);
    for seed in [1, 2, 3, 20_260_729] {
        let mut random = StdRng::seed_from_u64(seed);
        let faults: Vec<Fault> = (0..SLOTS).map(|_| Fault::draw(&mut random)).collect();
        let wanted: BTreeMap<String, String> = slots(first(SLOTS))
            .into_iter()
            .zip(&faults)
            .filter_map(|(slot, fault)| Some((slot.to_string(), fault.reason()?.to_owned())))
            .collect();
        let served = faults.clone();
        let server = Server::start(camera(move |asked, nth| served[asked.index].reply(asked, nth)));
        let (rows, misses) = stored(&server).await;
        assert_eq!(misses, wanted, "seed {seed}");
        for (slot, row) in rows {
            assert_eq!(faultless[&slot], row, "seed {seed}, slot {slot}");
        }
        assert!(server.most_at_once() <= 8 + 1, "{}", server.most_at_once());
    }
}
