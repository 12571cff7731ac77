//! Measured series through the whole line: what is stored equals what the file says.

use anyhow::{Context, Result};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::{Way, wait_settled},
    series::{self, Series, assert_held, catalogue_of, estuary, jfk, marylebone, replay_with, settled_in_order},
};
use serde_json::{Value, json};

async fn check(series: &Series, bakau: &mut Bakau) -> Result<()> {
    assert_held(series, bakau).await?;
    // One chart of the replayed range, of a datastream with a qualifier where there is one.
    let named = series.columns.iter().find(|column| column.1.contains('@')).or(series.columns.first());
    let (_, parameter, ..) = named.context("a series has columns")?;
    let (station, from, to) = (series.station, series.from, series.to);
    let chart = bakau.url(&format!("/charts/{station}/{parameter}.png?from={from}&to={to}"))?;
    let chart = reqwest::get(chart).await?.error_for_status()?.bytes().await?;
    assert!(chart.starts_with(b"\x89PNG"));
    bakau.stop()
}

async fn through_the_embedded_broker(series: &Series) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &catalogue_of(series)?)?;
    bakau.start().await?;
    let login = [&*bakau.mqtt()?.to_string(), catalogue::DEVICE, catalogue::TOKEN];
    let readings = replay_with(series, &bakau, &login, &[])?;
    wait_settled(&bakau, readings).await?;
    check(series, &mut bakau).await
}

async fn through_mosquitto(series: &Series) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_broker, mut bakau) = series::through_mosquitto(series, folder.path(), &[]).await?;
    check(series, &mut bakau).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_weather_through_the_embedded_broker_is_held_as_measured() -> Result<()> {
    through_the_embedded_broker(&jfk()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_weather_through_mosquitto_is_held_as_measured() -> Result<()> {
    through_mosquitto(&jfk()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data"]
async fn a_month_of_the_estuary_through_both_brokers_is_held_as_measured() -> Result<()> {
    let series = estuary();
    through_the_embedded_broker(&series).await?;
    through_mosquitto(&series).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data"]
async fn a_year_of_the_estuary_settles_to_the_same_alerts_in_any_order_of_arrival() -> Result<()> {
    let series = Series { from: "2012-01-01T00:00:00Z", to: "2013-01-01T00:00:00Z", ..estuary() };
    let measured = settled_in_order(&series, &[]).await?;
    for seed in ["1", "2"] {
        let shuffled = settled_in_order(&series, &["--shuffle", seed, "--lateness", "2h"]).await?;
        assert!(measured == shuffled, "order {seed} settles differently:\n{measured:?}\n{shuffled:?}");
    }
    Ok(())
}

/// Raise and clear values of *waspada* and *siaga*, as the catalogue has them.
type Bands = [(f64, f64); 2];

/// Hourly values further apart than two and a half hours have a gap between them.
const LONGEST_JOINED_MS: i64 = 9_000_000;

/// How many values from the first one on are at or over the raise value, without a gap between them.
fn run(values: &[(UtcMillis, f64)], raise: f64) -> usize {
    let joined = |place: usize| place == 0 || values[place].0.since(values[place - 1].0) <= LONGEST_JOINED_MS;
    (0..values.len()).take_while(|place| raise <= values[*place].1 && joined(*place)).count()
}

/// Whether a run is as long as the hold.
fn held(run: &[(UtcMillis, f64)]) -> bool {
    run.first().zip(run.last()).is_some_and(|(first, last)| 3_600_000 <= last.0.since(first.0))
}

/// The episodes of a rule about high values with a hold of an hour, worked out here on its own: two hours running at or over
/// the raise value, or an hour and the one after the next, until a value is under the clear value.
fn episodes(values: &[(UtcMillis, f64)], bands: Bands) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut at = 0;
    while at < values.len() {
        if values[at].1 < bands[0].0 {
            at += 1;
            continue;
        }
        let length = run(&values[at..], bands[0].0);
        if !held(&values[at..at + length]) {
            at += length;
            continue;
        }
        let length = values[at..].iter().take_while(|(_, value)| bands[0].1 <= *value).count();
        let episode = &values[at..at + length];
        let siaga = (0..length).any(|from| held(&episode[from..from + run(&episode[from..], bands[1].0)]));
        found.push(json!({
            "onset": episode[0].0.to_string(),
            "end": values.get(at + length).map(|(at, _)| at.to_string()),
            "peak": if siaga { "siaga" } else { "waspada" },
            "peak_value": episode.iter().map(|(_, value)| *value).fold(f64::MIN, f64::max),
            "observations": length,
        }));
        at += length;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data"]
async fn a_year_of_street_air_through_mosquitto_is_held_and_alarmed_as_the_file_says() -> Result<()> {
    let series = marylebone();
    let keys = ["onset", "end", "peak", "peak_value", "observations"];
    let settled = settled_in_order(&series, &[]).await?;
    let settled: Vec<Value> = settled
        .iter()
        .map(|episode| keys.iter().map(|key| ((*key).to_owned(), episode[key].clone())).collect())
        .collect();
    let mut expected = episodes(&series.column("pm25")?, [(55.0, 50.0), (150.4, 140.0)]);
    expected.extend(episodes(&series.column("pm10")?, [(75.0, 70.0), (350.0, 330.0)]));
    assert_eq!(settled.len(), expected.len());
    for (held, computed) in settled.iter().zip(&expected) {
        assert_eq!(held, computed);
    }
    println!("{} episodes", expected.len());
    Ok(())
}
