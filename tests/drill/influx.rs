//! InfluxDB away, killed, without disk, without a valid token, under load: nothing is lost and alerts do not notice.
//!
//! The checker asks influxd itself and compares with what was published; Bakau's own books are compared afterwards.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bakau_clock::{Clock, SystemClock};
use bakau_simulate::load::{self, LoadContent, LoadPlan, LoadReport, Progress};
use bakau_tests::{
    bakau::Bakau,
    catalogue, checker,
    disk::SmallDisk,
    influx::{BUCKET, Influx, Token},
    kill::{Way, expected, wait_connected},
    metrics::{self, counter, p99_ms},
    mosquitto::Mosquitto,
    sink::Sink,
    wait,
};
use tokio_util::sync::CancellationToken;

const RATE: f64 = 5_000.0;
const STATIONS: usize = 200;
/// Stations that go up and down over the limit of a rule.
const CROSSING: usize = 10;
const CONNECTIONS: u32 = 20;
const WINDOW: usize = 50;
const KILLS: u32 = 8;
/// Measured before, and once everything is drained.
const QUIET: Duration = Duration::from_secs(15);
/// Between two faults.
const BETWEEN: Duration = Duration::from_secs(3);
/// How long the disk is full and the token invalid.
const FAULT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(300);
/// Room for the whole drill in influxd's files.
const DISK_MEBIBYTES: u32 = 1_024;
/// How the status says that writes do not get through, in English.
const AWAY: &str = "does not answer";
const DECISIONS: &str = "bakau_alerts_decision_seconds";

struct House {
    bakau: Bakau,
    influx: Influx,
    token: Token,
    disk: Option<SmallDisk>,
    /// Run as long as this lives.
    _parts: (Mosquitto, Sink),
}

/// A load that goes on while things break.
struct Load {
    content: LoadContent,
    progress: Arc<Progress>,
    running: tokio::task::JoinHandle<LoadReport>,
}

impl House {
    async fn open(folder: &Path) -> Result<(Self, u16)> {
        let files = folder.join("influx");
        let disk = match SmallDisk::mount(&files, DISK_MEBIBYTES) {
            Ok(disk) => Some(disk),
            Err(error) => {
                println!("  left out: the full disk ({error:#})");
                None
            }
        };
        let influx = Influx::start(&files).await?;
        let token = influx.make_token(&["read", "write"]).await?;
        let broker = Mosquitto::start(&folder.join("mosquitto")).await?;
        let sink = Sink::start(0).await?;
        let mut text = catalogue::load(STATIONS) + &catalogue::webhook(&sink.url());
        text.extend((0..CROSSING).map(|index| catalogue::load_rule(index, true)));
        let configuration = Way::Mosquitto.configuration(broker.port()) + &influx.section("influx");
        let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &[("beban.toml", text)])?;
        bakau.use_influx_token(&token.secret);
        bakau.start().await?;
        wait_connected(&bakau).await?;
        let port = broker.port();
        Ok((Self { bakau, influx, token, disk, _parts: (broker, sink) }, port))
    }

    /// Waits for a state and prints how `bakau status` says it.
    async fn shown(&self, what: &str, words: &[&str]) -> Result<()> {
        let said = async || {
            let arguments = ["status", "--lang", "en", "--url", &self.bakau.url("")?].map(str::to_owned);
            let output = self.bakau.command(&arguments)?.output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(words.iter().any(|word| text.contains(word)).then_some(text))
        };
        let text = wait::until(&format!("bakau status to say one of {words:?}"), PATIENCE, said).await;
        let text = text.with_context(|| self.bakau.log_tail())?;
        println!("  {what}; bakau status:");
        let told = |line: &&str| line.starts_with("Store") || words.iter().any(|word| line.contains(word));
        text.lines().filter(told).for_each(|line| println!("    {line}"));
        Ok(())
    }

    /// Messages that are taken and not stored yet.
    async fn backlog(&self) -> Result<f64> {
        let text = metrics::text(&self.bakau).await?;
        let taken = counter(&text, "bakau_ingest_messages_total", "outcome=\"decoded\"");
        Ok(taken - counter(&text, "bakau_store_rows_total", "") / 2.0)
    }

    async fn drained(&self) -> Result<()> {
        let drained = async || Ok((self.backlog().await? < RATE).then_some(()));
        wait::until("the backlog to be drained", PATIENCE, drained).await.with_context(|| self.bakau.log_tail())
    }

    /// How late decisions are while something goes on.
    async fn decisions(&self, when: &str, before: &str) -> Result<String> {
        let after = metrics::text(&self.bakau).await?;
        let (p99, count) = p99_ms(before, &after, DECISIONS).with_context(|| format!("no decisions {when}"))?;
        println!("  packet to outbox row {when}: p99 {p99:.0} ms (edge of the bucket), {count} decisions");
        Ok(after)
    }

    /// The server is away for a while; then the backlog is drained while messages go on arriving.
    async fn away(&mut self, away: Duration) -> Result<()> {
        let before = metrics::text(&self.bakau).await?;
        tokio::time::sleep(QUIET).await;
        let before = self.decisions("before", &before).await?;
        self.influx.kill()?;
        let gone = Instant::now();
        self.shown("influxd is away", &[AWAY]).await?;
        tokio::time::sleep(away.saturating_sub(gone.elapsed())).await;
        let during = self.decisions("while it is away", &before).await?;
        self.influx.resume().await?;
        let (backlog, stored, back) = (self.backlog().await?, self.stored().await?, Instant::now());
        self.drained().await?;
        let (seconds, stored) = (back.elapsed().as_secs_f64(), self.stored().await? - stored);
        let times = stored / seconds / RATE;
        println!(
            "  away for {away:?}: {backlog:.0} messages waited, stored at {times:.1} x the rate of arrival in {seconds:.1} s"
        );
        let after = self.decisions("while it is drained", &during).await?;
        tokio::time::sleep(QUIET).await;
        self.decisions("after", &after).await.map(drop)
    }

    /// Messages stored so far.
    async fn stored(&self) -> Result<f64> {
        Ok(counter(&metrics::text(&self.bakau).await?, "bakau_store_rows_total", "") / 2.0)
    }

    async fn killed(&mut self) -> Result<()> {
        for _ in 0..KILLS {
            tokio::time::sleep(BETWEEN).await;
            // Only a write that is under way can be cut.
            let stored = self.stored().await?;
            let writes = async || Ok((stored < self.stored().await?).then_some(()));
            wait::until("a write", PATIENCE, writes).await?;
            self.influx.kill()?;
            self.influx.resume().await?;
        }
        self.drained().await?;
        println!("  {KILLS} x kill -9 of influxd, drained again");
        Ok(())
    }

    async fn without_disk(&mut self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let filler = disk.fill()?;
        self.shown("its disk is full", &[AWAY, "is full", "no room"]).await?;
        tokio::time::sleep(FAULT).await;
        fs::remove_file(filler)?;
        // A full disk leaves influxd unable to write until it is started again, as Bakau tells its administrator.
        self.influx.kill()?;
        self.influx.resume().await?;
        self.drained().await?;
        println!("  room again and started again, drained");
        Ok(())
    }

    async fn without_token(&self) -> Result<()> {
        self.influx.set_active(&self.token, false).await?;
        self.shown("its token is revoked", &["does not accept the token"]).await?;
        tokio::time::sleep(FAULT).await;
        self.influx.set_active(&self.token, true).await?;
        self.drained().await?;
        println!("  the token is valid again, drained");
        Ok(())
    }

    /// Waits until everything is stored, then compares what influxd has with what was published.
    async fn check(&self, content: &LoadContent) -> Result<()> {
        let all = 2 * content.messages;
        let settled = async || {
            let ledger = self.bakau.json("/api/v1/ledger").await?;
            let sum = |field: &str| ledger["readings"][field].as_u64();
            let done = sum("waiting") == Some(0) && Some(all) <= sum("stored");
            Ok(done.then_some(ledger))
        };
        let ledger = wait::until("the store to hold everything", PATIENCE, settled).await;
        let ledger = ledger.with_context(|| self.bakau.log_tail())?;
        let lines = checker::check_ledger(&ledger)?;
        for outcome in ["corrected", "ignored_missing", "quarantined"] {
            ensure!(ledger["readings"][outcome] == 0, "{outcome} readings: {}", ledger["readings"]);
        }
        ensure!(ledger["readings"]["stored"] == all, "not every reading is stored once: {}", ledger["readings"]);
        let mut wanted: BTreeMap<String, (u64, f64)> = BTreeMap::new();
        for value in (0..content.messages).flat_map(|n| expected(content, n)) {
            let series = wanted.entry(value.datastream).or_default();
            *series = (series.0 + 1, series.1 + value.value);
        }
        let (counts, sums) = (self.ask("count").await?, self.ask("sum").await?);
        ensure!(counts.len() == wanted.len(), "{} series instead of {}", counts.len(), wanted.len());
        for (series, (count, sum)) in &wanted {
            let (found, total) = (counts.get(series), sums.get(series).copied().unwrap_or(f64::NAN));
            // The order of adding differs: some last bits of up to millions of hundredths.
            let equal = found == Some(&(*count as f64)) && (total - sum).abs() < 1e-6 * sum;
            ensure!(equal, "{series}: {found:?} values with sum {total}, published {count} with sum {sum}");
        }
        println!("  influxd has {all} values of {} series, each once; {lines} ledger lines balance", wanted.len());
        Ok(())
    }

    /// An aggregate of all values of each series, as influxd says.
    async fn ask(&self, aggregate: &str) -> Result<BTreeMap<String, f64>> {
        let flux = format!(
            "from(bucket: \"{BUCKET}\") |> range(start: 2000-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z) \
             |> filter(fn: (r) => r._measurement == \"observation\" and r._field == \"value\") |> {aggregate}() \
             |> group() |> keep(columns: [\"station\", \"parameter\", \"_value\"])"
        );
        let text = self.influx.query(&flux).await?;
        let mut reader = csv::Reader::from_reader(text.trim().as_bytes());
        let header = reader.headers()?.clone();
        let place = |name: &str| header.iter().position(|column| column == name).context("a column is missing");
        let (station, parameter, value) = (place("station")?, place("parameter")?, place("_value")?);
        let row = |row: csv::StringRecord| Ok((format!("{}/{}", &row[station], &row[parameter]), row[value].parse()?));
        reader.records().map(|record| row(record?)).collect()
    }
}

fn start_load(port: u16, seconds: Duration) -> Load {
    let step = (STATIONS as f64 * 1_000.0 / RATE) as i64;
    let content = catalogue::content(STATIONS, SystemClock.now().get(), step);
    let content = LoadContent { messages: (RATE * seconds.as_secs_f64()) as u64, waving: CROSSING as u32, ..content };
    let plan = LoadPlan {
        broker: SocketAddr::from(([127, 0, 0, 1], port)),
        logins: vec![Way::Mosquitto.login()],
        connections: CONNECTIONS,
        window: WINDOW,
        rate: Some(RATE),
        patience: Some(PATIENCE),
        content: content.clone(),
    };
    let progress = Arc::new(Progress::default());
    let (seen, stop) = (Arc::clone(&progress), CancellationToken::new());
    let running = tokio::spawn(async move { load::run(&plan, &seen, &stop).await });
    Load { content, progress, running }
}

/// Runs the drill with a server that is away for so long.
///
/// # Errors
/// When anything is lost or counted twice, or a state is not shown.
pub(crate) async fn drill(away: Duration) -> Result<()> {
    println!(
        "InfluxDB under {RATE} messages/s through mosquitto: away for {away:?}, killed, without disk, without token"
    );
    let folder = tempfile::tempdir()?;
    let (mut house, port) = House::open(folder.path()).await?;
    // Longer than the faults and than draining at four times the rate of arrival: the kills cut writes, which need load.
    let faults = away + away / 3 + QUIET * 3 + BETWEEN * KILLS * 3 + FAULT * 4;
    let load = start_load(port, faults);
    house.away(away).await?;
    house.killed().await?;
    house.without_disk().await?;
    house.without_token().await?;
    println!("  {} messages were published until the last fault", load.progress.acknowledged());
    let report = load.running.await?;
    if !report.errors.is_empty() || report.acknowledged.len() != load.content.messages {
        bail!("publishers gave up: {:?}", report.errors);
    }
    house.check(&load.content).await?;
    house.bakau.stop()
}
