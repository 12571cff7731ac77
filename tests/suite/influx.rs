//! InfluxDB 2 as the store: a real influxd behind the whole line.

use anyhow::Result;
use bakau_tests::influx::{BUCKET, Influx};

#[tokio::test(flavor = "multi_thread")]
async fn an_influxd_keeps_what_it_confirmed_when_it_is_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut influx = Influx::start(folder.path()).await?;
    influx.write(BUCKET, "observation,station=a,parameter=do value=1 1000").await?;
    influx.kill()?;
    influx.resume().await?;
    let found = influx.query(&format!("from(bucket: \"{BUCKET}\") |> range(start: 0) |> count()")).await?;
    assert!(found.contains("value"), "{found}");
    Ok(())
}
