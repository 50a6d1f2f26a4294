//! What a queue that is away, or loses what it has, does not do.

use std::time::Duration;

use async_nats::jetstream::Context;
use celaje::queue::messages::{JobOutcomes, WorkerQuestion, pack, unpack};
use futures_util::StreamExt;

use crate::check_same;
use crate::nats::{self, Nats};
use crate::world::{World, until};

/// Something of another writer in each of the streams.
async fn put_others(context: &Context) {
    for subject in ["celaje.job.another", "celaje.outcome.another"] {
        context.publish(subject, "another".into()).await.unwrap().await.unwrap();
    }
}

/// Whether it is there still.
async fn has_others(context: &Context) -> bool {
    for (name, subject) in
        [("CELAJE_JOBS", "celaje.job.another"), ("CELAJE_OUTCOMES", "celaje.outcome.another")]
    {
        let Ok(stream) = context.get_stream(name).await else { return false };
        if stream.get_last_raw_message_by_subject(subject).await.is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_queue_that_is_away_for_longer_than_the_patience_keeps_what_it_has() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let flags = ["--queue", &nats.url(), "--queue-patience", "1"];
    let mut writer = world.backfill("sky.db", &flags);
    until("it has jobs", || nats.has_jobs().then_some(()));
    nats.ask(async |context| put_others(&context).await);
    // A question to the queue fails after five seconds.
    nats.signal("-STOP");
    std::thread::sleep(Duration::from_secs(32));
    nats.signal("-CONT");
    let _worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
    assert!(nats.ask(async |context| has_others(&context).await), "{}", world.said());
    assert!(world.said().contains("given out again: 0;"), "{}", world.said());
}

/// As a server may be left with when a stream was deleted and made at the same moment.
#[test]
fn a_stream_that_takes_nothing_is_made_anew() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let flags = ["--queue", &nats.url(), "--queue-patience", "2"];
    let mut writer = world.backfill("sky.db", &flags);
    until("it has jobs", || nats.has_jobs().then_some(()));
    nats.ask(async |context| {
        let mut stream = context.get_stream("CELAJE_OUTCOMES").await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        config.max_message_size = 1;
        context.update_stream(&config).await.unwrap();
    });
    let _worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
    assert!(world.said().contains("takes no outcomes, and is made anew"), "{}", world.said());
}

#[test]
fn what_the_queue_loses_again_and_again_is_no_fault_of_a_slot() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let backfill = |db, flags: &[&str]| world.backfill_to("2024-03-01T00:22", db, flags);
    assert_eq!(backfill("alone.db", &[]).wait(), 0);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = backfill("sky.db", &["--queue", &nats.url(), "--queue-patience", "1"]);
    for _ in 0..7 {
        until(&format!("it has jobs\n{}", world.said()), || {
            assert_eq!(writer.has_ended(), None, "{}", world.said());
            nats.has_jobs().then_some(())
        });
        nats.lose_all();
    }
    let _worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
}

/// The numbers of jobs begin anew with the stream.
#[test]
fn a_writer_takes_back_its_own_jobs_alone() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(2);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    let jobs = async |context: &Context| match context.get_stream("CELAJE_JOBS").await {
        Ok(stream) => stream.cached_info().state.messages,
        Err(_) => 0,
    };
    until("it has jobs", || nats.ask(async |context| jobs(&context).await == 2).then_some(()));
    nats.ask(async |context| {
        let mut config =
            context.get_stream("CELAJE_JOBS").await.unwrap().cached_info().config.clone();
        config.num_replicas = 1;
        context.delete_stream("CELAJE_JOBS").await.unwrap();
        context.create_stream(config).await.unwrap();
        for _ in 0..2 {
            context.publish("celaje.job.another", "a".into()).await.unwrap().await.unwrap();
        }
    });
    until("it has them again", || {
        nats.ask(async |context| jobs(&context).await == 4).then_some(())
    });
    writer.signal("-INT");
    assert_eq!(writer.wait(), 130, "{}", world.said());
    let others = nats.ask(async |context| {
        let stream = context.get_stream("CELAJE_JOBS").await.unwrap();
        let mut others = 0;
        for number in 1..=4 {
            let message = stream.get_raw_message(number).await;
            others += usize::from(message.is_ok_and(|m| m.subject.as_str().ends_with("another")));
        }
        others
    });
    assert_eq!(others, 2, "{}", world.said());
}

#[test]
fn what_comes_twice_is_in_the_queue_once() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(2);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    until("it has jobs", || nats.has_jobs().then_some(()));
    let _worker = nats.ask(async |context| {
        let client = context.client();
        let mut told = client.subscribe("celaje.outcome.>").await.unwrap();
        client.flush().await.unwrap();
        let worker = world.worker(&nats);
        // The writer tries with nothing whether the queue takes any, where workers are slow.
        let message = loop {
            let message = told.next().await.unwrap();
            if !unpack::<JobOutcomes>(&message.payload).unwrap().outcomes.is_empty() {
                break message;
            }
        };
        let headers = message.headers.unwrap_or_default();
        assert!(headers.get("Nats-Msg-Id").is_some(), "{headers:?}");
        // Another worker, whose job it was before.
        let again = context.publish_with_headers(message.subject, headers, message.payload);
        assert!(again.await.unwrap().await.unwrap().duplicate);
        worker
    });
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert!(world.said().contains("came twice: 0,"), "{}", world.said());
}

#[test]
fn a_cluster_that_is_not_whole_yet_keeps_three_copies_in_the_end() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let mut nats = Nats::start_some(&world.path("."), 3, 2, &[]);
    let _writer = world.writer("sky.db", &nats);
    // It has asked by now.
    std::thread::sleep(Duration::from_secs(5));
    nats.begin(2);
    let copies = until("the streams", || {
        nats.ask(async |context| {
            let stream = context.get_stream("CELAJE_OUTCOMES").await.ok()?;
            Some(stream.cached_info().config.num_replicas)
        })
    });
    assert_eq!(copies, 3, "{}", world.said());
}

/// A writer that ends while a worker begins is no fault of the worker.
#[test]
fn a_worker_outlives_a_writer_that_does_not_give_its_model() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let writer = world.writer("sky.db", &nats);
    until("it has jobs", || nats.has_jobs().then_some(()));
    let mut worker = nats.ask(async |context| {
        let client = context.client();
        let stream = context.get_stream("CELAJE_JOBS").await.unwrap();
        let line = stream.consumer_names().next().await.unwrap().unwrap();
        let asked = format!("celaje.writer.{line}");
        let welcome = pack(&WorkerQuestion::Welcome).unwrap();
        let welcome = client.request(asked.clone(), welcome).await.unwrap().payload;
        drop(writer);
        let mut questions = client.subscribe(asked).await.unwrap();
        client.flush().await.unwrap();
        let worker = world.worker(&nats);
        // It answers one question, and is gone.
        let question = loop {
            let question = questions.next().await.unwrap();
            // What a worker says of itself wants no answer.
            if question.reply.is_some() {
                break question;
            }
        };
        questions.unsubscribe().await.unwrap();
        client.flush().await.unwrap();
        client.publish(question.reply.unwrap(), welcome).await.unwrap();
        client.flush().await.unwrap();
        worker
    });
    until("it says so", || {
        assert_eq!(worker.has_ended(), None, "{}", world.said());
        world.read("worker.err").contains("does not give its model").then_some(())
    });
    assert_eq!(world.writer("sky.db", &nats).wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    worker.signal("-INT");
    assert_eq!(worker.wait(), 130, "{}", world.said());
}
