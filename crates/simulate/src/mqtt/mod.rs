//! A publisher of MQTT 3.1.1 at QoS 1 and nothing else.
//!
//! Why not a full client (ADR 0012): a checker must know of each message whether its PUBACK was seen, and after a lost
//! connection exactly the unacknowledged messages are sent again, also where the broker has lost the session. A load must
//! cost little beside what it measures.

mod driver;
mod once;
mod packet;

use std::{io, net::SocketAddr, time::Duration};

use bakau_model::Secret;
use bytes::Bytes;

pub(crate) use driver::{Next, Source, publish_all};
pub use once::{Answer, publish_once};

/// A broker and how to sign in.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where the broker listens.
    pub broker: SocketAddr,
    /// MQTT client id, unique at the broker.
    pub client_id: String,
    /// User name and password; anonymous where absent.
    pub login: Option<Login>,
    /// What the broker publishes when the connection breaks without a DISCONNECT.
    pub will: Option<Message>,
}

/// MQTT user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// A message to publish at QoS 1, not retained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic to publish to.
    pub topic: String,
    /// Payload bytes.
    pub payload: Bytes,
}

/// Window and patience of a publisher.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Messages sent and not yet acknowledged, 1 to 60,000.
    pub window: usize,
    /// Give up when nothing was acknowledged for this long although something waits; `None` tries for ever.
    pub patience: Option<Duration>,
}

impl Default for Effort {
    fn default() -> Self {
        Self { window: 100, patience: Some(Duration::from_secs(60)) }
    }
}

/// Why publishing ended early.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The broker does not let this client in; trying again does not help.
    #[error("broker {broker} refused the connection: {reason}")]
    Refused {
        /// The broker.
        broker: SocketAddr,
        /// Meaning of its answer.
        reason: &'static str,
    },
    /// Nothing was acknowledged for too long.
    #[error("broker {broker} acknowledged nothing for {seconds} s; last trouble: {last}")]
    NoProgress {
        /// The broker.
        broker: SocketAddr,
        /// The patience that ran out.
        seconds: u64,
        /// The last error.
        last: String,
    },
    /// The connection failed, where it is not tried again.
    #[error("connection to broker {broker} failed")]
    Connection {
        /// The broker.
        broker: SocketAddr,
        /// The error.
        source: io::Error,
    },
    /// A topic or payload that MQTT cannot carry.
    #[error("a message with a topic of {topic} bytes and a payload of {payload} bytes does not fit into MQTT")]
    TooLarge {
        /// Bytes of the topic, at most 65,535.
        topic: usize,
        /// Bytes of the payload, at most about 268 million.
        payload: usize,
    },
    /// The source of messages failed.
    #[error("{0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}
