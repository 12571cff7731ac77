//! MQTT 3.1.1 and MQTT 5 as one set of packets; the only place that knows the difference.
//!
//! rumqttc's codecs read and write the bytes. Frames are cut here first, because rumqttc 0.25 swallows a packet that is
//! shorter inside than it promises, and with it mosquitto's one-byte DISCONNECT and the reason in it.

use std::io;

use bakau_model::{Qos, RemainingLength};
use bytes::{Buf, Bytes, BytesMut};
use rumqttc::{mqttbytes as b4, v5::mqttbytes as b5};
use tokio_util::codec::{Decoder, Encoder};

use super::{Protocol, reasons};

/// Longest text of a broker that our messages quote.
const MAX_REASON_CHARS: usize = 200;

/// Packets that we send.
#[derive(Debug, Clone)]
pub(crate) enum Outgoing {
    Connect(Connect),
    PubAck(u16),
    PubRec(u16),
    PubComp(u16),
    /// Packet id, filters, quality of service, and whether the broker should send retained messages of filters that the
    /// session already has (MQTT 3.1.1 always does).
    Subscribe {
        id: u16,
        filters: Vec<String>,
        qos: Qos,
        retained_again: bool,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect,
}

/// CONNECT, always for a persistent session.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) client_id: String,
    pub(crate) keep_alive_s: u16,
    pub(crate) login: Option<(String, String)>,
    /// MQTT 5: messages the broker may have waiting for our acknowledgement.
    pub(crate) receive_maximum: u16,
    /// MQTT 5: how long the broker keeps the session while we are away.
    pub(crate) session_expiry_s: u32,
}

/// Packets that arrive.
#[derive(Debug)]
pub(crate) enum Incoming {
    Accepted(Accepted),
    /// CONNACK with anything but success.
    Refused(reasons::Reason),
    Publish(Publish),
    Release(u16),
    /// The places of the filters that were refused, with words, and the lowest quality of service granted to the others.
    SubAck {
        id: u16,
        refused: Vec<(usize, &'static str)>,
        granted: Qos,
    },
    UnsubAck,
    /// The broker ends the connection; MQTT 5 says why.
    Disconnect(reasons::Reason),
    /// An answer to a ping, or something only clients send.
    Other,
}

/// CONNACK with success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) session_present: bool,
    /// MQTT 5: the client id it uses instead of ours.
    pub(crate) client_id: Option<String>,
    /// MQTT 5: the keep-alive the broker wants instead of ours.
    pub(crate) keep_alive_s: Option<u16>,
    /// MQTT 5: how long it keeps the session, where it differs.
    pub(crate) session_expiry_s: Option<u32>,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) topic: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) packet_id: u16,
    pub(crate) qos: Qos,
    pub(crate) dup: bool,
    pub(crate) retained: bool,
    pub(crate) content_type: Option<String>,
}

/// Why bytes are no packet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("a packet of {0} bytes")]
    Oversized(usize),
    #[error("the broker sent something that is not {0}: {1}")]
    Malformed(&'static str, String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads and writes packets of one protocol version.
#[derive(Debug)]
pub(crate) struct Codec {
    pub(crate) protocol: Protocol,
    pub(crate) max_packet_bytes: usize,
}

impl Decoder for Codec {
    type Item = Incoming;
    type Error = WireError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Incoming>, WireError> {
        let malformed = |reason: String| WireError::Malformed(self.protocol.name(), reason);
        let Some((header, body)) = RemainingLength::of(bytes).map_err(|error| malformed(error.to_string()))? else {
            return Ok(None);
        };
        let whole = header + body;
        if self.max_packet_bytes < whole {
            return Err(WireError::Oversized(whole));
        }
        if bytes.len() < whole {
            bytes.reserve(whole - bytes.len());
            return Ok(None);
        }
        match self.protocol {
            Protocol::V311 => match b4::v4::Packet::read(bytes, self.max_packet_bytes) {
                Ok(packet) => Ok(Some(from_v4(packet))),
                Err(error) => Err(malformed(error.to_string())),
            },
            Protocol::V5 => {
                if let Some(short) = short_v5(bytes, header, whole) {
                    bytes.advance(whole);
                    return Ok(Some(short));
                }
                match b5::v5::Packet::read(bytes, None) {
                    Ok(packet) => Ok(Some(from_v5(packet))),
                    Err(error) => Err(malformed(error.to_string())),
                }
            }
        }
    }
}

/// Packets that rumqttc's MQTT 5 codec cannot read: a DISCONNECT without properties, and the CONNACK with which a broker
/// that knows only MQTT 3.1.1 refuses version 5.
fn short_v5(bytes: &[u8], header: usize, whole: usize) -> Option<Incoming> {
    let body = bytes.get(header..whole)?;
    match (bytes.first()? >> 4, body) {
        (14, []) => Some(Incoming::Disconnect(reasons::of_disconnect(0))),
        (14, [code]) => Some(Incoming::Disconnect(reasons::of_disconnect(*code))),
        (2, [_, code]) => Some(Incoming::Refused(reasons::refused_by_v4(*code))),
        _ => None,
    }
}

impl Encoder<Outgoing> for Codec {
    type Error = WireError;

    fn encode(&mut self, packet: Outgoing, bytes: &mut BytesMut) -> Result<(), WireError> {
        let written = match self.protocol {
            Protocol::V311 => to_v4(packet).write(bytes, usize::MAX).map_err(|error| error.to_string()),
            Protocol::V5 => to_v5(packet).write(bytes, None).map_err(|error| error.to_string()),
        };
        written.map(drop).map_err(|reason| WireError::Malformed(self.protocol.name(), reason))
    }
}

// === MQTT 3.1.1 ===

fn to_v4(packet: Outgoing) -> b4::v4::Packet {
    use b4::v4::{Connect, Packet, PubAck, PubComp, PubRec, Subscribe, SubscribeFilter, Unsubscribe};
    match packet {
        Outgoing::Connect(connect) => {
            let mut packet = Connect::new(connect.client_id);
            packet.clean_session = false;
            packet.keep_alive = connect.keep_alive_s;
            if let Some((username, password)) = connect.login {
                packet.set_login(username, password);
            }
            Packet::Connect(packet)
        }
        Outgoing::PubAck(id) => Packet::PubAck(PubAck::new(id)),
        Outgoing::PubRec(id) => Packet::PubRec(PubRec::new(id)),
        Outgoing::PubComp(pkid) => Packet::PubComp(PubComp { pkid }),
        Outgoing::Subscribe { id, filters, qos, .. } => {
            let qos = match qos {
                Qos::AtMostOnce => b4::QoS::AtMostOnce,
                Qos::AtLeastOnce => b4::QoS::AtLeastOnce,
                Qos::ExactlyOnce => b4::QoS::ExactlyOnce,
            };
            let mut packet = Subscribe::new_many(filters.into_iter().map(|path| SubscribeFilter::new(path, qos)));
            packet.pkid = id;
            Packet::Subscribe(packet)
        }
        Outgoing::Unsubscribe { id, filters } => Packet::Unsubscribe(Unsubscribe { pkid: id, topics: filters }),
        Outgoing::Ping => Packet::PingReq,
        Outgoing::Disconnect => Packet::Disconnect,
    }
}

const fn qos_v4(qos: b4::QoS) -> Qos {
    match qos {
        b4::QoS::AtMostOnce => Qos::AtMostOnce,
        b4::QoS::AtLeastOnce => Qos::AtLeastOnce,
        b4::QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}

fn from_v4(packet: b4::v4::Packet) -> Incoming {
    use b4::v4::{ConnectReturnCode, Packet, SubscribeReasonCode};
    match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            Incoming::Accepted(Accepted { session_present: ack.session_present, ..Accepted::default() })
        }
        Packet::ConnAck(ack) => Incoming::Refused(reasons::refused_v4(ack.code)),
        Packet::Publish(publish) => Incoming::Publish(Publish {
            topic: publish.topic.into(),
            payload: publish.payload,
            packet_id: publish.pkid,
            qos: qos_v4(publish.qos),
            dup: publish.dup,
            retained: publish.retain,
            content_type: None,
        }),
        Packet::PubRel(release) => Incoming::Release(release.pkid),
        Packet::SubAck(ack) => {
            let outcomes = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Ok(qos_v4(*qos)),
                SubscribeReasonCode::Failure => Err("check the topics and this user's rights"),
            });
            sub_ack(ack.pkid, outcomes)
        }
        Packet::UnsubAck(_) => Incoming::UnsubAck,
        Packet::Disconnect => Incoming::Disconnect(reasons::of_disconnect(0)),
        Packet::PingResp
        | Packet::Connect(_)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubComp(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq => Incoming::Other,
    }
}

fn sub_ack(id: u16, outcomes: impl Iterator<Item = Result<Qos, &'static str>>) -> Incoming {
    let (mut refused, mut granted) = (Vec::new(), Qos::ExactlyOnce);
    for (place, outcome) in outcomes.enumerate() {
        match (outcome, granted) {
            (Ok(Qos::AtMostOnce), _) => granted = Qos::AtMostOnce,
            (Ok(Qos::AtLeastOnce), Qos::ExactlyOnce) => granted = Qos::AtLeastOnce,
            (Ok(_), _) => {}
            (Err(words), _) => refused.push((place, words)),
        }
    }
    Incoming::SubAck { id, refused, granted }
}

// === MQTT 5 ===

fn to_v5(packet: Outgoing) -> b5::v5::Packet {
    use b5::v5::{
        Connect, ConnectProperties, Disconnect, DisconnectReasonCode, Filter, Login, Packet, PingReq, PubAck, PubComp,
        PubRec, RetainForwardRule, Subscribe, Unsubscribe,
    };
    match packet {
        Outgoing::Connect(connect) => {
            let mut properties = ConnectProperties::new();
            properties.session_expiry_interval = Some(connect.session_expiry_s);
            properties.receive_maximum = Some(connect.receive_maximum);
            // No maximum packet size: the broker would drop larger messages without a word. Without it they arrive, and
            // the source shows that it is blocked by them.
            let packet = Connect {
                keep_alive: connect.keep_alive_s,
                client_id: connect.client_id,
                clean_start: false,
                properties: Some(properties),
            };
            Packet::Connect(packet, None, connect.login.map(|(username, password)| Login { username, password }))
        }
        Outgoing::PubAck(id) => Packet::PubAck(PubAck::new(id, None)),
        Outgoing::PubRec(id) => Packet::PubRec(PubRec::new(id, None)),
        Outgoing::PubComp(id) => Packet::PubComp(PubComp::new(id, None)),
        Outgoing::Subscribe { id, filters, qos, retained_again } => {
            let qos = match qos {
                Qos::AtMostOnce => b5::QoS::AtMostOnce,
                Qos::AtLeastOnce => b5::QoS::AtLeastOnce,
                Qos::ExactlyOnce => b5::QoS::ExactlyOnce,
            };
            let filter = |path| {
                let mut filter = Filter::new(path, qos);
                filter.retain_forward_rule = if retained_again {
                    RetainForwardRule::OnEverySubscribe
                } else {
                    RetainForwardRule::OnNewSubscribe
                };
                filter
            };
            Packet::Subscribe(Subscribe {
                pkid: id,
                filters: filters.into_iter().map(filter).collect(),
                properties: None,
            })
        }
        Outgoing::Unsubscribe { id, filters } => {
            Packet::Unsubscribe(Unsubscribe { pkid: id, filters, properties: None })
        }
        Outgoing::Ping => Packet::PingReq(PingReq),
        Outgoing::Disconnect => Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)),
    }
}

const fn qos_v5(qos: b5::QoS) -> Qos {
    match qos {
        b5::QoS::AtMostOnce => Qos::AtMostOnce,
        b5::QoS::AtLeastOnce => Qos::AtLeastOnce,
        b5::QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}

fn from_v5(packet: b5::v5::Packet) -> Incoming {
    use b5::v5::{ConnectReturnCode, Packet, SubscribeReasonCode};
    match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            let properties = ack.properties.as_ref();
            Incoming::Accepted(Accepted {
                session_present: ack.session_present,
                client_id: properties.and_then(|properties| properties.assigned_client_identifier.clone()),
                keep_alive_s: properties.and_then(|properties| properties.server_keep_alive),
                session_expiry_s: properties.and_then(|properties| properties.session_expiry_interval),
            })
        }
        Packet::ConnAck(ack) => {
            let said = ack.properties.and_then(|properties| properties.reason_string);
            Incoming::Refused(reasons::refused_v5(ack.code).with(said.as_deref().map(shortened)))
        }
        Packet::Publish(publish) => Incoming::Publish(Publish {
            topic: publish.topic,
            payload: publish.payload,
            packet_id: publish.pkid,
            qos: qos_v5(publish.qos),
            dup: publish.dup,
            retained: publish.retain,
            content_type: publish.properties.and_then(|properties| properties.content_type),
        }),
        Packet::PubRel(release) => Incoming::Release(release.pkid),
        Packet::SubAck(ack) => {
            let outcomes = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Ok(qos_v5(*qos)),
                refusal => Err(reasons::subscription(*refusal)),
            });
            sub_ack(ack.pkid, outcomes)
        }
        Packet::UnsubAck(_) => Incoming::UnsubAck,
        Packet::Disconnect(disconnect) => {
            let said = disconnect.properties.and_then(|properties| properties.reason_string);
            Incoming::Disconnect(
                reasons::of_disconnect(disconnect.reason_code as u8).with(said.as_deref().map(shortened)),
            )
        }
        Packet::Auth(_)
        | Packet::PingResp(_)
        | Packet::Connect(..)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubComp(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq(_) => Incoming::Other,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_REASON_CHARS).filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests;
