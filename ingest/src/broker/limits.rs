//! The bounds given to rmqtt.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
    time::Duration,
};

use rmqtt::{
    codec::types::{Publish, QoS},
    fitter::{DefaultFitter, Fitter, FitterManager},
    net::Builder,
    types::{ConnectInfo, Disconnect, FitterType, Id, ListenerConfig},
};

use super::{BrokerConfig, MAX_CONNECT_BYTES, PACKET_OVERHEAD_BYTES, frame::Limits};

/// Messages a client may have unreleased (QoS 2) or announced as its window (MQTT 5 Receive Maximum).
const MAX_INFLIGHT: NonZeroU16 = NonZeroU16::MIN.saturating_add(1023);

/// Messages waiting for a slow subscriber; above this the newest is dropped.
const MAX_WAITING_FOR_SUBSCRIBER: usize = 100;

/// Filters one connection may subscribe to.
const MAX_SUBSCRIPTIONS: usize = 16;

/// Longest client id, in bytes.
const MAX_CLIENT_ID_BYTES: usize = 256;

/// Levels of a topic; national naming schemes use fewer than ten.
const MAX_TOPIC_LEVELS: usize = 32;

/// Keep-alive given to a client that asked for none (MQTT 5 is told, MQTT 3.1.1 cannot be).
const DEFAULT_KEEP_ALIVE_SECS: u16 = 2_400;

/// File descriptors of one connection: the device's, and both ends of the way to rmqtt.
const DESCRIPTORS_PER_CONNECTION: usize = 3;

/// File descriptors left to databases, pages and everything else.
const DESCRIPTORS_FOR_OTHERS: usize = 256;

/// Connections that are accepted: as configured, or fewer where the process may not open enough files.
pub(super) fn connections(config: &BrokerConfig) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(descriptors) = open_files(&limits) else { return config.max_connections };
    let possible = (descriptors.saturating_sub(DESCRIPTORS_FOR_OTHERS) / DESCRIPTORS_PER_CONNECTION).max(1);
    if possible < config.max_connections {
        tracing::warn!(
            possible,
            wanted = config.max_connections,
            descriptors,
            "limit of open files allows fewer mqtt connections: raise it (ulimit -n, or LimitNOFILE= in systemd)"
        );
    }
    possible.min(config.max_connections)
}

/// The soft limit of open files in the text of `/proc/self/limits`; `None` where it is unlimited or unknown.
fn open_files(limits: &str) -> Option<usize> {
    let row = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    row.split_whitespace().next()?.parse().ok()
}

/// Applies every limit to the inner listener.
pub(super) fn apply(builder: Builder, config: &BrokerConfig) -> Builder {
    let packet = u32::try_from(packet_limits(config).packet).unwrap_or(u32::MAX);
    builder
        .name(config.name.as_str())
        .laddr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .backlog(i32::from(i16::MAX))
        .nodelay(true)
        .allow_anonymous(false)
        .max_packet_size(packet)
        .max_connections(config.max_connections)
        .max_inflight(MAX_INFLIGHT)
        .max_clientid_len(MAX_CLIENT_ID_BYTES)
        .max_topic_levels(MAX_TOPIC_LEVELS)
        .max_subscriptions(MAX_SUBSCRIPTIONS)
        .max_mqueue_len(MAX_WAITING_FOR_SUBSCRIBER)
        .max_qos_allowed(QoS::ExactlyOnce)
        .session_expiry_interval(Duration::ZERO)
        .handshake_timeout(Duration::from_secs(10))
        .send_timeout(Duration::from_secs(10))
}

/// The sizes the edge lets through; the exact payload limit is applied by the hook.
pub(super) const fn packet_limits(config: &BrokerConfig) -> Limits {
    Limits { connect: MAX_CONNECT_BYTES, packet: config.max_payload_bytes.saturating_add(PACKET_OVERHEAD_BYTES) }
}

/// Makes a [`BakauFitter`] for each connection.
pub(super) struct BakauFitters;

impl FitterManager for BakauFitters {
    fn create(&self, connect: Arc<ConnectInfo>, id: Id, config: ListenerConfig) -> FitterType {
        Arc::new(BakauFitter { usual: DefaultFitter::new(connect, id, config) })
    }
}

/// rmqtt's own rules, except that a session ends with its connection and every connection has a keep-alive.
struct BakauFitter {
    usual: DefaultFitter,
}

#[async_trait::async_trait]
impl Fitter for BakauFitter {
    fn keep_alive(&self, keep_alive: &mut u16) -> rmqtt::Result<u16> {
        if *keep_alive == 0 {
            *keep_alive = DEFAULT_KEEP_ALIVE_SECS;
        }
        self.usual.keep_alive(keep_alive)
    }

    fn max_mqueue_len(&self) -> usize {
        self.usual.max_mqueue_len()
    }

    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.usual.mqueue_rate_limit()
    }

    fn max_inflight(&self) -> NonZeroU16 {
        self.usual.max_inflight()
    }

    fn session_expiry_interval(&self, _disconnect: Option<&Disconnect>) -> Duration {
        Duration::ZERO
    }

    fn message_expiry_interval(&self, publish: &Publish) -> Duration {
        self.usual.message_expiry_interval(publish)
    }

    fn max_client_topic_aliases(&self) -> u16 {
        self.usual.max_client_topic_aliases()
    }

    fn max_server_topic_aliases(&self) -> u16 {
        self.usual.max_server_topic_aliases()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_found() {
        let text = "Limit Soft Limit Hard Limit Units\nMax open files            1024                 524288  files\n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(open_files("Max open files  unlimited unlimited files"), None);
        assert_eq!(open_files(""), None);
    }
}
