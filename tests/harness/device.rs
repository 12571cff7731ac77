//! A device that stays connected, with a last will as firmware has it.

use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rumqttc::{AsyncClient, LastWill, MqttOptions, QoS};
use tokio::task::JoinHandle;

use crate::publish::Publisher;

/// A connection that comes back by itself; gone without a word when dropped.
#[derive(Debug)]
pub struct Device {
    client: AsyncClient,
    polling: JoinHandle<()>,
    connections: Arc<Mutex<u64>>,
}

impl Device {
    /// Connects, whenever the broker is there, as somebody; the broker says `offline` on `will` when it is gone.
    #[must_use]
    pub fn start(who: &Publisher, will: &str) -> Self {
        let mut options = MqttOptions::new(&who.username, who.broker.ip().to_string(), who.broker.port());
        options.set_credentials(&who.username, &who.password);
        options.set_last_will(LastWill::new(will, "offline", QoS::AtLeastOnce, false));
        let (client, mut events) = AsyncClient::new(options, 100);
        let connections = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&connections);
        let polling = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_))) => *counted.lock() += 1,
                    Ok(_) => {}
                    // Firmware waits a moment as well before it tries again.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
                }
            }
        });
        Self { client, polling, connections }
    }

    /// How often it has been connected so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        *self.connections.lock()
    }

    /// Publishes at QoS 1; what the broker is not there for waits.
    ///
    /// # Errors
    /// When too much waits.
    pub fn publish(&self, topic: &str, payload: &str) -> Result<()> {
        self.client.try_publish(topic, QoS::AtLeastOnce, false, payload).context("too much waits for the broker")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.polling.abort();
    }
}
