//! The client source: one persistent session at an external MQTT broker, version 5 or 3.1.1.
//!
//! rumqttc's codecs read and write packets; the session's rules are here, because they decide what may be lost. Its event
//! loop is not used: it would send acknowledgements one by one through a channel, refuses a PUBREL that the broker
//! repeats after a reconnect, for ever, and keeps the MQTT 5 reason of a DISCONNECT to itself.
//!
//! - A message is acknowledged when the committer says that it is durable, and only on the connection that brought it.
//! - Subscriptions are made when the broker has no session, and until it confirmed them once in this run; filters that
//!   are no longer configured are unsubscribed, for the session would keep them.
//! - Reading stops while the intake is full; pings go on, so that the broker keeps the connection.
//! - Messages that the broker itself lost are counted separately (`counters`).

mod attempts;
mod books;
mod counters;
mod link;
mod memory;
mod reasons;
mod session;
mod wire;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::{BlockedReason, DAY_S, Qos, Secret, SourceKind, SourceName};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::{Intake, SourceBoard, SourceState};
use attempts::{Attempts, End};
use link::{Link, LinkError};
use session::{Ended, Session};

/// How long a broker keeps the session, and with it what arrives, while Bakau is away.
pub const DEFAULT_SESSION_EXPIRY: Duration = Duration::from_secs(30 * DAY_S as u64);

/// Interval of pings, unless the broker wants another.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Quality of service to subscribe with.
pub(crate) const QOS: Qos = Qos::AtLeastOnce;

bakau_model::words! {
    /// Version of MQTT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
    pub serde enum Protocol {
        /// MQTT 3.1.1.
        V311 => "3.1.1",
        /// MQTT 5: reasons in words, and a session that ends when nobody came back for long.
        #[default]
        V5 => "5",
    }
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        }
    }
}

/// TLS of a connection.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Trusted authorities and own certificate; see [`crate::tls::client`].
    pub config: Arc<rustls::ClientConfig>,
    /// The name the broker's certificate must be for, where that is not `host`.
    pub server_name: Option<String>,
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
    /// Version of MQTT.
    pub protocol: Protocol,
    /// TLS settings; without them the connection is not encrypted.
    pub tls: Option<Tls>,
    /// MQTT client id; stable, because the broker keeps the session under it.
    pub client_id: String,
    /// User name, where the broker wants one.
    pub username: Option<String>,
    /// Password, where the broker wants one.
    pub password: Option<Secret>,
    /// Topic filters to subscribe to; at least one.
    pub topics: Vec<String>,
    /// Largest packet accepted, in bytes; above the broker's own limit, else one larger message blocks the session.
    pub max_packet_bytes: usize,
    /// Messages the broker may have waiting for our acknowledgement (its `max_inflight_messages`).
    pub window: u16,
    /// MQTT 5: how long the broker keeps the session while Bakau is away.
    pub session_expiry: Duration,
    /// Whether to subscribe to the broker's own counters (`$SYS`); some brokers end the connection then.
    pub broker_counters: bool,
    /// File that keeps subscriptions and losses across restarts; without it they are kept in memory only.
    pub memory: Option<PathBuf>,
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
    crate::metrics::external_broker(&config.name);
    let mut attempts = Attempts::default();
    let mut session = Session::new(&config, intake, board.clone(), Arc::clone(&clock), traffic);
    loop {
        let connected = tokio::select! {
            () = stop.cancelled() => break,
            connected = Link::connect(&config) => connected,
        };
        let ended = match connected {
            Ok(connected) => session.receive(connected, attempts.contested(), &stop).await,
            Err(error) => Ended { error: Some(error), lasted: Duration::ZERO, restarted: false },
        };
        let Some(error) = ended.error else { break };
        if ended.restarted {
            attempts.restarted();
        }
        let pause = attempts.ended(end(&error), ended.lasted, rand::random());
        if matches!(error, LinkError::TakenOver(_)) {
            session.was_taken_over().await;
        }
        show(&config.name, &error, attempts.contested(), &board, &*clock);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    session.ended().await;
    board.set_state(&config.name, SourceState::Stopped, clock.now());
}

fn end(error: &LinkError) -> End {
    match error {
        LinkError::TakenOver(_) => End::TakenOver,
        LinkError::Closed => End::Closed,
        LinkError::Oversized(_)
        | LinkError::Refused(_)
        | LinkError::Tls(_)
        | LinkError::Lost(_)
        | LinkError::Silent
        | LinkError::Stuck => End::Other,
    }
}

/// Puts the cause of a missing connection on the board and into the log.
fn show(name: &SourceName, error: &LinkError, contested: bool, board: &SourceBoard, clock: &dyn Clock) {
    let state = match error {
        LinkError::TakenOver(_) | LinkError::Closed if contested => SourceState::Blocked(BlockedReason::Contested),
        LinkError::Oversized(_) => SourceState::Blocked(BlockedReason::OversizedMessage),
        LinkError::Refused(_) => SourceState::Blocked(BlockedReason::Refused),
        LinkError::Tls(_) => SourceState::Blocked(BlockedReason::Tls),
        LinkError::TakenOver(_) | LinkError::Closed | LinkError::Lost(_) | LinkError::Silent | LinkError::Stuck => {
            SourceState::Connecting
        }
    };
    let changed = board.set_state(name, state, clock.now());
    let problem = match error {
        LinkError::Closed if contested => {
            "the broker accepts this source and soon closes the connection, again and again: probably another client uses \
             its client id"
                .to_owned()
        }
        told => told.to_string(),
    };
    board.set_problem(name, problem);
    let blocked = matches!(state, SourceState::Blocked(_));
    match (changed, blocked) {
        (true, true) => tracing::error!(source = %name, %error, "source is blocked"),
        (true, false) => tracing::warn!(source = %name, %error, "source lost its connection"),
        (false, _) => tracing::debug!(source = %name, %error, "source could not connect"),
    }
}

#[cfg(test)]
mod tests;
