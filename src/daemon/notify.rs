//! What systemd is told: that the program is ready, reloads, ends, and is alive. Elsewhere nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// The program works.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads its settings anew; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// It ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often it is to say that it is alive: half of what systemd waits for; none when it does not.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|time| time / 2)
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
