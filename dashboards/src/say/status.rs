//! What the page about Bakau itself says: words for states, never codes, and "unknown" for what is not known.

use std::borrow::Borrow;

use bakau_model::UtcMillis;

use super::Say;
use crate::{
    format,
    view::{BlockedReason, BrokerLosses, ChannelRow, DeliveryFault, Doubt, Lag, SourceKind},
};

impl Say<'_> {
    /// What became known of a level that stays as it is.
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

    /// How far somebody is behind.
    pub(crate) fn lag(&self, lag: &Lag) -> String {
        if lag.batches == 0 {
            return self.t("lag_none").to_owned();
        }
        let batches = self.count(lag.batches);
        match lag.waited_ms {
            Some(ms) => {
                let span = format::span(ms, self.frame.language);
                self.fill_all("lag_some", &[("span", &span), ("batches", &batches)])
            }
            None => self.fill_all("lag_unknown", &[("batches", &batches)]),
        }
    }

    /// What an external broker lost: a number where its counters give one, and that there is more where they do not.
    pub(crate) fn dropped(&self, losses: &BrokerLosses) -> String {
        let counted = self.counted(losses.counters, losses.dropped, "losses_dropped");
        let (times, last) = losses.uncounted;
        if times == 0 {
            return counted;
        }
        let uncounted = self.counted(true, (times, last), "losses_times");
        let key = if losses.dropped.0 == 0 { "losses_uncounted" } else { "losses_also_uncounted" };
        self.fill_all(key, &[("counted", &counted), ("times", &uncounted)])
    }

    /// How often another client took the session over.
    pub(crate) fn takeovers(&self, losses: &BrokerLosses) -> String {
        self.counted(true, losses.takeovers, "losses_times")
    }

    /// How often an external broker restarted.
    pub(crate) fn restarts(&self, losses: &BrokerLosses) -> String {
        self.counted(losses.counters, losses.restarts, "losses_times")
    }

    /// How often an external broker lost the session; Bakau sees that itself.
    pub(crate) fn sessions_lost(&self, losses: &BrokerLosses) -> String {
        self.counted(true, losses.sessions, "losses_times")
    }

    fn counted(&self, known: bool, (count, last): (u64, Option<UtcMillis>), key: &str) -> String {
        match (count, last) {
            (0, _) if known => self.t("losses_none").to_owned(),
            (0, _) => self.t("losses_unknown").to_owned(),
            (_, Some(last)) => {
                let (count, last) = (self.fill(key, "n", self.count(count)), self.when(last));
                self.fill_all("losses_last", &[("count", &count), ("time", &last)])
            }
            (_, None) => self.fill(key, "n", self.count(count)),
        }
    }

    /// How much of the last day is there.
    pub(crate) fn last_day(&self, share: impl Borrow<Option<f64>>) -> String {
        match *share.borrow() {
            Some(share) => {
                let tenths = f64::from(bakau_model::thousandths(share)) / 10.0;
                let decimals = u8::from(tenths < 100.0);
                self.fill("ready_day", "share", self.number(tenths, decimals))
            }
            None => self.t("ready_day_unknown").to_owned(),
        }
    }

    /// How long ago, as a span.
    pub(crate) fn since(&self, at: impl Borrow<UtcMillis>) -> String {
        format::span(self.frame.generated_at.since(*at.borrow()), self.frame.language)
    }

    /// Why a channel did not deliver.
    pub(crate) fn fault(&self, row: &ChannelRow) -> String {
        match row.fault {
            DeliveryFault::NoAnswer => self.t("fault_no_answer").to_owned(),
            DeliveryFault::Answered(code) => self.fill("fault_answered", "code", code),
            DeliveryFault::NotConfigured => self.t("fault_not_configured").to_owned(),
        }
    }
}
