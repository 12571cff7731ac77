//! Simulated stations, each publishing over a connection of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bakau_clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::{fault::Fault, mqtt::PublishError};

/// The device of one station.
#[derive(Clone)]
pub struct Credentials {
    /// Station id: topic level and choice of the simulated station.
    pub station: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password; left out of debug output.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { station, username, .. } = self;
        f.debug_struct("Credentials").field("station", station).field("username", username).finish_non_exhaustive()
    }
}

/// What the demo publishes.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// One device per station.
    pub credentials: Vec<Credentials>,
    /// Time between two messages of a station.
    pub interval: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// Faults by station id; offsets count from the start of the demo.
    pub faults: Vec<(String, Fault)>,
}
/// Runs.
///
/// # Errors
/// x
pub async fn run_demo(
    _config: DemoConfig,
    _clock: Arc<dyn Clock>,
    _stop: CancellationToken,
) -> Result<(), PublishError> {
    todo!()
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            broker: SocketAddr::from(([127, 0, 0, 1], 1883)),
            credentials: Vec::new(),
            interval: Duration::from_secs(2),
            seed: 1,
            faults: Vec::new(),
        }
    }
}
