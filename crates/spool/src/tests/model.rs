//! Random use of the spool against a model in memory, with small sets so that everything collides.

use std::sync::Arc;

use bakau_model::{Batch, Envelope, Observation, Seq, StationStatus};
use proptest::prelude::*;

use crate::{
    BatchDraft, Consumer, Spool, SpoolConfig, SpoolErrorKind, SpoolReader,
    testing::{any_envelope, any_observation, any_status},
};

const WINDOW: usize = 7;
const KEEP: u64 = 9;
const MAX_BYTES: u64 = 3000;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Envelope>, Vec<(prop::sample::Index, Observation)>, Vec<StationStatus>),
    Trim,
    Report(Consumer, prop::sample::Index),
    Reopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    let envelopes = proptest::collection::vec(any_envelope(), 0..4);
    let observations = proptest::collection::vec((any::<prop::sample::Index>(), any_observation()), 0..5);
    prop_oneof![
        6 => (envelopes, observations, proptest::collection::vec(any_status(), 0..3))
            .prop_map(|(envelopes, observations, statuses)| Step::Append(envelopes, observations, statuses)),
        2 => Just(Step::Trim),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::Report(Consumer::Store, index)),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::Report(Consumer::Alerts, index)),
        1 => Just(Step::Reopen),
    ]
}

/// Everything ever appended, and the cursors of this run.
#[derive(Default)]
struct Model {
    batches: Vec<(Arc<Batch>, Vec<Envelope>)>,
    cursors: [u64; 2],
}

impl Model {
    fn slowest(&self) -> usize {
        self.cursors[0].min(self.cursors[1]) as usize
    }

    fn messages(&self, from: usize) -> u64 {
        self.batches[from..].iter().map(|(_, envelopes)| envelopes.len() as u64).sum()
    }

    fn check(&self, spool: &Spool, reader: &SpoolReader, trimmed: &mut usize) {
        assert_eq!(reader.last_seq().get() as usize, self.batches.len());
        let from_file = reader.read_file_after(Seq::START, usize::MAX).unwrap();
        let first = self.batches.len() - from_file.len();
        assert!(*trimmed <= first, "what was trimmed does not come back");
        assert!(first == *trimmed || first <= self.slowest(), "something was trimmed that is still needed");
        assert!(first == 0 || KEEP <= self.messages(first), "less than the kept messages is left");
        *trimmed = first;
        for after in first..=self.batches.len() {
            let expected: Vec<_> = self.batches[after..].iter().map(|(batch, _)| Arc::clone(batch)).collect();
            assert_eq!(reader.read_after(Seq::new(after as u64), usize::MAX).unwrap(), expected);
        }
        for (batch, envelopes) in &self.batches[first..] {
            assert_eq!(&reader.envelopes(batch.seq).unwrap(), envelopes);
        }
        assert_eq!(reader.size().unwrap().unconsumed_messages, self.messages(self.slowest().max(first)));
        self.check_window(spool);
    }

    fn check_window(&self, spool: &Spool) {
        let window = spool.delivery_window();
        let all: Vec<_> = self.batches.iter().flat_map(|(_, envelopes)| envelopes).collect();
        let last = &all[all.len().saturating_sub(WINDOW)..];
        assert_eq!(window.len(), last.len());
        for one in &all {
            let same = |other: &&Envelope| {
                (&other.source, &other.topic, &other.payload) == (&one.source, &one.topic, &one.payload)
            };
            assert_eq!(window.contains(one), last.iter().any(same));
        }
    }

    fn append(&mut self, spool: &mut Spool, reader: &SpoolReader, draft: &BatchDraft) {
        match spool.append(draft) {
            Ok(_) if draft.envelopes.is_empty() => {}
            Ok(batch) => {
                assert_eq!(batch.seq.get() as usize, self.batches.len() + 1);
                assert_eq!(batch.observations.len(), draft.observations.len());
                assert_eq!(batch.statuses, draft.statuses);
                for (sourced, (envelope, observation)) in batch.observations.iter().zip(&draft.observations) {
                    assert_eq!(&sourced.observation, observation);
                    assert_eq!(batch.sources[usize::from(sourced.source)], draft.envelopes[*envelope as usize].source);
                }
                self.batches.push((batch, draft.envelopes.clone()));
                let alone = self.slowest() + 1 == self.batches.len();
                assert!(alone || reader.size().unwrap().unconsumed_bytes <= MAX_BYTES);
            }
            Err(error) => {
                assert_eq!(error.kind(), SpoolErrorKind::Full);
                assert!(self.slowest() < self.batches.len(), "an empty spool is never full");
            }
        }
    }
}

fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let config = SpoolConfig { path: dir.path().join("spool.db"), max_bytes: MAX_BYTES, keep_messages: KEEP };
    let open = || Spool::open_with(&config, WINDOW).unwrap();
    let (mut spool, mut reader) = open();
    let (mut model, mut trimmed) = (Model::default(), 0);
    for step in steps {
        match step {
            Step::Append(envelopes, mut observations, mut statuses) => {
                if envelopes.is_empty() {
                    observations.clear();
                    statuses.clear();
                }
                let observations =
                    observations.into_iter().map(|(index, one)| (index.index(envelopes.len()) as u32, one)).collect();
                let draft =
                    BatchDraft { registry_revision: 3, envelopes, observations, statuses, ..BatchDraft::default() };
                model.append(&mut spool, &reader, &draft);
            }
            Step::Trim => drop(spool.trim().unwrap()),
            Step::Report(consumer, index) => {
                let seq = index.index(model.batches.len() + 1) as u64;
                reader.report(consumer, Seq::new(seq));
                let cursor = &mut model.cursors[consumer.index()];
                *cursor = seq.max(*cursor);
            }
            Step::Reopen => {
                drop((spool, reader));
                (spool, reader) = open();
                model.cursors = [0; 2];
            }
        }
        model.check(&spool, &reader, &mut trimmed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_spool_does_what_the_model_does(steps in proptest::collection::vec(any_step(), 1..40)) {
        run(steps);
    }
}
