//! The writer's side of the queue.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::{Message, message::PublishMessage};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::queue::link::{JOBS, OUTCOMES, job_subject, outcome_subject, writer_subject};
use crate::queue::messages::{SlotJob, WorkerQuestion, WriterWelcome, pack, short_hash, unpack};
use crate::queue::{Queue, QueueError};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_vision::model::source::Model;

/// How often a job is given out before it is planned anew.
const DELIVERIES: i64 = 3;
/// Jobs in the hands of workers at most.
const IN_HAND: i64 = 256;
/// How long another writer may take to say that it is there.
const OTHER_WRITER: Duration = Duration::from_secs(2);
/// Messages that are asked for at once.
const FETCHED: usize = 16;
/// Bytes of a part of a file.
const PART: usize = 512 * 1024;
/// How long a queue may take to be ready.
const READY_IN: Duration = Duration::from_secs(10);
/// Rest after an error of the queue.
const REST: Duration = Duration::from_millis(500);

/// A writer's line; clones share it.
#[derive(Clone)]
pub struct WriterLine {
    queue: Queue,
    name: String,
    station: String,
    /// One worker at a time asks a camera.
    is_camera: bool,
}

/// What lies in the queue of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineState {
    /// Jobs that no worker has taken.
    pub jobs_waiting: u64,
    /// Jobs in the hands of workers.
    pub jobs_in_hand: usize,
    /// The number of the last job that was given to a worker.
    pub delivered: u64,
    /// Messages of outcomes that are not in the record yet.
    pub outcomes: u64,
}

impl LineState {
    /// Whether nothing more will come.
    pub const fn is_quiet(self) -> bool {
        self.jobs_waiting == 0 && self.jobs_in_hand == 0 && self.outcomes == 0
    }
}

impl WriterLine {
    /// Opens the line of a `station` of the record `identity`.
    ///
    /// # Errors
    /// When another process writes there, or the queue refuses.
    pub async fn open(
        queue: Queue,
        identity: &str,
        station: &str,
        is_camera: bool,
    ) -> Result<(Self, Subscriber)> {
        let name = short_hash(&format!("{identity} {station}"));
        let line = Self { queue, name, station: station.to_owned(), is_camera };
        let refused = |error: QueueError| {
            Failure::unreachable(say!(
                "the queue cannot be used: {error}; nats-server must run with JetStream (its flag \
                 -js)",
                "no se puede usar la cola: {error}; nats-server debe funcionar con JetStream (su \
                 opción -js)"
            ))
        };
        line.refuse_another().await?;
        let client = line.queue.context.client();
        let questions = client.subscribe(writer_subject(&line.name)).await;
        let questions = questions.map_err(|error| refused(error.into()))?;
        // A cluster that has just begun is not ready at once.
        let began = Clock::instant();
        loop {
            match line.make().await {
                Ok(()) => return Ok((line, questions)),
                Err(error) if Clock::since(began) >= READY_IN => return Err(refused(error)),
                Err(error) => tracing::info!(%error, "the queue is not ready"),
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// Refuses to be a second writer of one record.
    async fn refuse_another(&self) -> Result<()> {
        let question = pack(&WorkerQuestion::Welcome).unwrap_or_default();
        let client = self.queue.context.client();
        let asked = client.request(writer_subject(&self.name), question);
        // Who stands still, or is not there, gives no answer.
        if !matches!(tokio::time::timeout(OTHER_WRITER, asked).await, Ok(Ok(_))) {
            return Ok(());
        }
        let station = &self.station;
        Err(Failure::usage(say!(
            "another process writes the record of station '{station}' from this queue; let it end \
             first",
            "otro proceso escribe el registro de la estación '{station}' desde esta cola; deje que \
             termine primero"
        )))
    }

    /// Makes what is not there of streams and consumers.
    async fn make(&self) -> Result<(), QueueError> {
        let (jobs, outcomes) = self.queue.make_streams().await?;
        jobs.create_consumer(Config {
            durable_name: Some(self.name.clone()),
            description: Some(self.station.clone()),
            ack_wait: self.queue.patience,
            max_deliver: DELIVERIES,
            max_ack_pending: if self.is_camera { 1 } else { IN_HAND },
            filter_subject: job_subject(&self.name),
            ..Config::default()
        })
        .await?;
        outcomes
            .create_consumer(Config {
                durable_name: Some(self.name.clone()),
                ack_wait: self.queue.patience,
                filter_subject: outcome_subject(&self.name),
                ..Config::default()
            })
            .await?;
        Ok(())
    }

    /// How long a worker may be silent.
    pub fn patience(&self) -> Duration {
        self.queue.patience
    }

    /// Puts a job into the queue; gives its number. One with the `id` of a job that lies there, or
    /// was there a moment ago, is not taken again.
    ///
    /// # Errors
    /// When the queue does not say that it has it.
    pub async fn put(&self, job: &SlotJob, id: &str) -> Result<u64, QueueError> {
        let message = PublishMessage::build().payload(pack(job)?).message_id(id);
        let subject = job_subject(&self.name);
        let sent = self.queue.context.send_publish(subject, message).await?;
        Ok(sent.await?.sequence)
    }

    /// What lies in the queue. What was lost of streams and consumers is made anew.
    ///
    /// # Errors
    /// When the queue does not answer, or something was lost.
    pub async fn state(&self) -> Result<LineState, QueueError> {
        let asked = self.ask_state().await;
        if asked.is_err() {
            self.make().await?;
        }
        asked
    }

    /// Deletes the streams, with all that lies in them, and makes them anew. A server whose streams
    /// were deleted and made at the same time may be left with one that takes nothing.
    pub async fn make_anew(&self) {
        for stream in [JOBS, OUTCOMES] {
            let _ = self.queue.context.delete_stream(stream).await;
        }
        if let Err(error) = self.make().await {
            tracing::debug!(%error, "the queue cannot be made anew");
        }
    }

    async fn ask_state(&self) -> Result<LineState, QueueError> {
        let context = &self.queue.context;
        // Jobs first: a worker lets go of one only when its outcomes lie in the queue.
        let jobs = context.get_stream_no_info(JOBS).await?.consumer_info(&self.name).await?;
        let outcomes =
            context.get_stream_no_info(OUTCOMES).await?.consumer_info(&self.name).await?;
        Ok(LineState {
            jobs_waiting: jobs.num_pending,
            jobs_in_hand: jobs.num_ack_pending,
            delivered: jobs.delivered.stream_sequence,
            outcomes: outcomes.num_pending
                + u64::try_from(outcomes.num_ack_pending).unwrap_or(u64::MAX),
        })
    }

    /// Takes jobs out of the queue, by their numbers. That one is not there is no matter.
    pub async fn take_back(&self, jobs: impl IntoIterator<Item = u64>) {
        let Ok(stream) = self.queue.context.get_stream_no_info(JOBS).await else { return };
        for job in jobs {
            let _ = stream.delete_message(job).await;
        }
    }

    /// Gives outcomes to `outlet` as they come, until it is closed. They are to be acknowledged.
    pub async fn deliver(self, outlet: mpsc::Sender<Message>) {
        while !outlet.is_closed() {
            if let Err(error) = self.fetch(&outlet).await {
                tracing::debug!(%error, "no outcomes from the queue");
                tokio::time::sleep(REST).await;
            }
        }
    }

    async fn fetch(&self, outlet: &mpsc::Sender<Message>) -> Result<(), QueueError> {
        let stream = self.queue.context.get_stream_no_info(OUTCOMES).await?;
        let consumer: PullConsumer = stream.get_consumer(&self.name).await?;
        loop {
            let fetched = consumer.fetch().max_messages(FETCHED).expires(2 * REST);
            let mut messages = fetched.messages().await?;
            while let Some(message) = messages.next().await {
                if outlet.send(message?).await.is_err() {
                    return Ok(());
                }
            }
            if outlet.is_closed() {
                return Ok(());
            }
        }
    }

    /// Answers a worker's question.
    pub async fn answer(
        &self,
        question: async_nats::Message,
        welcome: &WriterWelcome,
        model: &Model,
    ) {
        let Some(reply) = question.reply else { return };
        let answer = match unpack(&question.payload) {
            Ok(WorkerQuestion::Welcome) => pack(welcome).unwrap_or_default(),
            Ok(WorkerQuestion::Model(from)) => part(&model.bytes, from),
            Ok(WorkerQuestion::Manifest(from)) => {
                let path = model.path.as_ref().map(|path| path.with_extension("toml"));
                let text = path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
                part(&text, from)
            }
            Err(error) => return tracing::debug!(%error, "a question that is none"),
        };
        let sent = self.queue.context.client().publish(reply, answer).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "a worker was not answered");
        }
    }

    /// Clears the queue of this line, if nothing more will come.
    pub async fn close(&self) {
        if !self.ask_state().await.is_ok_and(LineState::is_quiet) {
            return;
        }
        let context = &self.queue.context;
        for (stream, subject) in
            [(JOBS, job_subject(&self.name)), (OUTCOMES, outcome_subject(&self.name))]
        {
            if let Ok(stream) = context.get_stream_no_info(stream).await {
                let _ = stream.purge().filter(subject).await;
                let _ = stream.delete_consumer(&self.name).await;
            }
        }
        let _ = context.client().flush().await;
    }
}

fn part(bytes: &[u8], from: usize) -> Bytes {
    let rest = bytes.get(from..).unwrap_or_default();
    Bytes::copy_from_slice(&rest[..rest.len().min(PART)])
}
