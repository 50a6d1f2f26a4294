//! The connection to the queue, and its two streams.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, Event};

use crate::queue::address::QueueAddress;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// What went wrong in the queue.
pub type QueueError = async_nats::Error;

/// The stream of jobs.
pub(super) const JOBS: &str = "CELAJE_JOBS";
/// The stream of outcomes.
pub(super) const OUTCOMES: &str = "CELAJE_OUTCOMES";
/// Messages of outcomes that lie in the queue at most: when they are so many, workers wait.
const MOST_OUTCOMES: i64 = 4096;
/// How long messages are kept that nobody asks for.
const OLDEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a first connection may take.
const FIRST: Duration = Duration::from_secs(10);

/// A connection; clones share it. It comes back by itself when it breaks.
#[derive(Clone)]
pub struct Queue {
    pub(super) context: Context,
    pub(super) patience: Duration,
}

impl Queue {
    /// Connects as `name`, which the server shows in its lists.
    ///
    /// # Errors
    /// When no server can be reached, or it refuses.
    pub async fn connect(address: &QueueAddress, name: &str) -> Result<Self> {
        let mut options = ConnectOptions::new()
            .name(name)
            .connection_timeout(FIRST)
            .event_callback(|event| async move {
                match event {
                    Event::Connected => tracing::info!("connected to the queue"),
                    other => tracing::warn!(event = %other, "the queue"),
                }
            })
            .reconnect_delay_callback(|attempts| {
                let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                Duration::from_millis(100).saturating_mul(attempts).min(Duration::from_secs(2))
            });
        if let Some((user, password)) = address.user() {
            options = options.user_and_password(user, password);
        }
        if let Some(file) = &address.credentials {
            options = options.credentials_file(file).await.map_err(|error| {
                let shown = file.display();
                Failure::usage(say!(
                    "queue_credentials: the file '{shown}' cannot be used: {error}",
                    "queue_credentials: no se puede usar el archivo '{shown}': {error}"
                ))
            })?;
        }
        if let Some(file) = &address.ca_file {
            options = options.add_root_certificates(file.clone());
        }
        let client = options.connect(address.servers()).await.map_err(|error| {
            Failure::unreachable(say!(
                "the queue {address} does not let this program in: {error}; check --queue, \
                 --queue-ca-file, --queue-credentials, and that nats-server runs there",
                "la cola {address} no deja entrar a este programa: {error}; revise --queue, \
                 --queue-ca-file, --queue-credentials, y que allí funcione nats-server"
            ))
        })?;
        Ok(Self { context: jetstream::new(client), patience: address.patience })
    }

    /// Makes the two streams where they are not there.
    ///
    /// # Errors
    /// When the server refuses, or does not answer.
    pub(super) async fn make_streams(&self) -> Result<(Stream, Stream), QueueError> {
        Ok((self.stream(JOBS, "celaje.job.*", -1).await?, {
            self.stream(OUTCOMES, "celaje.outcome.*", MOST_OUTCOMES).await?
        }))
    }

    async fn stream(&self, name: &str, subject: &str, most: i64) -> Result<Stream, QueueError> {
        if let Ok(stream) = self.context.get_stream(name).await {
            return Ok(stream);
        }
        let config = Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            retention: RetentionPolicy::WorkQueue,
            // What is full refuses: workers wait.
            discard: DiscardPolicy::New,
            max_messages: most,
            max_age: OLDEST,
            num_replicas: 3,
            ..Config::default()
        };
        // A server that is no cluster keeps one copy.
        match self.context.create_stream(config.clone()).await {
            Ok(stream) => Ok(stream),
            Err(_) => Ok(self.context.create_stream(Config { num_replicas: 1, ..config }).await?),
        }
    }
}

/// The subject of a line's jobs.
pub(super) fn job_subject(line: &str) -> String {
    format!("celaje.job.{line}")
}

/// The subject of a line's outcomes.
pub(super) fn outcome_subject(line: &str) -> String {
    format!("celaje.outcome.{line}")
}

/// The subject on which a line's writer answers.
pub(super) fn writer_subject(line: &str) -> String {
    format!("celaje.writer.{line}")
}
