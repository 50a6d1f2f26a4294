//! Bounds of a request.

use std::time::Duration;

use celaje_sky::retry::RetryPolicy;

/// Bounds of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpLimits {
    /// For name, connection and TLS together.
    pub connect_timeout: Duration,
    /// Longest silence of the server.
    pub read_timeout: Duration,
    /// Longest time for a whole picture.
    pub total_timeout: Duration,
    /// Bytes of a picture.
    pub body_limit: usize,
    /// Idle connections kept open.
    pub keep_alive: usize,
    /// What is tried again.
    pub retry: RetryPolicy,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(60),
            body_limit: 20_000_000,
            keep_alive: 64,
            retry: RetryPolicy::default(),
        }
    }
}
