//! InfluxDB 2 as the store: a real influxd behind the whole line.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_simulate::load::{self, LoadContent, LoadPlan, Progress};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    influx::{self, BUCKET, Influx},
    kill::{Way, wait_connected, wait_settled},
    mosquitto::Mosquitto,
    publish::Publisher,
    series::{Series, estuary, jfk, outcome},
    sink::Sink,
    wait,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(120);
const STATIONS: usize = 20;

/// influxd, mosquitto, a webhook and Bakau.
struct House {
    influx: Influx,
    broker: Mosquitto,
    sink: Sink,
    bakau: Bakau,
}

/// Alarms when the store takes nothing for a second.
const STORE_RULE: &str = r#"
[[rule]]
id = "penyimpanan"
name = { id = "Penyimpanan", en = "Store" }
condition = "store_down"
source = "test"
channels = ["sink"]
[rule.siaga]
after_s = 1
"#;

impl House {
    async fn open(folder: &Path) -> Result<Self> {
        let influx = Influx::start(&folder.join("influx")).await?;
        let broker = Mosquitto::start(&folder.join("mosquitto")).await?;
        let sink = Sink::start(0).await?;
        let configuration = Way::Mosquitto.configuration(broker.port()) + &influx.section("influx");
        let rules = catalogue::rule_with_webhook("beban-000000/do", &sink.url()) + STORE_RULE;
        let files = [("uji.toml", catalogue::load(STATIONS) + &rules)];
        let bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &files)?;
        Ok(Self { influx, broker, sink, bakau })
    }

    async fn start(&mut self) -> Result<()> {
        self.bakau.start().await?;
        wait_connected(&self.bakau).await
    }

    /// Messages of two values each, published while `meanwhile` goes on.
    fn load(&self, messages: u64, progress: &Arc<Progress>) -> tokio::task::JoinHandle<load::LoadReport> {
        let content = catalogue::content(STATIONS, 1_767_225_600_000, 1_000);
        let plan = LoadPlan {
            broker: SocketAddr::from(([127, 0, 0, 1], self.broker.port())),
            logins: vec![Way::Mosquitto.login()],
            connections: 4,
            window: 50,
            rate: Some(500.0),
            patience: Some(PATIENCE),
            content: LoadContent { messages, ..content },
        };
        let progress = Arc::clone(progress);
        tokio::spawn(async move { load::run(&plan, &progress, &CancellationToken::new()).await })
    }

    async fn publish(&self, observed_at: i64, oxygen: f64) -> Result<()> {
        let payload = catalogue::oxygen(UtcMillis::new(observed_at), oxygen);
        Publisher::at(&self.broker).put("bakau/beban-000000/data", payload).await
    }

    /// Waits for a message of a rule at a level.
    async fn told(&self, rule: &str, level: &str) -> Result<Value> {
        let told = async || {
            let of = |body: &Value| body["rule"]["id"] == rule && body["level"] == level;
            Ok(self.sink.deliveries().into_iter().map(|delivery| delivery.body).rfind(of))
        };
        let what = format!("{rule} at {level}");
        wait::until(&what, PATIENCE, told)
            .await
            .with_context(|| format!("{:?}\n{}", self.sink.deliveries(), self.bakau.log_tail()))
    }

    /// Waits until the status tells a failure of the store by its key; gives the words for the store.
    async fn failing(&self, key: &str) -> Result<String> {
        let told = async || {
            let status = self.bakau.json("/api/v1/status?lang=en").await?;
            let error = &status["store"]["last_error"];
            let found = error["present"] == true && error["key"] == key;
            let check = || status["checks"].as_array().into_iter().flatten().find(|check| check["check"] == "store");
            Ok(found.then(|| check().map(|check| check["reasons"].to_string()).unwrap_or_default()))
        };
        wait::until(&format!("the store to say '{key}'"), PATIENCE, told).await.with_context(|| self.bakau.log_tail())
    }
}

/// The same counts, sums, daily means and episodes with both stores, and as the file has them.
async fn equal_in_both_stores(series: &Series) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(folder.path()).await?;
    let held = outcome(series, &[], &influx.section("influx")).await?;
    let own = outcome(series, &[], "").await?;
    assert!(held.days.iter().all(|days| 25 < days.lines().count()), "{:?}", held.days);
    assert_eq!(held, own);
    let mut counted = 0;
    for days in &held.days {
        let mut days = csv::Reader::from_reader(days.as_bytes());
        let column = days.headers()?.iter().position(|name| name == "count").context("days have a count")?;
        for day in days.records() {
            counted += day?[column].parse::<i64>()?;
        }
    }
    let parameters: Vec<_> = series.columns.iter().map(|(_, parameter, ..)| *parameter).collect();
    let found = influx.count_usable(&parameters, series.from, series.to).await?;
    assert_eq!((counted, 0 < counted), (found, true), "days are made of other values than InfluxDB has");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_weather_in_influxdb_gives_what_the_own_store_gives() -> Result<()> {
    equal_in_both_stores(&jfk()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data"]
async fn a_year_of_the_estuary_in_influxdb_gives_what_the_own_store_gives() -> Result<()> {
    let series = Series { from: "2012-01-01T00:00:00Z", to: "2013-01-01T00:00:00Z", ..estuary() };
    equal_in_both_stores(&series).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_influxd_is_away_alerts_go_on_the_officer_is_told_and_nothing_is_lost() -> Result<()> {
    const MESSAGES: u64 = 4_000;
    let folder = tempfile::tempdir()?;
    let mut house = House::open(folder.path()).await?;
    house.start().await?;
    let progress = Arc::new(Progress::default());
    let load = house.load(MESSAGES, &progress);
    let written = async || {
        let status = house.bakau.json("/api/v1/status").await?;
        Ok((!status["store"]["last_write_at"].is_null() && 200 < progress.acknowledged()).then_some(()))
    };
    wait::until("writes under load", PATIENCE, written).await.with_context(|| house.bakau.log_tail())?;
    house.influx.kill()?;

    let said = house.failing("unavailable").await?;
    assert!(said.contains("waits in the data queue"), "{said}");
    house.told("penyimpanan", "siaga").await?;
    let now = SystemClock.now().get();
    house.publish(now, 0.3).await?;
    house.told("do-rendah", "awas").await?;
    let behind = house.bakau.json("/api/v1/status").await?["store"]["behind_batches"].as_u64();
    assert!(0 < behind.context("the backlog is told")?, "the alarm came while nothing waited for the store");

    house.influx.resume().await?;
    house.told("penyimpanan", "normal").await?;
    let report = load.await?;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    wait_settled(&house.bakau, 2 * MESSAGES + 2).await?;
    house.bakau.stop()?;
    let verified = house.bakau.command(&["verify".to_owned()])?.output()?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_away_is_told_in_words_and_with_a_new_one_nothing_is_missing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = House::open(folder.path()).await?;
    let token = house.influx.make_token(&["read", "write"]).await?;
    house.bakau.use_influx_token(&token.secret);
    house.start().await?;
    let start = SystemClock.now().get() - 60_000;
    house.publish(start, 5.0).await?;
    wait_settled(&house.bakau, 2).await?;

    house.influx.set_active(&token, false).await?;
    house.publish(start + 10_000, 5.1).await?;
    let said = house.failing("right").await?;
    assert!(said.contains("The token may not write into the bucket"), "{said}");
    house.influx.set_active(&token, true).await?;
    wait_settled(&house.bakau, 4).await?;

    house.influx.revoke(&token).await?;
    house.publish(start + 20_000, 5.2).await?;
    let said = house.failing("token").await?;
    assert!(said.contains("does not accept the token"), "{said}");
    house.bakau.stop()?;
    let token = house.influx.make_token(&["read", "write"]).await?;
    house.bakau.use_influx_token(&token.secret);
    house.start().await?;
    wait_settled(&house.bakau, 6).await?;
    let status = house.bakau.json("/api/v1/status").await?;
    assert_eq!((&status["store"]["kind"], &status["store"]["last_error"]), (&Value::from("influx"), &Value::Null));
    let log = house.bakau.log_tail();
    assert!(!log.contains(&token.secret), "a token is in the log:\n{log}");
    house.bakau.stop()
}

/// Runs `bakau store init`: whether it succeeded, and what it wrote to standard output and standard error.
fn init(bakau: &Bakau, more: &[&str]) -> Result<(bool, String, String)> {
    let arguments = ["--lang", "en", "store", "init"].iter().chain(more).map(|text| (*text).to_owned());
    let mut command = bakau.command(&arguments.collect::<Vec<_>>())?;
    let output = command.env("BAKAU_TEST_ADMIN", influx::ADMIN_TOKEN).output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((output.status.success(), text(output.stdout), text(output.stderr)))
}

const ADMIN: [&str; 2] = ["--admin-token-env", "BAKAU_TEST_ADMIN"];

#[tokio::test(flavor = "multi_thread")]
async fn store_init_makes_bucket_and_token_once_and_says_so() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(&folder.path().join("influx")).await?;
    // More buckets than a list shows, so that ours is beyond its end.
    for n in 0..22 {
        influx.make_bucket(&format!("a{n}")).await?;
    }
    let section = influx.section("influx").replace(&format!("\"{BUCKET}\""), "\"zona-baru\"");
    let mut bakau = Bakau::prepare(&folder.path().join("bakau"), &section, &[])?;
    bakau.use_influx_token("salah");
    let (done, _, said) = init(&bakau, &[])?;
    assert!(!done && said.contains("InfluxDB answers 401"), "{said}");
    let (done, line, said) = init(&bakau, &ADMIN)?;
    assert!(done && said.contains("Bucket zona-baru was made"), "{said}");
    let token = line.trim().strip_prefix("BAKAU_TEST_INFLUX_TOKEN=").context("a line for the environment")?;
    assert!(!said.contains(token), "{said}");
    bakau.use_influx_token(token);
    for more in [&ADMIN[..], &[]] {
        let (done, line, said) = init(&bakau, more)?;
        assert!(done && line.is_empty() && said.contains("is there"), "{line}{said}");
        assert!(said.contains("The token may read and write bucket zona-baru"), "{said}");
    }
    let mapping = serde_json::json!({
        "bucketID": influx.make_bucket("lain").await?, "orgID": influx.org_id().await?, "database": "zona-baru",
        "retention_policy": "autogen", "default": true,
    });
    let mapping = influx.ask(reqwest::Method::POST, "/api/v2/dbrps", Some(&mapping)).await?;
    let number = mapping["id"].as_str().context("a mapping has an id")?;
    for (more, shown) in [(&ADMIN[..], number), (&[], "-")] {
        let (done, _, said) = init(&bakau, more)?;
        assert!(!done && said.contains(&format!("leads to another bucket (mapping {shown},")), "{said}");
    }
    let gone = format!("/api/v2/dbrps/{number}?org={}", influx::ORG);
    influx.ask(reqwest::Method::DELETE, &gone, None).await?;
    assert!(init(&bakau, &[])?.0);
    bakau.configure(&influx.section("influx"))?;
    let (done, _, said) = init(&bakau, &[])?;
    assert!(!done && said.contains("may not see it"), "the new token opens another bucket: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_a_file_of_its_own_is_made_there_shown_to_nobody_and_used() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir()?;
    let mut house = House::open(folder.path()).await?;
    house.bakau.use_influx_token("salah");
    let path = folder.path().join("influx-token");
    let named = format!("token_file = '{}'\nconnect_timeout_s = 5\ntimeout_s = 60", path.display());
    let section = house.influx.section("influx").replace(&format!("token_env = \"{}\"", influx::TOKEN_ENV), &named);
    house.bakau.configure(&(Way::Mosquitto.configuration(house.broker.port()) + &section))?;
    let check = house.bakau.command(&["check", "--lang", "en"].map(str::to_owned))?.output()?;
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(!check.status.success() && said.contains("cannot read token_file"), "{said}");

    let (done, line, said) = init(&house.bakau, &ADMIN)?;
    assert!(done && line.is_empty() && said.contains("It is in"), "{line}{said}");
    let token = std::fs::read_to_string(&path)?;
    let token = token.trim();
    assert!(80 < token.len() && !said.contains(token), "{said}");
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    let (done, _, said) = init(&house.bakau, &ADMIN)?;
    assert!(done && said.contains("Nothing needs to change"), "{said}");
    assert_eq!(std::fs::read_to_string(&path)?.trim(), token);

    assert!(house.bakau.command(&["check".to_owned()])?.output()?.status.success());
    house.start().await?;
    house.publish(SystemClock.now().get() - 60_000, 5.0).await?;
    wait_settled(&house.bakau, 2).await?;
    let log = house.bakau.log_tail();
    assert!(!log.contains(token), "a token is in the log:\n{log}");
    house.bakau.stop()?;

    std::fs::write(&path, "something of\nsomebody else")?;
    let (done, _, said) = init(&house.bakau, &ADMIN)?;
    assert!(!done && said.contains("must hold a token and nothing else"), "{said}");
    assert_eq!(std::fs::read_to_string(&path)?, "something of\nsomebody else");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_influxd_that_is_stopped_keeps_what_it_has_and_one_that_was_killed_was_not_stopped() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut influx = Influx::start(folder.path()).await?;
    influx.write(BUCKET, "x v=1 1").await?;
    influx.stop()?;
    influx.resume().await?;
    let found = influx.query(&format!("from(bucket: \"{BUCKET}\") |> range(start: 0)")).await?;
    assert!(found.contains(",v,x"), "{found}");
    let id = influx.id()?.to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &id]).status()?.success());
    let error = influx.stop().unwrap_err().to_string();
    assert!(error.contains("signal: 9"), "{error}");
    Ok(())
}
