//! Stored states of earlier formats. A format is never edited once it was released.

use std::sync::Arc;

use bakau_model::{Level, UtcMillis};
use bakau_registry::Rule;
use serde::Deserialize;

use super::{Evaluated, Judge, Limits, Machine, OpenAlert, Quiet, Reach, SlotState, as_json};
use crate::{
    AlertId,
    engine::machine::{Excursion, Sides},
};

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
    Quiet(Quiet),
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
    excursion: Option<Excursion>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OpenAlert2<Acknowledged> {
    id: AlertId,
    sequence: u32,
    acknowledged: Acknowledged,
    told_at: UtcMillis,
    reminders: u32,
    #[serde(with = "as_json")]
    rule: Arc<Rule>,
}

/// Reads the body of an older format.
pub(super) fn decode(format: u8, body: &[u8]) -> Option<SlotState> {
    if format < 2 {
        // What was acknowledged counts for the level that it has; alerts.db knows whether that was a lower one.
        let state: SlotState2<bool> = postcard::from_bytes(body).ok()?;
        return Some(renew(state, |acknowledged, level| acknowledged.then_some(level)));
    }
    let state: SlotState2<Option<Level>> = postcard::from_bytes(body).ok()?;
    Some(renew(state, |acknowledged, _| acknowledged))
}

fn renew<A>(state: SlotState2<A>, acknowledged: impl Fn(A, Level) -> Option<Level>) -> SlotState {
    let judge = match state.judge {
        Judge2::Quiet(quiet) => Judge::Quiet(quiet),
        Judge2::Threshold { limits, machine, last } => Judge::Threshold {
            limits: Limits::restored(limits.bands, limits.hold_ms),
            machine: Machine::restored(
                machine.level,
                machine.crossed_since,
                machine.excursion,
                last.map(|last| last.observed_at),
            ),
            last,
            looked: last.map(|last| Reach::of(last.observed_at, last.observed_at)),
        },
    };
    let alert = state.alert.map(|old| OpenAlert {
        id: old.id,
        sequence: old.sequence,
        acknowledged: acknowledged(old.acknowledged, judge.level()),
        told_unconfirmed: false,
        told_at: old.told_at,
        reminders: old.reminders,
        rule: old.rule,
    });
    SlotState { judge, alert }
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
        let excursion = Excursion {
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
                id: AlertId::of(&rule.id, &crate::testing::SUBJECT, minute(0)),
                sequence: 1,
                acknowledged: Some(Level::Waspada),
                told_at: minute(10),
                reminders: 0,
                rule: Arc::clone(&rule),
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
}
