//! What Bakau does with messages it cannot or must not take, and that nothing else suffers from them.

use anyhow::Result;
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue, checker,
    kill::{Way, wait_connected, wait_settled},
    mosquitto::Mosquitto,
    publish::{Answer, Publisher},
};
use serde_json::Value;

const MIB: usize = 1 << 20;

/// A good payload of exactly `size` bytes.
fn payload_of(size: usize, time: i64) -> Vec<u8> {
    let head = format!("{{\"time\":\"{}\",\"do\":5.5,\"ph\":7.1,\"pad\":\"", UtcMillis::new(time));
    let mut payload = head.into_bytes();
    payload.resize(size - 2, b'x');
    payload.extend_from_slice(b"\"}");
    payload
}

fn good(time: i64) -> Vec<u8> {
    format!("{{\"time\":\"{}\",\"do\":5.5,\"ph\":7.1}}", UtcMillis::new(time)).into_bytes()
}

/// The sum of one field of the message ledger.
fn messages(ledger: &Value, field: &str) -> Option<u64> {
    ledger["messages"][field].as_u64()
}

async fn ledger(bakau: &Bakau) -> Result<Value> {
    bakau.json("/api/v1/ledger").await
}

/// Payloads that no decoder can use, each acknowledged and listed with its reason.
async fn poison(publisher: &Publisher, bakau: &Bakau) -> Result<u64> {
    let nested = "[".repeat(100_000);
    let poison: [&[u8]; 7] = [
        b"not json at all",
        b"{\"time\":\"2026-01-01T00:00:00Z\",\"do\":5",
        b"\xff\xfe\x00",
        b"",
        b"{\"time\":\"2026-01-01T00:00:00Z\",\"do\":Infinity}",
        nested.as_bytes(),
        b"{\"time\":\"yesterday\",\"do\":5}",
    ];
    for payload in poison {
        assert_eq!(publisher.publish("bakau/beban-000000/data", payload).await?, Answer::Acknowledged);
    }
    let listed = bakau.json("/api/v1/quarantine?limit=100").await?;
    let rows = listed["quarantine"].as_array().map_or(0, Vec::len);
    assert_eq!(rows, poison.len(), "{listed}");
    Ok(poison.len() as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_refuses_what_it_must_and_takes_the_rest() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let device = catalogue::device("sempit", catalogue::TOKEN, "bakau/beban-000001/data");
    let files = [("beban.toml", catalogue::load(2) + &device)];
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
    bakau.start().await?;
    let publisher = |username: &str, password: &str| -> Result<Publisher> {
        Ok(Publisher { broker: bakau.mqtt()?, username: username.to_owned(), password: password.to_owned() })
    };
    let wide = publisher(catalogue::DEVICE, catalogue::TOKEN)?;
    let narrow = publisher("sempit", catalogue::TOKEN)?;

    for (username, password) in [(catalogue::DEVICE, "wrong"), ("nobody", catalogue::TOKEN), ("", "")] {
        let answer = publisher(username, password)?.publish("bakau/beban-000000/data", &good(1)).await?;
        assert_eq!(answer, Answer::NotConnected, "{username}");
    }
    let base = 1_767_225_600_000;
    let bad = poison(&wide, &bakau).await?;
    assert_eq!(wide.publish("bakau/beban-000000/data", &payload_of(MIB, base)).await?, Answer::Acknowledged);
    assert_eq!(wide.publish("bakau/beban-000000/data", &payload_of(MIB + 1, base + 1)).await?, Answer::Closed);
    let v5 = wide.publish_v5("bakau/beban-000000/data", &payload_of(MIB + 1, base + 1)).await?;
    assert_eq!(v5, Answer::Disconnected(0x95));
    assert_eq!(narrow.publish("bakau/beban-000000/data", &good(base + 2)).await?, Answer::Closed);
    assert_eq!(narrow.publish_v5("bakau/beban-000000/data", &good(base + 2)).await?, Answer::Refused(0x87));
    assert_eq!(narrow.publish_v5("bakau/beban-000001/data", &good(base + 3)).await?, Answer::Acknowledged);
    assert_eq!(wide.publish("bakau/x/y/unknown", &good(base + 4)).await?, Answer::Acknowledged);
    assert_eq!(wide.publish("bakau/beban-000000/data", &good(base + 5)).await?, Answer::Acknowledged);

    wait_settled(&bakau, 6).await?;
    let ledger = ledger(&bakau).await?;
    checker::check_ledger(&ledger)?;
    assert_eq!(messages(&ledger, "decoded"), Some(3));
    assert_eq!(messages(&ledger, "quarantined"), Some(bad));
    assert_eq!(messages(&ledger, "unrouted"), Some(1));
    // Two denied topics and two payloads above the limit.
    assert_eq!(messages(&ledger, "denied"), Some(4));
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_and_large_messages_through_mosquitto_delay_nobody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(&folder.path().join("mosquitto")).await?;
    let files = [("beban.toml", catalogue::load(2))];
    let mut bakau = Bakau::prepare(&folder.path().join("bakau"), &Way::Mosquitto.configuration(broker.port()), &files)?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let publisher = Publisher::at(&broker);
    let base = 1_767_225_600_000;
    let topic = "bakau/beban-000000/data";
    for (offset, payload) in [b"not json".to_vec(), payload_of(MIB, base), good(base + 1)].into_iter().enumerate() {
        assert_eq!(publisher.publish(topic, &payload).await?, Answer::Acknowledged, "message {offset}");
    }
    assert_eq!(publisher.publish("bakau/x/y/unknown", &good(base + 2)).await?, Answer::Acknowledged);
    // A second delivery of one message with device time is a duplicate of its key, retained or not.
    assert_eq!(publisher.publish_retained(topic, &good(base + 1)).await?, Answer::Acknowledged);
    // Larger than the shipped broker takes: its own affair, and it must not disturb Bakau's subscription.
    assert_eq!(publisher.publish(topic, &payload_of(2 * MIB, base + 3)).await?, Answer::Closed);
    assert_eq!(publisher.publish(topic, &good(base + 4)).await?, Answer::Acknowledged);

    wait_settled(&bakau, 6).await?;
    let ledger = ledger(&bakau).await?;
    assert_eq!(messages(&ledger, "quarantined"), Some(1));
    assert_eq!(messages(&ledger, "unrouted"), Some(1));
    assert_eq!(messages(&ledger, "decoded"), Some(4));
    bakau.stop()
}
