//! The settled history: what stored observations say happened, whoever knew it when (promise P4).
//!
//! It is a pure function of the observations: quality control judges them anew in event time, and the same level machine
//! as that of the live engine takes those that pass. Of a counter it takes the stored increments, which are such a function
//! themselves. Nothing in it depends on when or in which order the observations arrived, but that a value stamped later than
//! its arrival is from a clock that is ahead, and suspect. It is about values: what had no data is in the decision log only, because
//! they are about what was *not* there when.

pub(crate) mod history;

#[cfg(test)]
use bakau_model::Observation;
use bakau_model::{DatastreamName, Flag, Level, QualityTest, RuleId, UtcMillis};
use bakau_quality::{Sample, Stream};
use bakau_registry::{Datastream, Rule};
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
    /// How many of them quality control found suspect.
    pub suspect: u64,
    /// Whether it may have begun before `onset`: nothing good that is no crossing is stored from before.
    pub onset_at_latest: bool,
}

/// The episodes of a rule in all observations of a datastream, sorted by `observed_at`, each instant at most once.
#[cfg(test)]
pub(crate) fn settle<'a>(
    rule: &Rule,
    datastream: &Datastream,
    observations: impl IntoIterator<Item = &'a Observation>,
) -> Vec<Episode> {
    let mut settler = Settler::new(rule, datastream, UtcMillis::new(i64::MIN));
    let seen = |observation: &Observation| Seen {
        at: observation.observed_at,
        value: observation.value,
        flag: observation.flag,
        received_at: observation.received_at,
    };
    let mut episodes: Vec<Episode> =
        observations.into_iter().filter_map(|observation| settler.observe(seen(observation))).collect();
    episodes.extend(settler.finish());
    episodes
}

/// What is stored of an instant, as far as episodes are made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) at: UtcMillis,
    /// The value; of a counter the increment.
    pub(crate) value: Option<f64>,
    /// As stored; it matters for counters alone, whose readings are judged where their neighbours are known.
    pub(crate) flag: Flag,
    /// A value stamped later than this is from a clock that is ahead.
    pub(crate) received_at: UtcMillis,
}

/// A value that has passed quality control so far; the next one may still show that it is a spike.
#[derive(Debug, Clone, Copy)]
struct Judged {
    at: UtcMillis,
    value: f64,
    flag: Flag,
}

/// Quality control of a series, one value behind: a verdict comes out when no later value can change it.
#[derive(Debug)]
pub(crate) struct Judging<'a> {
    datastream: &'a Datastream,
    stream: Stream,
    newest: Option<Judged>,
}

impl<'a> Judging<'a> {
    pub(crate) const fn new(datastream: &'a Datastream) -> Self {
        Self { datastream, stream: Stream::new(), newest: None }
    }

    /// Takes the next value; gives the one before with its final flag, where that is usable.
    ///
    /// Increments of a counter are stored with the flag that holds for them, whatever the order of arrival was.
    fn next(&mut self, Seen { at, value, flag, received_at }: Seen) -> Option<Judged> {
        if self.datastream.counter().is_some() {
            return value.filter(|_| flag.is_usable()).map(|value| Judged { at, value, flag });
        }
        let judgement = self.stream.judge(&self.datastream.limits, Sample { at, value, received_at });
        if let (Some(revised), Some(newest)) = (judgement.revises, &mut self.newest)
            && newest.at == revised.at
        {
            newest.flag = revised.results.aggregate();
        }
        let value = value.filter(|value| value.is_finite())?;
        let flag = judgement.results.aggregate();
        // What is out of range is no neighbour, so it decides nothing about the value before it.
        if !flag.is_usable() && judgement.results.get(QualityTest::GrossRange) == Flag::Fail {
            return None;
        }
        self.newest.replace(Judged { at, value, flag }).filter(|judged| judged.flag.is_usable())
    }

    /// The last value, which no later one has judged.
    fn last(&mut self) -> Option<Judged> {
        self.newest.take().filter(|judged| judged.flag.is_usable())
    }
}

/// The last instant of a series, within `from..`, at which the level machine of a rule is at rest whatever came before.
pub(crate) fn last_rest(
    rule: &Rule,
    datastream: &Datastream,
    series: &[Seen],
    within: std::ops::Range<UtcMillis>,
) -> Option<UtcMillis> {
    let (limits, mut judging) = (Limits::of(rule, datastream.interval_ms), Judging::new(datastream));
    let mut usable: Vec<Judged> = series.iter().filter_map(|seen| judging.next(*seen)).collect();
    usable.extend(judging.last());
    // A suspect value ends nothing.
    let ends = |judged: &&Judged| judged.flag != Flag::Suspect && limits.at_rest(judged.value);
    let rests = |judged: &&Judged| within.contains(&judged.at) && ends(judged);
    usable.iter().rev().find(rests).map(|judged| judged.at)
}

/// Computes episodes from observations handed over one by one.
#[derive(Debug)]
pub(crate) struct Settler<'a> {
    rule: &'a Rule,
    datastream: &'a Datastream,
    limits: Limits,
    judging: Judging<'a>,
    /// Values before are only there for quality control.
    from: UtcMillis,
    machine: Machine,
}

impl<'a> Settler<'a> {
    pub(crate) fn new(rule: &'a Rule, datastream: &'a Datastream, from: UtcMillis) -> Self {
        let (limits, judging) = (Limits::of(rule, datastream.interval_ms), Judging::new(datastream));
        Self { rule, datastream, limits, judging, from, machine: Machine::default() }
    }

    /// Takes the next observation; gives an episode that is over.
    pub(crate) fn observe(&mut self, seen: Seen) -> Option<Episode> {
        let judged = self.judging.next(seen)?;
        self.settle(judged)
    }

    /// No more observations come; gives what the last one ends, or the episode that lasts.
    pub(crate) fn finish(mut self) -> Option<Episode> {
        let ended = self.judging.last().and_then(|judged| self.settle(judged));
        let lasting = self.machine.excursion().filter(|_| self.machine.level() != Level::Normal);
        ended.or_else(|| lasting.map(|excursion| self.episode(&excursion, None)))
    }

    /// Whether what follows no longer depends on what was seen so far, apart from quality control.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.machine.is_at_rest()
    }

    fn settle(&mut self, judged: Judged) -> Option<Episode> {
        if judged.at < self.from {
            return None;
        }
        let change = self.machine.observe(&self.limits, judged.at, judged.value, judged.flag)?;
        (change.to == Level::Normal).then(|| self.episode(&change.excursion, Some(judged.at)))
    }

    fn episode(&self, excursion: &Excursion, end: Option<UtcMillis>) -> Episode {
        Episode {
            id: crate::engine::id::of(&self.rule.id, &Subject::Datastream(self.datastream.number), excursion.onset),
            rule: self.rule.id.clone(),
            datastream: self.datastream.name.clone(),
            onset: excursion.onset,
            peak: excursion.peak,
            end,
            peak_value: excursion.worst,
            count: excursion.count,
            suspect: excursion.suspect,
            onset_at_latest: excursion.onset_at_latest,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bakau_model::QualityLimits;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{datastream, do_limits, do_rule, observation};

    /// The store's rule: one value per key, the one received last.
    fn settle_as_stored(rule: &Rule, datastream: &Datastream, arrivals: &[Observation]) -> Vec<u8> {
        let mut kept: BTreeMap<UtcMillis, Observation> = BTreeMap::new();
        for observation in arrivals {
            kept.insert(observation.observed_at, *observation);
        }
        serde_json::to_vec(&settle(rule, datastream, kept.values())).unwrap()
    }

    #[test]
    fn an_episode_has_onset_peak_and_end_of_the_environment() {
        let rule = do_rule(0);
        let values = [5.0, 3.9, 1.5, 0.4, 1.0, 3.0, 4.6, 5.0];
        let series: Vec<_> = (0..).zip(values).map(|(minute, value)| observation(minute, value)).collect();
        let episodes = settle(&rule, &datastream(), &series);
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
        assert_eq!(settle(&rule, &datastream(), &series), vec![]);
    }

    fn controlled() -> Datastream {
        Datastream { limits: do_limits(), ..datastream() }
    }

    /// One line per episode: minutes of onset and end, worst value, observations and how many of them are suspect.
    fn episodes_of(values: &[(i64, f64)]) -> Vec<String> {
        let series: Vec<_> = values.iter().map(|(minute, value)| observation(*minute, *value)).collect();
        let minutes = |at: UtcMillis| at.since(crate::testing::minute(0)) / 60_000;
        let line = |episode: Episode| {
            let (onset, end) = (minutes(episode.onset), episode.end.map(minutes));
            format!("{onset}-{end:?} {} {} {}", episode.peak_value, episode.count, episode.suspect)
        };
        settle(&do_rule(0), &controlled(), &series).into_iter().map(line).collect()
    }

    #[test]
    fn what_quality_control_fails_is_in_no_episode_and_what_it_suspects_is_counted() {
        let calm = |minute: i64| 6.0 + 0.01 * f64::from(u8::try_from(minute % 7).unwrap());
        let with = |from: i64, values: &[f64]| {
            let mut day: Vec<_> = (0..60).map(|minute| (minute, calm(minute))).collect();
            for (minute, value) in (from..).zip(values) {
                day[usize::try_from(minute).unwrap()].1 = *value;
            }
            day
        };
        let nothing = Vec::<String>::new();
        assert_eq!(episodes_of(&with(20, &[1.0])), nothing, "a spike, known by the value after it");
        assert_eq!(episodes_of(&with(20, &[-5.0])), nothing, "out of range");
        let drop = episodes_of(&with(20, &[3.9, 3.8, 3.9]));
        assert_eq!(
            drop,
            ["20-Some(24) 3.8 3 1"],
            "real, with a step too fast down; the one back neither ends it nor is a value of it"
        );
        let low = episodes_of(&with(20, &[4.5, 3.0, 1.6, 0.19, 1.6, 3.0, 4.5]));
        assert_eq!(low, ["21-Some(27) 0.19 6 1"]);
    }

    #[test]
    fn a_sensor_that_is_stuck_alarms_as_suspect_and_no_longer_once_it_fails() {
        let mut values: Vec<_> =
            (0..20).map(|minute| (minute, 5.0 - 0.05 * f64::from(u8::try_from(minute).unwrap()))).collect();
        values.extend((20..140).map(|minute| (minute, 3.9)));
        values.extend((140..150).map(|minute| (minute, 5.0 + 0.01 * f64::from(u8::try_from(minute).unwrap()))));
        let episodes = episodes_of(&values);
        assert_eq!(episodes.len(), 1, "{episodes:?}");
        let numbers: Vec<u64> = episodes[0].split(' ').skip(2).map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] < 120 && 0 < numbers[1], "failed values are not counted, suspect ones are: {episodes:?}");
    }

    #[test]
    fn of_a_counter_the_stored_increments_and_flags_decide() {
        let counter = Some(bakau_model::Counter { max: None, interval_ms: 60_000 });
        let datastream = Datastream { limits: QualityLimits { counter, ..do_limits() }, ..datastream() };
        // As increments they neither spike nor stick, and one that is not known ends nothing.
        let values = [Some(9.0), Some(1.0), None, Some(1.0), Some(9.0), Some(1.0)];
        let flags = [Flag::Good, Flag::Good, Flag::Suspect, Flag::Good, Flag::Good, Flag::Fail];
        let series = (0..).zip(values).zip(flags).map(|((minute, value), flag)| Observation {
            value,
            flag,
            ..observation(minute, 0.0)
        });
        let episodes = settle(&do_rule(0), &datastream, &series.collect::<Vec<_>>());
        let told: Vec<_> =
            episodes.iter().map(|episode| (episode.count, episode.suspect, episode.end.is_some())).collect();
        assert_eq!(told, [(2, 0, true)]);
    }

    #[test]
    fn what_a_clock_that_is_ahead_says_is_suspect_and_ends_no_episode() {
        let ahead = |minute: i64, value: f64| Observation {
            received_at: crate::testing::minute(minute - 4),
            ..observation(minute, value)
        };
        let series = [observation(0, 5.0), observation(1, 0.2), ahead(2, 6.0), observation(3, 0.3), ahead(4, 6.0)];
        let episodes = settle(&do_rule(0), &datastream(), &series);
        let found: Vec<_> = episodes.iter().map(|one| (one.peak, one.end, one.count, one.suspect)).collect();
        assert_eq!(found, [(Level::Awas, None, 2, 0)]);
    }

    #[test]
    fn an_episode_that_lasts_has_no_end() {
        let series = [observation(0, 5.0), observation(1, 1.0)];
        assert_eq!(settle(&do_rule(0), &datastream(), &series)[0].end, None);
    }

    /// A day with calm stretches, stretches of one value, spikes and thresholds met exactly.
    fn day() -> impl Strategy<Value = BTreeMap<i64, f64>> {
        let value = prop_oneof![4 => 5.5f64..6.5, 2 => Just(3.9), 1 => 0.0f64..6.0, 1 => Just(2.0), 1 => -1.0f64..25.0];
        proptest::collection::btree_map(0i64..300, value, 1..150)
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: i64) -> i64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            i64::try_from(self.0 % limit.cast_unsigned()).unwrap()
        }
    }

    proptest! {
        #[test]
        fn twenty_orders_of_arrival_with_up_to_two_hours_of_lateness_give_identical_bytes(
            day in day(),
            hold in prop_oneof![Just(0u32), 0u32..300],
            seed in any::<u64>(),
        ) {
            let (rule, datastream) = (do_rule(hold), controlled());
            let observations: Vec<_> = day.iter().map(|(minute, value)| observation(*minute, *value)).collect();
            let sorted = settle_as_stored(&rule, &datastream, &observations);
            let mut random = Random(seed | 1);
            for _ in 0..20 {
                let late = |observation: &Observation| (observation.observed_at.get() + random.below(7_200_000), *observation);
                let mut arrivals: Vec<_> = observations.iter().map(late).collect();
                arrivals.sort_by_key(|(arrival, _)| *arrival);
                let mut arrivals: Vec<_> = arrivals.into_iter().map(|(_, observation)| observation).collect();
                // A repeated delivery changes nothing either.
                arrivals.push(arrivals[0]);
                prop_assert_eq!(&settle_as_stored(&rule, &datastream, &arrivals), &sorted);
            }
        }

        #[test]
        fn reading_may_begin_at_any_observation_at_rest(
            day in proptest::collection::btree_map(0i64..400, 0.0f64..6.0, 2..120),
            hold in 0u32..300,
        ) {
            let rule = do_rule(hold);
            let series: Vec<_> = day.iter().map(|(minute, value)| observation(*minute, *value)).collect();
            let whole = settle(&rule, &datastream(), &series);
            for (place, at) in series.iter().enumerate() {
                if !Limits::of(&rule, Limits::ANY_INTERVAL).at_rest(at.value.unwrap()) {
                    continue;
                }
                let later: Vec<_> = whole.iter().filter(|episode| at.observed_at < episode.onset).cloned().collect();
                prop_assert_eq!(settle(&rule, &datastream(), &series[place..]), later);
            }
        }
    }
}
