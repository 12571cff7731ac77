//! A subscriber, to see what a broker lets somebody read.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeFilter};

use crate::publish::Publisher;

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that has subscribed.
pub struct Listener {
    client: AsyncClient,
    events: EventLoop,
}

impl Listener {
    /// Connects as somebody and subscribes to filters; returns once the broker has answered.
    ///
    /// # Errors
    /// When the broker refuses the connection or does not answer within 30 s.
    pub async fn open(who: &Publisher, filters: &[&str]) -> Result<Self> {
        let id = format!("dengar-{:08x}", rand::random::<u32>());
        let mut options = MqttOptions::new(id, who.broker.ip().to_string(), who.broker.port());
        options.set_credentials(&who.username, &who.password);
        let (client, mut events) = AsyncClient::new(options, 10);
        let filters = filters.iter().map(|filter| SubscribeFilter::new((*filter).to_owned(), QoS::AtLeastOnce));
        client.subscribe_many(filters).await?;
        let answered = async {
            while !matches!(events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, answered).await.context("no answer to SUBSCRIBE for 30 s")??;
        Ok(Self { client, events })
    }

    /// Publishes an empty object at QoS 1 on the same connection: where a client's id is its user name, a second one of the
    /// same user would end this one. It leaves with the next [`Listener::next`].
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn say(&self, topic: &str) -> Result<()> {
        Ok(self.client.publish(topic, QoS::AtLeastOnce, false, "{}").await?)
    }

    /// The topic of the next message.
    ///
    /// # Errors
    /// When none comes within 30 s or the connection ends.
    pub async fn next(&mut self) -> Result<String> {
        let next = async {
            loop {
                if let Event::Incoming(Packet::Publish(message)) = self.events.poll().await? {
                    return anyhow::Ok(message.topic);
                }
            }
        };
        let Ok(next) = tokio::time::timeout(PATIENCE, next).await else { bail!("nothing to read for 30 s") };
        next
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Listener")
    }
}
