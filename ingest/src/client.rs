//! skeleton
use std::{sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::{Qos, SourceName};
use tokio_util::sync::CancellationToken;

use crate::{Intake, SourceBoard};

/// A password or token; never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// One connection to an external broker.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Name of the source.
    pub name: SourceName,
    /// Host name or address of the broker.
    pub host: String,
    /// Port of the broker.
    pub port: u16,
    /// MQTT client id; stable, because the broker keeps the session under it.
    pub client_id: String,
    /// User name, where the broker wants one.
    pub username: Option<String>,
    /// Password, where the broker wants one.
    pub password: Option<Secret>,
    /// Topic filters to subscribe to.
    pub topics: Vec<String>,
    /// Quality of service to subscribe with.
    pub qos: Qos,
    /// Largest packet accepted, in bytes; above the broker's own limit.
    pub max_packet_bytes: usize,
    /// Interval of pings on a quiet connection.
    pub keep_alive: Duration,
    /// Messages the broker may have waiting for our acknowledgement (its `max_inflight_messages`).
    pub window: u16,
}

/// Runs it.
pub async fn run(
    config: ClientConfig,
    intake: Intake,
    board: SourceBoard,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let _ = (config, intake, board, clock, stop);
    todo!()
}
