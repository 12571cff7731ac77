//! The session on an open connection: subscriptions, messages, acknowledgements.

mod losses;

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_clock::Clock;
use bakau_model::{BlockedReason, Envelope, Qos, UtcMillis};
use futures::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{
    ClientConfig, KEEP_ALIVE, Protocol, QOS,
    attempts::UNCONTESTED_AFTER,
    counters::{self, Counters},
    link::{Link, LinkError},
    memory::MemoryFile,
    wire::{Accepted, Incoming, Outgoing, Publish},
};
use crate::{
    Intake, IntakeHealth, NotCommitted, SourceBoard, SourceState,
    board::Traffic,
    intake::{AckToken, Job, OpenConnection, Reply},
};

/// Packets read in one go before acknowledgements and signals get their turn.
const READ_AT_ONCE: usize = 256;

/// Topics remembered so that a repeated topic is not copied again.
const MAX_TOPICS: usize = 65_536;

/// How long a stopping source waits for what is on its way into the spool.
const DRAIN: Duration = Duration::from_secs(5);

/// How often filters that the broker refused are asked for again; somebody may have changed the rights.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// Packet ids of what we ask for; nothing else we send has one of its own.
const SUBSCRIBE_ID: u16 = 1;
const COUNTERS_ID: u16 = 2;
const UNSUBSCRIBE_ID: u16 = 3;

/// How a connection ended.
pub(crate) struct Ended {
    /// The error; `None` when the source was stopped.
    pub(crate) error: Option<LinkError>,
    /// How long the connection had been up.
    pub(crate) lasted: Duration,
    /// Whether the broker said that it had been restarted.
    pub(crate) restarted: bool,
}

/// State that outlives a connection.
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
    memory: MemoryFile,
    counters: Counters,
    /// Whether the broker confirmed the subscriptions in this run.
    subscribed: bool,
    /// The filters it was last asked for.
    asked: Vec<String>,
    /// Those of them that it refused on this connection; the others bring messages all the same.
    refused: Vec<String>,
    /// Whether it still has to confirm that others ended.
    unsubscribing: bool,
    keep_alive: Duration,
    /// Whether the last connection ended because another client took the session over.
    taken_over: bool,
    /// Whether somebody else seems to use our client id, and this connection has not lasted long enough to disprove it.
    contested: bool,
    /// Whether the broker said on this connection that it had been restarted.
    restarted: bool,
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
        let session_of = format!("{} at {}:{}", config.client_id, config.host, config.port);
        let memory = MemoryFile::open(config.memory.clone(), session_of);
        let mut session = Self {
            config,
            health: intake.health(),
            intake,
            board,
            clock,
            traffic,
            durable,
            durable_sender,
            epoch: 0,
            memory,
            counters: Counters::default(),
            subscribed: false,
            asked: Vec::new(),
            refused: Vec::new(),
            unsubscribing: false,
            keep_alive: KEEP_ALIVE,
            taken_over: false,
            contested: false,
            restarted: false,
            topics: HashSet::new(),
            jobs: Vec::new(),
            on_their_way: 0,
            ping_unanswered: false,
        };
        session.recall();
        session
    }

    /// Receives on a fresh connection until it fails or `stop` is cancelled. While it is `contested` whose client id it is,
    /// that is shown until the connection has lasted.
    pub(crate) async fn receive(
        &mut self,
        (mut link, accepted): (Link, Accepted),
        contested: bool,
        stop: &CancellationToken,
    ) -> Ended {
        let since = Instant::now();
        (self.contested, self.restarted) = (contested, false);
        self.epoch += 1;
        self.on_their_way = 0;
        self.ping_unanswered = false;
        self.refused.clear();
        self.board.connection_opened(&self.config.name);
        let open = self.intake.open_connection(usize::from(self.config.window));
        let session_present = accepted.session_present;
        tracing::info!(source = %self.config.name, epoch = self.epoch, session_present, "source connected");
        self.heed(accepted);
        let result = self.packets(&mut link, session_present, stop, open).await;
        Ended { error: result.err(), lasted: since.elapsed(), restarted: self.restarted }
    }

    /// Logs settings of the broker that differ from ours.
    fn heed(&mut self, accepted: Accepted) {
        let wanted = accepted.keep_alive_s.filter(|seconds| 0 < *seconds);
        self.keep_alive = wanted.map_or(KEEP_ALIVE, |seconds| Duration::from_secs(u64::from(seconds)));
        if let Some(client_id) = accepted.client_id.filter(|assigned| *assigned != self.config.client_id) {
            tracing::info!(source = %self.config.name, client_id, "the broker uses another client id than configured");
        }
        if let Some(expiry_s) = accepted.session_expiry_s
            && Duration::from_secs(u64::from(expiry_s)) < self.config.session_expiry
        {
            tracing::warn!(source = %self.config.name, expiry_s, "the broker keeps the session shorter than asked for");
        }
    }

    async fn packets(
        &mut self,
        link: &mut Link,
        session_present: bool,
        stop: &CancellationToken,
        _open: OpenConnection,
    ) -> Result<(), LinkError> {
        self.subscribe(link, session_present).await?;
        let mut pings = tokio::time::interval(self.keep_alive.max(Duration::from_secs(1)) / 2);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut again = tokio::time::interval(ASK_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        again.reset();
        let uncontested = tokio::time::sleep(UNCONTESTED_AFTER);
        tokio::pin!(uncontested);
        let mut paused = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain(link).await,
                // The sender lives in `self`, so the channel never closes.
                Some(tokens) = self.durable.recv() => self.acknowledge(link, tokens).await?,
                Ok(()) = self.health.changed() => self.show_connected(),
                _ = pings.tick() => self.ping(link, paused).await?,
                _ = again.tick(), if !self.refused.is_empty() => self.ask(link, self.refused.clone()).await?,
                () = &mut uncontested, if self.contested => {
                    self.contested = false;
                    self.show_connected();
                }
                () = self.intake.space(), if paused => paused = false,
                packet = link.read(), if !paused => {
                    self.take_in(link, packet?).await?;
                    paused = !self.intake.has_space();
                }
            }
        }
    }

    /// Brings the subscriptions of the session in line with the configuration.
    async fn subscribe(&mut self, link: &mut Link, session_present: bool) -> Result<(), LinkError> {
        let counters: Vec<String> = counters::FILTERS.iter().map(|&filter| filter.to_owned()).collect();
        let counters = if self.config.broker_counters { counters } else { Vec::new() };
        let wanted: BTreeSet<String> = self.config.topics.iter().chain(&counters).cloned().collect();
        self.inquire(session_present);
        let held = std::mem::take(&mut self.memory.now.topics);
        let unwanted: Vec<String> = held.difference(&wanted).filter(|_| session_present).cloned().collect();
        self.memory.now.topics = if session_present { &held | &wanted } else { wanted };
        self.remember().await;
        self.unsubscribing = !unwanted.is_empty();
        if self.unsubscribing {
            tracing::info!(source = %self.config.name, ?unwanted, "topics that are no longer configured are unsubscribed");
            let ask = Outgoing::Unsubscribe { id: UNSUBSCRIBE_ID, filters: unwanted };
            link.write(std::iter::once(ask)).await?;
        }
        // Asked for on each connection: the retained counters tell whether the broker restarted.
        if !counters.is_empty() {
            let qos = Qos::AtMostOnce;
            let ask = Outgoing::Subscribe { id: COUNTERS_ID, filters: counters, qos, retained_again: true };
            link.write(std::iter::once(ask)).await?;
        }
        // With MQTT 5 asking again costs nothing, with 3.1.1 it brings every retained message once more.
        if self.subscribed && self.config.protocol == Protocol::V311 {
            self.show_connected();
            return Ok(());
        }
        self.ask(link, self.config.topics.clone()).await
    }

    async fn ask(&mut self, link: &mut Link, filters: Vec<String>) -> Result<(), LinkError> {
        self.asked.clone_from(&filters);
        let ask = Outgoing::Subscribe { id: SUBSCRIBE_ID, filters, qos: QOS, retained_again: false };
        link.write(std::iter::once(ask)).await
    }

    /// Handles a packet and all that are there already, then hands their messages over together.
    async fn take_in(&mut self, link: &mut Link, first: Incoming) -> Result<(), LinkError> {
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

    async fn packet(&mut self, link: &mut Link, packet: Incoming, now: UtcMillis) -> Result<(), LinkError> {
        self.ping_unanswered = false;
        match packet {
            Incoming::Publish(publish) if publish.topic.starts_with(b"$SYS/") => {
                self.hear_counter(&publish, now).await;
                Ok(())
            }
            Incoming::Publish(publish) => {
                let job = self.job(publish, now);
                self.jobs.push(job);
                Ok(())
            }
            // Second half of QoS 2. Answered whether or not the first half is known: after a reconnect it is not.
            Incoming::Release(id) => link.write(std::iter::once(Outgoing::PubComp(id))).await,
            Incoming::SubAck { id: COUNTERS_ID, refused, .. } => {
                if let Some((_, reason)) = refused.first() {
                    tracing::info!(source = %self.config.name, reason, "the broker does not publish its counters");
                }
                Ok(())
            }
            Incoming::SubAck { refused, granted, .. } => self.confirmed(&refused, granted).await,
            Incoming::UnsubAck => {
                self.unsubscribing = false;
                self.settle().await;
                Ok(())
            }
            Incoming::Disconnect(reason) => Err(reason.into()),
            Incoming::Accepted(_) | Incoming::Refused(_) | Incoming::Other => Ok(()),
        }
    }

    /// A filter that is refused costs the messages of that filter; it is asked for again and again. Without any other the
    /// connection is good for nothing.
    async fn confirmed(&mut self, refused: &[(usize, &'static str)], granted: Qos) -> Result<(), LinkError> {
        self.refused = refused.iter().filter_map(|(place, _)| self.asked.get(*place).cloned()).collect();
        if let (Some(filter), Some((_, words))) = (self.refused.first(), refused.first()) {
            let problem = format!("the broker refused the subscription of '{filter}': {words}");
            if self.refused.len() == self.config.topics.len() {
                return Err(LinkError::Refused(problem));
            }
            tracing::error!(source = %self.config.name, problem, "broker refused a subscription; its messages do not arrive");
            self.memory.now.established = true;
            self.remember().await;
            self.show_connected();
            self.board.set_problem(&self.config.name, format!("{problem}; its other topics come in"));
            return Ok(());
        }
        if granted == Qos::AtMostOnce {
            tracing::warn!(source = %self.config.name, "the broker grants only QoS 0: it may drop messages unseen");
        }
        self.subscribed = true;
        self.show_connected();
        self.settle().await;
        Ok(())
    }

    /// Once everything asked for is confirmed, the session holds what is configured and nothing else.
    async fn settle(&mut self) {
        if self.subscribed && !self.unsubscribing {
            let counters = counters::FILTERS.iter().filter(|_| self.config.broker_counters);
            let wanted = self.config.topics.iter().cloned().chain(counters.map(|&filter| filter.to_owned()));
            self.memory.now.topics = wanted.collect();
            self.memory.now.established = true;
            self.remember().await;
        }
    }

    fn job(&mut self, publish: Publish, now: UtcMillis) -> Job {
        let token = AckToken { epoch: self.epoch, packet_id: publish.packet_id, qos: publish.qos };
        // A topic that is no UTF-8 belongs to no route; refused, it would come again and hold up everything behind it.
        let topic = String::from_utf8_lossy(&publish.topic);
        let envelope = Envelope {
            source: self.config.name.clone(),
            epoch: self.epoch,
            client_id: None,
            username: None,
            topic: self.topic(&topic),
            payload: publish.payload,
            qos: publish.qos,
            dup: publish.dup,
            retained: publish.retained,
            content_type: publish.content_type.map(Arc::from),
            received_at: now,
        };
        let reply = match publish.qos {
            Qos::AtMostOnce => Reply::Nobody,
            Qos::AtLeastOnce | Qos::ExactlyOnce => Reply::Group(token, self.durable_sender.clone()),
        };
        // A retained message is sent again to a new session; it will be acknowledged, and the broker received it long ago.
        match (publish.qos, publish.retained) {
            (Qos::AtMostOnce, false) => self.counters.books.took(1),
            (Qos::AtLeastOnce | Qos::ExactlyOnce, true) if !publish.dup => self.counters.books.took(-1),
            (_, true) | (Qos::AtLeastOnce | Qos::ExactlyOnce, false) => {}
        }
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
        link.write(acknowledgements(&tokens, self.epoch)).await?;
        self.counters.books.took(i64::try_from(of_this_connection).unwrap_or(0));
        Ok(())
    }

    async fn ping(&mut self, link: &mut Link, paused: bool) -> Result<(), LinkError> {
        // While paused, an answer may wait unread behind messages.
        if self.ping_unanswered && !paused {
            return Err(LinkError::Silent);
        }
        self.ping_unanswered = !paused;
        link.write(std::iter::once(Outgoing::Ping)).await
    }

    /// Puts `connected` on the board, or why no messages are taken although there is a connection.
    fn show_connected(&mut self) {
        let state = match *self.health.borrow_and_update() {
            IntakeHealth::Blocked(NotCommitted::SpoolFull) => SourceState::Blocked(BlockedReason::SpoolFull),
            IntakeHealth::Blocked(NotCommitted::SpoolFailed | NotCommitted::Stopping) => {
                SourceState::Blocked(BlockedReason::SpoolFailed)
            }
            IntakeHealth::Open if !self.refused.is_empty() => SourceState::Blocked(BlockedReason::Refused),
            IntakeHealth::Open if self.contested => SourceState::Blocked(BlockedReason::Contested),
            IntakeHealth::Open => SourceState::Connected,
        };
        self.board.set_state(&self.config.name, state, self.clock.now());
    }

    /// Acknowledges what is still on its way into the spool, then sends DISCONNECT.
    async fn drain(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let deadline = tokio::time::Instant::now() + DRAIN;
        while 0 < self.on_their_way {
            let Ok(Some(tokens)) = tokio::time::timeout_at(deadline, self.durable.recv()).await else { break };
            self.acknowledge(link, tokens).await?;
        }
        link.write(std::iter::once(Outgoing::Disconnect)).await
    }
}

/// The packets that acknowledge messages of this connection. Those of earlier ones get none: their packet ids may by now
/// belong to other messages, which the broker would take as received.
fn acknowledgements(tokens: &[AckToken], epoch: u64) -> impl Iterator<Item = Outgoing> {
    tokens.iter().filter(move |token| token.epoch == epoch).filter_map(|token| match token.qos {
        Qos::AtMostOnce => None,
        Qos::AtLeastOnce => Some(Outgoing::PubAck(token.packet_id)),
        Qos::ExactlyOnce => Some(Outgoing::PubRec(token.packet_id)),
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
        assert!(matches!(sent[..], [Outgoing::PubAck(8), Outgoing::PubRec(9)]), "{sent:?}");
    }
}
