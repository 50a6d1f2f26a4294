//! The writer's side of the queue.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{ErrorCode, Message, message::PublishMessage};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::queue::link::{
    JOBS, MOST_OUTCOMES, OUTCOMES, answer, job_subject, outcome_subject, writer_subject,
};
use crate::queue::messages::{
    JobOutcomes, SlotJob, WorkerNote, WorkerQuestion, WriterWelcome, pack, short_hash, unpack,
};
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

/// Why it is not known what lies in the queue.
#[derive(Debug)]
pub enum LineTrouble {
    /// The queue does not answer, or says that it cannot at present.
    Silent(QueueError),
    /// What lay in it is lost.
    Lost(QueueError),
    /// The same, but the server says that it cannot make them.
    Broken(QueueError),
}

/// What a writer answers its workers.
#[derive(Clone)]
pub struct WriterAnswers {
    /// What is worked at.
    pub welcome: WriterWelcome,
    /// The model.
    pub network: Arc<[u8]>,
    /// The text beside it; empty where there is none.
    pub manifest: Arc<[u8]>,
}

impl WriterAnswers {
    /// Those of `model`.
    pub async fn of(welcome: WriterWelcome, model: &Model) -> Self {
        let manifest = match &model.path {
            // A model without a manifest has none to give.
            Some(path) => tokio::fs::read(path.with_extension("toml")).await.unwrap_or_default(),
            None => Vec::new(),
        };
        Self { welcome, network: Arc::clone(&model.bytes), manifest: manifest.into() }
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
                Err(_) if line.queue.denied().is_some() => {}
                // Of a cluster, all that is there of it.
                Err(error)
                    if Clock::since(began) >= READY_IN
                        && answer(&error) == Some(ErrorCode::CLUSTER_NO_PEERS) =>
                {
                    tracing::warn!(%error, "the queue keeps one copy of what lies in it");
                    line.queue.stand_alone();
                    return line.make().await.map(|()| (line, questions)).map_err(refused);
                }
                Err(error) if Clock::since(began) >= READY_IN => return Err(refused(error)),
                Err(error) => tracing::info!(%error, "the queue is not ready"),
            }
            if let Some(denied) = line.queue.denied() {
                return Err(denied);
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

    /// Whether the queue is reached, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.queue.is_connected()
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
    pub async fn state(&self) -> Result<LineState, LineTrouble> {
        let lost = match self.ask_state().await {
            Ok(state) => return Ok(state),
            Err(error) if is_loss(&error) => error,
            Err(error) => return Err(LineTrouble::Silent(error)),
        };
        match self.make().await {
            Err(error) if is_ruin(&error) => Err(LineTrouble::Broken(error)),
            // What could not be made is made when it is looked at again.
            _ => Err(LineTrouble::Lost(lost)),
        }
    }

    /// Puts `nothing` into the stream of outcomes, to see whether that takes any.
    ///
    /// # Errors
    /// [`LineTrouble::Broken`] when the server refuses although there is room.
    pub async fn try_outcomes(&self, nothing: &JobOutcomes) -> Result<(), LineTrouble> {
        let told = async {
            let message = PublishMessage::build().payload(pack(nothing)?);
            let subject = outcome_subject(&self.name);
            let sent = self.queue.context.send_publish(subject, message).await?;
            sent.await?;
            Ok::<(), QueueError>(())
        };
        let Err(error) = told.await else { return Ok(()) };
        let kind = error.downcast_ref::<PublishError>().map(PublishError::kind);
        if kind != Some(PublishErrorKind::Other) {
            return Err(LineTrouble::Silent(error));
        }
        match self.queue.context.get_stream(OUTCOMES).await {
            Ok(stream) if stream.cached_info().state.messages < MOST_OUTCOMES.cast_unsigned() => {
                Err(LineTrouble::Broken(error))
            }
            _ => Err(LineTrouble::Silent(error)),
        }
    }

    /// Deletes the streams, with all that lies in them, and makes them anew. A server whose streams
    /// were deleted and made at the same time may be left with one that takes nothing.
    pub async fn make_anew(&self) {
        let context = &self.queue.context;
        for stream in [JOBS, OUTCOMES] {
            // What is asked without a connection is done when it is back, whatever is there then.
            if self.is_connected() {
                let _ = context.delete_stream(stream).await;
            }
        }
        if let Err(error) = self.make().await {
            tracing::debug!(%error, "the queue cannot be made anew");
        }
    }

    /// That the server does not allow what a writer needs, once it has said so.
    pub fn denied(&self) -> Option<Failure> {
        self.queue.denied()
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

    /// Answers a worker's question; gives what it says of itself instead.
    pub async fn answer(
        &self,
        question: async_nats::Message,
        answers: &WriterAnswers,
    ) -> Option<WorkerNote> {
        let answer = match unpack(&question.payload) {
            Ok(WorkerQuestion::Welcome) => pack(&answers.welcome).unwrap_or_default(),
            Ok(WorkerQuestion::Model(from)) => part(&answers.network, from),
            Ok(WorkerQuestion::Manifest(from)) => part(&answers.manifest, from),
            Ok(WorkerQuestion::Here(note)) => return Some(note),
            Err(error) => {
                tracing::debug!(%error, "a question that is none");
                return None;
            }
        };
        let reply = question.reply?;
        let sent = self.queue.context.client().publish(reply, answer).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "a worker was not answered");
        }
        None
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

/// Whether the server says that a stream or a consumer is not there.
fn is_loss(error: &QueueError) -> bool {
    matches!(answer(error), Some(ErrorCode::STREAM_NOT_FOUND | ErrorCode::CONSUMER_NOT_FOUND))
}

/// Whether the server says of a stream that is there that it cannot be used.
fn is_ruin(error: &QueueError) -> bool {
    let ruins = [
        ErrorCode::STREAM_NOT_FOUND,
        ErrorCode::STREAM_CREATE,
        ErrorCode::STREAM_STORE_FAILED,
        ErrorCode::CONSUMER_CREATE,
        ErrorCode::CONSUMER_STORE_FAILED,
    ];
    answer(error).is_some_and(|answer| ruins.contains(&answer))
}

fn part(bytes: &[u8], from: usize) -> Bytes {
    let rest = bytes.get(from..).unwrap_or_default();
    Bytes::copy_from_slice(&rest[..rest.len().min(PART)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::jetstream::context::{ConsumerInfoError, CreateStreamError};
    use async_nats::jetstream::context::{CreateStreamErrorKind, RequestError, RequestErrorKind};
    use async_nats::jetstream::stream::ConsumerError;

    fn said(code: u64) -> async_nats::jetstream::Error {
        let said = format!(r#"{{"code": 500, "err_code": {code}, "description": "no"}}"#);
        serde_json::from_str(&said).unwrap()
    }

    #[test]
    fn only_what_the_server_says_is_a_loss_or_a_ruin() {
        let silent = || RequestError::new(RequestErrorKind::TimedOut);
        let silences: [QueueError; 4] = [
            ConsumerInfoError::from(silent()).into(),
            ConsumerInfoError::from(RequestError::new(RequestErrorKind::NoResponders)).into(),
            CreateStreamError::new(CreateStreamErrorKind::TimedOut).into(),
            // Without a leader for now, and with no room left.
            ConsumerInfoError::from(said(10_008)).into(),
        ];
        for silence in silences {
            assert!(!is_loss(&silence) && !is_ruin(&silence), "{silence}");
        }
        for code in [10_014, 10_059] {
            assert!(is_loss(&ConsumerInfoError::from(said(code)).into()), "{code}");
        }
        let (no_room, no_file) =
            (ConsumerError::from(said(10_047)), ConsumerError::from(said(10_104)));
        assert!(!is_ruin(&no_room.into()));
        assert!(is_ruin(&no_file.into()));
    }
}
