use proptest::prelude::*;

use super::*;

fn codec(protocol: Protocol) -> Codec {
    Codec { protocol, max_packet_bytes: 1_000 }
}

fn decode(protocol: Protocol, bytes: &[u8]) -> Result<Option<Incoming>, WireError> {
    codec(protocol).decode(&mut BytesMut::from(bytes))
}

fn encoded(protocol: Protocol, packet: Outgoing) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    codec(protocol).encode(packet, &mut bytes).unwrap();
    bytes.to_vec()
}

fn connect() -> Outgoing {
    Outgoing::Connect(Connect {
        client_id: "b".to_owned(),
        keep_alive_s: 30,
        login: None,
        receive_maximum: 1_000,
        session_expiry_s: 3_600,
    })
}

#[test]
fn connect_asks_for_a_session_that_stays_and_mqtt_5_bounds_what_is_under_way() {
    // MQTT 3.1.1, section 3.1: name, level 4, no flags (not clean), keep-alive 30.
    assert_eq!(encoded(Protocol::V311, connect()), b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x1e\x00\x01b");
    // MQTT 5, section 3.1.2.11: session expiry interval 3,600 (0x11), receive maximum 1,000 (0x21), no topic aliases, no
    // maximum packet size.
    let properties = b"\x08\x11\x00\x00\x0e\x10\x21\x03\xe8";
    let expected = [&b"\x10\x16\x00\x04MQTT\x05\x00\x00\x1e"[..], properties, b"\x00\x01b"].concat();
    assert_eq!(encoded(Protocol::V5, connect()), expected);
}

#[test]
fn only_counters_ask_for_retained_messages_again() {
    let subscribe = |retained_again| Outgoing::Subscribe {
        id: 1,
        filters: vec!["a".to_owned()],
        qos: Qos::AtLeastOnce,
        retained_again,
    };
    // The options byte, MQTT 5, section 3.8.3.1: QoS 1, retain handling in bits 4 and 5.
    assert_eq!(encoded(Protocol::V5, subscribe(true)).last(), Some(&0x01));
    assert_eq!(encoded(Protocol::V5, subscribe(false)).last(), Some(&0x11));
    assert_eq!(encoded(Protocol::V311, subscribe(false)), b"\x82\x06\x00\x01\x00\x01a\x01");
}

#[test]
fn the_one_byte_disconnect_of_mosquitto_is_read_with_its_reason() {
    let heard = decode(Protocol::V5, b"\xe0\x01\x8e").unwrap().unwrap();
    let Incoming::Disconnect(reason) = heard else { panic!("{heard:?}") };
    assert!(reason.kind == reasons::Kind::TakenOver && reason.words.contains("client id"), "{reason:?}");
    assert!(matches!(decode(Protocol::V5, b"\xe0\x00").unwrap(), Some(Incoming::Disconnect(_))));
    let said = b"\xe0\x08\x97\x06\x1f\x00\x03max";
    let heard = decode(Protocol::V5, said).unwrap().unwrap();
    let Incoming::Disconnect(reason) = heard else { panic!("{heard:?}") };
    assert_eq!(reason.words, "the broker says that a quota is used up (it says: max)");
}

#[test]
fn a_broker_of_version_3_refuses_version_5_in_words() {
    let heard = decode(Protocol::V5, b"\x20\x02\x00\x01").unwrap().unwrap();
    let Incoming::Refused(reason) = heard else { panic!("{heard:?}") };
    assert!(reason.words.contains("protocol = \"3.1.1\""), "{reason:?}");
}

#[test]
fn both_versions_bring_the_same_message() {
    let v4 = decode(Protocol::V311, b"\x3b\x07\x00\x01a\x00\x09hi").unwrap();
    let v5 = decode(Protocol::V5, b"\x3b\x0c\x00\x01a\x00\x09\x04\x03\x00\x01jhi").unwrap();
    let (Some(Incoming::Publish(v4)), Some(Incoming::Publish(v5))) = (v4, v5) else { panic!("no messages") };
    assert_eq!((&v4.topic[..], &v4.payload[..], v4.packet_id), (&b"a"[..], &b"hi"[..], 9));
    assert_eq!((v4.qos, v4.dup, v4.retained), (Qos::AtLeastOnce, true, true));
    assert_eq!(v5.content_type.as_deref(), Some("j"));
    assert_eq!(Publish { content_type: None, ..v5 }, v4);
}

#[test]
fn a_refused_filter_and_the_lowest_granted_quality_are_told() {
    for (protocol, bytes) in
        [(Protocol::V311, &b"\x90\x05\x00\x01\x01\x00\x80"[..]), (Protocol::V5, b"\x90\x06\x00\x01\x00\x01\x00\x87")]
    {
        let heard = decode(protocol, bytes).unwrap();
        let Some(Incoming::SubAck { id: 1, refused, granted: Qos::AtMostOnce }) = heard else { panic!("{heard:?}") };
        assert!(matches!(refused[..], [(2, _)]), "{refused:?}");
    }
}

#[test]
fn a_packet_above_the_limit_is_refused_by_its_length_alone() {
    // 0x38 with a length of 2,000, of which nothing has arrived.
    let refused = decode(Protocol::V5, b"\x32\xd0\x0f").unwrap_err();
    assert!(matches!(refused, WireError::Oversized(2_003)), "{refused:?}");
}

#[test]
fn a_packet_that_is_shorter_inside_than_it_promises_is_an_error_and_not_waited_for() {
    for protocol in [Protocol::V311, Protocol::V5] {
        let refused = decode(protocol, b"\x32\x03\x00\x09a").unwrap_err();
        assert!(matches!(refused, WireError::Malformed(..)), "{refused:?}");
    }
}

proptest! {
    #[test]
    fn a_whole_packet_of_any_bytes_is_read_or_refused_and_not_waited_for(
        first in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..60), v5 in any::<bool>(),
    ) {
        let protocol = if v5 { Protocol::V5 } else { Protocol::V311 };
        let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
        bytes.extend(&body);
        prop_assert!(!matches!(decode(protocol, &bytes), Ok(None)));
        // Whatever the body is taken for, it is answered.
        let _ = decode(protocol, &body);
    }
}
