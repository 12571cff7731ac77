//! Publishes one message of any bytes and reports the broker's answer: for poison payloads, denied topics and wrong passwords.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Packet;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::{
    Message, PublishError, Target,
    driver::{Failed, connect},
    packet,
};

/// Answer of a broker to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It sent a PUBACK.
    Acknowledged,
    /// It closed the connection without a PUBACK.
    Closed,
    /// It kept the connection and sent no PUBACK in time.
    Silent,
}

/// Publishes one message at QoS 1 on a connection of its own, once, and reports the broker's answer.
///
/// # Errors
/// When the connection cannot be made or the message does not fit into MQTT.
pub async fn publish_once(target: &Target, message: &Message, wait: Duration) -> Result<Answer, PublishError> {
    let deadline = Instant::now() + wait;
    let broker = target.broker;
    let connected = timeout_at(deadline, connect(target))
        .await
        .unwrap_or_else(|_| Err(Failed::Connection(std::io::Error::from(std::io::ErrorKind::TimedOut))));
    let (mut reader, mut writer, mut input) = connected.map_err(|failed| match failed {
        Failed::Refused(reason) => PublishError::Refused { broker, reason },
        Failed::Connection(source) => PublishError::Connection { broker, source },
    })?;
    let mut out = BytesMut::new();
    packet::publish(&mut out, message, 1, false)?;
    // Read while writing: a broker may answer a large message by closing before it has read all of it.
    let sending = tokio::spawn(async move {
        let sent = writer.write_all(&out).await;
        (writer, sent)
    });
    let answer = loop {
        match packet::take(&mut input) {
            Ok(Some(Packet::PubAck(answer))) if answer.pkid == 1 => break Answer::Acknowledged,
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(_) => break Answer::Closed,
        }
        match timeout_at(deadline, reader.read_buf(&mut input)).await {
            Err(_) => break Answer::Silent,
            Ok(Ok(0) | Err(_)) => break Answer::Closed,
            Ok(Ok(_)) => {}
        }
    };
    if answer == Answer::Acknowledged
        && let Ok((mut writer, Ok(()))) = sending.await
    {
        let _ignored = writer.write_all(&packet::DISCONNECT).await;
    }
    Ok(answer)
}
