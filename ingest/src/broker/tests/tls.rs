//! The same rules behind TLS.

use rumqttc::{QoS, Transport, v5::mqttbytes::v5::DisconnectReasonCode};

use super::*;
use crate::{
    broker::BrokerTls,
    tls::{self, CertificateFiles, ClientTls, testing::Authority},
};

struct Encrypted {
    line: Line,
    port: u16,
    transport: Transport,
    _folder: tempfile::TempDir,
}

async fn encrypted() -> Encrypted {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let files: CertificateFiles = authority.issue("broker", "127.0.0.1");
    let listen = ([127, 0, 0, 1], 0).into();
    let line = Line::with(u64::MAX, |config| config.tls = Some(BrokerTls { listen, files })).await;
    let trusting = ClientTls { ca_file: Some(authority.ca_file), identity: None };
    let transport = Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(tls::client(&trusting).unwrap()));
    let port = line.broker.as_ref().unwrap().tls_addr.unwrap().port();
    Encrypted { line, port, transport, _folder: folder }
}

impl Encrypted {
    fn v4(&self, username: &str, token: &str) -> V4 {
        let mut options = MqttOptions::new(username, "127.0.0.1", self.port);
        options.set_credentials(username, token).set_transport(self.transport.clone());
        options.set_max_packet_size(4 << 20, 4 << 20);
        V4::new(options)
    }

    fn v5(&self, username: &str) -> V5 {
        let mut options = v5::MqttOptions::new(username, "127.0.0.1", self.port);
        options.set_credentials(username, TOKEN).set_transport(self.transport.clone());
        V5::new(options)
    }
}

#[tokio::test]
async fn a_device_with_its_token_publishes_over_tls_and_large_messages_pass_whole() {
    let mut served = encrypted().await;
    let mut device = served.v4("prb-01", TOKEN).connected().await;
    let large = vec![b'x'; 1024 * 1024];
    device.publish(TOPIC, QoS::AtLeastOnce, large.clone()).await;
    assert!(matches!(device.packet().await.unwrap(), Packet::PubAck(_)));
    let spooled = served.line.spooled();
    assert_eq!(spooled.len(), 1);
    assert_eq!(spooled[0].payload, large);
    served.line.stop().await;
}

#[tokio::test]
async fn tokens_and_topic_rights_hold_over_tls_and_a_reason_reaches_the_device() {
    let mut served = encrypted().await;
    let refused = served.v4("prb-01", "wrong").packet().await.unwrap_err();
    assert!(matches!(refused, ConnectionError::ConnectionRefused(_)), "{refused:?}");
    let mut device = served.v4("prb-01", TOKEN).connected().await;
    device.publish("bakau/prb-02/data", QoS::AtLeastOnce, "x").await;
    assert!(device.packet().await.is_err(), "another device's topic");
    let mut device = served.v5("prb-02").connected().await;
    device.publish("bakau/prb-02/data", v5::mqttbytes::QoS::AtLeastOnce, vec![b'x'; 1024 * 1024 + 1]).await;
    assert_eq!(device.disconnect_reason().await, DisconnectReasonCode::PacketTooLarge);
    served.line.stop().await;
    assert!(served.line.spooled().is_empty());
}

#[tokio::test]
async fn what_is_not_tls_gets_nothing_and_holds_no_place_and_plain_clients_are_still_served() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut served = encrypted().await;
    let mut stranger = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    stranger.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01b").await.unwrap();
    let mut answer = Vec::new();
    drop(stranger.read_to_end(&mut answer).await);
    // At most a TLS alert; never a CONNACK.
    assert_ne!(answer.first(), Some(&0x20));
    drop(served.line.v4("plain").connected().await);
    served.line.stop().await;
}
