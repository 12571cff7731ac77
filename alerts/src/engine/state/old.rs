//! Stored states of earlier formats. A format is never edited once it was released.

mod rule;

use std::sync::Arc;

use bakau_model::{Level, UtcMillis};
use serde::Deserialize;

use super::{Evaluated, Judge, Limits, Machine, NoData, OpenAlert, Reach, SlotState};
use crate::{
    AlertId,
    engine::machine::{Excursion, Hold, Sides},
};

/// Formats 3 to 5: rules said apart from their condition how long a threshold must be crossed; up to format 4 what they
/// watch, too, and the store was a source.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct SlotState4<Judge> {
    judge: Judge,
    alert: Option<OpenAlert4>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OpenAlert4 {
    id: AlertId,
    sequence: u32,
    acknowledged: Option<Level>,
    told_unconfirmed: bool,
    told_at: UtcMillis,
    reminders: u32,
    /// JSON.
    rule: String,
}

impl OpenAlert4 {
    fn renew(self) -> Option<OpenAlert> {
        let Self { id, sequence, acknowledged, told_unconfirmed, told_at, reminders, rule } = self;
        let rule = Arc::new(rule::read(&rule)?);
        Some(OpenAlert { id, sequence, acknowledged, told_unconfirmed, told_at, reminders, rule })
    }
}

/// Format 3: every onset counted as seen.
#[expect(clippy::large_enum_variant, reason = "nearly all rules are about values")]
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
enum Judge3 {
    Threshold { limits: Limits, machine: Machine3, last: Option<Evaluated>, looked: Option<Reach> },
    NoData(NoData),
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Machine3 {
    level: Level,
    crossed: [Option<Hold>; 3],
    excursion: Option<Excursion3>,
    doubts: u8,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Excursion3 {
    onset: UtcMillis,
    peak: Level,
    worst: f64,
    worst_at: UtcMillis,
    count: u64,
    suspect: u64,
}

impl From<Excursion3> for Excursion {
    fn from(old: Excursion3) -> Self {
        let Excursion3 { onset, peak, worst, worst_at, count, suspect } = old;
        Self { onset, peak, worst, worst_at, count, suspect, onset_at_latest: false }
    }
}

/// Formats 1 and 2: the same but for what an acknowledgement is.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct SlotState2<Acknowledged> {
    judge: Judge2,
    alert: Option<OpenAlert2<Acknowledged>>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
enum Judge2 {
    Threshold { limits: Limits2, machine: Machine2, last: Option<Evaluated> },
    NoData(NoData),
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Limits2 {
    bands: [Option<Sides>; 3],
    hold_ms: i64,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Machine2 {
    level: Level,
    crossed_since: [Option<UtcMillis>; 3],
    excursion: Option<Excursion3>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OpenAlert2<Acknowledged> {
    id: AlertId,
    sequence: u32,
    acknowledged: Acknowledged,
    told_at: UtcMillis,
    reminders: u32,
    /// JSON.
    rule: String,
}

/// Reads the body of an older format.
pub(super) fn decode(format: u8, body: &[u8]) -> Option<SlotState> {
    match format {
        0 | 1 => {
            // What was acknowledged counts for the level that it has; alerts.db knows whether that was a lower one.
            let state: SlotState2<bool> = postcard::from_bytes(body).ok()?;
            renew(state, |acknowledged, level| acknowledged.then_some(level))
        }
        2 => {
            let state: SlotState2<Option<Level>> = postcard::from_bytes(body).ok()?;
            renew(state, |acknowledged, _| acknowledged)
        }
        3 => {
            let state: SlotState4<Judge3> = postcard::from_bytes(body).ok()?;
            finish(from_3(state.judge), state.alert)
        }
        _ => {
            let state: SlotState4<Judge> = postcard::from_bytes(body).ok()?;
            finish(state.judge, state.alert)
        }
    }
}

fn finish(judge: Judge, alert: Option<OpenAlert4>) -> Option<SlotState> {
    let alert = match alert {
        Some(alert) => Some(alert.renew()?),
        None => None,
    };
    Some(SlotState { judge, alert })
}

fn from_3(judge: Judge3) -> Judge {
    match judge {
        Judge3::NoData(no_data) => Judge::NoData(no_data),
        Judge3::Threshold { limits, machine, last, looked } => {
            let excursion = machine.excursion.map(Excursion::from);
            let machine = Machine::with(machine.level, machine.crossed, excursion, machine.doubts, last.is_some());
            Judge::Threshold { limits, machine, last, looked }
        }
    }
}

fn renew<A>(state: SlotState2<A>, acknowledged: impl Fn(A, Level) -> Option<Level>) -> Option<SlotState> {
    let judge = match state.judge {
        Judge2::NoData(no_data) => Judge::NoData(no_data),
        Judge2::Threshold { limits, machine, last } => Judge::Threshold {
            limits: Limits::restored(limits.bands, limits.hold_ms),
            machine: Machine::restored(
                machine.level,
                machine.crossed_since,
                machine.excursion.map(Excursion::from),
                last.map(|last| last.observed_at),
            ),
            last,
            looked: last.map(|last| Reach::of(last.observed_at, last.observed_at)),
        },
    };
    let alert = state.alert.map(|old| OpenAlert4 {
        id: old.id,
        sequence: old.sequence,
        acknowledged: acknowledged(old.acknowledged, judge.level()),
        told_unconfirmed: false,
        told_at: old.told_at,
        reminders: old.reminders,
        rule: old.rule,
    });
    finish(judge, alert)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{do_rule, minute};

    #[test]
    fn format_2_kept_the_level_of_an_acknowledgement_and_knew_neither_intervals_nor_doubts() {
        let rule = Arc::new(do_rule(600));
        let Judge::Threshold { limits: new, .. } = Judge::of(&rule, Limits::ANY_INTERVAL, minute(0)) else { panic!() };
        let (bands, hold_ms) = new.parts();
        let excursion = Excursion3 {
            onset: minute(0),
            peak: Level::Waspada,
            worst: 1.0,
            worst_at: minute(15),
            count: 4,
            suspect: 0,
        };
        let crossed_since = [Some(minute(0)), Some(minute(15)), None];
        let last = Some(Evaluated { observed_at: minute(15), value: 1.0, flag: bakau_model::Flag::Good });
        let state = SlotState2 {
            judge: Judge2::Threshold {
                limits: Limits2 { bands, hold_ms },
                machine: Machine2 { level: Level::Waspada, crossed_since, excursion: Some(excursion) },
                last,
            },
            alert: Some(OpenAlert2 {
                id: crate::engine::id::of(&rule.id, &crate::testing::SUBJECT, minute(0)),
                sequence: 1,
                acknowledged: Some(Level::Waspada),
                told_at: minute(10),
                reminders: 0,
                rule: rule::tests::DO_LOW.to_owned(),
            }),
        };
        let read = decode(2, &postcard::to_allocvec(&state).unwrap()).unwrap();
        let open = read.alert.unwrap();
        assert_eq!((open.acknowledged, open.told_unconfirmed), (Some(Level::Waspada), false));
        let Judge::Threshold { limits, mut machine, last: read_last, .. } = read.judge else { panic!() };
        assert_eq!((limits, read_last), (new, last));
        // The hold of siaga goes on: ten minutes after it began.
        let change = machine.observe(&limits, minute(25), 1.0, bakau_model::Flag::Good).unwrap();
        assert_eq!((change.to, change.excursion.onset), (Level::Siaga, minute(0)));
    }

    #[test]
    fn format_4_named_the_store_as_a_source() {
        let rule = r#"{"id":"gudang","name":{"id":"G","en":"G"},"target":{"sources":"store"},
            "condition":{"source_down":{"siaga":60}},"source":{"id":"x","en":"x"}}"#;
        let no_data = NoData { level: Level::Siaga, ..NoData::new(crate::engine::After::default(), minute(0)) };
        let alert = OpenAlert4 {
            id: AlertId::new([7; 16]),
            sequence: 2,
            acknowledged: Some(Level::Siaga),
            told_unconfirmed: false,
            told_at: minute(1),
            reminders: 3,
            rule: rule.to_owned(),
        };
        let state = SlotState4 { judge: Judge::NoData(no_data), alert: Some(alert) };
        let read = decode(4, &postcard::to_allocvec(&state).unwrap()).unwrap();
        let open = read.alert.unwrap();
        assert_eq!((open.sequence, open.acknowledged, open.reminders), (2, Some(Level::Siaga), 3));
        assert_eq!(
            (read.judge, open.rule.condition.kind()),
            (Judge::NoData(no_data), bakau_model::ConditionKind::StoreDown)
        );
    }

    #[test]
    fn format_3_took_every_onset_as_seen() {
        let rule = do_rule(600);
        let Judge::Threshold { limits, .. } = Judge::of(&rule, 60_000, minute(0)) else { panic!() };
        let mut now = Machine::default();
        for (at, value) in [(0, 6.0), (1, 3.0)] {
            now.observe(&limits, minute(at), value, bakau_model::Flag::Good);
        }
        let Excursion { onset, peak, worst, worst_at, count, suspect, .. } = now.excursion().unwrap();
        let excursion = Some(Excursion3 { onset, peak, worst, worst_at, count, suspect });
        let hold = Hold::at(minute(1));
        let machine = Machine3 { level: Level::Normal, crossed: [Some(hold), None, None], excursion, doubts: 0 };
        let last = Some(Evaluated { observed_at: minute(1), value: 3.0, flag: bakau_model::Flag::Good });
        let looked = last.map(|last| Reach::of(last.observed_at, last.observed_at));
        let state = SlotState4 { judge: Judge3::Threshold { limits, machine, last, looked }, alert: None };
        let read = decode(3, &postcard::to_allocvec(&state).unwrap()).unwrap();
        assert_eq!(read, SlotState { judge: Judge::Threshold { limits, machine: now, last, looked }, alert: None });
    }
}
