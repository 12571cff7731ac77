//! The settled history: what stored observations say happened, whoever knew it when (promise P4).
//!
//! It is a pure function of the observations, run through the same level machine as the live engine. Nothing in it
//! depends on when or in which order the observations arrived.

use bakau_model::{DatastreamId, DatastreamName, Flag, Level, Observation, RuleId, UtcMillis};
use bakau_registry::Rule;
use serde::Serialize;

use crate::{
    AlertId,
    engine::{Excursion, Limits, Machine, Subject},
};

/// One episode of the settled history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// Identity: hash of rule, datastream number and onset; the live alert of the same episode has the same.
    pub id: AlertId,
    /// The rule.
    pub rule: RuleId,
    /// The datastream.
    pub datastream: DatastreamName,
    /// `observed_at` of the first observation of the crossing.
    pub onset: UtcMillis,
    /// The worst level reached.
    pub peak: Level,
    /// `observed_at` of the observation that ended it; `None` while it lasts.
    pub end: Option<UtcMillis>,
    /// The worst value from onset to end, in the canonical unit.
    pub peak_value: f64,
    /// Usable observations from onset, without the one that ended it.
    pub count: u64,
}

/// The episodes of a rule in observations sorted by `observed_at`, each instant at most once.
#[must_use]
pub fn settle<'a>(rule: &Rule, observations: impl IntoIterator<Item = &'a Observation>) -> Vec<Episode> {
    let mut settler: Option<Settler<'_>> = None;
    let mut episodes = Vec::new();
    for observation in observations {
        let settler = settler.get_or_insert_with(|| Settler::new(rule, observation.datastream));
        episodes.extend(settler.observe(observation.observed_at, observation.value, observation.flag));
    }
    episodes.extend(settler.and_then(|settler| settler.lasting()));
    episodes
}

/// Computes episodes from observations handed over one by one.
#[derive(Debug)]
pub(crate) struct Settler<'a> {
    rule: &'a Rule,
    limits: Limits,
    datastream: DatastreamId,
    machine: Machine,
}

impl<'a> Settler<'a> {
    pub(crate) fn new(rule: &'a Rule, datastream: DatastreamId) -> Self {
        Self { rule, limits: Limits::of(rule), datastream, machine: Machine::default() }
    }

    /// Takes the next observation; gives the episode it ends.
    pub(crate) fn observe(&mut self, at: UtcMillis, value: Option<f64>, flag: Flag) -> Option<Episode> {
        let value = value.filter(|value| value.is_finite() && flag.is_usable())?;
        let change = self.machine.observe(&self.limits, at, value)?;
        if change.to == Level::Normal { self.episode(&change.excursion, Some(at)) } else { None }
    }

    /// The episode going on now.
    pub(crate) fn lasting(&self) -> Option<Episode> {
        let excursion = self.machine.excursion().filter(|_| self.machine.level() != Level::Normal)?;
        self.episode(&excursion, None)
    }

    /// Whether what follows no longer depends on what was seen so far.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.machine == Machine::default()
    }

    fn episode(&self, excursion: &Excursion, end: Option<UtcMillis>) -> Option<Episode> {
        Some(Episode {
            id: AlertId::of(&self.rule.id, &Subject::Datastream(self.datastream), excursion.onset),
            rule: self.rule.id.clone(),
            datastream: self.rule.datastream()?.clone(),
            onset: excursion.onset,
            peak: excursion.peak,
            end,
            peak_value: excursion.worst,
            count: excursion.count,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{do_rule, observation};

    /// The store's rule: one value per key, the one received last.
    fn settle_as_stored(rule: &Rule, arrivals: &[Observation]) -> Vec<u8> {
        let mut kept: BTreeMap<UtcMillis, Observation> = BTreeMap::new();
        for observation in arrivals {
            kept.insert(observation.observed_at, *observation);
        }
        serde_json::to_vec(&settle(rule, kept.values())).unwrap()
    }

    #[test]
    fn an_episode_has_onset_peak_and_end_of_the_environment() {
        let rule = do_rule(0);
        let values = [5.0, 3.9, 1.5, 0.4, 1.0, 3.0, 4.6, 5.0];
        let series: Vec<_> = (0..).zip(values).map(|(minute, value)| observation(minute, value)).collect();
        let episodes = settle(&rule, &series);
        assert_eq!(episodes.len(), 1);
        let episode = &episodes[0];
        assert_eq!((episode.onset, episode.end), (series[1].observed_at, Some(series[6].observed_at)));
        assert_eq!((episode.peak, episode.peak_value, episode.count), (Level::Awas, 0.4, 5));
    }

    #[test]
    fn an_excursion_shorter_than_the_hold_time_is_no_episode() {
        let rule = do_rule(120);
        let values = [5.0, 3.9, 3.9, 5.0];
        let series: Vec<_> = (0..).zip(values).map(|(minute, value)| observation(minute, value)).collect();
        assert_eq!(settle(&rule, &series), vec![]);
    }

    #[test]
    fn an_episode_that_lasts_has_no_end() {
        let series = [observation(0, 5.0), observation(1, 1.0)];
        assert_eq!(settle(&do_rule(0), &series)[0].end, None);
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_identical_bytes(
            day in proptest::collection::btree_map(0i64..400, prop_oneof![0.0f64..6.0, Just(2.0), Just(4.0)], 1..120),
            hold in 0u32..300,
            seed in any::<u64>(),
        ) {
            let rule = do_rule(hold);
            let mut arrivals: Vec<_> = day.iter().map(|(minute, value)| observation(*minute, *value)).collect();
            let sorted = settle_as_stored(&rule, &arrivals);
            let mut random = seed | 1;
            for place in (1..arrivals.len()).rev() {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                arrivals.swap(place, usize::try_from(random % (place as u64 + 1)).unwrap());
            }
            // A repeated delivery changes nothing either.
            arrivals.push(arrivals[0]);
            prop_assert_eq!(settle_as_stored(&rule, &arrivals), sorted);
        }

        #[test]
        fn reading_may_begin_at_any_observation_at_rest(
            day in proptest::collection::btree_map(0i64..400, 0.0f64..6.0, 2..120),
            hold in 0u32..300,
        ) {
            let rule = do_rule(hold);
            let series: Vec<_> = day.iter().map(|(minute, value)| observation(*minute, *value)).collect();
            let whole = settle(&rule, &series);
            for (place, at) in series.iter().enumerate() {
                if !Limits::of(&rule).at_rest(at.value.unwrap()) {
                    continue;
                }
                let later: Vec<_> = whole.iter().filter(|episode| at.observed_at < episode.onset).cloned().collect();
                prop_assert_eq!(settle(&rule, &series[place..]), later);
            }
        }
    }
}
