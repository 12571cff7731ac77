//! One message from a real MQTT client, and what became of it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use rumqttc::{
    AsyncClient, Event, MqttOptions, Packet, QoS,
    v5::{self, mqttbytes::v5::PubAckReason},
};

use crate::{
    catalogue,
    mosquitto::{self, Mosquitto},
};

/// Larger than anything a test sends, so that the client is never the one who refuses.
const MAX_PACKET: usize = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// Who publishes.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// What a broker did with a QoS 1 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// PUBACK with success.
    Acknowledged,
    /// PUBACK with a reason of 0x80 or above (MQTT 5).
    Refused(u8),
    /// The connection was refused at CONNECT.
    NotConnected,
    /// DISCONNECT with this reason (MQTT 5).
    Disconnected(u8),
    /// The broker had announced a smaller limit, so the client did not send it (MQTT 5).
    TooLargeToSend,
    /// The connection was closed without a word.
    Closed,
}

impl Publisher {
    /// The device of which catalogues of the tests have the token, at an embedded broker.
    #[must_use]
    pub fn device(broker: SocketAddr) -> Self {
        Self { broker, username: catalogue::DEVICE.to_owned(), password: catalogue::TOKEN.to_owned() }
    }

    /// The user that may do anything at a mosquitto of the tests.
    #[must_use]
    pub fn at(mosquitto: &Mosquitto) -> Self {
        Self {
            broker: ([127, 0, 0, 1], mosquitto.port()).into(),
            username: mosquitto::USERNAME.to_owned(),
            password: mosquitto::PASSWORD.to_owned(),
        }
    }

    /// Publishes as [`Publisher::publish`] something that has to be acknowledged.
    ///
    /// # Errors
    /// When it is not.
    pub async fn put(&self, topic: &str, payload: impl AsRef<[u8]>) -> Result<()> {
        let payload = payload.as_ref();
        let answer = self.publish(topic, payload).await?;
        let begins = String::from_utf8_lossy(&payload[..payload.len().min(200)]);
        ensure!(answer == Answer::Acknowledged, "{answer:?} to {topic}: {begins}");
        Ok(())
    }

    /// Publishes at QoS 1 over MQTT 3.1.1 on a connection of its own.
    ///
    /// # Errors
    /// When nothing happens for 30 s.
    pub async fn publish(&self, topic: &str, payload: &[u8]) -> Result<Answer> {
        self.send(topic, payload, false).await
    }

    /// As [`Publisher::publish`], with the retain flag.
    ///
    /// # Errors
    /// As there.
    pub async fn publish_retained(&self, topic: &str, payload: &[u8]) -> Result<Answer> {
        self.send(topic, payload, true).await
    }

    async fn send(&self, topic: &str, payload: &[u8], retain: bool) -> Result<Answer> {
        let id = format!("uji-{:08x}", rand::random::<u32>());
        let mut options = MqttOptions::new(id, self.broker.ip().to_string(), self.broker.port());
        options.set_credentials(&self.username, &self.password).set_max_packet_size(MAX_PACKET, MAX_PACKET);
        let (client, mut events) = AsyncClient::new(options, 10);
        client.publish(topic, QoS::AtLeastOnce, retain, payload).await?;
        let mut connected = false;
        let answer = async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => connected = true,
                    Ok(Event::Incoming(Packet::PubAck(_))) => return Answer::Acknowledged,
                    Ok(_) => {}
                    Err(rumqttc::ConnectionError::ConnectionRefused(_)) => return Answer::NotConnected,
                    Err(_) if connected => return Answer::Closed,
                    Err(_) => return Answer::NotConnected,
                }
            }
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.context("the broker did nothing for 30 s")?;
        if answer == Answer::Acknowledged {
            client.disconnect().await?;
            // The DISCONNECT leaves with the next poll; the error after it is the closed connection.
            while events.poll().await.is_ok() {}
        }
        Ok(answer)
    }

    /// Publishes at QoS 1 over MQTT 5 on a connection of its own.
    ///
    /// # Errors
    /// When nothing happens for 30 s.
    pub async fn publish_v5(&self, topic: &str, payload: &[u8]) -> Result<Answer> {
        use v5::mqttbytes::v5::Packet;
        let id = format!("uji5-{:08x}", rand::random::<u32>());
        let mut options = v5::MqttOptions::new(id, self.broker.ip().to_string(), self.broker.port());
        options.set_credentials(&self.username, &self.password).set_max_packet_size(Some(MAX_PACKET as u32));
        let (client, mut events) = v5::AsyncClient::new(options, 10);
        client.publish(topic.to_owned(), v5::mqttbytes::QoS::AtLeastOnce, false, payload.to_vec()).await?;
        let mut connected = false;
        let answer = async {
            loop {
                match events.poll().await {
                    Ok(v5::Event::Incoming(Packet::ConnAck(_))) => connected = true,
                    Ok(v5::Event::Incoming(Packet::PubAck(ack))) => return Ok(of_reason(ack.reason)),
                    Ok(v5::Event::Incoming(Packet::Disconnect(disconnect))) => {
                        return Ok(Answer::Disconnected(disconnect.reason_code as u8));
                    }
                    Ok(_) => {}
                    Err(v5::ConnectionError::ConnectionRefused(_)) => return Ok(Answer::NotConnected),
                    Err(v5::ConnectionError::MqttState(error)) => return Ok(of_state(&error)),
                    Err(_) if connected => return Ok(Answer::Closed),
                    Err(error) => bail!("could not publish: {error}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.context("the broker did nothing for 30 s")?
    }
}

/// Reason codes of MQTT 5, section 3.4.2.1.
const fn of_reason(reason: PubAckReason) -> Answer {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Answer::Acknowledged,
        PubAckReason::UnspecifiedError => Answer::Refused(0x80),
        PubAckReason::ImplementationSpecificError => Answer::Refused(0x83),
        PubAckReason::NotAuthorized => Answer::Refused(0x87),
        PubAckReason::TopicNameInvalid => Answer::Refused(0x90),
        PubAckReason::PacketIdentifierInUse => Answer::Refused(0x91),
        PubAckReason::QuotaExceeded => Answer::Refused(0x97),
        PubAckReason::PayloadFormatInvalid => Answer::Refused(0x99),
    }
}

/// rumqttc reports a DISCONNECT of the broker as an error of its state.
const fn of_state(error: &v5::StateError) -> Answer {
    match error {
        v5::StateError::ServerDisconnect { reason_code, .. } => Answer::Disconnected(*reason_code as u8),
        v5::StateError::OutgoingPacketTooLarge { .. } => Answer::TooLargeToSend,
        _ => Answer::Closed,
    }
}
