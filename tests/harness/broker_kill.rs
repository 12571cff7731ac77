//! `kill -9` of mosquitto under load: what it had acknowledged and forgot is told apart from what Bakau was given.
//!
//! A tap on Bakau's connection is the witness. What Bakau acknowledged to mosquitto must be in the store exactly once;
//! what devices saw acknowledged and mosquitto never got acknowledged by Bakau can only have been lost in the broker.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bakau_model::UtcMillis;
use bakau_simulate::load::{self, AckLog, LoadContent, LoadPlan, Progress};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    bakau::Bakau,
    catalogue,
    checker::{self, Verdict},
    kill::{Way, expected, wait_connected},
    mosquitto::{self, Mosquitto},
    publish::{Answer, Publisher},
    tap::{Seen, Tap},
    wait,
};

const STATIONS: usize = 200;
const CONNECTIONS: u32 = 20;
const WINDOW: usize = 50;
const PATIENCE: Duration = Duration::from_secs(180);
/// 2026-01-01T00:00:00Z, so that runs are alike.
const BASE_MS: i64 = 1_767_225_600_000;
/// How long the load goes on between two kills: mosquitto tells how long it has been running every 10 s, and one that
/// is killed earlier cannot be told from the next.
const BETWEEN: Duration = Duration::from_secs(12);
/// More than any run sends: the load ends when the kills are done.
const ENOUGH: u64 = 20_000_000;

/// What was seen.
#[derive(Debug)]
pub struct BrokerKillReport {
    /// Messages that devices saw acknowledged by mosquitto.
    pub acknowledged: u64,
    /// Of these, held in the store exactly once.
    pub held: u64,
    /// Of these, never acknowledged by Bakau and not held: lost in the broker.
    pub lost_in_broker: u64,
    /// Of those, seen on the wire at all: the connection broke before Bakau had them on disk.
    pub lost_on_the_wire: u64,
    /// Acknowledged by Bakau and not held. Anything but 0 fails the drill.
    pub lost_by_bakau: u64,
    /// Messages that Bakau acknowledged to mosquitto.
    pub taken: u64,
    /// Deliveries of a message that had been delivered before; stored once all the same.
    pub repeats: u64,
    /// Rows in the store.
    pub rows: u64,
    /// Lines of the ledger, all of which balance.
    pub ledger_lines: u64,
    /// Restarts of the broker that Bakau noticed.
    pub restarts: u64,
    /// Sessions that the broker had forgotten, as Bakau tells.
    pub sessions_lost: u64,
    /// Sessions that the broker had no file to know them from.
    pub sessions_forgotten: u64,
    /// From first publish to the last check.
    pub elapsed: Duration,
}

/// The number of a load message, from its topic and payload.
fn number(topic: &[u8], payload: &[u8]) -> Option<u64> {
    let station: u64 = std::str::from_utf8(topic).ok()?.strip_prefix("bakau/beban-")?.get(..6)?.parse().ok()?;
    let time = payload.strip_prefix(b"{\"time\":\"")?;
    let end = time.iter().position(|byte| *byte == b'"')?;
    let time = UtcMillis::parse(std::str::from_utf8(&time[..end]).ok()?).ok()?;
    of(station, time.get())
}

fn of(station: u64, time: i64) -> Option<u64> {
    let round = u64::try_from(time.checked_sub(BASE_MS)?).ok()? / 1_000;
    Some(round * STATIONS as u64 + station)
}

/// Kills mosquitto `kills` times under `rate` messages per second. Before every second kill, mosquitto saves what it
/// holds, as it does by itself every half minute; before the others it has not.
///
/// # Errors
/// When Bakau lost anything it had acknowledged, stored anything twice, did not notice a restart or a lost session, or a
/// ledger line does not balance.
pub async fn run(kills: u64, rate: f64, folder: &Path) -> Result<BrokerKillReport> {
    let mut broker = Mosquitto::start(&folder.join("mosquitto")).await?;
    let address = SocketAddr::from(([127, 0, 0, 1], broker.port()));
    let tap = Tap::start(address, number).await?;
    let files = [("beban.toml", catalogue::load(STATIONS))];
    let mut bakau = Bakau::prepare(&folder.join("bakau"), &Way::Mosquitto.configuration(tap.port()), &files)?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let begun = Instant::now();
    let content = LoadContent { messages: ENOUGH, ..catalogue::content(STATIONS, BASE_MS, 1_000) };
    let plan = LoadPlan {
        broker: address,
        logins: vec![Way::Mosquitto.login()],
        connections: CONNECTIONS,
        window: WINDOW,
        rate: Some(rate),
        patience: Some(PATIENCE),
        content,
    };
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let _stop_on_error = stop.clone().drop_guard();
    let (sent, seen, ends) = (plan.clone(), Arc::clone(&progress), stop.clone());
    let running = tokio::spawn(async move { load::run(&sent, &seen, &ends).await });
    let between = (rate * BETWEEN.as_secs_f64()) as u64;
    let sessions_forgotten = kill_again_and_again(kills, between, &bakau, &mut broker, &progress).await?;
    stop.cancel();
    let acknowledged = running.await?.acknowledged;
    drained(&bakau, address).await?;
    let external = external(&bakau).await?;
    let ledger_lines = checker::check_ledger(&bakau.json("/api/v1/ledger").await?)?;
    bakau.stop()?;
    let mut report = BrokerKillReport {
        ledger_lines,
        restarts: external["restarts"].as_u64().unwrap_or(0),
        sessions_lost: external["sessions_lost"].as_u64().unwrap_or(0),
        sessions_forgotten,
        ..account(&bakau, &plan.content, &acknowledged, &tap.seen())?
    };
    report.elapsed = begun.elapsed();
    judge(kills, &report)?;
    Ok(report)
}

async fn external(bakau: &Bakau) -> Result<Value> {
    let answer = bakau.json("/api/v1/sources").await?;
    let sources = answer["sources"].as_array().context("sources are listed")?;
    let found = sources.iter().find(|source| source["name"] == "mosquitto").context("the source is listed")?;
    let mut external = found["external"].clone();
    external["connected"] = (found["state"] == "connected").into();
    external["messages"] = found["messages"].clone();
    Ok(external)
}

/// Waits until Bakau has noticed so many restarts of its broker and takes messages again.
async fn wait_again(bakau: &Bakau, restarts: u64) -> Result<()> {
    let before = external(bakau).await?["messages"].as_u64().unwrap_or(0);
    let again = async || {
        let now = external(bakau).await?;
        let taken = now["messages"].as_u64().unwrap_or(0).saturating_sub(before);
        let noticed = now["counters"] == true && now["restarts"].as_u64() == Some(restarts);
        Ok((now["connected"] == true && noticed && 1_000 < taken).then_some(()))
    };
    let what = format!("Bakau to take messages after {restarts} restarts of its broker");
    wait::until(&what, PATIENCE, again).await.with_context(|| bakau.log_tail())
}

/// Gives how often mosquitto started without any file that could tell it of Bakau's session.
async fn kill_again_and_again(
    kills: u64,
    between: u64,
    bakau: &Bakau,
    broker: &mut Mosquitto,
    progress: &Progress,
) -> Result<u64> {
    let mut forgotten = 0;
    wait_again(bakau, 0).await?;
    for turn in 1..=kills {
        let threshold = progress.acknowledged() + between;
        let reached = async || Ok((threshold <= progress.acknowledged()).then_some(()));
        wait::until("the load to go on", PATIENCE, reached).await.with_context(|| bakau.log_tail())?;
        if turn % 2 == 0 {
            broker.save().await?;
        }
        forgotten += u64::from(!broker.saved());
        broker.kill()?;
        broker.resume().await?;
        wait_again(bakau, turn).await?;
    }
    Ok(forgotten)
}

/// Publishes one more message: when it is stored, so is everything that the broker had before it.
async fn drained(bakau: &Bakau, broker: SocketAddr) -> Result<()> {
    let (username, password) = (mosquitto::USERNAME.to_owned(), mosquitto::PASSWORD.to_owned());
    let publisher = Publisher { broker, username, password };
    let last = b"{\"time\":\"2025-12-31T00:00:00Z\",\"do\":5.0,\"ph\":7.0}";
    let answer = publisher.publish(&format!("bakau/{}/data", catalogue::station(0)), last).await?;
    ensure!(answer == Answer::Acknowledged, "the last message was not acknowledged");
    let path = "/api/v1/observations?datastream=beban-000000/do&from=2025-12-30T00:00:00Z&to=2026-01-01T00:00:00Z";
    let stored = async || {
        let rows = bakau.json(path).await?["observations"].as_array().map_or(0, Vec::len);
        let waiting = bakau.json("/api/v1/ledger").await?["readings"]["waiting"].as_u64();
        Ok((rows == 1 && waiting == Some(0)).then_some(()))
    };
    wait::until("the last message to be stored", PATIENCE, stored).await.with_context(|| bakau.log_tail())
}

/// Who lost what.
fn account(bakau: &Bakau, content: &LoadContent, devices: &AckLog, wire: &Seen) -> Result<BrokerKillReport> {
    let (mut absent, mut halves, mut other) = (HashSet::new(), 0_u64, Vec::new());
    let every: HashSet<u64> = devices.iter().chain(wire.acknowledged.iter().copied()).collect();
    let values = every.iter().flat_map(|n| expected(content, *n));
    let verdict: Verdict = checker::compare(&bakau.data(""), values, |value, held| {
        let station = value.datastream.get(6..12).and_then(|digits| digits.parse().ok());
        match (held, station.and_then(|station| of(station, value.observed_at))) {
            (None, Some(n)) if absent.insert(n) => halves += 1,
            (None, Some(_)) => halves -= 1,
            _ => other.push(value),
        }
    })?;
    ensure!(other.is_empty() && halves == 0, "{halves} messages are held by half, others are wrong: {other:?}");
    ensure!(verdict.superseded == 0, "{} values were replaced", verdict.superseded);
    let lost: Vec<_> = devices.iter().filter(|n| absent.contains(n)).collect();
    let lost_by_bakau = wire.acknowledged.intersection(&absent).count() as u64;
    Ok(BrokerKillReport {
        acknowledged: devices.len(),
        held: devices.len() - lost.len() as u64,
        lost_in_broker: lost.iter().filter(|n| !wire.acknowledged.contains(n)).count() as u64,
        lost_on_the_wire: lost.iter().filter(|n| wire.handed_over.contains(n)).count() as u64,
        lost_by_bakau,
        taken: wire.acknowledged.len() as u64,
        repeats: wire.repeats,
        rows: verdict.rows,
        ledger_lines: 0,
        restarts: 0,
        sessions_lost: 0,
        sessions_forgotten: 0,
        elapsed: Duration::ZERO,
    })
}

fn judge(kills: u64, report: &BrokerKillReport) -> Result<()> {
    if report.lost_by_bakau != 0 || report.acknowledged != report.held + report.lost_in_broker {
        bail!("Bakau lost what it had acknowledged: {report:?}");
    }
    // Each message is two rows; the last one that marks the end is no message of the load.
    let rows = 2 * report.taken + 2;
    ensure!(rows <= report.rows, "fewer rows than Bakau acknowledged: {report:?}");
    ensure!(report.restarts == kills, "not every restart of the broker was noticed: {report:?}");
    ensure!(report.sessions_lost == report.sessions_forgotten, "lost sessions are not told: {report:?}");
    Ok(())
}
