//! Messages that were lost inside the broker: kept in the source's file, shown on the board, counted.

use bakau_model::UtcMillis;

use super::{Session, counters::Change};
use crate::{
    ExternalBroker,
    client::{memory::Memory, wire::Publish},
};

impl Session<'_> {
    /// Loads the kept state: after an orderly stop the account goes on.
    pub(super) fn recall(&mut self) {
        let unfinished = std::mem::take(&mut self.memory.now.inquires);
        match self.memory.now.books.take() {
            Some(books) => {
                self.counters.books = books;
                self.taken_over = unfinished;
            }
            None if unfinished => {
                let external = &mut self.memory.now.external;
                external.uncounted_losses += 1;
                external.last_uncounted_loss = Some(self.clock.now());
                crate::metrics::uncounted_loss(&self.config.name);
            }
            None => {}
        }
        self.board.set_external(&self.config.name, self.memory.now.external.clone());
    }

    /// A connection begins: what became of the session since the last one?
    pub(super) fn inquire(&mut self, session_present: bool) {
        let mut sign = std::mem::take(&mut self.taken_over);
        if !session_present {
            self.subscribed = false;
            sign |= self.session_missing();
        }
        let change = self.counters.connected(sign, &mut self.memory.now, self.clock.now());
        self.tell(change, self.clock.now());
    }

    /// The broker has no session for us; returns whether it should have had one.
    fn session_missing(&mut self) -> bool {
        let lost = std::mem::take(&mut self.memory.now.established);
        if lost {
            crate::metrics::session_lost(&self.config.name);
            self.memory.now.external.sessions_lost += 1;
            self.memory.now.external.last_session_lost = Some(self.clock.now());
            tracing::error!(
                source = %self.config.name,
                "the broker no longer has our session, or somebody cleaned it: what it had queued for us, and what is \
                 published until we are subscribed again, is lost"
            );
        }
        lost
    }

    /// The broker says that another client took the session over.
    pub(in crate::client) async fn was_taken_over(&mut self) {
        self.taken_over = true;
        crate::metrics::taken_over(&self.config.name);
        self.memory.now.external.takeovers += 1;
        self.memory.now.external.last_takeover = Some(self.clock.now());
        self.remember().await;
    }

    /// The source ends in good order: what was received and taken is exact.
    pub(in crate::client) async fn ended(&mut self) {
        self.memory.now.books = Some(self.counters.books.clone());
        self.remember().await;
    }

    /// Keeps what changed; a disk that is full costs only what this would have been good for.
    pub(super) async fn remember(&mut self) {
        self.memory.now.inquires = self.taken_over || self.counters.books.inquires();
        self.board.set_external(&self.config.name, self.memory.now.external.clone());
        if let Err(error) = self.memory.save().await {
            tracing::warn!(source = %self.config.name, %error, "state of the source could not be saved");
        }
    }

    /// Handles a message under `$SYS`; it is no measurement and never reaches the intake.
    pub(super) async fn hear_counter(&mut self, publish: &Publish, now: UtcMillis) {
        let Ok(topic) = std::str::from_utf8(&publish.topic) else { return };
        let before = self.memory.now.clone();
        let under_way = self.on_their_way + self.jobs.len();
        let memory = &mut self.memory.now;
        let change = self.counters.hear(memory, topic, &publish.payload, !publish.retained, under_way, now);
        self.tell(change, now);
        self.restarted |= change.restarted;
        self.memory.now.inquires = self.counters.books.inquires();
        let holds_only = |memory: &Memory| Memory {
            external: ExternalBroker { holds: None, ..memory.external.clone() },
            ..memory.clone()
        };
        if holds_only(&before) == holds_only(&self.memory.now) {
            self.board.set_external(&self.config.name, self.memory.now.external.clone());
        } else {
            self.remember().await;
        }
    }

    fn tell(&self, change: Change, now: UtcMillis) {
        let source = &self.config.name;
        if 0 < change.lost {
            tracing::error!(%source, lost = change.lost, "the broker dropped messages: lost in broker");
        }
        if 0 < change.strayed {
            tracing::error!(
                %source,
                lost = change.strayed,
                "the broker received messages that never came here, by its own counters: lost in broker"
            );
        }
        if 0 < change.lost + change.strayed {
            self.intake.lost_in_broker(source, now, change.lost + change.strayed);
        }
        if change.unknown {
            crate::metrics::uncounted_loss(source);
            tracing::error!(%source, "the session was lost or taken over; how many messages that cost is not known");
        }
        if change.restarted {
            crate::metrics::broker_restarted(source);
            tracing::warn!(
                %source,
                "the broker restarted; unless it was stopped cleanly, what it acknowledged after its last save is lost"
            );
        }
    }
}
