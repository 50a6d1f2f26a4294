//! The worker's side of the queue.

use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Message};
use futures_util::{StreamExt, TryStreamExt};

use crate::queue::link::{JOBS, job_subject, outcome_subject, writer_subject};
use crate::queue::messages::{
    JobOutcomes, SlotJob, WorkerNote, WorkerQuestion, WriterWelcome, pack, unpack,
};
use crate::queue::{Queue, QueueError};
use celaje_sky::error::Failure;
use celaje_sky::say;

/// How long a line is asked for a job.
const ASKED: Duration = Duration::from_secs(1);
/// Bytes of a file from a writer at most.
const LARGEST: usize = 1 << 30;
/// How long the queue may take to hear that a job is given back.
const HEARD: Duration = Duration::from_secs(2);

/// How long a writer may take to be told that a worker is there.
const NOTED: Duration = Duration::from_secs(1);

/// A line of a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLine {
    /// Its name.
    pub name: String,
    /// The station's id.
    pub station: String,
    /// Whether jobs may be taken.
    pub has_jobs: bool,
}

/// A job that this worker has taken.
pub struct JobInHand {
    /// What is to be done.
    pub job: SlotJob,
    message: Message,
    /// How long the worker may be silent.
    ack_wait: Duration,
}

impl JobInHand {
    /// How often to [say that it is worked at](Self::goes_on).
    pub fn every(&self) -> Duration {
        (self.ack_wait / 3).max(Duration::from_millis(100))
    }

    /// Says that it is worked at.
    pub async fn goes_on(&self) {
        let _ = self.message.ack_with(AckKind::Progress).await;
    }

    /// Says that it is done: its outcomes lie in the queue. Should the queue not hear it, the job
    /// is done twice.
    pub async fn done(&self) {
        let _ = self.message.double_ack().await;
    }

    /// Gives it back for another worker.
    pub async fn give_back(&self) {
        let client = self.message.context.client();
        let heard = async {
            let _ = self.message.ack_with(AckKind::Nak(Some(self.every()))).await;
            let _ = client.flush().await;
        };
        // Without a connection nothing is heard; its silence gives the job back then.
        let _ = tokio::time::timeout(HEARD, heard).await;
    }

    /// What the writer calls it: outcomes bear it too, so that the queue takes them once however
    /// often they are sent, and by whom.
    fn id(&self) -> Option<&str> {
        let id = self.message.headers.as_ref()?.get(NATS_MESSAGE_ID)?;
        Some(id.as_str())
    }
}

impl Queue {
    /// The lines, with whether they have jobs to be taken.
    ///
    /// # Errors
    /// When the queue does not answer, or no writer has made the streams yet.
    pub async fn lines(&self) -> Result<Vec<OpenLine>, QueueError> {
        let stream = self.context.get_stream_no_info(JOBS).await?;
        let mut open = Vec::new();
        let mut consumers = stream.consumers();
        while let Some(consumer) = consumers.try_next().await? {
            // What a worker let fall comes again, and is counted among what is in hand.
            let has_jobs = consumer.num_pending > 0 || consumer.num_ack_pending > 0;
            let station = consumer.config.description.unwrap_or_default();
            open.push(OpenLine { name: consumer.name, station, has_jobs });
        }
        Ok(open)
    }

    /// Takes up to `most` jobs of a line; waits for the first one where it is to wait.
    ///
    /// # Errors
    /// When the queue does not answer.
    pub async fn take(
        &self,
        line: &str,
        most: usize,
        waits: bool,
    ) -> Result<Vec<JobInHand>, QueueError> {
        let stream = self.context.get_stream_no_info(JOBS).await?;
        let consumer: PullConsumer = stream.get_consumer(line).await?;
        let ack_wait = consumer.cached_info().config.ack_wait;
        let asked = if waits { ASKED } else { ASKED / 50 };
        let fetched = consumer.fetch().max_messages(most).expires(asked);
        let mut messages = fetched.messages().await?;
        let mut taken = Vec::new();
        while let Some(message) = messages.next().await {
            let message = match message {
                Ok(message) => message,
                Err(error) if taken.is_empty() => return Err(error),
                // What was taken is to be done.
                Err(_) => break,
            };
            match unpack::<SlotJob>(&message.payload) {
                Ok(job) => taken.push(JobInHand { job, message, ack_wait }),
                Err(error) => {
                    tracing::warn!(%error, subject = job_subject(line), "a job was refused");
                    let _ = message.ack().await;
                }
            }
        }
        Ok(taken)
    }

    /// Tells the writer of a line that a worker is there, if that can be done now.
    pub async fn note(&self, line: &str, note: WorkerNote) {
        let Ok(said) = pack(&WorkerQuestion::Here(note)) else { return };
        // What is said without a connection would be said when it is back.
        if self.is_connected() {
            let client = self.context.client();
            let _ = tokio::time::timeout(NOTED, client.publish(writer_subject(line), said)).await;
        }
    }

    /// What the writer of a line works at; none while no writer is there.
    pub async fn welcome(&self, line: &str) -> Option<WriterWelcome> {
        let question = pack(&WorkerQuestion::Welcome).ok()?;
        let answer = self.context.client().request(writer_subject(line), question).await.ok()?;
        unpack(&answer.payload)
            .inspect_err(|error| tracing::warn!(%error, "a writer's answer that is none"))
            .ok()
    }

    /// A file of a line's writer, of which `question` asks for the part from a byte on.
    ///
    /// # Errors
    /// When the writer does not answer, or the file has no end.
    pub async fn file(
        &self,
        line: &str,
        question: impl Fn(usize) -> WorkerQuestion,
    ) -> Result<Vec<u8>, Failure> {
        let lost = |error: QueueError| {
            Failure::unreachable(say!(
                "the writer does not give its model: {error}; trying again; or give this worker \
                 the model with --model",
                "el escritor no entrega su modelo: {error}; se intenta otra vez; o dele el modelo \
                 a este trabajador con --model"
            ))
        };
        let mut bytes = Vec::new();
        while bytes.len() < LARGEST {
            let asked = pack(&question(bytes.len())).map_err(lost)?;
            let answer = self.context.client().request(writer_subject(line), asked).await;
            let part = answer.map_err(|error| lost(error.into()))?.payload;
            if part.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&part);
        }
        Err(lost("the file has no end".into()))
    }

    /// Puts what came of a `job` into the queue.
    ///
    /// # Errors
    /// When the queue does not say that it has it: it is full, or not there.
    pub async fn tell(
        &self,
        line: &str,
        job: &JobInHand,
        told: &JobOutcomes,
    ) -> Result<(), QueueError> {
        let message = PublishMessage::build().payload(pack(told)?);
        let message = match job.id() {
            Some(id) => message.message_id(id),
            None => message,
        };
        let sent = self.context.send_publish(outcome_subject(line), message).await?;
        sent.await?;
        Ok(())
    }
}
