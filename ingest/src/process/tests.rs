use bakau_model::TimeSource;

use super::{
    testing::{ARRIVAL, envelope, limits, snapshot},
    *,
};

const TOPIC: &str = "bakau/s1/data";
const TIMED: &str = r#"{"time":"2026-02-25T06:13:20Z","do":6.3,"cond":45.97}"#;

fn run(envelope: &Envelope, spooled: bool) -> (Processed, Findings) {
    let mut findings = Findings::default();
    let processed = Processor::new(limits(), snapshot()).process(0, envelope, |_| spooled, &mut findings);
    (processed, findings)
}

fn reasons(findings: &Findings) -> Vec<(Option<&str>, QuarantineReason)> {
    findings.quarantine.iter().map(|row| (row.reading.as_deref(), row.reason)).collect()
}

#[test]
fn a_good_message_becomes_observations_of_its_station() {
    let (processed, findings) = run(&envelope(TOPIC, TIMED), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 2, quarantined: 0 });
    let values: Vec<_> = findings.observations.iter().map(|(_, o)| (o.datastream.get(), o.value)).collect();
    assert_eq!(values, [(1, Some(6.3)), (2, Some(45_970.0))]);
    assert!(findings.observations.iter().all(|(_, o)| o.time_source == TimeSource::Device));
}

#[test]
fn good_readings_survive_bad_neighbours() {
    let (processed, findings) = run(&envelope(TOPIC, r#"{"do":"broken","cond":"45.97"}"#), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 2, quarantined: 1 });
    assert_eq!(reasons(&findings), [(Some("s1/do"), QuarantineReason::NotANumber)]);
    assert_eq!(findings.observations.len(), 1);
}

#[test]
fn a_time_that_is_none_puts_every_reading_into_quarantine() {
    let (processed, findings) = run(&envelope(TOPIC, r#"{"time":"yesterday","do":1,"cond":2}"#), false);
    assert_eq!(processed, Processed { outcome: Outcome::Quarantined, readings: 2, quarantined: 2 });
    let expected =
        [(Some("s1/do"), QuarantineReason::InvalidTime), (Some("s1/conductivity"), QuarantineReason::InvalidTime)];
    assert_eq!(reasons(&findings), expected);
}

#[test]
fn a_topic_without_route_is_unrouted_and_nothing_else() {
    let (processed, findings) = run(&envelope("elsewhere/s1", TIMED), false);
    assert_eq!(processed.outcome, Outcome::Unrouted);
    assert!(findings.observations.is_empty() && findings.quarantine.is_empty());
}

#[test]
fn a_retained_delivery_counts_only_with_device_time() {
    let retained = |payload| Envelope { retained: true, ..envelope(TOPIC, payload) };
    assert_eq!(run(&retained(r#"{"do":1}"#), false).0.outcome, Outcome::IgnoredRetained);
    assert_eq!(run(&retained(TIMED), false).0.outcome, Outcome::Decoded);
}

#[test]
fn a_repeated_delivery_without_device_time_is_dropped_only_if_spooled_before() {
    let repeated = |payload| Envelope { dup: true, ..envelope(TOPIC, payload) };
    assert_eq!(run(&repeated(r#"{"do":1}"#), true).0.outcome, Outcome::IgnoredDuplicate);
    assert_eq!(run(&repeated(r#"{"do":1}"#), false).0.outcome, Outcome::Decoded);
    assert_eq!(run(&repeated(TIMED), true).0.outcome, Outcome::Decoded);
    assert_eq!(run(&envelope(TOPIC, r#"{"do":1}"#), true).0.outcome, Outcome::Decoded);
}

#[test]
fn a_payload_without_any_mapped_value_says_what_was_looked_for() {
    let (processed, findings) = run(&envelope(TOPIC, r#"{"oxygen":1}"#), false);
    assert_eq!(processed.outcome, Outcome::Quarantined);
    assert_eq!(findings.quarantine[0].detail, "none of the mapped values is in the payload: /do, /cond");
}

#[test]
fn a_payload_above_the_limit_is_not_decoded() {
    let large = format!(r#"{{"do":1,"x":"{}"}}"#, "x".repeat(1024 * 1024));
    let (processed, findings) = run(&envelope(TOPIC, &large), false);
    assert_eq!(processed.outcome, Outcome::Quarantined);
    assert_eq!(findings.quarantine[0].reason, QuarantineReason::Undecodable);
}

#[test]
fn an_array_element_that_is_no_object_is_named_and_the_others_count() {
    let (processed, findings) = run(&envelope(TOPIC, r#"[{"do":1},7,{"do":2}]"#), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 2, quarantined: 0 });
    assert_eq!(reasons(&findings), [(Some("/1"), QuarantineReason::Undecodable)]);
}

#[test]
fn a_source_with_its_own_window_accepts_old_times() {
    let old = envelope(TOPIC, r#"{"time":"2016-02-25T06:13:20Z","do":6.3}"#);
    assert_eq!(run(&old, false).1.quarantine[0].reason, QuarantineReason::TooOld);
    let mut limits = limits();
    let wide = AcceptWindow { past_ms: 20 * 366 * 86_400_000, future_ms: 300_000 };
    limits.windows.insert(old.source.clone(), wide);
    let mut findings = Findings::default();
    let processed = Processor::new(limits, snapshot()).process(0, &old, |_| false, &mut findings);
    assert_eq!(processed.outcome, Outcome::Decoded);
    assert!(findings.observations[0].1.observed_at < ARRIVAL);
}

#[test]
fn a_new_snapshot_replaces_what_was_remembered() {
    let mut processor = Processor::new(limits(), snapshot());
    let message = envelope(TOPIC, TIMED);
    let mut findings = Findings::default();
    assert_eq!(processor.process(0, &message, |_| false, &mut findings).outcome, Outcome::Decoded);
    let emptied = Snapshot { revision: 4, routes: snapshot().routes.clone(), ..Snapshot::default() };
    processor.use_snapshot(&Arc::new(emptied));
    assert_eq!(processor.revision(), 4);
    let processed = processor.process(0, &message, |_| false, &mut findings);
    assert_eq!(processed, Processed { outcome: Outcome::Quarantined, readings: 2, quarantined: 2 });
}
