//! The client source: one persistent session at an external MQTT 3.1.1 broker.
//!
//! rumqttc makes the connection and reads and writes packets; the session's rules are here, because they decide what
//! may be lost. Its own event loop is not used beyond the connection: it would send acknowledgements one by one through
//! a channel, and it refuses a PUBREL that the broker repeats after a reconnect, for ever.
//!
//! - A message is acknowledged when the committer says that it is durable, and only on the connection that brought it.
//! - Subscriptions are made when the broker has no session, and until it confirmed them once in this run.
//! - Reading stops while the intake is full; pings go on, so that the broker keeps the connection.

mod link;
mod session;

use std::{sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::{Qos, SourceName};
use rand::Rng;
use tokio_util::sync::CancellationToken;

use crate::{BlockedReason, Intake, SourceBoard, SourceKind, SourceState};
use link::{Link, LinkError};
use session::{Ended, Session};

/// Bytes a packet may have beyond a payload of 1 MiB at a broker that allows 2 MiB packets.
pub const DEFAULT_MAX_PACKET_BYTES: usize = 2 * 1024 * 1024 + 64 * 1024;

/// First and longest pause between attempts to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// A password or token; never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    fn reveal(&self) -> &str {
        &self.0
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
    /// Topic filters to subscribe to; at least one.
    pub topics: Vec<String>,
    /// Quality of service to subscribe with.
    pub qos: Qos,
    /// Largest packet accepted, in bytes; above the broker's own limit, else one larger message blocks the session.
    pub max_packet_bytes: usize,
    /// Interval of pings; at least one second.
    pub keep_alive: Duration,
    /// Messages the broker may have waiting for our acknowledgement (its `max_inflight_messages`).
    pub window: u16,
}

impl ClientConfig {
    /// A source with the usual limits: QoS 1, packets up to 2 MiB, a window of 1,000 messages, 30 s keep-alive.
    #[must_use]
    pub fn new(name: SourceName, host: &str, port: u16, topics: Vec<String>) -> Self {
        Self {
            client_id: format!("bakau-{name}"),
            name,
            host: host.to_owned(),
            port,
            username: None,
            password: None,
            topics,
            qos: Qos::AtLeastOnce,
            max_packet_bytes: DEFAULT_MAX_PACKET_BYTES,
            keep_alive: Duration::from_secs(30),
            window: 1_000,
        }
    }
}

/// Runs the source until stopped: connects, receives, acknowledges what is durable, connects again.
///
/// On `stop` it reads no further, waits up to five seconds for what is on its way into the spool, acknowledges it and
/// disconnects; the broker keeps the session.
pub async fn run(
    config: ClientConfig,
    intake: Intake,
    board: SourceBoard,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let traffic = board.register(&config.name, SourceKind::Client, clock.now());
    let mut link = Link::new(&config);
    let mut pause = BACKOFF.0;
    let mut session = Session::new(&config, intake, board.clone(), Arc::clone(&clock), traffic);
    loop {
        let connected = tokio::select! {
            () = stop.cancelled() => break,
            connected = link.connect() => connected,
        };
        let ended = match connected {
            Ok(session_present) => session.receive(&mut link, session_present, &stop).await,
            Err(error) => Ended { error: Some(error), settled: false },
        };
        link.drop_connection();
        let Some(error) = ended.error else { break };
        if ended.settled {
            pause = BACKOFF.0;
        }
        show(&config.name, &error, pause, &board, &*clock);
        let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.0));
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(jittered) => {}
        }
        pause = (pause * 2).min(BACKOFF.1);
    }
    board.set_state(&config.name, SourceState::Stopped, clock.now());
}

/// Shows and logs why there is no connection.
fn show(name: &SourceName, error: &LinkError, pause: Duration, board: &SourceBoard, clock: &dyn Clock) {
    let state = match error {
        LinkError::Oversized(_) => SourceState::Blocked(BlockedReason::OversizedMessage),
        LinkError::Refused(_) => SourceState::Blocked(BlockedReason::Refused),
        LinkError::Lost(_) | LinkError::Silent | LinkError::Stuck => SourceState::Connecting,
    };
    let changed = board.set_state(name, state, clock.now());
    let blocked = matches!(state, SourceState::Blocked(_));
    match (changed, blocked) {
        (true, true) => tracing::error!(source = %name, %error, "source is blocked"),
        (true, false) => tracing::warn!(source = %name, %error, "source lost its connection"),
        (false, _) => tracing::debug!(source = %name, %error, ?pause, "source could not connect"),
    }
}

#[cfg(test)]
mod tests;
