//! The few packets a publisher needs, written and read by rumqttc's codec of MQTT 3.1.1.

use bytes::BytesMut;
use rumqttc::mqttbytes::{
    Error, QoS,
    v4::{Connect, LastWill, Login, Packet, Publish},
};

use super::{Message, PublishError, Target};

/// Longest packet accepted from a broker: it only answers, each answer has four bytes or less.
const MAX_ANSWER_BYTES: usize = 1_024;

/// PINGREQ (section 3.12).
pub(super) const PINGREQ: [u8; 2] = [0xC0, 0];
/// DISCONNECT (section 3.14).
pub(super) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Whether a field is longer than its length can say: the codec would write a length that is not its own.
fn is_too_long(field: &[u8]) -> bool {
    usize::from(u16::MAX) < field.len()
}

/// CONNECT with a clean session and, where there is one, a last will at QoS 1 (section 3.1).
pub(super) fn connect(out: &mut BytesMut, target: &Target, keep_alive_s: u16) -> Result<(), Error> {
    let login = target.login.iter().flat_map(|login| [login.username.as_bytes(), login.password.expose().as_bytes()]);
    let will = target.will.iter().flat_map(|will| [will.topic.as_bytes(), &will.payload[..]]);
    if login.chain(will).chain([target.client_id.as_bytes()]).any(is_too_long) {
        return Err(Error::PayloadTooLong);
    }
    let mut packet = Connect::new(&target.client_id);
    packet.keep_alive = keep_alive_s;
    packet.login = target.login.as_ref().map(|login| Login::new(&login.username, login.password.expose()));
    let will = target.will.as_ref();
    packet.last_will = will.map(|will| LastWill::new(&will.topic, will.payload.clone(), QoS::AtLeastOnce, false));
    packet.write(out).map(drop)
}

/// PUBLISH at QoS 1 (section 3.3).
pub(super) fn publish(out: &mut BytesMut, message: &Message, id: u16, dup: bool) -> Result<(), PublishError> {
    let (topic, payload) = (message.topic.len(), message.payload.len());
    let too_large = || PublishError::TooLarge { topic, payload };
    if is_too_long(message.topic.as_bytes()) {
        return Err(too_large());
    }
    out.reserve(payload + topic + 9);
    let mut packet = Publish::from_bytes(&message.topic, QoS::AtLeastOnce, message.payload.clone());
    (packet.pkid, packet.dup) = (id, dup);
    packet.write(out).map(drop).map_err(|_| too_large())
}

/// Takes the first whole packet off `input`; `None` while more bytes are needed.
pub(super) fn take(input: &mut BytesMut) -> Result<Option<Packet>, Error> {
    match Packet::read(input, MAX_ANSWER_BYTES) {
        Ok(packet) => Ok(Some(packet)),
        Err(Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, PubAck};

    use super::*;
    use crate::mqtt::Login;

    #[test]
    fn a_publish_is_laid_out_as_the_standard_says() {
        let mut out = BytesMut::new();
        let message = Message { topic: "a/b".to_owned(), payload: "hi".into() };
        publish(&mut out, &message, 10, false).unwrap();
        assert_eq!(&out[..], [0x32, 9, 0, 3, b'a', b'/', b'b', 0, 10, b'h', b'i']);
    }

    #[test]
    fn a_connect_carries_client_id_login_and_last_will() {
        let mut out = BytesMut::new();
        let login = Some(Login { username: "u".to_owned(), password: bakau_model::Secret::new("p") });
        let broker = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let mut target = Target { broker, client_id: "c".to_owned(), login, will: None };
        connect(&mut out, &target, 30).unwrap();
        assert_eq!(&out[..], b"\x10\x13\x00\x04MQTT\x04\xC2\x00\x1E\x00\x01c\x00\x01u\x00\x01p");
        out.clear();
        target.will = Some(Message { topic: "a/b".to_owned(), payload: "off".into() });
        connect(&mut out, &target, 30).unwrap();
        let expected = b"\x10\x1D\x00\x04MQTT\x04\xCE\x00\x1E\x00\x01c\x00\x03a/b\x00\x03off\x00\x01u\x00\x01p";
        assert_eq!(&out[..], expected);
    }

    #[test]
    fn a_client_id_login_or_last_will_longer_than_its_length_field_is_refused() {
        let (fits, longer) = ("x".repeat(65_535), "x".repeat(65_536));
        let written = |[client_id, username, password, topic, payload]: [&str; 5]| {
            let target = Target {
                broker: std::net::SocketAddr::from(([127, 0, 0, 1], 1)),
                client_id: client_id.to_owned(),
                login: Some(Login { username: username.to_owned(), password: bakau_model::Secret::new(password) }),
                will: Some(Message { topic: topic.to_owned(), payload: payload.to_owned().into() }),
            };
            connect(&mut BytesMut::new(), &target, 30).is_ok()
        };
        assert!(written([&fits; 5]));
        for field in 0..5 {
            let mut fields = [&fits[..]; 5];
            fields[field] = &longer;
            assert!(!written(fields), "field {field}");
        }
    }

    #[test]
    fn a_topic_longer_than_its_length_field_is_refused() {
        let message = Message { topic: "t".repeat(65_536), payload: "".into() };
        assert!(publish(&mut BytesMut::new(), &message, 1, false).is_err());
    }

    #[test]
    fn answers_are_taken_one_by_one_and_wait_for_their_last_byte() {
        let mut input = BytesMut::from(&[0x20, 2, 0, 5, 0x40, 2, 1, 2, 0xD0, 0, 0x40, 2, 0][..]);
        let refused = ConnAck::new(ConnectReturnCode::NotAuthorized, false);
        assert_eq!(take(&mut input).unwrap(), Some(Packet::ConnAck(refused)));
        assert_eq!(take(&mut input).unwrap(), Some(Packet::PubAck(PubAck::new(258))));
        assert_eq!(take(&mut input).unwrap(), Some(Packet::PingResp));
        assert_eq!(take(&mut input).unwrap(), None);
        assert_eq!(input.len(), 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_packet_by_packet_from_the_front(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut input = BytesMut::from(&bytes[..]);
            let mut left = input.len();
            while let Ok(Some(_)) = take(&mut input) {
                // A packet has two bytes at least.
                prop_assert!(input.len() + 2 <= left && bytes.ends_with(&input));
                left = input.len();
            }
        }
    }
}
