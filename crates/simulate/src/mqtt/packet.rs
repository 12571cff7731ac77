//! The few packets a publisher needs, as bytes (MQTT 3.1.1, OASIS Standard).

use bakau_model::RemainingLength;
use bytes::{Buf, BufMut, BytesMut};

use super::{Message, PublishError, Target};

/// Longest "remaining length" of a packet (section 2.2.3).
const MAX_REMAINING: usize = 268_435_455;

/// Longest packet accepted from a broker: it only answers, each answer has four bytes or less.
const MAX_ANSWER_BYTES: usize = 1_024;

/// PINGREQ (section 3.12).
pub(super) const PINGREQ: [u8; 2] = [0xC0, 0];
/// DISCONNECT (section 3.14).
pub(super) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// What a broker sends to a publisher.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    ConnAck {
        code: u8,
    },
    PubAck {
        id: u16,
    },
    PingResp,
    /// Any other packet; nothing a publisher waits for.
    Other,
}

/// Bytes that are no MQTT answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        if length == 0 {
            out.put_u8(byte);
            return;
        }
        out.put_u8(byte | 0x80);
    }
}

/// A text of at most 65,535 bytes with its length before it; longer ones are cut, which only a client id or a login of
/// that length meets.
fn put_text(out: &mut BytesMut, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.put_slice(bytes);
}

/// CONNECT with a clean session and, where there is one, a last will at QoS 1 (section 3.1).
pub(super) fn connect(out: &mut BytesMut, target: &Target, keep_alive_s: u16) {
    let (login, will) = (target.login.as_ref(), target.will.as_ref());
    let mut body = BytesMut::new();
    put_text(&mut body, "MQTT");
    body.put_u8(4);
    let (login_bits, will_bits) =
        (if login.is_some() { 0b1100_0000 } else { 0 }, if will.is_some() { 0b1100 } else { 0 });
    body.put_u8(0b0000_0010 | login_bits | will_bits);
    body.put_u16(keep_alive_s);
    put_text(&mut body, &target.client_id);
    if let Some(will) = will {
        put_text(&mut body, &will.topic);
        let length = will.payload.len().min(usize::from(u16::MAX));
        body.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
        body.put_slice(&will.payload[..length]);
    }
    if let Some(login) = login {
        put_text(&mut body, &login.username);
        put_text(&mut body, login.password.expose());
    }
    out.put_u8(0x10);
    put_length(out, body.len());
    out.put_slice(&body);
}

/// PUBLISH at QoS 1 (section 3.3).
pub(super) fn publish(out: &mut BytesMut, message: &Message, id: u16, dup: bool) -> Result<(), PublishError> {
    let (topic, payload) = (message.topic.len(), message.payload.len());
    let too_large = || PublishError::TooLarge { topic, payload };
    let topic_length = u16::try_from(topic).map_err(|_| too_large())?;
    let remaining = payload.checked_add(2 + topic + 2).filter(|&length| length <= MAX_REMAINING);
    out.reserve(payload + topic + 9);
    out.put_u8(if dup { 0x3A } else { 0x32 });
    put_length(out, remaining.ok_or_else(too_large)?);
    out.put_u16(topic_length);
    out.put_slice(message.topic.as_bytes());
    out.put_u16(id);
    out.put_slice(&message.payload);
    Ok(())
}

/// Takes the first whole packet off `input`; `None` while more bytes are needed.
pub(super) fn take(input: &mut BytesMut) -> Result<Option<Answer>, Malformed> {
    let Some((header, length)) = RemainingLength::of(input).map_err(|_| Malformed)? else { return Ok(None) };
    if MAX_ANSWER_BYTES < length {
        return Err(Malformed);
    }
    if input.len() < header + length {
        return Ok(None);
    }
    let kind = input[0] >> 4;
    input.advance(header);
    let mut body = input.split_to(length);
    match (kind, length) {
        (2, 2) => {
            body.advance(1);
            Ok(Some(Answer::ConnAck { code: body.get_u8() }))
        }
        (4, 2) => Ok(Some(Answer::PubAck { id: body.get_u16() })),
        (13, 0) => Ok(Some(Answer::PingResp)),
        (2 | 4 | 13, _) => Err(Malformed),
        _ => Ok(Some(Answer::Other)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        connect(&mut out, &target, 30);
        assert_eq!(&out[..], b"\x10\x13\x00\x04MQTT\x04\xC2\x00\x1E\x00\x01c\x00\x01u\x00\x01p");
        out.clear();
        target.will = Some(Message { topic: "a/b".to_owned(), payload: "off".into() });
        connect(&mut out, &target, 30);
        let expected = b"\x10\x1D\x00\x04MQTT\x04\xCE\x00\x1E\x00\x01c\x00\x03a/b\x00\x03off\x00\x01u\x00\x01p";
        assert_eq!(&out[..], expected);
    }

    #[test]
    fn a_topic_longer_than_its_length_field_is_refused() {
        let message = Message { topic: "t".repeat(65_536), payload: "".into() };
        assert!(publish(&mut BytesMut::new(), &message, 1, false).is_err());
    }

    #[test]
    fn answers_are_taken_one_by_one_and_wait_for_their_last_byte() {
        let mut input = BytesMut::from(&[0x20, 2, 0, 5, 0x40, 2, 1, 2, 0xD0, 0, 0x40, 2, 0][..]);
        assert_eq!(take(&mut input), Ok(Some(Answer::ConnAck { code: 5 })));
        assert_eq!(take(&mut input), Ok(Some(Answer::PubAck { id: 258 })));
        assert_eq!(take(&mut input), Ok(Some(Answer::PingResp)));
        assert_eq!(take(&mut input), Ok(None));
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

        #[test]
        fn lengths_of_every_size_are_written_as_they_are_read(length in 0_usize..MAX_REMAINING) {
            let mut out = BytesMut::new();
            put_length(&mut out, length);
            let read = out.iter().enumerate().fold(0, |sum, (n, byte)| sum | usize::from(byte & 0x7F) << (7 * n));
            prop_assert_eq!(read, length);
            prop_assert_eq!(out.iter().filter(|byte| **byte < 0x80).count(), 1);
        }
    }
}
