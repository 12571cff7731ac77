//! Open pages against fresh ones: whatever happens, in whatever order, an open page becomes what a fresh load shows.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::{bakau::Bakau, catalogue, faketime::FakeClock, kill::Way, relay::Relay, remote::Remote};

const STATIONS: usize = 4;
/// Pages open at once in a sequence.
const PAGES: usize = 3;
const MINUTE_MS: i64 = 60_000;

/// A rule about stations that send nothing, and one whose limit has to be crossed for a while.
const RULES: &str = r#"
[[rule]]
id = "diam"
name = { id = "Tidak mengirim data", en = "Sends nothing" }
condition = "no_data"
waspada = { after_s = 1800 }
source = "test"
channels = []

[[rule]]
id = "ph-rendah"
name = { id = "Air asam", en = "Acid water" }
parameter = "ph"
direction = "below"
hold_s = 600
waspada = { raise = 6.0, clear = 6.2 }
source = "test"
channels = []
"#;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// Oxygen of a station, far enough from the value before in time to be believed.
    Oxygen(usize, f64),
    /// pH of now: as it should be, or beyond a limit that has to be crossed for a while.
    Ph(usize, f64),
    /// A value that no water can have.
    Impossible(usize),
    /// The device's last will.
    Leaves(usize),
    /// The device says that it is there.
    Returns(usize),
    /// Time passes in which nobody sends anything.
    Passes(i64),
    /// Somebody acknowledges the newest alert.
    Acknowledge,
    /// The catalogue changes.
    Apply,
    /// The server stands still.
    Stall,
    /// `kill -9`, and another process.
    Kill,
    /// The line of the browser breaks for a moment.
    Cut,
}

impl Step {
    fn random(random: &mut StdRng) -> Self {
        let station = random.random_range(0..STATIONS);
        match random.random_range(0..20) {
            0..=6 => Self::Oxygen(station, [5.0, 5.2, 3.5, 1.5, 0.2][random.random_range(0..5)]),
            7..=9 => Self::Ph(station, [7.0, 7.1, 5.0][random.random_range(0..3)]),
            10 => Self::Impossible(station),
            11 => Self::Leaves(station),
            12 => Self::Returns(station),
            13..=14 => Self::Passes([2, 5, 45][random.random_range(0..3)]),
            15 => Self::Acknowledge,
            16 => Self::Apply,
            17 => Self::Stall,
            18 => Self::Kill,
            _ => Self::Cut,
        }
    }
}

/// How hard to try.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Sequences of steps.
    pub sequences: u64,
    /// The first seed; each sequence has its own.
    pub seed: u64,
    /// Lengths of a stall, one of which is drawn.
    pub stalls: Vec<Duration>,
    /// Longest time until a page is like a fresh one.
    pub within: Duration,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Pages compared.
    pub pages: usize,
    /// From the last event until each page was like a fresh one, which takes a load itself.
    pub waits: Vec<Duration>,
}

/// Plays sequences of events before open pages.
///
/// # Errors
/// When a page does not become like a fresh one; the seed, the steps and both pages are in the message.
pub async fn run(plan: &Plan, folder: &Path) -> Result<Report> {
    let mut stage = Stage::start(folder).await?;
    let mut report = Report::default();
    for number in 0..plan.sequences {
        let seed = plan.seed + number;
        let mut random = StdRng::seed_from_u64(seed);
        let steps: Vec<Step> = (0..random.random_range(3..9)).map(|_| Step::random(&mut random)).collect();
        let played = stage.play(plan, &mut random, &steps, &mut report).await;
        played.with_context(|| format!("sequence with seed {seed}: {steps:?}\n{}", stage.bakau.log_tail()))?;
    }
    stage.bakau.stop()?;
    Ok(report)
}

struct Stage {
    bakau: Bakau,
    clock: FakeClock,
    relay: Relay,
    browser: Remote,
    applied: u32,
}

impl Stage {
    async fn start(folder: &Path) -> Result<Self> {
        let clock = FakeClock::new(folder)?;
        let mut bakau = Bakau::prepare(folder, &Way::Embedded.configuration(0), &[("uji.toml", catalogue_text(0))])?;
        bakau.environment(clock.environment()?);
        bakau.start().await?;
        let relay = Relay::start(bakau.http()?).await?;
        let mut me = Self { bakau, clock, relay, browser: Remote::start()?, applied: 0 };
        for station in 0..STATIONS - 1 {
            // The last station has never reported.
            me.step(Step::Oxygen(station, 5.0), Duration::ZERO).await?;
        }
        Ok(me)
    }

    async fn play(&mut self, plan: &Plan, random: &mut StdRng, steps: &[Step], report: &mut Report) -> Result<()> {
        let mut pages = Vec::new();
        for number in 0..PAGES {
            let (name, path) = (format!("page-{number}"), self.address(random).await?);
            self.browser.open(&name, &self.relay.url(&path))?;
            pages.push((name, path));
        }
        for step in steps {
            let stall = plan.stalls[random.random_range(0..plan.stalls.len())];
            self.step(*step, stall).await?;
        }
        let last = Instant::now();
        for (name, path) in &pages {
            self.browser.like_fresh(name, &self.relay.url(path), plan.within).await?;
            report.waits.push(last.elapsed());
            report.pages += 1;
            self.browser.ask(&json!({"command": "close", "name": name}))?;
        }
        Ok(())
    }

    /// A page of any kind, in any language.
    async fn address(&self, random: &mut StdRng) -> Result<String> {
        let station = catalogue::station(random.random_range(0..STATIONS));
        let alerts = self.bakau.json("/api/v1/alerts").await?;
        let alert = alerts["alerts"][0]["id"].as_str().map(|id| format!("/alerts/{id}"));
        let addresses = [
            "/".to_owned(),
            "/?kind=water&group=agency".to_owned(),
            format!("/stations/{station}"),
            format!("/stations/{station}?range=week"),
            "/alerts".to_owned(),
            "/alerts?all=true".to_owned(),
            alert.unwrap_or_else(|| "/".to_owned()),
            "/status".to_owned(),
            "/rules".to_owned(),
            "/?view=table&sort=name".to_owned(),
            "/?view=wall".to_owned(),
        ];
        let address = &addresses[random.random_range(0..addresses.len())];
        let join = if address.contains('?') { '&' } else { '?' };
        Ok(format!("{address}{join}lang={}", ["id", "en"][random.random_range(0..2)]))
    }

    async fn publish(&self, station: usize, part: &str, payload: &str) -> Result<()> {
        self.bakau.put(&format!("bakau/{}/{part}", catalogue::station(station)), payload).await
    }

    async fn step(&mut self, step: Step, stall: Duration) -> Result<()> {
        match step {
            Step::Oxygen(station, value) => {
                self.clock.advance(7 * MINUTE_MS)?;
                let payload = format!("{{\"time\":\"{}\",\"do\":{value}}}", self.clock.now());
                self.publish(station, "data", &payload).await
            }
            Step::Ph(station, value) => {
                self.clock.advance(4 * MINUTE_MS)?;
                let payload = format!("{{\"time\":\"{}\",\"ph\":{value}}}", self.clock.now());
                self.publish(station, "data", &payload).await
            }
            Step::Impossible(station) => {
                self.clock.advance(MINUTE_MS)?;
                let payload = format!("{{\"time\":\"{}\",\"do\":-40.0}}", self.clock.now());
                self.publish(station, "data", &payload).await
            }
            Step::Leaves(station) => self.publish(station, "status", "offline").await,
            Step::Returns(station) => self.publish(station, "status", "online").await,
            Step::Passes(minutes) => self.clock.advance(minutes * MINUTE_MS),
            Step::Acknowledge => self.acknowledge().await,
            Step::Apply => self.apply(),
            Step::Stall => {
                self.bakau.signal("STOP")?;
                // Not to wait for anything: this is what happens.
                tokio::time::sleep(stall).await;
                self.bakau.signal("CONT")
            }
            Step::Kill => {
                self.relay.cut();
                self.bakau.kill()?;
                self.bakau.start().await?;
                self.relay.mend(self.bakau.http()?);
                Ok(())
            }
            Step::Cut => {
                self.relay.cut();
                self.relay.mend(self.bakau.http()?);
                Ok(())
            }
        }
    }

    async fn acknowledge(&self) -> Result<()> {
        let alerts = self.bakau.json("/api/v1/alerts?active=true").await?;
        let rows = alerts["alerts"].as_array().context("alerts")?;
        let Some(open) = rows.iter().find(|alert| alert["acknowledged"] == false) else { return Ok(()) };
        let id = open["id"].as_str().context("an id")?;
        let post = reqwest::Client::new().post(self.bakau.url(&format!("/api/v1/alerts/{id}/acknowledge"))?);
        let post = post.bearer_auth(self.bakau.admin_token()?).json(&json!({"name": "Sari"}));
        let answer = post.send().await?;
        // What has happened meanwhile may have closed it.
        if answer.status() != reqwest::StatusCode::CONFLICT {
            answer.error_for_status()?;
        }
        Ok(())
    }

    fn apply(&mut self) -> Result<()> {
        self.applied += 1;
        let path = self.bakau.folder().join("catalogue/uji.toml");
        std::fs::write(&path, catalogue_text(self.applied))?;
        let output = self.bakau.command(&["apply".to_owned(), path.display().to_string()])?.output()?;
        if !output.status.success() {
            bail!("bakau apply failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// The catalogue after so many changes.
fn catalogue_text(changes: u32) -> String {
    let rule = catalogue::rule("do-semua", "x/do").replace("datastream = \"x/do\"", "parameter = \"do\"");
    let rule = rule.replace("channels = [\"sink\"]", "channels = []");
    let rule = rule.replace("raise = 4.0", if changes.is_multiple_of(2) { "raise = 4.0" } else { "raise = 4.1" });
    let names = catalogue::load(STATIONS).replace("\"Beban 0\"", &format!("\"Beban 0 ({changes})\""));
    names + catalogue::STATUS_ROUTE + &rule + RULES
}
