//! Workers that are none: what they say is refused, and what they take is not lost.

use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::Config;
use celaje::queue::messages::{JobOutcomes, SlotJob, pack, unpack};
use celaje_sky::cover::Cover;
use celaje_sky::okta::Okta;
use celaje_sky::outcome::{Miss, MissReason, Observation, Outcome};
use celaje_sky::quality::Quality;
use celaje_sky::slot::Slot;
use celaje_sky::station::zone::SkyParts;
use celaje_sky::sun::DayPhase;
use futures_util::StreamExt;

use crate::check_same;
use crate::nats::{self, Nats};
use crate::world::{World, until};

/// Takes `n` jobs and lets go of them; gives for each what `told` makes of it to the writer.
async fn take(context: &Context, n: usize, told: impl Fn(&SlotJob) -> Vec<bytes::Bytes>) {
    let (mut taken, began) = (0, Instant::now());
    while taken < n {
        assert!(began.elapsed() < Duration::from_secs(120), "{taken} of {n} jobs came");
        let Ok(stream) = context.get_stream("CELAJE_JOBS").await else { continue };
        let Some(Ok(name)) = stream.consumer_names().next().await else { continue };
        let Ok(consumer) = stream.get_consumer::<Config>(&name).await else { continue };
        let fetched = consumer.fetch().max_messages(1).expires(Duration::from_millis(200));
        let Some(Ok(message)) = fetched.messages().await.unwrap().next().await else { continue };
        for said in told(&unpack(&message.payload).unwrap()) {
            let outcomes = format!("celaje.outcome.{name}");
            context.publish(outcomes, said).await.unwrap().await.unwrap();
        }
        message.double_ack().await.unwrap();
        taken += 1;
    }
}

fn missed(job: &SlotJob) -> Vec<Outcome> {
    let miss = |slot| Miss {
        slot,
        reason: MissReason::NotFound,
        http_status: Some(404),
        attempts: 1,
        detail: "a lie".to_owned(),
        unasked: None,
    };
    job.slots.iter().map(|slot| Outcome::Missed(miss(*slot))).collect()
}

#[test]
fn outcomes_of_another_model_station_or_version_are_refused() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    nats.ask(async |context| {
        take(&context, 1, |job| {
            let others: [fn(&mut SlotJob); 4] = [
                |job| job.marks.model = "00".to_owned(),
                |job| job.marks.station = "another".to_owned(),
                |job| job.marks.settings = "00".to_owned(),
                |job| job.marks.version = "0.0.0".to_owned(),
            ];
            let lies = others.map(|other| {
                let mut job = job.clone();
                other(&mut job);
                let (outcomes, marks) = (missed(&job), job.marks);
                let worker = "liar".to_owned();
                pack(&JobOutcomes { marks, worker, outcomes, left: Vec::new() }).unwrap()
            });
            lies.into_iter().chain([bytes::Bytes::from_static(b"no message")]).collect()
        })
        .await;
    });
    let _worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
    let told = format!("of another version, station or model: {}", 4 * world.slots());
    assert!(world.said().contains(&told), "{}", world.said());
}

/// A reading that the record would take.
fn observation(slot: Slot, model_sha256: &str) -> Observation {
    Observation {
        slot,
        url: "http://127.0.0.1:9/a.jpg".to_owned(),
        cover: Cover::Seen(Okta::new(3).unwrap()),
        cloud_fraction: Some(0.4),
        parts: SkyParts::default(),
        confidence: Some(0.5),
        range: None,
        quality: Quality::default(),
        model: "red 3".to_owned(),
        model_sha256: model_sha256.to_owned(),
        taken_at: None,
        solar_elevation: 12.0,
        day_phase: DayPhase::Day,
        width: 480,
        height: 480,
        image_sha256: "0f".repeat(32),
    }
}

#[test]
fn outcomes_that_cannot_be_true_are_refused_and_end_no_run() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    nats.ask(async |context| {
        take(&context, 1, |job| {
            let lies: [fn(&mut Observation); 7] = [
                |it| it.confidence = Some(1.5),
                |it| it.cloud_fraction = Some(-1.0),
                |it| it.cover = Cover::Obscured,
                |it| it.confidence = None,
                |it| it.parts.zenith = Some(7.0),
                |it| it.model_sha256 = "0a".repeat(32),
                |it| it.url = "x".repeat(100_000),
            ];
            let told = lies.iter().zip(&job.slots).map(|(lie, slot)| {
                let mut lied = observation(*slot, &job.marks.model);
                lie(&mut lied);
                let (marks, worker) = (job.marks.clone(), "liar".to_owned());
                let outcomes = vec![Outcome::Observed(Box::new(lied))];
                pack(&JobOutcomes { marks, worker, outcomes, left: Vec::new() }).unwrap()
            });
            told.collect()
        })
        .await;
    });
    let _worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
    assert!(world.said().contains("that cannot be true: 7"), "{}", world.said());
}

#[test]
fn a_slot_that_every_worker_leaves_is_missed_in_the_end() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let flags = ["--queue", &nats.url(), "--queue-patience", "1"];
    let mut writer = world.backfill_to("2024-03-01T00:02", "sky.db", &flags);
    nats.ask(async |context| {
        take(&context, 26, |job| {
            let (marks, worker) = (job.marks.clone(), "idle".to_owned());
            let (outcomes, left) = (Vec::new(), job.slots.clone());
            vec![pack(&JobOutcomes { marks, worker, outcomes, left }).unwrap()]
        })
        .await;
    });
    assert_eq!(writer.wait(), 0, "{}", world.said());
    let known = world.known("sky.db");
    let missed = known.values().next().unwrap();
    assert!(missed.contains("'poison'") && missed.contains("26 times"), "{missed}");
}

#[test]
fn jobs_that_are_none_are_refused_and_end_no_worker() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    until("it has jobs", || nats.has_jobs().then_some(()));
    nats.ask(async |context| {
        let stream = context.get_stream("CELAJE_JOBS").await.unwrap();
        let first = stream.cached_info().state.first_sequence;
        let message = stream.get_raw_message(first).await.unwrap();
        let job: SlotJob = unpack(&message.payload).unwrap();
        let of = |slots| pack(&SlotJob { slots, ..job.clone() }).unwrap();
        let huge = job.slots.iter().copied().cycle().take(100_000).collect();
        for bad in [of(Vec::new()), of(huge), of(vec![job.slots[1], job.slots[0]])] {
            context.publish(message.subject.clone(), bad).await.unwrap().await.unwrap();
        }
    });
    let mut worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    worker.signal("-TERM");
    assert_eq!(worker.wait(), 0, "{}", world.said());
}

#[test]
fn what_nobody_says_anything_of_is_given_out_five_times_more_and_then_missed() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    // Three slots: a job of all, twice more in smaller ones, then each alone.
    let flags = ["--queue", &nats.url(), "--queue-patience", "1"];
    let mut writer = world.backfill_to("2024-03-01T00:22", "sky.db", &flags);
    nats.ask(async |context| take(&context, 1 + 1 + 1 + 3 * 3, |_| Vec::new()).await);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    let summary = world.summary("sky.db");
    assert!(summary.contains("total=3 | nuevos=0 | duplicados=0 | fallidos=3"), "{summary}");
    for missed in world.known("sky.db").values() {
        assert!(missed.contains("'poison'") && missed.contains("6 times"), "{missed}");
    }
    assert!(world.camera.requests().is_empty());
}
