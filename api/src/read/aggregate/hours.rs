//! Long ranges from the sums that a store keeps of whole hours, with the single values of the edges.

use bakau_model::{DatastreamId, UtcMillis};
use bakau_store::{Hour, Store};
use jiff::tz::TimeZone;

use super::{
    fold::{Folder, Kind, Plan, Summary},
    fold_values,
};
use crate::http::{error::ApiError, query::Span};

/// Ranges with fewer whole hours than this are read value by value.
const LEAST_HOURS: i64 = 48;

/// The summaries of a range; `None` where single values have to tell.
pub(crate) async fn summaries(
    store: &dyn Store,
    datastream: DatastreamId,
    plan: Plan,
    zone: &TimeZone,
) -> Result<Option<Vec<Summary>>, ApiError> {
    let Some(inner) = whole_hours(plan) else { return Ok(None) };
    let Some(hours) = store.hours(datastream, inner.from, inner.to).await? else { return Ok(None) };
    let before = Span { from: plan.span.from, to: inner.from };
    let mut folder = fold_values(store, datastream, before, Folder::new(plan, zone.clone())).await?;
    if !hours.iter().all(|hour| folder.push_hour(hour)) {
        return Ok(None);
    }
    let folder = fold_values(store, datastream, Span { from: inner.to, to: plan.span.to }, folder).await?;
    Ok(Some(folder.finish()))
}

/// The whole hours of a range, where sums of them are of use: of directions and levels they are not, nor of good values
/// alone.
fn whole_hours(plan: Plan) -> Option<Span> {
    let Span { from, to } = plan.span;
    let from = Hour::start_of(from.get().checked_add(Hour::MS - 1)?);
    let to = Hour::start_of(to.get());
    let enough = LEAST_HOURS * Hour::MS <= to.checked_sub(from)?;
    let additive = matches!(plan.kind, Kind::Mean | Kind::Sum) && !plan.good_only && Hour::MS <= plan.step.least_ms();
    (enough && additive).then_some(Span { from: UtcMillis::new(from), to: UtcMillis::new(to) })
}

#[cfg(test)]
mod tests {
    use bakau_model::{Flag, MINUTE_MS};
    use proptest::prelude::*;

    use super::*;
    use crate::read::aggregate::bucket::{self, Step};
    use bakau_answers::BucketStep;

    fn plan(step: Step, interval_ms: i64) -> Plan {
        let from = UtcMillis::parse("2026-03-10T03:20:00+07:00").unwrap();
        let span = Span { from, to: from.saturating_add(75 * Hour::MS) };
        Plan { step, kind: Kind::Mean, interval_ms, span, expects: span, good_only: false }
    }

    /// Every value; and hours with the values of the edges, where hours suffice.
    fn both(plan: Plan, zone: &str, values: &[(UtcMillis, f64, Flag)]) -> (Vec<Summary>, Option<Vec<Summary>>) {
        let (zone, inner) = (bucket::zone(zone).unwrap(), whole_hours(plan).unwrap());
        let (mut singly, mut by_hour) = (Folder::new(plan, zone.clone()), Folder::new(plan, zone));
        values.iter().for_each(|(at, value, flag)| singly.push(*at, Some(*value), *flag));
        let (mut hours, mut previous): (Vec<Hour>, Option<UtcMillis>) = (Vec::new(), None);
        for (at, value, _) in values.iter().filter(|value| value.2.is_usable()) {
            let start = UtcMillis::new(Hour::start_of(at.get()));
            if inner.from <= *at && *at < inner.to {
                if hours.last().is_none_or(|hour| hour.start != start) {
                    hours.push(Hour::empty(start));
                }
                hours.last_mut().unwrap().add(*at, *value, previous);
            }
            previous = Some(*at);
        }
        let edge = |folder: &mut Folder, from: UtcMillis, to: UtcMillis| {
            let inside = values.iter().filter(|value| from <= value.0 && value.0 < to);
            inside.for_each(|(at, value, flag)| folder.push(*at, Some(*value), *flag));
        };
        edge(&mut by_hour, plan.span.from, inner.from);
        let suffices = hours.iter().all(|hour| by_hour.push_hour(hour));
        edge(&mut by_hour, inner.to, plan.span.to);
        (singly.finish(), suffices.then(|| by_hour.finish()))
    }

    fn rounded(summaries: Vec<Summary>) -> Vec<Summary> {
        let round = |summary: Summary| Summary { value: summary.value.map(|value| (value * 1e6).round()), ..summary };
        summaries.into_iter().map(round).collect()
    }

    proptest! {
        #[test]
        fn hours_tell_the_same_as_their_values_or_nothing(
            minutes in prop::collection::btree_set(0_i64..75 * 60, 0..400),
            step in 2..8_usize,
            interval in prop::sample::select(vec![1_i64, 2, 10, 60, 100]),
            zone in prop::sample::select(vec!["Asia/Jakarta", "Asia/Kathmandu", "UTC"]),
        ) {
            let plan = plan(Step::from(BucketStep::ALL[step]), interval * MINUTE_MS);
            let values: Vec<_> = minutes.into_iter().map(|minute| {
                let flag = if minute % 13 == 0 { Flag::Fail } else { Flag::Good };
                (plan.span.from.saturating_add(minute * MINUTE_MS), minute as f64 * 0.25, flag)
            }).collect();
            let (singly, by_hour) = both(plan, zone, &values);
            if let Some(by_hour) = by_hour {
                prop_assert_eq!(rounded(by_hour), rounded(singly));
            }
        }
    }

    #[test]
    fn regular_values_need_no_reading_and_crowded_ones_do() {
        let plan = plan(Step::Day, MINUTE_MS);
        let every = |ms: i64| -> Vec<_> {
            (0..75 * Hour::MS / ms).map(|n| (plan.span.from.saturating_add(n * ms), 1.0, Flag::Good)).collect()
        };
        assert!(both(plan, "Asia/Jakarta", &every(MINUTE_MS)).1.is_some());
        assert!(both(plan, "Asia/Jakarta", &every(MINUTE_MS / 2)).1.is_none());
        assert!(both(plan, "Asia/Kathmandu", &every(MINUTE_MS)).1.is_none(), "days that do not begin with an hour");
    }

    #[test]
    fn only_sums_of_hours_that_mean_something_are_used() {
        let day = plan(Step::Day, MINUTE_MS);
        let inner = whole_hours(day).unwrap();
        assert_eq!(
            (inner.from.to_string(), inner.to.since(inner.from) / Hour::MS),
            ("2026-03-09T21:00:00Z".to_owned(), 74)
        );
        let short = Span { to: day.span.from.saturating_add(47 * Hour::MS), ..day.span };
        for other in [
            Plan { kind: Kind::Direction, ..day },
            Plan { kind: Kind::Energy, ..day },
            Plan { good_only: true, ..day },
            Plan { step: Step::Fixed { ms: 15 * MINUTE_MS }, ..day },
            Plan { span: short, ..day },
        ] {
            assert!(whole_hours(other).is_none(), "{other:?}");
        }
    }
}
