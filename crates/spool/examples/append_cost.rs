//! What an append costs in CPU time: `cargo run --release -p bakau-spool --example append_cost`.
//!
//! Messages of about 200 bytes with two observations each, from 500 stations, in groups of several sizes; consumers
//! report and trimming runs as in production. CPU time is that of this thread from `/proc/thread-self/schedstat`; drafts
//! are built before. The file lies in the current directory, because fsync on a memory disk would cost nothing.

use std::{
    error::Error,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_model::{
    DatastreamId, DeploymentId, Envelope, Flag, LedgerKey, MessageLedger, Observation, Qos, SourceName, TimeSource,
    UtcMillis,
};
use bakau_spool::{BatchDraft, Consumer, DeliveryWindow, ReadingCounts, Spool, SpoolConfig, raw};
use bytes::Bytes;

const PREPARED_MESSAGES: usize = 50_000;
const ROUNDS: usize = 6;
const STATIONS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    for group in [1, 20, 200, 1000, 2000] {
        measure(group)?;
    }
    Ok(())
}

fn measure(group: usize) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let config = SpoolConfig { path: dir.path().join("spool.db"), max_bytes: 8 << 30, keep_messages: 65_535 };
    let (mut spool, reader) = Spool::open(&config)?;
    let messages = PREPARED_MESSAGES.min(group * 1000);
    let drafts = (0..messages).step_by(group).map(|first| draft(first, group)).collect::<Result<Vec<_>, _>>()?;
    let rounds = if group == 1 { 1 } else { ROUNDS };
    let per_message =
        |start: u64| Ok::<_, Box<dyn Error>>((cpu_ns()? - start) as f64 / 1e3 / (messages * rounds) as f64);

    let start = cpu_ns()?;
    for draft in drafts.iter().cycle().take(drafts.len() * rounds) {
        spool.append(draft)?;
    }
    let append = per_message(start)?;

    let mut window = DeliveryWindow::default();
    let start = cpu_ns()?;
    for draft in drafts.iter().cycle().take(drafts.len() * rounds) {
        draft.envelopes.iter().for_each(|envelope| window.insert(envelope));
    }
    let inserting = per_message(start)?;

    Consumer::ALL.into_iter().for_each(|consumer| reader.report(consumer, reader.last_seq()));
    let start = cpu_ns()?;
    let longest = trim_all(&mut spool)?;
    // Trimming includes the raw record; only what is beyond the kept messages is trimmed: nothing in groups of one.
    let trimmed = (messages * rounds) as f64 - reader.size()?.messages as f64;
    let cpu = (cpu_ns()? - start) as f64 / 1e3;
    let trim = if 0.0 < trimmed { cpu / trimmed } else { 0.0 };
    let raw: u64 = raw::segments(dir.path())?.iter().map(|segment| segment.bytes).sum();
    let start = cpu_ns()?;
    let found = raw::verify(dir.path())?;
    let verifying = (cpu_ns()? - start) as f64 / 1e3 / trimmed.max(1.0);
    if found.messages as f64 != trimmed || !found.is_sound() {
        return Err(format!("{trimmed} messages were trimmed, the raw record: {found:?}").into());
    }

    let start = cpu_ns()?;
    let held = spool.delivery_window().len();
    let rebuilding = (cpu_ns()? - start) / 1_000_000;

    let payload = payload_bytes(&drafts) / messages;
    let file = reader.size()?.file_bytes;
    println!(
        "group {group:>5}: append {append:.3}, window {inserting:.3}, trim {trim:.3} (verify {verifying:.3}) us CPU per \
         message, longest trim {} ms; window of {held} rebuilt in {rebuilding} ms (payload {payload} bytes, file {:.0}, \
         raw record {:.0} bytes per message)",
        longest.as_millis(),
        file as f64 / (messages * rounds) as f64,
        raw as f64 / trimmed.max(1.0)
    );
    Ok(())
}

/// Trims until nothing is left to trim; gives the longest single call.
fn trim_all(spool: &mut Spool) -> Result<Duration, Box<dyn Error>> {
    let mut longest = Duration::ZERO;
    loop {
        let started = Instant::now();
        if spool.trim()? == 0 {
            return Ok(longest);
        }
        longest = longest.max(started.elapsed());
    }
}

fn payload_bytes(drafts: &[BatchDraft]) -> usize {
    drafts.iter().flat_map(|draft| &draft.envelopes).map(|one| one.payload.len()).sum()
}

fn draft(first: usize, group: usize) -> Result<BatchDraft, Box<dyn Error>> {
    let source = SourceName::new("mosquitto")?;
    let mut draft = BatchDraft { registry_revision: 1, ..BatchDraft::default() };
    let start = UtcMillis::new(1_770_000_000_000);
    for number in first..first + group {
        let at = start.saturating_add(number as i64 / 40);
        let station = number * 7 % STATIONS;
        let payload = format!(
            r#"{{"time":"2026-02-02T02:40:{:02}.{:03}Z","do":{:.2},"temperature":{:.2},"battery":3.71,"rssi":-71,"serial":"YSI-EXO2-{station:06}","seq":{number:08}}}"#,
            number / 1000 % 60,
            number % 1000,
            5.0 + (number % 300) as f64 / 100.0,
            26.0 + (number % 400) as f64 / 100.0,
        );
        let index = u32::try_from(draft.envelopes.len())?;
        draft.envelopes.push(Envelope {
            source: source.clone(),
            epoch: 1,
            client_id: None,
            username: None,
            topic: Arc::from(format!("bakau/mlg-brantas-{station:03}/data")),
            payload: Bytes::from(payload),
            qos: Qos::AtLeastOnce,
            dup: false,
            retained: false,
            content_type: None,
            received_at: at,
        });
        for parameter in 0..2 {
            let observation = Observation {
                datastream: DatastreamId::new(u32::try_from(station * 2 + parameter)?),
                observed_at: at.saturating_add(-250),
                value: Some(5.0 + number as f64 / 1000.0),
                deployment: DeploymentId::new(u32::try_from(station)?),
                time_source: TimeSource::Device,
                received_at: at,
                flag: Flag::NotEvaluated,
            };
            draft.observations.push((index, observation));
        }
    }
    let key = LedgerKey { minute: start.minute(), source };
    let count = group as u64;
    draft.messages.push((key.clone(), MessageLedger { received: count, decoded: count, ..MessageLedger::default() }));
    draft.readings.push((key, ReadingCounts { decoded: 2 * count, quarantined: 0 }));
    Ok(draft)
}

/// CPU time of this thread, in nanoseconds; the spool has no thread of its own.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}
