use bakau_clock::ManualClock;
use bakau_model::{Seq, UtcMillis};
use bakau_spool::{Consumer, SpoolConfig, SpoolReader};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::{
    intake::Job,
    process::testing::{ARRIVAL, envelope, snapshot, source},
};

const TOPIC: &str = "bakau/s1/data";
const EVERYTHING: (UtcMillis, UtcMillis) = (UtcMillis::new(0), UtcMillis::new(i64::MAX));

struct Line {
    intake: Intake,
    reader: SpoolReader,
    stop: CancellationToken,
    thread: JoinHandle<()>,
    // Kept so that the committer's snapshot receiver stays open.
    _snapshots: watch::Sender<Arc<Snapshot>>,
}

fn start(directory: &TempDir, max_bytes: u64) -> Line {
    let config = SpoolConfig { path: directory.path().join("spool.db"), max_bytes, keep_messages: 65_535 };
    let (spool, reader) = Spool::open(&config).unwrap();
    let (sender, snapshots) = watch::channel(snapshot());
    let stop = CancellationToken::new();
    let clock = Arc::new(ManualClock::new(ARRIVAL));
    let (intake, thread) = start_committer(spool, snapshots, IngestConfig::default(), clock, stop.clone()).unwrap();
    Line { intake, reader, stop, thread, _snapshots: sender }
}

impl Line {
    fn end(self) -> SpoolReader {
        self.stop.cancel();
        self.thread.join().unwrap();
        self.reader
    }

    fn spooled_messages(&self) -> usize {
        let last = self.reader.last_seq().get();
        (1..=last).map(|seq| self.reader.envelopes(Seq::new(seq)).unwrap().len()).sum()
    }
}

fn totals(reader: &SpoolReader) -> (MessageLedger, ReadingCounts) {
    let mut messages = MessageLedger::default();
    for row in reader.message_ledger(EVERYTHING.0, EVERYTHING.1).unwrap().into_values() {
        messages += row;
    }
    let mut readings = ReadingCounts::default();
    for row in reader.reading_counts(EVERYTHING.0, EVERYTHING.1).unwrap().into_values() {
        readings.decoded += row.decoded;
        readings.quarantined += row.quarantined;
    }
    (messages, readings)
}

fn group_job(packet_id: u16, payload: &str, sender: &mpsc::UnboundedSender<Vec<AckToken>>) -> Job {
    let token = AckToken { epoch: 1, packet_id, qos: bakau_model::Qos::AtLeastOnce };
    Job { envelope: envelope(TOPIC, payload), reply: Reply::Group(token, sender.clone()) }
}

#[tokio::test]
async fn a_commit_resolves_only_when_the_message_is_in_the_spool() {
    let directory = TempDir::new().unwrap();
    let line = start(&directory, 1 << 30);
    for count in 1..=3 {
        line.intake.commit(envelope(TOPIC, &format!(r#"{{"do":{count}}}"#))).await.unwrap();
        assert_eq!(line.spooled_messages(), count, "acknowledged before it was spooled");
    }
    line.end();
}

#[tokio::test]
async fn both_ledgers_balance_for_good_and_bad_messages() {
    let directory = TempDir::new().unwrap();
    let line = start(&directory, 1 << 30);
    let send = async |message: Envelope| line.intake.commit(message).await.unwrap();
    let timeless = r#"{"do":5.5}"#;
    send(envelope(TOPIC, r#"{"time":"2026-02-25T06:13:20Z","do":6.3,"cond":45.97}"#)).await;
    send(envelope(TOPIC, timeless)).await;
    send(Envelope { dup: true, ..envelope(TOPIC, timeless) }).await;
    send(Envelope { dup: true, ..envelope(TOPIC, r#"{"do":7}"#) }).await;
    send(Envelope { retained: true, ..envelope(TOPIC, timeless) }).await;
    send(envelope(TOPIC, "poison")).await;
    send(envelope(TOPIC, r#"{"do":"x","cond":1}"#)).await;
    send(envelope("nowhere", "{}")).await;
    line.intake.denied(&source(), ARRIVAL);
    let reader = line.end();
    let (messages, readings) = totals(&reader);
    let expected = MessageLedger {
        received: 9,
        decoded: 4,
        quarantined: 1,
        unrouted: 1,
        denied: 1,
        ignored_retained: 1,
        ignored_duplicate: 1,
        lost_in_broker: 0,
    };
    assert_eq!(messages, expected);
    assert!(messages.balances());
    assert_eq!(readings, ReadingCounts { decoded: 6, quarantined: 1 });
    let waiting: u64 = reader.waiting_after(Seq::START).unwrap().values().sum();
    assert_eq!(readings.decoded, readings.quarantined + waiting);
    assert_eq!(reader.quarantine(0, 10, false).unwrap().len(), 2);
}

#[tokio::test]
async fn a_repeated_delivery_is_recognised_after_a_restart_and_within_a_group() {
    let directory = TempDir::new().unwrap();
    let line = start(&directory, 1 << 30);
    line.intake.commit(envelope(TOPIC, r#"{"do":1}"#)).await.unwrap();
    line.end();
    let line = start(&directory, 1 << 30);
    let (sender, mut durable) = mpsc::unbounded_channel();
    let repeated = |mut job: Job| {
        job.envelope.dup = true;
        job
    };
    let mut jobs = vec![
        repeated(group_job(1, r#"{"do":1}"#, &sender)),
        group_job(2, r#"{"do":2}"#, &sender),
        repeated(group_job(3, r#"{"do":2}"#, &sender)),
    ];
    line.intake.push_all(&mut jobs).unwrap();
    let acknowledged: Vec<_> = durable.recv().await.unwrap().iter().map(|token| token.packet_id).collect();
    assert_eq!(acknowledged, [1, 2, 3], "one group, in order of arrival");
    let (messages, _) = totals(&line.end());
    assert_eq!((messages.received, messages.decoded, messages.ignored_duplicate), (4, 2, 2));
}

#[tokio::test]
async fn a_full_spool_acknowledges_nothing_and_loses_nothing() {
    let directory = TempDir::new().unwrap();
    let line = start(&directory, 20_000);
    let mut health = line.intake.health();
    let filler = |count: u64| envelope(TOPIC, &format!(r#"{{"do":{count},"x":"{}"}}"#, random_text(count)));
    let mut accepted = 0_u64;
    let refused = loop {
        match line.intake.commit(filler(accepted)).await {
            Ok(()) => accepted += 1,
            Err(refused) => break refused,
        }
        assert!(accepted < 1_000, "the spool never filled");
    };
    assert_eq!(refused, NotCommitted::SpoolFull);
    health.wait_for(|health| *health == IntakeHealth::Blocked(NotCommitted::SpoolFull)).await.unwrap();
    assert_eq!(line.spooled_messages() as u64, accepted, "a refused message was spooled");

    let (sender, mut durable) = mpsc::unbounded_channel();
    line.intake.push_all(&mut vec![group_job(9, &random_text(7), &sender)]).unwrap();
    assert_eq!(line.intake.commit(filler(accepted)).await, Err(NotCommitted::SpoolFull));
    assert!(durable.try_recv().is_err(), "acknowledged although the spool is full");

    // The consumers catch up: the held message is committed without being sent again.
    for consumer in Consumer::ALL {
        line.reader.report(consumer, line.reader.last_seq());
    }
    assert_eq!(durable.recv().await.unwrap()[0].packet_id, 9);
    health.wait_for(|health| *health == IntakeHealth::Open).await.unwrap();
    line.intake.commit(filler(accepted)).await.unwrap();
    let (messages, _) = totals(&line.end());
    assert_eq!(messages.received, accepted + 2, "refused messages are counted only when they come again");
    assert!(messages.balances());
}

#[tokio::test]
async fn stopping_commits_what_is_queued_and_refuses_what_comes_later() {
    let directory = TempDir::new().unwrap();
    let line = start(&directory, 1 << 30);
    let (sender, mut durable) = mpsc::unbounded_channel();
    let mut jobs: Vec<_> = (1..=5_000).map(|id| group_job(id, r#"{"do":1}"#, &sender)).collect();
    line.intake.push_all(&mut jobs).unwrap();
    let intake = line.intake.clone();
    line.end();
    drop(sender);
    let mut acknowledged = 0;
    while let Some(tokens) = durable.recv().await {
        acknowledged += tokens.len();
    }
    assert_eq!(acknowledged, 5_000);
    assert_eq!(intake.commit(envelope(TOPIC, "{}")).await, Err(NotCommitted::Stopping));
}

/// Text that does not compress, 600 characters.
fn random_text(seed: u64) -> String {
    use rand::{Rng, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    (0..600).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}
