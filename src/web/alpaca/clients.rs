//! Who is connected to a device: kept in memory, forgotten after an hour of silence.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::web::alpaca::kind::DeviceKind;

/// Clients at most, over all devices.
const MOST: usize = 1000;
/// After so long a silence a client is forgotten.
const SILENCE: Duration = Duration::from_secs(3600);

/// A client of a device: its address, its id, the kind of the device and the station.
pub(super) type ClientKey = (IpAddr, u32, DeviceKind, String);

#[derive(Clone, Copy)]
struct ClientState {
    seen: Instant,
    /// Hours.
    average_period: f64,
}

/// The connected clients, and the number of requests.
#[derive(Default)]
pub struct AlpacaClients {
    connected: Mutex<HashMap<ClientKey, ClientState>>,
    transactions: AtomicU32,
}

impl AlpacaClients {
    /// The number of a new request: from 1, never 0.
    pub(super) fn transaction(&self) -> u32 {
        loop {
            let before = self.transactions.fetch_add(1, Ordering::Relaxed);
            if let Some(next) = before.checked_add(1) {
                return next;
            }
        }
    }

    fn connected(&self) -> MutexGuard<'_, HashMap<ClientKey, ClientState>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connect(&self, client: ClientKey) {
        let mut connected = self.connected();
        connected.retain(|_, state| Clock::since(state.seen) < SILENCE);
        if connected.len() >= MOST && !connected.contains_key(&client) {
            let oldest = connected.iter().min_by_key(|(_, state)| state.seen);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                connected.remove(&oldest);
            }
        }
        let state = ClientState { seen: Clock::instant(), average_period: 0.0 };
        connected.entry(client).or_insert(state);
    }

    pub(super) fn disconnect(&self, client: &ClientKey) {
        self.connected().remove(client);
    }

    /// Whether it is connected; notes that it was heard.
    pub(super) fn is_connected(&self, client: &ClientKey) -> bool {
        self.average_period(client).is_some()
    }

    /// The average period of a connected client, hours; none where it is not connected.
    pub(super) fn average_period(&self, client: &ClientKey) -> Option<f64> {
        let mut connected = self.connected();
        let state = connected.get_mut(client)?;
        if Clock::since(state.seen) >= SILENCE {
            connected.remove(client);
            return None;
        }
        state.seen = Clock::instant();
        Some(state.average_period)
    }

    pub(super) fn set_average_period(&self, client: &ClientKey, hours: f64) {
        if let Some(state) = self.connected().get_mut(client) {
            state.average_period = hours;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: u32) -> ClientKey {
        ([127, 0, 0, 1].into(), id, DeviceKind::SafetyMonitor, "hill".to_owned())
    }

    #[test]
    fn so_many_clients_are_kept_and_no_more() {
        let clients = AlpacaClients::default();
        for id in 0..=MOST as u32 {
            clients.connect(client(id));
        }
        assert_eq!(clients.connected().len(), MOST);
        assert!(clients.is_connected(&client(MOST as u32)));
        clients.disconnect(&client(MOST as u32));
        assert!(!clients.is_connected(&client(MOST as u32)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_forgotten_after_an_hour_of_silence() {
        let clients = AlpacaClients::default();
        clients.connect(client(1));
        for _ in 0..3 {
            tokio::time::advance(SILENCE - Duration::from_secs(1)).await;
            assert!(clients.is_connected(&client(1)), "it was heard");
        }
        tokio::time::advance(SILENCE).await;
        assert!(!clients.is_connected(&client(1)));
    }

    #[test]
    fn no_transaction_has_the_number_0() {
        let clients = AlpacaClients::default();
        assert_eq!(clients.transaction(), 1);
        clients.transactions.store(u32::MAX - 1, Ordering::Relaxed);
        assert_eq!((clients.transaction(), clients.transaction()), (u32::MAX, 1));
    }
}
