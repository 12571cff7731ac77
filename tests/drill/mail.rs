//! The mail server is away while levels are crossed: nothing is lost, everything comes once when it is back.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bakau_clock::{Clock, SystemClock};
use bakau_tests::{
    catalogue,
    house::House,
    sink::Sink,
    smtp::{Mail, Security},
    wait,
};

/// Urgent news is tried at least every minute and a fifth, everything else follows the first mail that gets through; and a
/// mail takes a moment.
const URGENT_WITHIN: Duration = Duration::from_secs(75);
const OTHERS_WITHIN: Duration = Duration::from_secs(78);
const PATIENCE: Duration = Duration::from_secs(60);
/// What the oxygen of each station does; the level of each step is told. The first value back is too fast a step to end an
/// alert.
const FALLS: [(&[f64], &[&str]); 6] = [
    (&[5.0, 3.9, 1.5, 0.42, 5.0, 5.0], &["WASPADA", "SIAGA", "AWAS", "NORMAL"]),
    (&[5.0, 3.9], &["WASPADA"]),
    (&[5.0, 3.9, 1.5, 0.42], &["WASPADA", "SIAGA", "AWAS"]),
    (&[5.0, 3.9, 5.0, 5.0], &["WASPADA", "NORMAL"]),
    (&[5.0, 3.9, 1.5, 0.42, 5.0, 5.0], &["WASPADA", "SIAGA", "AWAS", "NORMAL"]),
    (&[5.0, 1.5], &["SIAGA"]),
];

struct Rig {
    house: House,
    sink: Sink,
}

impl Rig {
    async fn open(folder: &Path) -> Result<Self> {
        let sink = Sink::start(0).await?;
        let mut more = catalogue::webhook(&sink.url());
        for index in 0..FALLS.len() {
            let datastream = format!("{}/do", catalogue::station(index));
            more.push_str(&catalogue::rule(&format!("do-rendah-{index}"), &datastream));
        }
        let house = House::open(folder, Security::Starttls, FALLS.len(), "[\"surel\"]", &more).await?;
        Ok(Self { house, sink })
    }

    /// A station goes through its levels within some seconds.
    async fn fall(&self, station: usize) -> Result<()> {
        let start = SystemClock.now().saturating_add(-10_000);
        for (step, oxygen) in (0..).zip(FALLS[station].0) {
            self.house.oxygen(station, start.saturating_add(step * 1_000), *oxygen).await?;
        }
        Ok(())
    }

    /// The notifications by mail of all alerts: attempts made altogether, and how many wait.
    async fn notifications(&self) -> Result<(u64, usize)> {
        let (mut attempts, mut waiting) = (0, 0);
        let listed = self.house.bakau.json("/api/v1/alerts").await?;
        for alert in listed["alerts"].as_array().context("alerts are listed")? {
            let id = alert["id"].as_str().context("an alert has an id")?;
            let alert = self.house.bakau.json(&format!("/api/v1/alerts/{id}")).await?;
            let notifications = alert["notifications"].as_array().cloned().unwrap_or_default();
            for notification in notifications.iter().filter(|notification| notification["channel"] == "surel") {
                attempts += notification["attempts"].as_u64().unwrap_or(0);
                waiting += usize::from(notification["state"] == "pending");
            }
        }
        Ok((attempts, waiting))
    }

    fn escalated(&self) -> usize {
        self.house.telegram.calls().iter().filter(|call| call.method == "sendMessage").count()
    }
}

/// Runs the drill with a mail server that is away for so long.
///
/// # Errors
/// When a mail is lost, comes twice, in the wrong order or too late, or another channel is held up.
pub(crate) async fn drill(away: Duration) -> Result<()> {
    println!("the mail server is away for {away:?}; {} stations cross levels meanwhile", FALLS.len());
    let folder = tempfile::tempdir()?;
    let mut rig = Rig::open(folder.path()).await?;
    let wanted: usize = FALLS.iter().map(|(_, levels)| levels.len()).sum();
    rig.house.smtp.away().await?;
    let begun = Instant::now();
    let mut expected = 0;
    for (station, (_, levels)) in FALLS.iter().enumerate() {
        tokio::time::sleep_until((begun + away * station as u32 / FALLS.len() as u32).into()).await;
        rig.fall(station).await?;
        expected += levels.len();
        let others = async || Ok((expected == rig.sink.deliveries().len()).then_some(()));
        wait::until("the webhook, which is not held up", PATIENCE, others).await?;
    }
    tokio::time::sleep_until((begun + away).into()).await;
    let (attempts, waiting) = rig.notifications().await?;
    ensure!(rig.house.smtp.mails().is_empty() && waiting == wanted, "{waiting} of {wanted} mails wait");
    println!("  while away: {wanted} mails waited, {attempts} attempts failed, webhook deliveries {expected}");
    println!("  told by Telegram instead after five minutes: {}", rig.escalated());
    rig.house.smtp.back().await?;
    let back = Instant::now();
    let all = async || Ok((rig.notifications().await?.1 == 0).then_some(()));
    let arrived = wait::until("every mail", OTHERS_WITHIN + PATIENCE, all).await;
    arrived.with_context(|| rig.house.bakau.log_tail())?;
    judge(&rig.house.smtp.mails(), back)?;
    println!("  attempts altogether {}", rig.notifications().await?.0);
    rig.house.bakau.stop()
}

/// Each mail once, those of a station in the order of its levels, and in time.
fn judge(mails: &[Mail], back: Instant) -> Result<()> {
    let ids: HashSet<_> = mails.iter().map(|mail| mail.header("message-id")).collect();
    let (mut slowest_urgent, mut slowest_other) = (Duration::ZERO, Duration::ZERO);
    for (station, (_, wanted)) in FALLS.iter().enumerate() {
        let name = format!("Beban {station}");
        let of_station: Vec<_> = mails.iter().filter(|mail| mail.header("subject").contains(&name)).collect();
        let words = of_station.iter().map(|mail| mail.header("subject").trim_start_matches('['));
        let levels: Vec<_> = words.filter_map(|subject| subject.split([']', ',']).next()).collect();
        ensure!(levels == *wanted, "{name} was told as {levels:?} instead of {wanted:?}");
        let last = of_station.iter().map(|mail| mail.at.duration_since(back)).max().unwrap_or_default();
        let urgent = wanted.iter().any(|level| ["SIAGA", "AWAS"].contains(level));
        let slowest = if urgent { &mut slowest_urgent } else { &mut slowest_other };
        *slowest = last.max(*slowest);
    }
    println!("  after its return: {} mails, {} of them twice", mails.len(), mails.len() - ids.len());
    println!("  the last of an alert with siaga or awas after {slowest_urgent:.1?} (bound {URGENT_WITHIN:?})");
    println!("  the last of any other after {slowest_other:.1?} (bound {OTHERS_WITHIN:?})");
    ensure!(ids.len() == mails.len(), "a mail came twice");
    ensure!(slowest_urgent <= URGENT_WITHIN && slowest_other <= OTHERS_WITHIN, "too late");
    Ok(())
}
