//! What a station's pipeline is made of: built at the start and at each reload, before anything
//! that runs is touched.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::actors::dispatch::DispatchCounts;
use crate::actors::health::ActorHealth;
use crate::actors::shadow::ShadowCounts;
use crate::camera::Source;
use crate::camera::kept::{KeepPolicy, KeptPictures};
use crate::clock::Clock;
use crate::queue::Queue;
use crate::queue::address::QueueAddress;
use crate::service::inference::{Arrangement, open_model};
use crate::service::notices;
use crate::service::request::station_source;
use crate::service::supervision::Supervision;
use crate::service::witness::ClockWitness;
use crate::service::{Pipeline, RunPolicy, Setup, Shadow, workers};
use crate::settings::Settings;
use crate::settings::span::Span;
use crate::settings::tuning::{CommitPolicy, Tuning};
use crate::store::SharedDatabase;
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Flow;
use celaje_sky::say;
use celaje_sky::station::{PicturePlace, Station, StationSource};
use celaje_sky::text::Text;
use celaje_sky::ticks::{SlotSchedule, TickPolicy};
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::source::Model;

#[derive(Clone)]
pub struct PipelineFactory {
    pub station: Arc<Station>,
    /// How far back missing slots are filled.
    catch_up: Span,
    /// Whether no other clock is held against this machine's.
    pub trust_clock: bool,
    source: Source,
    model: Arc<Model>,
    engine: Arc<dyn Engine>,
    shadow: Option<Shadow>,
    kept: Arc<KeptPictures>,
    tuning: Tuning,
    /// Where workers take the past from; none where this machine fills it.
    queue: Option<QueueAddress>,
}

/// The factories of all stations.
pub struct PipelineFactories {
    /// One for each station, in the order of the settings.
    pub all: Vec<PipelineFactory>,
    /// Name and version of the model.
    pub model: String,
    /// The engine, in words.
    pub engine: String,
    /// Name and version of the shadow model, and its counts.
    pub shadow: Option<(String, Arc<ShadowCounts>)>,
}

impl PipelineFactories {
    /// Opens the models that the settings name, and runs one picture through them; `tell` gets the
    /// notices about them.
    pub async fn make(mut settings: Settings, tell: impl Fn(&Text)) -> Result<Self> {
        let opened = tokio::task::spawn_blocking(move || {
            let mut told = Vec::new();
            let first = open(&settings, &mut told)?;
            let shadow = match settings.shadow_model.take() {
                Some(name) => {
                    let mut beside = settings.clone();
                    beside.model = Some(name);
                    Some(open(&beside, &mut told)?)
                }
                None => None,
            };
            Ok::<_, Failure>((settings, first, shadow, told))
        });
        let opened = opened.await.map_err(|_| broken())?;
        let (mut settings, (model, engine), shadow, mut told) = opened?;
        told.extend(settings.stations.iter().filter_map(notices::any_certificate));
        told.iter().for_each(&tell);
        Arrangement::settle(&mut settings, engine.as_ref());
        let shadow = shadow.map(|(model, engine)| Shadow { model, engine, counts: Arc::default() });
        let mut all = Vec::new();
        for station in settings.stations.into_iter().map(Arc::new) {
            let source = station_source(&station)?;
            notices::ignored_proxies(&source).iter().for_each(&tell);
            let (policy, limits) = (settings.keep.clone(), settings.tuning.picture);
            refuse_its_own_pictures(&station, &policy)?;
            let kept = KeptPictures::new(policy, &station.id, station.zone, limits);
            let kept = Arc::new(kept);
            all.push(PipelineFactory {
                source,
                station,
                catch_up: settings.catch_up,
                trust_clock: settings.trust_clock,
                model: Arc::clone(&model),
                engine: Arc::clone(&engine),
                shadow: shadow.clone(),
                kept,
                tuning: settings.tuning.clone(),
                queue: settings.queue.clone(),
            });
        }
        Ok(Self {
            all,
            model: model.label(),
            engine: engine.describe(),
            shadow: shadow.map(|shadow| (shadow.model.label(), shadow.counts)),
        })
    }
}

/// Copies would be written over the camera's own pictures, and these be removed as old ones.
fn refuse_its_own_pictures(station: &Station, policy: &KeepPolicy) -> Result<()> {
    let Some(StationSource { place: PicturePlace::Folder(folder), .. }) = &station.source else {
        return Ok(());
    };
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    match (real(folder), real(&policy.folder)) {
        (Ok(own), Ok(copies)) if own.starts_with(&copies) => {
            let (id, own, copies) = (&station.id, folder.display(), policy.folder.display());
            Err(Failure::usage(say!(
                "station '{id}': its pictures are in '{own}', and copies of them would be written \
                 to '{copies}' and removed there as they get old; set keep_dir to another folder",
                "estación '{id}': sus imágenes están en '{own}', y en '{copies}' se escribirían \
                 copias de ellas, que allí se borran con el tiempo; ponga en keep_dir otra carpeta"
            )))
        }
        _ => Ok(()),
    }
}

impl PipelineFactory {
    /// How far back missing slots are filled.
    pub const fn catch_up(&self) -> TimeDelta {
        self.catch_up.length()
    }

    /// The station's slots from `now` on.
    pub fn schedule(&self, now: DateTime<Utc>) -> SlotSchedule {
        let policy = TickPolicy { catch_up: self.catch_up(), ..TickPolicy::of(&self.station) };
        SlotSchedule::new(self.station.minutes.clone(), self.station.zone, policy, now)
    }

    /// The camera's address; no secrets.
    pub fn address(&self) -> String {
        self.source.address()
    }

    /// The station's camera as a witness of this machine's clock.
    pub fn clock_witness(&self) -> Option<ClockWitness<'_>> {
        ClockWitness::of(&self.source, &self.station, &self.tuning.http)
    }

    /// Where workers take the past from; none where this machine fills it, or there is none.
    pub fn queue(&self) -> Option<&QueueAddress> {
        self.queue.as_ref().filter(|_| !self.station.has_only_the_latest())
    }

    /// Starts the actors.
    pub fn start(&self, common: PipelineCommon<'_>) -> Result<Pipeline> {
        let setup = Setup {
            shadow: self.shadow.clone(),
            kept: Some(Arc::clone(&self.kept)),
            ..self.setup(common)
        };
        Pipeline::start_with(setup, common.supervision())
    }

    /// Starts those that have workers read the pictures: for the record `identity`, by `queue`.
    pub async fn start_filling(
        &self,
        common: PipelineCommon<'_>,
        identity: &str,
        queue: Queue,
        counts: Arc<DispatchCounts>,
    ) -> Result<Pipeline> {
        let (station, source) = (&self.station, &self.source);
        let opened = workers::open(queue, identity, station, source, &self.model, counts);
        let dispatch = opened.await?;
        let mut setup = self.setup(common);
        setup.tuning.commit = CommitPolicy::of_many();
        Pipeline::start_fed(setup, common.supervision(), Some(dispatch))
    }

    fn setup(&self, common: PipelineCommon<'_>) -> Setup {
        Setup {
            station: Arc::clone(&self.station),
            source: self.source.clone(),
            model: Arc::clone(&self.model),
            engine: Arc::clone(&self.engine),
            database: common.database.clone(),
            tuning: self.tuning.clone(),
            policy: RunPolicy::default(),
            shadow: None,
            kept: None,
            flow: Arc::clone(common.flow),
            clock: common.clock,
        }
    }
}

/// What pipelines of a station share.
#[derive(Clone, Copy)]
pub struct PipelineCommon<'a> {
    pub database: &'a SharedDatabase,
    pub flow: &'a Arc<Flow>,
    /// Counts the failures of the actors.
    pub health: &'a Arc<ActorHealth>,
    pub clock: Clock,
}

impl PipelineCommon<'_> {
    fn supervision(self) -> Supervision {
        Supervision { health: Some(Arc::clone(self.health)), ..Supervision::of_program() }
    }
}

/// A model and its engine.
type OpenModel = (Arc<Model>, Arc<dyn Engine>);

/// Opens the model of `settings`, and runs one picture through it.
fn open(settings: &Settings, told: &mut Vec<Text>) -> Result<OpenModel> {
    let notices = std::cell::RefCell::new(Vec::new());
    let (model, engine) = open_model(settings, |notice| notices.borrow_mut().push(notice.clone()))?;
    told.extend(notices.into_inner());
    Ok((model, engine))
}

fn broken() -> Failure {
    Failure::environment(say!(
        "a model could not be opened after an error of this program; see the log",
        "no se pudo abrir un modelo por un error de este programa; vea el registro"
    ))
}
