//! Pages that stay open, in a real Chromium: whatever happens to the line or to Bakau, they show what a fresh load shows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bakau_clock::{Clock as _, SystemClock};
use bakau_tests::{bakau::Bakau, catalogue, device::Device, kill::Way, relay::Relay, remote::Remote, wait};
use serde_json::json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const STATIONS: usize = 3;

/// The page of each kind that shows levels.
const PAGES: [(&str, &str); 4] = [
    ("ikhtisar", "/?lang=id"),
    ("overview", "/?lang=en"),
    ("station", "/stations/beban-000000?lang=id"),
    ("alerts", "/alerts?lang=en"),
];

/// Bakau, and a browser with pages open that reach it by a line of its own.
struct Open {
    bakau: Bakau,
    relay: Relay,
    browser: Remote,
    pages: Vec<(String, String)>,
    _folder: TempDir,
}

impl Open {
    /// Three stations with good oxygen, a rule on the parameter of all of them, and every page open.
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let rule = catalogue::rule("do-semua", "x/do").replace("datastream = \"x/do\"", "parameter = \"do\"");
        let rule = rule.replace("channels = [\"sink\"]", "channels = []");
        let files = [("uji.toml", catalogue::load(STATIONS) + catalogue::STATUS_ROUTE + &rule)];
        let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
        bakau.start().await?;
        let relay = Relay::start(bakau.http()?).await?;
        let mut me = Self { bakau, relay, browser: Remote::start()?, pages: Vec::new(), _folder: folder };
        for station in 0..STATIONS {
            me.oxygen(station, 120, 5.0).await?;
            me.alive(station).await?;
        }
        me.known("every value", async |bakau| {
            let latest = bakau.json("/api/v1/latest").await?;
            Ok(latest["latest"].as_array().is_some_and(|rows| rows.len() == 2 * STATIONS))
        })
        .await?;
        for (name, path) in PAGES {
            me.open(name, path)?;
        }
        Ok(me)
    }

    fn open(&mut self, name: &str, path: &str) -> Result<()> {
        self.browser.open(name, &self.relay.url(path))?;
        self.pages.push((name.to_owned(), path.to_owned()));
        Ok(())
    }

    async fn publish(&self, topic: &str, payload: &str) -> Result<()> {
        self.bakau.put(topic, payload).await
    }

    /// A value of oxygen; far enough apart in time, any change is believed.
    async fn oxygen(&self, station: usize, minutes_ago: i64, value: f64) -> Result<()> {
        let at = SystemClock.now().saturating_add(-minutes_ago * 60_000);
        let topic = format!("bakau/{}/data", catalogue::station(station));
        self.publish(&topic, &format!("{{\"time\":\"{at}\",\"do\":{value}}}")).await
    }

    /// A value of now, which is about nothing but that the station lives.
    async fn alive(&self, station: usize) -> Result<()> {
        let topic = format!("bakau/{}/data", catalogue::station(station));
        self.publish(&topic, &format!("{{\"time\":\"{}\",\"ph\":7.0}}", SystemClock.now())).await
    }

    async fn known(&self, what: &str, condition: impl AsyncFn(&Bakau) -> Result<bool>) -> Result<()> {
        wait::until(what, PATIENCE, async || Ok(condition(&self.bakau).await?.then_some(()))).await
    }

    /// Acknowledges the newest alert, by the API.
    async fn acknowledge(&self) -> Result<()> {
        let alerts = self.bakau.json("/api/v1/alerts?active=true").await?;
        let id = alerts["alerts"][0]["id"].as_str().context("an id")?.to_owned();
        let post = reqwest::Client::new().post(self.bakau.url(&format!("/api/v1/alerts/{id}/acknowledge"))?);
        let post = post.bearer_auth(self.bakau.admin_token()?).json(&json!({"name": "Sari"}));
        post.send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until Bakau itself has these levels, station by station.
    async fn levels(&self, expected: [&str; STATIONS]) -> Result<()> {
        self.known("the levels", async |bakau| {
            let alerts = bakau.json("/api/v1/alerts?active=true").await?;
            let alerts = alerts["alerts"].as_array().context("alerts")?;
            let level = |station: usize| {
                let id = catalogue::station(station);
                alerts
                    .iter()
                    .find(|alert| alert["station"] == id)
                    .map_or("normal", |alert| alert["level"].as_str().unwrap_or("?"))
            };
            Ok((0..STATIONS).all(|station| level(station) == expected[station]))
        })
        .await
    }

    /// Waits until every open page shows what a fresh load of it shows.
    async fn like_fresh(&mut self, after: &str) -> Result<()> {
        for (name, path) in self.pages.clone() {
            let waited = self.browser.like_fresh(&name, &self.relay.url(&path), PATIENCE).await;
            waited.with_context(|| format!("{name}, after {after}"))?;
        }
        Ok(())
    }

    fn says(&mut self, expected: [(&str, &str); STATIONS]) -> Result<()> {
        let shown = self.browser.stations("overview")?;
        let shown: Vec<_> = shown.iter().map(|(level, fresh)| (level.as_str(), fresh.as_str())).collect();
        ensure!(shown == expected, "the overview says {shown:?}, not {expected:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_shows_the_levels_of_a_fresh_one_whatever_broke_in_between() -> Result<()> {
    let mut open = Open::start().await?;
    open.like_fresh("opening").await?;
    open.says([("normal", "live"), ("normal", "live"), ("normal", "live")])?;

    // While the line is up, by a rule on the parameter.
    open.oxygen(0, 90, 1.5).await?;
    open.levels(["siaga", "normal", "normal"]).await?;
    open.like_fresh("an alert").await?;
    open.says([("siaga", "live"), ("normal", "live"), ("normal", "live")])?;

    // Somebody acknowledges it, and the overview says so.
    open.acknowledge().await?;
    open.like_fresh("an acknowledgement").await?;
    let marks =
        open.browser.ask(&json!({"command": "count", "name": "overview", "selector": ".hand:not([hidden])"}))?;
    ensure!(marks["count"] == 1, "nobody has it: {marks}");

    // A line that is cut: one station alarms, another one ends.
    open.relay.cut();
    open.oxygen(0, 60, 5.0).await?;
    open.oxygen(2, 60, 3.5).await?;
    open.levels(["normal", "normal", "waspada"]).await?;
    open.relay.mend(open.bakau.http()?);
    open.like_fresh("a cut line").await?;
    open.says([("normal", "live"), ("normal", "live"), ("waspada", "live")])?;

    // kill -9, and another process that knows nothing of the events before.
    open.relay.cut();
    open.bakau.kill()?;
    open.bakau.start().await?;
    open.oxygen(1, 30, 0.2).await?;
    open.oxygen(2, 30, 5.0).await?;
    open.levels(["normal", "awas", "normal"]).await?;
    open.relay.mend(open.bakau.http()?);
    open.like_fresh("a restart").await?;
    open.says([("normal", "live"), ("awas", "live"), ("normal", "live")])?;

    // A stall: the server stands still while the pages believe that 50 s pass.
    open.bakau.signal("STOP")?;
    for (name, _) in PAGES {
        open.browser.ask(&json!({"command": "sleep", "name": name, "ms": 50_000}))?;
        open.browser.ask(&json!({"command": "disconnected", "name": name}))?;
    }
    open.bakau.signal("CONT")?;
    open.oxygen(0, 15, 3.5).await?;
    open.oxygen(1, 15, 5.0).await?;
    open.levels(["waspada", "normal", "normal"]).await?;
    open.like_fresh("a stall").await?;
    open.says([("waspada", "live"), ("normal", "live"), ("normal", "live")])?;
    open.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_gone_by_its_last_will_is_not_shown_live() -> Result<()> {
    let mut open = Open::start().await?;
    let will = format!("bakau/{}/status", catalogue::station(0));
    let away = async |bakau: &Bakau| {
        let station = bakau.json("/api/v1/stations/beban-000000").await?;
        Ok(station["status"]["state"] == "offline")
    };
    let device = Device::start(&open.bakau.device()?, &will);
    wait::until("the device", PATIENCE, async || Ok((0 < device.connections()).then_some(()))).await?;
    drop(device);
    open.known("the last will", away).await?;
    open.like_fresh("a last will").await?;
    open.says([("none", "offline"), ("normal", "live"), ("normal", "live")])?;

    // A page that comes back gets every value of before once more; none of them brings the device back.
    open.relay.cut();
    open.alive(1).await?;
    open.relay.mend(open.bakau.http()?);
    open.like_fresh("coming back").await?;
    open.says([("none", "offline"), ("normal", "live"), ("normal", "live")])?;

    // A value does, and a last will after it, with no word in between, takes it away again.
    open.alive(0).await?;
    open.known("the value", async |bakau| Ok(!away(bakau).await?)).await?;
    open.like_fresh("a value").await?;
    open.says([("normal", "live"), ("normal", "live"), ("normal", "live")])?;
    open.publish(&will, "offline").await?;
    open.known("the second will", away).await?;
    open.like_fresh("a second will").await?;
    open.says([("none", "offline"), ("normal", "live"), ("normal", "live")])?;
    open.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_alert_follows_it_and_keeps_what_somebody_is_typing() -> Result<()> {
    let mut open = Open::start().await?;
    open.oxygen(0, 90, 3.5).await?;
    open.levels(["waspada", "normal", "normal"]).await?;
    let alerts = open.bakau.json("/api/v1/alerts?active=true").await?;
    let id = alerts["alerts"][0]["id"].as_str().context("an id")?.to_owned();
    open.open("alert", &format!("/alerts/{id}?lang=id"))?;
    open.browser.ask(&json!({"command": "type", "name": "alert", "field": "note", "text": "menuju lokasi"}))?;
    let button = "main form button";
    open.browser.ask(&json!({"command": "focus", "name": "alert", "selector": button}))?;
    open.oxygen(0, 60, 1.5).await?;
    open.levels(["siaga", "normal", "normal"]).await?;
    open.like_fresh("a rise").await?;
    let typed = open.browser.ask(&json!({"command": "typed", "name": "alert", "field": "note"}))?;
    ensure!(typed["text"] == "menuju lokasi", "{typed}");
    let focused = open.browser.ask(&json!({"command": "focused", "name": "alert", "selector": button}))?;
    ensure!(focused["focused"] == true, "somebody at the keyboard would press Enter on nothing");
    let level = open.browser.ask(&json!({"command": "typed", "name": "alert", "field": "level"}));
    ensure!(level.is_err() || level.is_ok_and(|level| level["text"] == "siaga"), "the form is about the level shown");
    open.bakau.stop()
}
