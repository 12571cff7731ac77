//! InfluxDB as the store: how far behind, what it costs on both sides, how fast long ranges are read, what bad points cost.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_simulate::load::{self, LoadContent, LoadPlan};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    influx::{BUCKET, Influx},
    kill::{Way, wait_settled},
    metrics::{self, counter},
    mosquitto,
    process::{cpu_seconds, resident_bytes},
    wait,
};
use tokio_util::sync::CancellationToken;

use crate::{
    figures::Figure,
    rig::{self, Plan, Rig},
};

/// Sections in the order they run.
const SECTIONS: [&str; 3] = ["steady", "year", "points"];
const RATE: f64 = 15_000.0;
const MINUTE_MS: i64 = 60_000;
const YEAR_MINUTES: u64 = 525_600;
const PATIENCE: Duration = Duration::from_secs(300);

/// All sections, or the one that is named.
pub(crate) async fn run(section: Option<&str>, quick: bool) -> Result<()> {
    if let Some(other) = section.filter(|section| !SECTIONS.contains(section)) {
        bail!("unknown section '{other}'; there are: {}", SECTIONS.join(", "));
    }
    for name in SECTIONS.into_iter().filter(|name| section.is_none_or(|section| section == *name)) {
        match name {
            "steady" => steady(if quick { 30 } else { 300 }).await?,
            "year" => year(if quick { 52_560 } else { YEAR_MINUTES }, if quick { 2 } else { 5 }).await?,
            _ => bad_points().await?,
        }
    }
    Ok(())
}

fn plan(messages: u64, stations: usize, rate: Option<f64>) -> Plan {
    let connections = u32::try_from(stations.min(50)).unwrap_or(1);
    Plan { way: Way::Mosquitto, messages, connections, window: 20, stations, rate, crossing: 0 }
}

async fn prepare(plan: &Plan, folder: &Path) -> Result<(Influx, Rig)> {
    let influx = Influx::start(&folder.join("influx")).await?;
    let rig = rig::prepare_with(plan, &influx.section("influx"), folder).await?;
    Ok((influx, rig))
}

/// Bytes of all files of a kind below a folder: series and index files are made large at once and say nothing.
fn bytes(folder: &Path, kind: &str) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sum += bytes(&path, kind)?;
        } else if path.extension().is_some_and(|extension| extension == kind) {
            sum += path.metadata()?.len();
        }
    }
    Ok(sum)
}

/// 15,000 messages (30,000 values) a second through mosquitto.
async fn steady(seconds: u64) -> Result<()> {
    println!("\nSteady load into InfluxDB: {RATE}/s of 2 values through mosquitto for {seconds} s, 200 stations");
    let folder = tempfile::tempdir()?;
    let plan = plan(RATE as u64 * seconds, 200, Some(RATE));
    let (influx, mut rig) = prepare(&plan, folder.path()).await?;
    let broker = rig.broker.as_ref().and_then(mosquitto::Mosquitto::id).context("mosquitto runs")?;
    let processes = [("bakau", rig.bakau.id()?), ("influxd", influx.id()?), ("mosquitto", broker)];
    let used = || processes.iter().map(|(_, pid)| cpu_seconds(*pid)).collect::<Result<Vec<f64>>>();
    let before = used()?;
    let mut sending = Box::pin(rig::send(&plan, &rig));
    let (mut lags, mut tick) = (Vec::new(), tokio::time::interval(Duration::from_secs(1)));
    loop {
        tokio::select! {
            sent = &mut sending => break sent.map(drop)?,
            _ = tick.tick() => lags.push(counter(&metrics::text(&rig.bakau).await?, "bakau_store_lag_seconds", "")),
        }
    }
    drop(sending);
    lags.sort_by(f64::total_cmp);
    Figure::new("store behind, every second", "s", Some("< 5"), lags).print();
    for ((name, pid), (before, after)) in processes.iter().zip(before.iter().zip(used()?)) {
        let cost = (after - before) * 1e6 / plan.messages as f64;
        Figure::new(&format!("CPU-s per million messages: {name}"), "CPU-s", None, vec![cost]).print();
        let highest = resident_bytes(*pid)?.1 as f64 / 1e6;
        Figure::new(&format!("resident memory, highest: {name}"), "MB", None, vec![highest]).print();
    }
    rig.bakau.stop()
}

/// One station with a value a minute for a year, read whole.
async fn year(minutes: u64, runs: usize) -> Result<()> {
    println!("\nOne station, {minutes} minutes of 2 values in InfluxDB");
    let folder = tempfile::tempdir()?;
    let plan = plan(minutes, 1, None);
    let (mut influx, mut rig) = prepare(&plan, folder.path()).await?;
    let broker = rig.broker.as_ref().map(mosquitto::Mosquitto::port).context("mosquitto runs")?;
    let begin = SystemClock.now().get() / MINUTE_MS * MINUTE_MS - minutes as i64 * MINUTE_MS;
    let load = LoadPlan {
        broker: SocketAddr::from(([127, 0, 0, 1], broker)),
        logins: vec![plan.way.login()],
        window: 1_000,
        patience: Some(PATIENCE),
        content: LoadContent { messages: minutes, ..catalogue::content(1, begin, MINUTE_MS) },
        ..LoadPlan::default()
    };
    let sent = load::run(&load, &Arc::default(), &CancellationToken::new()).await;
    ensure!(sent.errors.is_empty(), "the load failed: {:?}", sent.errors);
    wait_settled(&rig.bakau, 2 * minutes).await?;
    let engine = folder.path().join("influx").join("engine");
    let written = async || Ok((bytes(&engine, "wal")? < minutes).then_some(()));
    wait::until("influxd to put its write-ahead log into data files", PATIENCE, written).await?;
    let each = bytes(&engine, "tsm")? as f64 / (2 * minutes) as f64;
    Figure::new("bytes per observation in data files", "bytes", None, vec![each]).print();
    // A restart of both, so that memory begins anew.
    rig.bakau.stop()?;
    influx.kill()?;
    influx.resume().await?;
    rig.bakau.start().await?;
    read(&rig.bakau, begin, minutes, runs).await?;
    rig.bakau.stop()
}

async fn read(bakau: &Bakau, begin: i64, minutes: u64, runs: usize) -> Result<()> {
    let (from, to) = (UtcMillis::new(begin), UtcMillis::new(begin + minutes as i64 * MINUTE_MS));
    let query = format!("datastream={}/do&from={from}&to={to}", catalogue::station(0));
    let questions = [
        ("year of raw values as CSV", format!("/api/v1/observations?{query}&format=csv"), "<= 1200"),
        ("year of daily means", format!("/api/v1/aggregates?{query}&step=1d&tz=Asia/Jakarta"), "<= 150"),
    ];
    let before = resident_bytes(bakau.id()?)?.0;
    for (name, path, gate) in questions {
        let (mut times, mut length) = (Vec::new(), 0);
        for _ in 0..runs {
            let asked = Instant::now();
            let mut answer = reqwest::get(bakau.url(&path)?).await?.error_for_status()?;
            length = 0;
            while let Some(piece) = answer.chunk().await? {
                length += piece.len();
            }
            times.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        Figure::new(name, "ms", Some(gate), times).print();
        let grown = resident_bytes(bakau.id()?)?.1.saturating_sub(before) as f64 / 1e6;
        println!("  {length} bytes each; memory of bakau at most {grown:.1} MB above where it began (wanted: < 50)");
    }
    Ok(())
}

/// Of 5,000 values some fall into a week in which somebody gave the field another type.
async fn bad_points() -> Result<()> {
    println!("\nBad points among 5,000, from the last acknowledgement until everything is stored or in quarantine");
    for bad in [1_u64, 5, 50] {
        let folder = tempfile::tempdir()?;
        let (influx, mut rig) = prepare(&plan(5_000, 1, None), folder.path()).await?;
        let begin = UtcMillis::parse("2026-01-05T00:00:00Z")?.get();
        let other_week = begin - 70 * 86_400_000;
        influx.write(BUCKET, &format!("observation,station=x,parameter=x value=1i {other_week}")).await?;
        let mut csv = "time,do\n".to_owned();
        for n in 0..5_000_u64 {
            let week = if n % (5_000 / bad) == 7 { other_week } else { begin };
            let at = UtcMillis::new(week + n as i64 * 1_000);
            csv.push_str(&format!("{at},{}.5\n", n % 13));
        }
        let map = "station = \"beban-000000\"\ntopic = \"bakau/{station}/data\"\ntime = \"time\"\n\
                   [[column]]\nname = \"do\"\nkey = \"do\"\nunit = \"mg/L\"\n";
        fs::write(folder.path().join("bad.csv"), csv)?;
        fs::write(folder.path().join("bad.map.toml"), map)?;
        replay(&rig, folder.path())?;
        let sent = Instant::now();
        // A value in quarantine counts as stored in the books: it was taken and will not come again.
        wait_settled(&rig.bakau, 5_000).await?;
        let took = sent.elapsed().as_secs_f64() * 1e3;
        // From the good week on: a Flux query that touches the week with the other type shows nothing at all.
        let visible = async || {
            let flux = format!(
                "from(bucket: \"{BUCKET}\") |> range(start: 2026-01-01T00:00:00Z) |> filter(fn: (r) => r.station == \
                 \"beban-000000\" and r._field == \"value\") |> count() |> keep(columns: [\"_value\"])"
            );
            let answer = influx.query(&flux).await?;
            let count = answer.split_whitespace().last().and_then(|line| line.rsplit(',').next()?.parse::<u64>().ok());
            Ok((count == Some(5_000 - bad)).then_some(()))
        };
        wait::until("exactly the good points to be visible", PATIENCE, visible).await?;
        Figure::new(&format!("{bad} bad of 5,000"), "ms", None, vec![took]).print();
        rig.bakau.stop()?;
    }
    Ok(())
}

fn replay(rig: &Rig, folder: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let broker = rig.broker.as_ref().map(mosquitto::Mosquitto::port).context("mosquitto runs")?;
    let (file, map, address) = (path("bad.csv"), path("bad.map.toml"), format!("127.0.0.1:{broker}"));
    let login = ["--broker", &address, "--username", mosquitto::USERNAME, "--password-env", mosquitto::PASSWORD_ENV];
    let arguments = ["replay", &file, "--map", &map].into_iter().chain(login).map(str::to_owned);
    let output = rig.bakau.command(&arguments.collect::<Vec<_>>())?.output()?;
    ensure!(output.status.success(), "replay failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
