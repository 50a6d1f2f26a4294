//! The connection to the queue, and its two streams.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::context::{ConsumerInfoError, ConsumerInfoErrorKind};
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{Context, ContextBuilder, ErrorCode};
use async_nats::{ConnectOptions, Event, ServerError};

use crate::clock::Clock;
use crate::queue::address::{QueueAddress, QueueLogin};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;

/// What went wrong in the queue.
pub type QueueError = async_nats::Error;

/// The stream of jobs.
pub(super) const JOBS: &str = "CELAJE_JOBS";
/// The stream of outcomes.
pub(super) const OUTCOMES: &str = "CELAJE_OUTCOMES";
/// Messages of outcomes that lie in the queue at most: when they are so many, workers wait.
pub(super) const MOST_OUTCOMES: i64 = 4096;
/// How long messages are kept that nobody asks for.
const OLDEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an answer of the queue may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a first connection may take.
const FIRST: Duration = Duration::from_secs(10);

/// A connection; clones share it. It comes back by itself when it breaks.
#[derive(Clone)]
pub struct Queue {
    pub(super) context: Context,
    pub(super) patience: Duration,
    /// What the server does not allow, once it has said so.
    denied: Arc<OnceLock<String>>,
    /// Whether one copy has to do: the server has no peers.
    is_alone: Arc<AtomicBool>,
    /// When the connection was last made or lost.
    turned: Arc<Mutex<Instant>>,
}

impl Queue {
    /// Connects as `name`, which the server shows in its lists.
    ///
    /// # Errors
    /// When no server can be reached, or it refuses.
    pub async fn connect(address: &QueueAddress, name: &str) -> Result<Self> {
        let denied = Arc::new(OnceLock::new());
        let hears = Arc::clone(&denied);
        let turned = Arc::new(Mutex::new(Clock::instant()));
        let turns = Arc::clone(&turned);
        let mut options = ConnectOptions::new()
            .name(name)
            .connection_timeout(FIRST)
            .event_callback(move |event| {
                hear(&event, &hears);
                if matches!(event, Event::Connected | Event::Disconnected) {
                    *turns.lock().unwrap_or_else(PoisonError::into_inner) = Clock::instant();
                }
                std::future::ready(())
            })
            .reconnect_delay_callback(|attempts| {
                let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                Duration::from_millis(100).saturating_mul(attempts).min(Duration::from_secs(2))
            });
        options = match address.login() {
            Some(QueueLogin::User(user, password)) => options.user_and_password(user, password),
            Some(QueueLogin::Token(token)) => options.token(token),
            None => options,
        };
        if let Some(file) = &address.credentials {
            options = options.credentials_file(file).await.map_err(|error| {
                let shown = file.display();
                Failure::usage(say!(
                    "queue_credentials: the file '{shown}' cannot be used: {error}",
                    "queue_credentials: no se puede usar el archivo '{shown}': {error}",
                    error = io_text(&error),
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
        let context = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client);
        let patience = address.patience;
        Ok(Self { context, patience, denied, is_alone: Arc::default(), turned })
    }

    /// That the server does not allow this program what it needs, once it has said so.
    pub fn denied(&self) -> Option<Failure> {
        let what = self.denied.get()?;
        Some(Failure::unreachable(say!(
            "the queue does not allow this program what it needs ({what}); give its user the \
             rights that docs/cluster.md names",
            "la cola no le permite a este programa lo que necesita ({what}); dele a su usuario los \
             permisos que nombra docs/es/cluster.md"
        )))
    }

    /// Whether a server is reached, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.context.client().connection_state() == State::Connected
    }

    /// When the connection was last made or lost.
    pub fn turned(&self) -> Instant {
        *self.turned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes do with one copy of the streams.
    pub(super) fn stand_alone(&self) {
        self.is_alone.store(true, Ordering::Relaxed);
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
            num_replicas: if self.is_alone.load(Ordering::Relaxed) { 1 } else { 3 },
            ..Config::default()
        };
        match self.context.create_stream(config.clone()).await {
            Ok(stream) => Ok(stream),
            Err(error) => {
                let error = error.into();
                if answer(&error) != Some(ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED) {
                    return Err(error);
                }
                // It is no cluster.
                self.stand_alone();
                Ok(self.context.create_stream(Config { num_replicas: 1, ..config }).await?)
            }
        }
    }
}

/// Logs what happens to the connection, and keeps what is denied.
fn hear(event: &Event, denied: &OnceLock<String>) {
    match event {
        Event::Connected => tracing::info!("connected to the queue"),
        Event::ServerError(ServerError::Other(text))
            if text.to_lowercase().contains("permissions violation") =>
        {
            if denied.set(text.clone()).is_ok() {
                tracing::error!(text, "the queue denies something");
            }
        }
        other => tracing::warn!(event = %other, "the queue"),
    }
}

/// What the server answered, where it did.
pub(super) fn answer(error: &QueueError) -> Option<ErrorCode> {
    if let Some(error) = error.downcast_ref::<CreateStreamError>() {
        return match error.kind() {
            CreateStreamErrorKind::JetStream(error) => Some(error.error_code()),
            CreateStreamErrorKind::NotFound => Some(ErrorCode::STREAM_NOT_FOUND),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<ConsumerInfoError>() {
        return match error.kind() {
            ConsumerInfoErrorKind::JetStream(error) => Some(error.error_code()),
            ConsumerInfoErrorKind::StreamNotFound => Some(ErrorCode::STREAM_NOT_FOUND),
            ConsumerInfoErrorKind::NotFound => Some(ErrorCode::CONSUMER_NOT_FOUND),
            _ => None,
        };
    }
    match error.downcast_ref::<ConsumerError>()?.kind() {
        ConsumerErrorKind::JetStream(error) => Some(error.error_code()),
        _ => None,
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
