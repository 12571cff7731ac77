//! What the page about Bakau itself says: words for states, never codes, and "unknown" for what is not known.

use std::borrow::Borrow;

use bakau_answers::{ChannelStatus, DeliveryFault, ExternalBroker, LastDay, Time};
use bakau_model::{BlockedReason, SourceKind, UtcMillis};

use super::Say;
use bakau_text::format;

use crate::view::Doubt;

impl Say<'_> {
    /// Whether a level that stays as it is was confirmed.
    pub(crate) fn doubt(&self, doubt: impl Borrow<Doubt>) -> &'static str {
        match *doubt.borrow() {
            Doubt::Unconfirmed => self.t("doubt_unconfirmed"),
            Doubt::Confirmed => self.t("doubt_confirmed"),
        }
    }

    pub(crate) fn source_kind(&self, kind: impl Borrow<SourceKind>) -> &'static str {
        match *kind.borrow() {
            SourceKind::Broker => self.t("source_broker"),
            SourceKind::Client => self.t("source_client"),
        }
    }

    pub(crate) fn blocked(&self, reason: impl Borrow<BlockedReason>) -> &'static str {
        match *reason.borrow() {
            BlockedReason::SpoolFull => self.t("blocked_spool_full"),
            BlockedReason::SpoolFailed => self.t("blocked_spool_failed"),
            BlockedReason::OversizedMessage => self.t("blocked_oversized"),
            BlockedReason::Refused => self.t("blocked_refused"),
            BlockedReason::Tls => self.t("blocked_tls"),
            BlockedReason::Contested => self.t("blocked_contested"),
        }
    }

    /// How far a consumer is behind the spool, and for how long; `None` where that is not known.
    pub(crate) fn lag(&self, batches: impl Borrow<u64>, waited_ms: impl Borrow<Option<i64>>) -> String {
        let batches = match *batches.borrow() {
            0 => return self.t("lag_none").to_owned(),
            batches => self.count(batches),
        };
        match *waited_ms.borrow() {
            Some(ms) => {
                let span = format::span(ms, self.frame.language);
                self.fill_all("lag_some", &[("span", &span), ("batches", &batches)])
            }
            None => self.fill_all("lag_unknown", &[("batches", &batches)]),
        }
    }

    /// What an external broker lost: a number where its counters give one, and that there is more where they do not.
    pub(crate) fn dropped(&self, losses: &ExternalBroker) -> String {
        let lost = losses.lost_in_broker;
        let counted = self.counted(losses.counters, lost, losses.last_lost_at, "losses_dropped");
        if losses.uncounted_losses == 0 {
            return counted;
        }
        let uncounted = self.counted(true, losses.uncounted_losses, losses.last_uncounted_loss_at, "losses_times");
        let key = if lost == 0 { "losses_uncounted" } else { "losses_also_uncounted" };
        self.fill_all(key, &[("counted", &counted), ("times", &uncounted)])
    }

    /// How often another client took the session over.
    pub(crate) fn takeovers(&self, losses: &ExternalBroker) -> String {
        self.counted(true, losses.takeovers, losses.last_takeover_at, "losses_times")
    }

    /// How often an external broker restarted.
    pub(crate) fn restarts(&self, losses: &ExternalBroker) -> String {
        self.counted(losses.counters, losses.restarts, losses.last_restart_at, "losses_times")
    }

    /// How often an external broker lost the session; Bakau sees that itself.
    pub(crate) fn sessions_lost(&self, losses: &ExternalBroker) -> String {
        self.counted(true, losses.sessions_lost, losses.last_session_lost_at, "losses_times")
    }

    fn counted(&self, known: bool, count: u64, last: Option<Time>, key: &str) -> String {
        match (count, last) {
            (0, _) if known => self.t("losses_none").to_owned(),
            (0, _) => self.t("losses_unknown").to_owned(),
            (_, Some(Time(last))) => {
                let (count, last) = (self.fill(key, "n", self.count(count)), self.when(last));
                self.fill_all("losses_last", &[("count", &count), ("time", &last)])
            }
            (_, None) => self.fill(key, "n", self.count(count)),
        }
    }

    /// How much of the last day is there.
    pub(crate) fn last_day(&self, day: &Option<LastDay>) -> String {
        match day.as_ref().and_then(|day| day.completeness) {
            Some(share) => self.fill("ready_day", "share", format::percent(share, self.frame.language)),
            None => self.t("ready_day_unknown").to_owned(),
        }
    }

    /// How long ago, as a span.
    pub(crate) fn since(&self, at: impl Borrow<UtcMillis>) -> String {
        format::span(self.frame.generated_at.since(*at.borrow()), self.frame.language)
    }

    /// Why a channel did not deliver.
    pub(crate) fn fault(&self, channel: &ChannelStatus) -> String {
        match (channel.fault, channel.code) {
            (DeliveryFault::Answered, Some(code)) => self.fill("fault_answered", "code", code),
            (DeliveryFault::NotConfigured, _) => self.t("fault_not_configured").to_owned(),
            (DeliveryFault::NoAnswer, _) | (DeliveryFault::Answered, None) => self.t("fault_no_answer").to_owned(),
        }
    }
}
