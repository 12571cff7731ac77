//! The kill drill: `kill -9` of Bakau under load, then an independent check of what it holds.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bakau_simulate::{
    load::{self, LoadContent, LoadPlan, Progress},
    mqtt::Login,
};
use tokio_util::sync::CancellationToken;

use crate::{
    bakau::Bakau,
    catalogue,
    checker::{self, Expected, Verdict},
    mosquitto::{self, Mosquitto},
    process::free_port,
    wait,
};

/// Which way messages take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Straight to the broker inside Bakau.
    Embedded,
    /// Through mosquitto with the shipped configuration.
    Mosquitto,
}

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub struct KillPlan {
    /// Which way messages take.
    pub way: Way,
    /// How often Bakau is killed.
    pub kills: u64,
    /// How often mosquitto is stopped with SIGTERM and started again, spread between the kills.
    pub broker_restarts: u64,
    /// Messages published, two values each.
    pub messages: u64,
    /// Messages per second, so that the load outlasts the restarts; a load that is over cannot be killed under.
    pub rate: f64,
}

/// What was seen.
#[derive(Debug)]
pub struct KillReport {
    /// Messages the publishers saw acknowledged.
    pub acknowledged: u64,
    /// What the checker found.
    pub verdict: Verdict,
    /// Lines of the ledger, all of which balance.
    pub ledger_lines: u64,
    /// The longest time from a kill until Bakau said it was ready again.
    pub slowest_restart: Duration,
    /// From first publish to the last check.
    pub elapsed: Duration,
}

const STATIONS: usize = 200;
const CONNECTIONS: u32 = 20;
/// Long enough for a debug build on a busy machine; nothing is judged by it.
const PATIENCE: Duration = Duration::from_secs(180);
/// 2026-01-01T00:00:00Z, so that runs are alike.
const BASE_MS: i64 = 1_767_225_600_000;

fn load_plan(plan: &KillPlan, port: u16) -> LoadPlan {
    let content = LoadContent { messages: plan.messages, ..catalogue::content(STATIONS, BASE_MS, 1_000) };
    LoadPlan {
        broker: SocketAddr::from(([127, 0, 0, 1], port)),
        logins: vec![plan.way.login()],
        connections: CONNECTIONS,
        window: 50,
        rate: Some(plan.rate),
        patience: Some(PATIENCE),
        content,
    }
}

impl Way {
    /// `bakau.toml` for this way only, taking times of any age: the embedded broker on `port` (0 picks a free one), or the
    /// mosquitto there.
    #[must_use]
    pub fn configuration(self, port: u16) -> String {
        let head = "[http]\nlisten = \"127.0.0.1:0\"\n";
        match self {
            Self::Embedded => format!("{head}[broker]\nlisten = \"127.0.0.1:{port}\"\naccept_past_days = 20000\n"),
            Self::Mosquitto => format!(
                "{head}[broker]\nenabled = false\n[[source]]\nname = \"mosquitto\"\nhost = \"127.0.0.1\"\nport = {port}\n\
                 username = \"{}\"\npassword_env = \"{}\"\ntopics = [\"bakau/#\", \"replay/#\"]\naccept_past_days = 20000\n",
                mosquitto::USERNAME,
                mosquitto::PASSWORD_ENV,
            ),
        }
    }

    /// How publishers sign in on this way.
    #[must_use]
    pub fn login(self) -> Login {
        let (username, password) = match self {
            Self::Embedded => (catalogue::DEVICE, catalogue::TOKEN),
            Self::Mosquitto => (mosquitto::USERNAME, mosquitto::PASSWORD),
        };
        Login { username: username.to_owned(), password: bakau_model::Secret::new(password) }
    }
}

/// The two values of a message.
pub fn expected(content: &LoadContent, n: u64) -> impl Iterator<Item = Expected> {
    let message = content.message(n);
    let values = content.keys.clone().into_iter().zip(message.values);
    values.map(move |(parameter, value)| Expected {
        datastream: format!("{}/{parameter}", message.station),
        observed_at: message.observed_at.get(),
        value,
    })
}

/// Runs the drill in `folder`.
///
/// # Errors
/// When anything acknowledged is not held exactly once, a ledger line does not balance, or a part does not come back.
pub async fn run(plan: &KillPlan, folder: &Path) -> Result<KillReport> {
    let mut broker = match plan.way {
        Way::Embedded => None,
        Way::Mosquitto => Some(Mosquitto::start(&folder.join("mosquitto")).await?),
    };
    let port = broker.as_ref().map_or_else(free_port, |broker| Ok(broker.port()))?;
    let catalogue = [("beban.toml", catalogue::load(STATIONS))];
    let mut bakau = Bakau::prepare(&folder.join("bakau"), &plan.way.configuration(port), &catalogue)?;
    bakau.start().await?;
    if plan.way == Way::Mosquitto {
        // P1 begins with the session: what is published before it exists is nobody's.
        wait_connected(&bakau).await?;
    }
    let begun = Instant::now();
    let load_plan = load_plan(plan, port);
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let _stop_on_error = stop.clone().drop_guard();
    let (sent, seen) = (load_plan.clone(), Arc::clone(&progress));
    let running = tokio::spawn(async move { load::run(&sent, &seen, &stop).await });
    let slowest_restart = kill_again_and_again(plan, &mut bakau, broker.as_mut(), &progress).await?;
    let report = running.await?;
    if !report.errors.is_empty() {
        bail!("publishers gave up: {:?}\n{}", report.errors, bakau.log_tail());
    }
    let ledger_lines = wait_settled(&bakau, 2 * plan.messages).await?;
    bakau.stop()?;
    let values = report.acknowledged.iter().flat_map(|n| expected(&load_plan.content, n));
    let verdict = checker::check(&bakau.data(""), values)?;
    if verdict.rows != verdict.expected || verdict.superseded != 0 {
        bail!("the store holds other rows than were acknowledged: {verdict:?}");
    }
    let acknowledged = report.acknowledged.len();
    Ok(KillReport { acknowledged, verdict, ledger_lines, slowest_restart, elapsed: begun.elapsed() })
}

/// Waits until the client source says it is connected.
///
/// # Errors
/// When it does not within the patience.
pub async fn wait_connected(bakau: &Bakau) -> Result<()> {
    let connected = async || {
        let answer = bakau.json("/api/v1/sources").await?;
        let found = answer.to_string().contains("\"connected\"");
        Ok(found.then_some(()))
    };
    wait::until("the source to be connected", PATIENCE, connected).await
}

/// Waits until Bakau has taken messages since it was started: only then can a kill interrupt anything.
async fn wait_taking(bakau: &Bakau) -> Result<()> {
    let taking = async || {
        let text = reqwest::get(bakau.url("/metrics")?).await?.text().await?;
        let mut decoded = text
            .lines()
            .filter(|line| line.starts_with("bakau_ingest_messages_total") && line.contains("outcome=\"decoded\""));
        let taken = decoded
            .any(|line| line.rsplit(' ').next().is_some_and(|count| count.parse::<f64>().unwrap_or(0.0) > 200.0));
        Ok(taken.then_some(()))
    };
    wait::until("Bakau to take messages", PATIENCE, taking).await.with_context(|| bakau.log_tail())
}

async fn kill_again_and_again(
    plan: &KillPlan,
    bakau: &mut Bakau,
    mut broker: Option<&mut Mosquitto>,
    progress: &Progress,
) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    let turns = plan.kills + plan.broker_restarts;
    let mut restarts_left = plan.broker_restarts;
    for turn in 1..=turns {
        let threshold = plan.messages * turn / (turns + 1);
        let reached = async || Ok((threshold <= progress.acknowledged()).then_some(()));
        wait::until("the load to go on", PATIENCE, reached).await.with_context(|| bakau.log_tail())?;
        // Restarts of the broker come between kills, not after all of them.
        let its_turn = 0 < restarts_left && (turn % 2 == 0 || plan.kills == 0);
        if let Some(broker) = broker.as_deref_mut().filter(|_| its_turn) {
            restarts_left -= 1;
            broker.stop()?;
            broker.resume().await?;
        } else {
            wait_taking(bakau).await?;
            bakau.kill()?;
            let killed = Instant::now();
            bakau.start().await?;
            slowest = slowest.max(killed.elapsed());
        }
    }
    Ok(slowest)
}

/// Waits until `readings` readings are in the store and nothing waits, then checks that every ledger line balances.
///
/// # Errors
/// When the store does not catch up or a line does not balance.
pub async fn wait_settled(bakau: &Bakau, readings: u64) -> Result<u64> {
    let settled = async || {
        let ledger = bakau.json("/api/v1/ledger").await?;
        let sum = |field: &str| ledger["readings"][field].as_u64();
        let (stored, waiting) = (sum("stored").context("no sums")?, sum("waiting").context("no sums")?);
        if stored != readings || waiting != 0 {
            bail!("{stored} of {readings} readings stored, {waiting} waiting");
        }
        Ok(Some(ledger))
    };
    let ledger = wait::until("the store to hold every reading", PATIENCE, settled).await;
    checker::check_ledger(&ledger.with_context(|| bakau.log_tail())?)
}
