//! Counters: readings that only grow go down the whole line, and rain comes out, not readings.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_answers::{Event, ValueEvent};
use bakau_clock::{Clock, SystemClock};
use bakau_tests::{bakau::Bakau, catalogue, events::Events, influx::Influx, wait};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

/// Two gauges that count on, one of which overflows.
const GAUGES: [&str; 2] = [
    r#"path = "/rain_mm", parameter = "rain", unit = "mm""#,
    r#"path = "/rain_tips_mm", parameter = "rain", qualifier = "lama", unit = "mm""#,
];

/// About what falls in five minutes.
const RULE: &str = r#"
[[rule]]
id = "hujan-lebat"
name = { id = "Hujan lebat", en = "Heavy rain" }
datastream = "uji-hujan/rain"
direction = "above"
source = "test"
waspada = { raise = 5.0, clear = 1.0 }
"#;

struct Line {
    bakau: Bakau,
    /// Minute 0, in milliseconds: two hours ago.
    start: i64,
}

impl Line {
    async fn open(folder: &Path, store: &str) -> Result<Self> {
        let text = catalogue::place("uji-hujan", "Pos Hujan Uji", "water")
            + &catalogue::datastream("uji-hujan/rain", 60)
            + "counter = true\n"
            + &catalogue::datastream("uji-hujan/rain@lama", 300)
            + "counter = true\ncounter_max = 13107.2\n"
            + &catalogue::json_route("logger", "logger/{station}", "epoch_ms", &GAUGES)
            + RULE;
        let bakau = Bakau::open(folder, &text, store).await?;
        Ok(Self { bakau, start: (SystemClock.now().get() / 60_000 - 120) * 60_000 })
    }

    async fn send(&self, member: &str, minute: i64, reading: f64) -> Result<()> {
        let payload = format!("{{\"time\":{},\"{member}\":{reading:?}}}", self.start + minute * 60_000);
        self.bakau.put("logger/uji-hujan", payload).await
    }

    async fn send_all(&self, member: &str, readings: &[(i64, f64)]) -> Result<()> {
        for &(minute, reading) in readings {
            self.send(member, minute, reading).await?;
        }
        Ok(())
    }

    /// Waits until the API gives these readings with these increments, by minute.
    async fn holds(&self, datastream: &str, wanted: &[(i64, f64, Option<f64>)]) -> Result<()> {
        let query = format!("datastream={datastream}");
        let seen = parking_lot::Mutex::new(Vec::new());
        let rows = async || {
            let rows = self.bakau.observations(&query).await?;
            let found: Vec<_> = rows.iter().map(|row| (row["value"].as_f64(), row["increment"].as_f64())).collect();
            *seen.lock() = rows;
            let wanted: Vec<_> = wanted.iter().map(|&(_, value, increment)| (Some(value), increment)).collect();
            Ok((found == wanted).then_some(()))
        };
        let waited = wait::until("increments", PATIENCE, rows).await;
        waited.with_context(|| format!("{:#?}\n{}", seen.lock(), self.bakau.log_tail()))
    }

    /// What fell altogether, in as many buckets as the civil day makes of it.
    async fn total(&self, datastream: &str) -> Result<Vec<(Value, Value)>> {
        let path = format!("/api/v1/aggregates?datastream={datastream}&step=1mo&tz=UTC");
        let answer = self.bakau.json(&path).await?;
        assert_eq!(answer["statistic"], "sum");
        let buckets = answer["buckets"].as_array().cloned().unwrap_or_default();
        let with_values = buckets.into_iter().filter(|bucket| bucket["count"] != 0);
        Ok(with_values.map(|bucket| (bucket["sum"].clone(), bucket["mean"].clone())).collect())
    }

    async fn text(&self, path: &str) -> Result<String> {
        let answer = reqwest::get(self.bakau.url(path)?).await?.error_for_status()?;
        Ok(answer.text().await?)
    }
}

/// Everything that a gauge that counts on can do, in one store.
async fn rain_is_what_was_counted(folder: &Path, store: &str) -> Result<()> {
    let mut line = Line::open(folder, store).await?;
    const RAIN: &str = "uji-hujan/rain";

    // It began again at 0 with the last reading; the one of minute 10 is late.
    line.send_all("rain_mm", &[(0, 10.0), (5, 10.0), (15, 10.4), (20, 0.0)]).await?;
    let known = [(0, 10.0, Some(0.0)), (5, 10.0, Some(0.0)), (15, 10.4, Some(0.4)), (20, 0.0, Some(0.0))];
    line.holds(RAIN, &known).await?;
    line.send("rain_mm", 10, 10.2).await?;
    let [first, second, _, last] = known;
    line.holds(RAIN, &[first, second, (10, 10.2, Some(0.2)), (15, 10.4, Some(0.2)), last]).await?;
    assert_eq!(line.total(RAIN).await?, [(0.4.into(), Value::Null)], "not 2,935 mm");
    assert_eq!(line.bakau.alerts().await?, Vec::<Value>::new(), "a reading above the limit is no rain above it");

    // A corrected reading revises its own increment and the next one.
    line.send("rain_mm", 5, 10.1).await?;
    let corrected = (5, 10.1, Some(0.1));
    line.holds(RAIN, &[first, corrected, (10, 10.2, Some(0.1)), (15, 10.4, Some(0.2)), last]).await?;
    assert_eq!(line.total(RAIN).await?, [(0.4.into(), Value::Null)]);

    // A burst after a restart: counted from the last reading that is stored.
    line.bakau.stop()?;
    line.bakau.start().await?;
    line.send_all("rain_mm", &[(25, 6.0), (30, 6.2)]).await?;
    let burst = [(25, 6.0, Some(6.0)), (30, 6.2, Some(0.2))];
    let all = [first, corrected, (10, 10.2, Some(0.1)), (15, 10.4, Some(0.2)), last, burst[0], burst[1]];
    line.holds(RAIN, &all).await?;
    let alerts =
        wait::until("an alert", PATIENCE, async || Ok(Some(line.bakau.alerts().await?).filter(|all| !all.is_empty())));
    let alerts = alerts.await.with_context(|| line.bakau.log_tail())?;
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!((&alerts[0]["rule"], &alerts[0]["worst"]), (&"hujan-lebat".into(), &6.0.into()), "{:#}", alerts[0]);

    // The other gauge ends at 13,107.2 mm, and says 0 once for no reason.
    line.send_all("rain_tips_mm", &[(0, 13_106.8), (5, 0.2), (10, 0.4), (15, 0.0), (20, 0.6)]).await?;
    let counted =
        [(0, 13_106.8, Some(0.0)), (5, 0.2, Some(0.6)), (10, 0.4, Some(0.2)), (15, 0.0, None), (20, 0.6, Some(0.2))];
    line.holds("uji-hujan/rain@lama", &counted).await?;
    assert_eq!(line.total("uji-hujan/rain@lama").await?, [(1.0.into(), Value::Null)]);

    says_both(&line).await?;
    line.bakau.stop()
}

/// Reading and increment stand beside each other wherever the gauge is shown.
async fn says_both(line: &Line) -> Result<()> {
    let csv = line.text("/api/v1/observations?datastream=uji-hujan/rain&format=csv").await?;
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').skip(3).take(2).collect()).collect();
    assert_eq!(
        (lines[0].as_slice(), lines[2].as_slice()),
        (["value", "increment"].as_slice(), ["10.1", "0.1"].as_slice())
    );
    let latest = async || {
        let answer = line.bakau.json("/api/v1/latest?station=uji-hujan").await?;
        let rows = answer["latest"].as_array().cloned().unwrap_or_default();
        let of = |row: &&Value| row["datastream"] == "uji-hujan/rain" && row["value"] == 6.2;
        Ok(rows.iter().find(of).cloned())
    };
    assert_eq!(wait::until("the present value", PATIENCE, latest).await?["increment"], 0.2);
    let station = line.bakau.json("/api/v1/stations/uji-hujan").await?;
    let datastream = &station["datastreams"][0];
    assert_eq!((&datastream["counter"], &datastream["latest"]["value"]), (&true.into(), &6.2.into()), "{station:#}");
    assert_eq!(datastream["latest"]["increment"], 0.2);
    let page = line.text("/stations/uji-hujan?lang=id").await?;
    assert!(page.contains("<span class=\"value\">0,2</span>"), "{page}");
    assert!(page.contains("sejak pembacaan sebelumnya; penghitung: <span class=\"reading\">6,2</span> mm"), "{page}");
    // Increments of at most 6 mm: an axis of readings would go on to 10.
    let chart = line.text("/charts/uji-hujan/rain.svg?range=1d&lang=en").await?;
    let axis: Vec<f64> =
        chart.split("</text>").filter_map(|part| part.rsplit('>').next()?.trim().parse().ok()).collect();
    assert!(axis.contains(&6.0) && !axis.iter().any(|tick| (8.0..=12.0).contains(tick)), "{axis:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gauge_that_counts_on_gives_rain_alarms_and_sums_in_the_embedded_store() -> Result<()> {
    let folder = tempfile::tempdir()?;
    rain_is_what_was_counted(folder.path(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gauge_that_counts_on_gives_rain_alarms_and_sums_in_influxdb() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(&folder.path().join("influx")).await?;
    rain_is_what_was_counted(&folder.path().join("bakau"), &influx.section("influx")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_waits_for_its_time_over_a_restart_still_alarms_by_what_was_counted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::open(folder.path(), "").await?;
    // The last one is of a clock that is ahead, and waits over the restart.
    let now = SystemClock.now().get();
    for (seconds, reading) in [(-65, 100.0), (-5, 100.2), (8, 112.4)] {
        line.start = now + seconds * 1_000;
        line.send("rain_mm", 0, reading).await?;
    }
    line.holds("uji-hujan/rain", &[(0, 100.0, Some(0.0)), (0, 100.2, Some(0.2)), (0, 112.4, Some(12.2))]).await?;
    line.bakau.kill()?;
    line.bakau.start().await?;
    let raised = async || Ok(line.bakau.alerts().await?.first().map(|alert| alert["value"].clone()));
    assert_eq!(wait::until("the alert", PATIENCE, raised).await.with_context(|| line.bakau.log_tail())?, 12.2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_right_invents_no_rain_and_no_alert() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::open(folder.path(), "").await?;
    let now = SystemClock.now().get();
    // Four seconds ahead, then set right: in event time 8.4 stands before 8.0. At the end it really rains.
    for (seconds, reading) in [(-60, 7.8), (4, 8.0), (5, 8.2), (1, 8.4), (6, 8.6), (7, 18.6)] {
        line.start = now + seconds * 1_000;
        line.send("rain_mm", 0, reading).await?;
    }
    let counted = [Some(0.0), Some(0.6), None, None, Some(0.2), Some(10.0)];
    let readings = [7.8, 8.4, 8.0, 8.2, 8.6, 18.6];
    let rows: Vec<_> = readings.into_iter().zip(counted).map(|(reading, increment)| (0, reading, increment)).collect();
    line.holds("uji-hujan/rain", &rows).await?;
    let raised = async || Ok(Some(line.bakau.alerts().await?).filter(|alerts| !alerts.is_empty()));
    let alerts = wait::until("the alert", PATIENCE, raised).await.with_context(|| line.bakau.log_tail())?;
    assert_eq!((alerts.len(), &alerts[0]["value"]), (1, &10.0.into()), "{alerts:#?}");
    Ok(())
}

/// A reading that corrects or comes late changes what was counted until the present one, too, and wherever that is shown.
async fn the_present_reading_says_what_the_store_says(folder: &Path, store: &str) -> Result<()> {
    let mut line = Line::open(folder, store).await?;
    line.start = SystemClock.now().get();
    const RAIN: &str = "uji-hujan/rain";
    const OTHER: &str = "uji-hujan/rain@lama";

    line.send_all("rain_mm", &[(-5, 15.0), (-4, 18.0), (-3, 18.2)]).await?;
    line.send_all("rain_tips_mm", &[(-5, 11.0), (-2, 19.0)]).await?;
    line.holds(RAIN, &[(-5, 15.0, Some(0.0)), (-4, 18.0, Some(3.0)), (-3, 18.2, Some(0.2))]).await?;
    line.holds(OTHER, &[(-5, 11.0, Some(0.0)), (-2, 19.0, Some(8.0))]).await?;
    line.shows(RAIN, 18.2, 0.2).await?;
    line.shows(OTHER, 19.0, 8.0).await?;

    let events = Events::open(&line.bakau, "station=uji-hujan").await?;
    line.send_all("rain_mm", &[(-4, 15.2), (-3, 15.4)]).await?;
    line.send("rain_tips_mm", -4, 15.0).await?;
    line.holds(RAIN, &[(-5, 15.0, Some(0.0)), (-4, 15.2, Some(0.2)), (-3, 15.4, Some(0.2))]).await?;
    line.holds(OTHER, &[(-5, 11.0, Some(0.0)), (-4, 15.0, Some(4.0)), (-2, 19.0, Some(4.0))]).await?;
    line.shows(RAIN, 15.4, 0.2).await?;
    line.shows(OTHER, 19.0, 4.0).await?;
    let heard = tokio::time::timeout(PATIENCE, hears(events, &[(RAIN, 15.4, 0.2), (OTHER, 19.0, 4.0)])).await;
    heard.context("whoever listens has to hear of it")??;

    // The next one is counted from there, and nothing is different after a restart.
    line.send("rain_mm", -1, 15.8).await?;
    line.shows(RAIN, 15.8, 0.4).await?;
    line.bakau.stop()?;
    line.bakau.start().await?;
    line.shows(RAIN, 15.8, 0.4).await?;
    line.shows(OTHER, 19.0, 4.0).await?;
    line.bakau.stop()
}

/// Listens until each of these readings was told with its increment.
async fn hears(mut events: Events, wanted: &[(&str, f64, f64)]) -> Result<()> {
    let mut told: Vec<ValueEvent> = Vec::new();
    let is_told = |told: &[ValueEvent], &(datastream, reading, increment): &(&str, f64, f64)| {
        told.iter().any(|value| {
            value.datastream.as_str() == datastream
                && (value.value, value.increment) == (Some(reading), Some(Some(increment)))
        })
    };
    while !wanted.iter().all(|wanted| is_told(&told, wanted)) {
        if let Event::Values(values) = events.next().await? {
            told.extend(values);
        }
    }
    Ok(())
}

impl Line {
    /// Waits until the reading is the present one, with this increment and the flag of the store, in the API and on the page.
    async fn shows(&self, datastream: &str, reading: f64, increment: f64) -> Result<()> {
        let seen = parking_lot::Mutex::new(Value::Null);
        let agrees = async || {
            let stored = self.bakau.json(&format!("/api/v1/observations?datastream={datastream}")).await?;
            let stored = stored["observations"].as_array().and_then(|rows| rows.last().cloned()).unwrap_or_default();
            let latest = self.bakau.json("/api/v1/latest?station=uji-hujan").await?;
            let rows = latest["latest"].as_array().cloned().unwrap_or_default();
            let present = rows.into_iter().find(|row| row["datastream"] == datastream).unwrap_or_default();
            let same = ["observed_at", "value", "increment", "flag", "tests"]
                .iter()
                .all(|field| stored[field] == present[field]);
            let wanted = present["value"] == reading && present["increment"] == increment;
            *seen.lock() = serde_json::json!({ "stored": stored, "present": present });
            Ok((same && wanted).then_some(()))
        };
        let waited = wait::until("the present reading", PATIENCE, agrees).await;
        waited.with_context(|| format!("{:#}\n{}", seen.lock(), self.bakau.log_tail()))?;
        let page = self.text("/stations/uji-hujan?lang=en").await?;
        let row = page.split(&format!("data-datastream=\"{datastream}\"")).nth(1).unwrap_or_default();
        assert!(row.contains(&format!("<span class=\"value\">{increment:.1}</span>")), "{datastream}: {page}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_corrected_readings_change_the_present_increment_with_the_embedded_store() -> Result<()> {
    let folder = tempfile::tempdir()?;
    the_present_reading_says_what_the_store_says(folder.path(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_corrected_readings_change_the_present_increment_with_influxdb() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(&folder.path().join("influx")).await?;
    the_present_reading_says_what_the_store_says(&folder.path().join("bakau"), &influx.section("influx")).await
}
