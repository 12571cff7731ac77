//! One network connection at a time, packet by packet.

use std::time::Duration;

use bakau_model::Qos;
use rumqttc::{
    ConnectReturnCode, ConnectionError, EventLoop, MqttOptions, Packet, QoS, StateError, Subscribe, SubscribeFilter,
    mqttbytes,
};

use super::ClientConfig;

/// Longest time a write may take before the connection counts as stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The packet id of our SUBSCRIBE; nothing else we send has one of its own.
const SUBSCRIBE_ID: u16 = 1;

/// Why there is no connection any more, or none yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The broker sent a packet above our limit; it will send it again.
    #[error("the broker holds a message of {0} bytes, above this source's limit: raise max_packet_bytes")]
    Oversized(usize),
    /// The broker refused the connection or the subscription.
    #[error("the broker refused {0}")]
    Refused(&'static str),
    /// The connection failed or was closed.
    #[error("{0}")]
    Lost(String),
    /// No answer to a ping.
    #[error("the broker no longer answers")]
    Silent,
    /// Nothing could be written for ten seconds.
    #[error("the broker takes no more bytes")]
    Stuck,
}

impl From<StateError> for LinkError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(bytes)) => Self::Oversized(bytes),
            StateError::ConnectionAborted => Self::Lost("the broker closed the connection".to_owned()),
            other => Self::Lost(other.to_string()),
        }
    }
}

impl From<ConnectionError> for LinkError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::MqttState(error) => error.into(),
            ConnectionError::ConnectionRefused(code) => match code {
                ConnectReturnCode::BadUserNamePassword => Self::Refused("user name or password"),
                ConnectReturnCode::NotAuthorized => Self::Refused("this client: not authorized"),
                ConnectReturnCode::BadClientId => Self::Refused("the client id"),
                ConnectReturnCode::RefusedProtocolVersion => Self::Refused("MQTT 3.1.1"),
                ConnectReturnCode::ServiceUnavailable => Self::Lost("the broker is not available".to_owned()),
                ConnectReturnCode::Success => Self::Lost("the broker answered out of turn".to_owned()),
            },
            other => Self::Lost(other.to_string()),
        }
    }
}

/// A connection made by rumqttc.
pub(crate) struct Link {
    eventloop: EventLoop,
}

impl Link {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        let mut options = MqttOptions::new(&config.client_id, &config.host, config.port);
        options.set_clean_session(false);
        options.set_manual_acks(true);
        // rumqttc panics below one second.
        options.set_keep_alive(config.keep_alive.max(Duration::from_secs(1)));
        options.set_max_packet_size(config.max_packet_bytes, 64 * 1024);
        if let Some(username) = &config.username {
            let password = config.password.as_ref().map_or("", |secret| secret.reveal());
            options.set_credentials(username, password);
        }
        let mut eventloop = EventLoop::new(options, 1);
        let mut network = eventloop.network_options();
        network.set_tcp_nodelay(true);
        eventloop.set_network_options(network);
        Self { eventloop }
    }

    /// Connects; returns whether the broker still had our session.
    pub(crate) async fn connect(&mut self) -> Result<bool, LinkError> {
        match self.eventloop.poll().await? {
            rumqttc::Event::Incoming(Packet::ConnAck(ack)) => Ok(ack.session_present),
            other => Err(LinkError::Lost(format!("expected CONNACK, got {other:?}"))),
        }
    }

    pub(crate) fn drop_connection(&mut self) {
        self.eventloop.clean();
    }

    /// The next packet. May be dropped before it resolves: no byte is lost.
    pub(crate) async fn read(&mut self) -> Result<Packet, LinkError> {
        match &mut self.eventloop.network {
            Some(network) => Ok(network.read().await?),
            None => Err(StateError::ConnectionAborted.into()),
        }
    }

    /// Writes packets and sends them off together.
    pub(crate) async fn write(&mut self, packets: impl Iterator<Item = Packet>) -> Result<(), LinkError> {
        let Some(network) = &mut self.eventloop.network else { return Err(StateError::ConnectionAborted.into()) };
        let all = async {
            for packet in packets {
                network.write(packet).await?;
            }
            network.flush().await
        };
        match tokio::time::timeout(WRITE_TIMEOUT, all).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(LinkError::Stuck),
        }
    }

    pub(crate) async fn subscribe(&mut self, topics: &[String], qos: Qos) -> Result<(), LinkError> {
        let qos = match qos {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce => QoS::AtLeastOnce,
            Qos::ExactlyOnce => QoS::ExactlyOnce,
        };
        let filters = topics.iter().map(|topic| SubscribeFilter::new(topic.clone(), qos));
        let mut subscribe = Subscribe::new_many(filters);
        subscribe.pkid = SUBSCRIBE_ID;
        self.write(std::iter::once(Packet::Subscribe(subscribe))).await
    }
}
