//! The mail server is away while levels are crossed: nothing is lost, everything comes once when it is back.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bakau_clock::{Clock, SystemClock};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::Way,
    publish::{Answer, Publisher},
    sink::Sink,
    smtp::{Mail, Security, Smtp},
    telegram::Telegram,
    wait,
};

/// Urgent news is tried at least every minute and a fifth, other news every five minutes and a fifth; and a mail takes a
/// moment.
const URGENT_WITHIN: Duration = Duration::from_secs(75);
const OTHERS_WITHIN: Duration = Duration::from_secs(6 * 60 + 3);
const PATIENCE: Duration = Duration::from_secs(60);
/// What the oxygen of each station does; the level of each step is told.
const FALLS: [(&[f64], &[&str]); 6] = [
    (&[5.0, 3.9, 1.5, 0.42, 5.0], &["WASPADA", "SIAGA", "AWAS", "NORMAL"]),
    (&[5.0, 3.9], &["WASPADA"]),
    (&[5.0, 3.9, 1.5, 0.42], &["WASPADA", "SIAGA", "AWAS"]),
    (&[5.0, 3.9, 5.0], &["WASPADA", "NORMAL"]),
    (&[5.0, 3.9, 1.5, 0.42, 5.0], &["WASPADA", "SIAGA", "AWAS", "NORMAL"]),
    (&[5.0, 1.5], &["SIAGA"]),
];
const PEOPLE: &str = r#"
[[person]]
id = "sari"
name = "Sari Dewi"
email = "sari@dlh.example"
telegram_chat = 4711

[[notification]]
id = "piket"
min_level = "waspada"
people = ["sari"]
channels = ["surel"]
"#;

struct House {
    bakau: Bakau,
    smtp: Smtp,
    telegram: Telegram,
    sink: Sink,
}

impl House {
    async fn open(folder: &Path) -> Result<Self> {
        let smtp = Smtp::start(&folder.join("smtp"), Security::Starttls).await?;
        let (telegram, sink) = (Telegram::start().await?, Sink::start(0).await?);
        let mut text = catalogue::load(FALLS.len()) + &smtp.channel("surel") + &telegram.channel("telegram") + PEOPLE;
        text.push_str(&catalogue::webhook(&sink.url()));
        for index in 0..FALLS.len() {
            let datastream = format!("{}/do", catalogue::station(index));
            text.push_str(&catalogue::rule(&format!("do-rendah-{index}"), &datastream));
        }
        let files = [("uji.toml", text)];
        let mut bakau = Bakau::prepare(&folder.join("bakau"), &Way::Embedded.configuration(0), &files)?;
        bakau.start().await?;
        Ok(Self { bakau, smtp, telegram, sink })
    }

    /// A station goes through its levels within some seconds.
    async fn fall(&self, station: usize) -> Result<()> {
        let (username, password) = (catalogue::DEVICE.to_owned(), catalogue::TOKEN.to_owned());
        let publisher = Publisher { broker: self.bakau.mqtt()?, username, password };
        let topic = format!("bakau/{}/data", catalogue::station(station));
        let start = SystemClock.now().saturating_add(-10_000);
        for (step, oxygen) in (0..).zip(FALLS[station].0) {
            let time = start.saturating_add(step * 1_000);
            let payload = format!("{{\"time\":\"{time}\",\"do\":{oxygen},\"ph\":7.0}}");
            ensure!(publisher.publish(&topic, payload.as_bytes()).await? == Answer::Acknowledged, "not acknowledged");
        }
        Ok(())
    }

    /// The notices by mail of all alerts: attempts made altogether, and how many wait.
    async fn notices(&self) -> Result<(u64, usize)> {
        let (mut attempts, mut waiting) = (0, 0);
        let listed = self.bakau.json("/api/v1/alerts").await?;
        for alert in listed["alerts"].as_array().context("alerts are listed")? {
            let id = alert["id"].as_str().context("an alert has an id")?;
            let alert = self.bakau.json(&format!("/api/v1/alerts/{id}")).await?;
            let notices = alert["notices"].as_array().cloned().unwrap_or_default();
            for notice in notices.iter().filter(|notice| notice["channel"] == "surel") {
                attempts += notice["attempts"].as_u64().unwrap_or(0);
                waiting += usize::from(notice["state"] == "pending");
            }
        }
        Ok((attempts, waiting))
    }

    fn escalated(&self) -> usize {
        self.telegram.calls().iter().filter(|call| call.method == "sendMessage").count()
    }
}

/// Runs the drill with a mail server that is away for so long.
///
/// # Errors
/// When a mail is lost, comes twice, in the wrong order or too late, or another channel is held up.
pub(crate) async fn drill(away: Duration) -> Result<()> {
    println!("the mail server is away for {away:?}; {} stations cross levels meanwhile", FALLS.len());
    let folder = tempfile::tempdir()?;
    let mut house = House::open(folder.path()).await?;
    let wanted: usize = FALLS.iter().map(|(_, levels)| levels.len()).sum();
    house.smtp.away().await?;
    let begun = Instant::now();
    let mut expected = 0;
    for (station, (_, levels)) in FALLS.iter().enumerate() {
        tokio::time::sleep_until((begun + away * station as u32 / FALLS.len() as u32).into()).await;
        house.fall(station).await?;
        expected += levels.len();
        let others = async || Ok((expected == house.sink.deliveries().len()).then_some(()));
        wait::until("the webhook, which is not held up", PATIENCE, others).await?;
    }
    tokio::time::sleep_until((begun + away).into()).await;
    let (attempts, waiting) = house.notices().await?;
    ensure!(house.smtp.mails().is_empty() && waiting == wanted, "{waiting} of {wanted} mails wait");
    println!("  while away: {wanted} mails waited, {attempts} attempts failed, webhook deliveries {expected}");
    println!("  told by Telegram instead after five minutes: {}", house.escalated());
    house.smtp.back().await?;
    let back = Instant::now();
    let all = async || Ok((house.notices().await?.1 == 0).then_some(()));
    let arrived = wait::until("every mail", OTHERS_WITHIN + PATIENCE, all).await;
    arrived.with_context(|| house.bakau.log_tail())?;
    judge(&house.smtp.mails(), back)?;
    println!("  attempts altogether {}", house.notices().await?.0);
    house.bakau.stop()
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
