//! What is outside the program: the camera and what it shows, the same for every life.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::StdRng;
use url::Url;

use celaje::camera::http::scripted::{ScriptedAnswer, ScriptedCamera};
use celaje_sky::layout::Layout;
use celaje_sky::outcome::MissReason;

use crate::faults::Faults;
use crate::support::asked;
use crate::support::judge::{self, Trouble};

/// What the camera has of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// A picture of so many oktas, after so many answers of this kind.
    Sky { okta: u8, failures: usize, kind: u8 },
    /// No picture.
    Missing,
    /// A status for good.
    Refused(u16),
    /// The connection breaks, for good.
    Broken,
    /// A page where a picture should be.
    Page,
    /// The beginning of a picture.
    Cut,
    /// A picture that the network does not take.
    Trouble(Trouble),
}

impl Scene {
    fn draw(random: &mut StdRng) -> Self {
        let okta = random.random_range(0..9);
        match random.random_range(0..40) {
            0..22 => Self::Sky { okta, failures: 0, kind: 0 },
            22..29 => Self::Sky {
                okta,
                failures: random.random_range(1..=2),
                kind: random.random_range(0..4),
            },
            29..32 => Self::Missing,
            // Not 403: what that says of a picture depends on what is known of its year.
            32 => Self::Refused([500, 503][random.random_range(0..2)]),
            33 => Self::Broken,
            34 => Self::Page,
            35 => Self::Cut,
            36 => Self::Trouble(Trouble::Panic),
            37 => Self::Trouble(Trouble::Fail),
            38 => Self::Trouble(Trouble::NotANumber),
            _ => Self::Trouble(Trouble::Short),
        }
    }
}

/// [`judge::picture`], each drawn once.
fn picture(okta: u8, trouble: Trouble, mark: u8) -> Bytes {
    type DrawnPicture = HashMap<(u8, u8, u8), Bytes>;
    static DRAWN: LazyLock<Mutex<DrawnPicture>> = LazyLock::new(Mutex::default);
    let mut drawn = DRAWN.lock().unwrap();
    let picture = drawn.entry((okta, trouble as u8, mark));
    picture.or_insert_with(|| judge::picture(okta, trouble, mark).into()).clone()
}

/// The camera of one seed.
#[derive(Debug)]
pub struct World {
    pub scenes: Vec<Scene>,
    pub layout: Layout,
}

impl World {
    pub fn draw(random: &mut StdRng) -> Self {
        let slots = random.random_range(3..36);
        Self {
            scenes: (0..slots).map(|_| Scene::draw(random)).collect(),
            layout: if random.random_bool(0.5) { Layout::Year } else { Layout::Root },
        }
    }
}

/// When the host cannot be reached, by the clock of a life.
pub type Outage = Option<(Duration, Duration)>;

/// The camera as one life finds it.
pub struct Camera {
    world: Arc<World>,
    faults: Arc<Faults>,
    outage: Outage,
    begun: tokio::time::Instant,
    asked: Mutex<HashMap<usize, usize>>,
    requests: Mutex<Vec<(usize, Layout)>>,
}

impl Camera {
    /// To be made inside the life's runtime.
    pub fn new(world: Arc<World>, faults: Arc<Faults>, outage: Outage) -> Self {
        Self {
            world,
            faults,
            outage,
            begun: tokio::time::Instant::now(),
            asked: Mutex::default(),
            requests: Mutex::default(),
        }
    }

    /// The requests so far, by the place of their slots.
    pub fn requests(&self) -> Vec<(usize, Layout)> {
        self.requests.lock().unwrap().clone()
    }

    fn says(&self, url: &Url) -> ScriptedAnswer {
        let Some(asked) = asked(url.path()) else {
            panic!("{url} was asked for");
        };
        self.requests.lock().unwrap().push((asked.index, asked.layout));
        let now = self.begun.elapsed();
        if self.outage.is_some_and(|(from, to)| (from..to).contains(&now)) {
            return ScriptedAnswer::Broken(MissReason::Unreachable);
        }
        if asked.layout != self.world.layout {
            return ScriptedAnswer::Status(404);
        }
        let nth = {
            let mut counts = self.asked.lock().unwrap();
            let count = counts.entry(asked.index).or_default();
            *count += 1;
            *count - 1
        };
        let mark = (asked.index % 200) as u8;
        match self.world.scenes[asked.index] {
            Scene::Sky { failures, kind, .. } if nth < failures => match kind {
                0 => ScriptedAnswer::Status(503),
                1 => ScriptedAnswer::Status(408),
                2 => ScriptedAnswer::Broken(MissReason::Reset),
                _ => ScriptedAnswer::Broken(MissReason::Timeout),
            },
            Scene::Sky { okta, .. } => ScriptedAnswer::Body(picture(okta, Trouble::None, mark)),
            Scene::Missing => ScriptedAnswer::Status(404),
            Scene::Refused(status) => ScriptedAnswer::Status(status),
            Scene::Broken => ScriptedAnswer::Broken(MissReason::Reset),
            Scene::Page => ScriptedAnswer::Body(b"<html>no picture</html>".as_slice().into()),
            Scene::Cut => {
                let whole = picture(4, Trouble::None, mark);
                ScriptedAnswer::Body(whole.slice(..whole.len() / 2))
            }
            Scene::Trouble(trouble) => ScriptedAnswer::Body(picture(4, trouble, mark)),
        }
    }
}

impl ScriptedCamera for Camera {
    fn ask(&self, url: &Url) -> (Duration, ScriptedAnswer) {
        (self.faults.delay(), self.says(url))
    }

    fn jitter(&self) -> f64 {
        self.faults.chance()
    }
}
