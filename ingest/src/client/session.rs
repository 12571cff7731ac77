//! What happens on an open connection.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_clock::Clock;
use bakau_model::{Envelope, Qos, UtcMillis};
use futures::FutureExt;
use rumqttc::{Packet, PubAck, PubComp, PubRec, Publish, QoS, SubscribeReasonCode};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{
    ClientConfig,
    link::{Link, LinkError},
};
use crate::{
    BlockedReason, Intake, IntakeHealth, NotCommitted, OpenConnection, SourceBoard, SourceState,
    board::Traffic,
    intake::{AckToken, Job, Reply},
};

/// Packets read in one go before acknowledgements and signals get their turn.
const READ_AT_ONCE: usize = 256;

/// Topics remembered so that a repeated topic is not copied again.
const MAX_TOPICS: usize = 65_536;

/// A connection that lasted this long was a success: the next attempt comes without delay.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// How long a stopping source waits for what is on its way into the spool.
const DRAIN: Duration = Duration::from_secs(5);

/// How a connection ended.
pub(crate) struct Ended {
    /// Why; `None` when it was stopped on purpose.
    pub(crate) error: Option<LinkError>,
    /// Whether it had worked for a while.
    pub(crate) settled: bool,
}

/// What outlives a connection.
pub(crate) struct Session<'c> {
    config: &'c ClientConfig,
    intake: Intake,
    board: SourceBoard,
    clock: Arc<dyn Clock>,
    traffic: Arc<Traffic>,
    health: watch::Receiver<IntakeHealth>,
    durable: mpsc::UnboundedReceiver<Vec<AckToken>>,
    durable_sender: mpsc::UnboundedSender<Vec<AckToken>>,
    /// Number of the connection; acknowledgements of earlier ones are dropped.
    epoch: u64,
    /// Whether the broker confirmed the subscriptions in this run.
    subscribed: bool,
    topics: HashSet<Arc<str>>,
    jobs: Vec<Job>,
    /// Messages of this connection on their way into the spool.
    on_their_way: usize,
    ping_unanswered: bool,
}

impl<'c> Session<'c> {
    pub(crate) fn new(
        config: &'c ClientConfig,
        intake: Intake,
        board: SourceBoard,
        clock: Arc<dyn Clock>,
        traffic: Arc<Traffic>,
    ) -> Self {
        let (durable_sender, durable) = mpsc::unbounded_channel();
        Self {
            config,
            health: intake.health(),
            intake,
            board,
            clock,
            traffic,
            durable,
            durable_sender,
            epoch: 0,
            subscribed: false,
            topics: HashSet::new(),
            jobs: Vec::new(),
            on_their_way: 0,
            ping_unanswered: false,
        }
    }

    /// Receives on a fresh connection until it fails or `stop` is cancelled.
    pub(crate) async fn receive(&mut self, link: &mut Link, session_present: bool, stop: &CancellationToken) -> Ended {
        let since = Instant::now();
        self.epoch += 1;
        self.on_their_way = 0;
        self.ping_unanswered = false;
        self.board.connection_opened(&self.config.name);
        let open = self.intake.open_connection(usize::from(self.config.window));
        tracing::info!(source = %self.config.name, epoch = self.epoch, session_present, "source connected");
        let result = self.packets(link, session_present, stop, open).await;
        Ended { error: result.err(), settled: SETTLED_AFTER <= since.elapsed() }
    }

    async fn packets(
        &mut self,
        link: &mut Link,
        session_present: bool,
        stop: &CancellationToken,
        _open: OpenConnection,
    ) -> Result<(), LinkError> {
        if session_present && self.subscribed {
            self.show_connected();
        } else {
            link.subscribe(&self.config.topics, self.config.qos).await?;
        }
        let mut pings = tokio::time::interval(self.config.keep_alive.max(Duration::from_secs(1)) / 2);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut paused = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain(link).await,
                // The sender lives in `self`, so the channel never closes.
                Some(tokens) = self.durable.recv() => self.acknowledge(link, tokens).await?,
                Ok(()) = self.health.changed() => self.show_connected(),
                _ = pings.tick() => self.ping(link, paused).await?,
                () = self.intake.space(), if paused => paused = false,
                packet = link.read(), if !paused => {
                    self.take_in(link, packet?).await?;
                    paused = !self.intake.has_space();
                }
            }
        }
    }

    /// Handles a packet and all that are there already, then hands their messages over together.
    async fn take_in(&mut self, link: &mut Link, first: Packet) -> Result<(), LinkError> {
        let now = self.clock.now();
        let mut next = Ok(first);
        let mut read = 0;
        let result = loop {
            let handled = match next {
                Ok(packet) => self.packet(link, packet, now).await,
                Err(error) => Err(error),
            };
            if handled.is_err() {
                break handled;
            }
            read += 1;
            if READ_AT_ONCE <= read {
                break Ok(());
            }
            match link.read().now_or_never() {
                Some(packet) => next = packet,
                None => break Ok(()),
            }
        };
        self.hand_over(now)?;
        result
    }

    fn hand_over(&mut self, now: UtcMillis) -> Result<(), LinkError> {
        if self.jobs.is_empty() {
            return Ok(());
        }
        self.traffic.arrived(self.jobs.len() as u64, now);
        let acknowledged = self.jobs.iter().filter(|job| matches!(job.reply, Reply::Group(..))).count();
        self.on_their_way += acknowledged;
        self.intake.push_all(&mut self.jobs).map_err(|refusal| LinkError::Lost(refusal.to_string()))
    }

    async fn packet(&mut self, link: &mut Link, packet: Packet, now: UtcMillis) -> Result<(), LinkError> {
        self.ping_unanswered = false;
        match packet {
            Packet::Publish(publish) => {
                let job = self.job(publish, now);
                self.jobs.push(job);
                Ok(())
            }
            // Second half of QoS 2. Answered whether or not the first half is known: after a reconnect it is not.
            Packet::PubRel(release) => {
                link.write(std::iter::once(Packet::PubComp(PubComp { pkid: release.pkid }))).await
            }
            Packet::SubAck(ack) => {
                if ack.return_codes.iter().any(|code| matches!(code, SubscribeReasonCode::Failure)) {
                    return Err(LinkError::Refused("a subscription: check the topics and this user's rights"));
                }
                self.subscribed = true;
                self.show_connected();
                Ok(())
            }
            Packet::Disconnect => Err(LinkError::Lost("the broker said goodbye".to_owned())),
            Packet::PingResp
            | Packet::UnsubAck(_)
            | Packet::ConnAck(_)
            | Packet::Connect(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubComp(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => Ok(()),
        }
    }

    fn job(&mut self, publish: Publish, now: UtcMillis) -> Job {
        let qos = match publish.qos {
            QoS::AtMostOnce => Qos::AtMostOnce,
            QoS::AtLeastOnce => Qos::AtLeastOnce,
            QoS::ExactlyOnce => Qos::ExactlyOnce,
        };
        let token = AckToken { epoch: self.epoch, packet_id: publish.pkid, qos };
        let envelope = Envelope {
            source: self.config.name.clone(),
            epoch: self.epoch,
            client_id: None,
            username: None,
            topic: self.topic(&publish.topic),
            payload: publish.payload,
            qos,
            dup: publish.dup,
            retained: publish.retain,
            content_type: None,
            received_at: now,
        };
        let reply = match qos {
            Qos::AtMostOnce => Reply::Nobody,
            Qos::AtLeastOnce | Qos::ExactlyOnce => Reply::Group(token, self.durable_sender.clone()),
        };
        Job { envelope, reply }
    }

    /// The shared copy of a topic.
    fn topic(&mut self, topic: &str) -> Arc<str> {
        if let Some(known) = self.topics.get(topic) {
            return Arc::clone(known);
        }
        if MAX_TOPICS <= self.topics.len() {
            self.topics.clear();
        }
        let shared: Arc<str> = Arc::from(topic);
        self.topics.insert(Arc::clone(&shared));
        shared
    }

    /// Acknowledges what is durable, together with everything else that has become durable meanwhile.
    async fn acknowledge(&mut self, link: &mut Link, mut tokens: Vec<AckToken>) -> Result<(), LinkError> {
        while let Ok(more) = self.durable.try_recv() {
            tokens.extend(more);
        }
        let of_this_connection = tokens.iter().filter(|token| token.epoch == self.epoch).count();
        self.on_their_way = self.on_their_way.saturating_sub(of_this_connection);
        link.write(acknowledgements(&tokens, self.epoch)).await
    }

    async fn ping(&mut self, link: &mut Link, paused: bool) -> Result<(), LinkError> {
        // While paused, an answer may wait unread behind messages.
        if self.ping_unanswered && !paused {
            return Err(LinkError::Silent);
        }
        self.ping_unanswered = !paused;
        link.write(std::iter::once(Packet::PingReq)).await
    }

    /// Shows `connected`, or why nothing is taken although there is a connection.
    fn show_connected(&mut self) {
        let state = match *self.health.borrow_and_update() {
            IntakeHealth::Blocked(NotCommitted::SpoolFull) => SourceState::Blocked(BlockedReason::SpoolFull),
            IntakeHealth::Blocked(NotCommitted::SpoolFailed | NotCommitted::Stopping) => {
                SourceState::Blocked(BlockedReason::SpoolFailed)
            }
            IntakeHealth::Open => SourceState::Connected,
        };
        self.board.set_state(&self.config.name, state, self.clock.now());
    }

    /// Acknowledges what is still on its way into the spool, then says goodbye.
    async fn drain(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let deadline = tokio::time::Instant::now() + DRAIN;
        while 0 < self.on_their_way {
            let Ok(Some(tokens)) = tokio::time::timeout_at(deadline, self.durable.recv()).await else { break };
            self.acknowledge(link, tokens).await?;
        }
        link.write(std::iter::once(Packet::Disconnect)).await
    }
}

/// The packets that acknowledge messages of this connection. Those of earlier ones get none: their packet ids may by now
/// belong to other messages, which the broker would take as received.
fn acknowledgements(tokens: &[AckToken], epoch: u64) -> impl Iterator<Item = Packet> {
    tokens.iter().filter(move |token| token.epoch == epoch).filter_map(|token| match token.qos {
        Qos::AtMostOnce => None,
        Qos::AtLeastOnce => Some(Packet::PubAck(PubAck::new(token.packet_id))),
        Qos::ExactlyOnce => Some(Packet::PubRec(PubRec::new(token.packet_id))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_an_earlier_connection_are_not_acknowledged_on_this_one() {
        let token = |epoch, packet_id, qos| AckToken { epoch, packet_id, qos };
        let tokens = [token(1, 7, Qos::AtLeastOnce), token(2, 8, Qos::AtLeastOnce), token(2, 9, Qos::ExactlyOnce)];
        let sent: Vec<_> = acknowledgements(&tokens, 2).collect();
        assert_eq!(sent, [Packet::PubAck(PubAck::new(8)), Packet::PubRec(PubRec::new(9))]);
    }
}
