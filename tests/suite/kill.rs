//! kill -9 of Bakau and restarts of mosquitto under load; the long variants are `cargo xtask drill kill --long`,
//! `drill broker` and `drill broker-kill`.

use anyhow::Result;
use bakau_tests::{
    broker_kill,
    kill::{KillPlan, Way, run},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_by_the_embedded_broker_survives_five_kills() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = KillPlan { way: Way::Embedded, kills: 5, broker_restarts: 0, messages: 40_000, rate: 6_000.0 };
    let report = run(&plan, folder.path()).await?;
    assert_eq!(report.verdict.found, 80_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_by_mosquitto_survives_five_kills_and_two_broker_restarts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = KillPlan { way: Way::Mosquitto, kills: 5, broker_restarts: 2, messages: 40_000, rate: 6_000.0 };
    let report = run(&plan, folder.path()).await?;
    assert_eq!(report.verdict.found, 80_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_restarts_of_mosquitto_under_load_lose_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = KillPlan { way: Way::Mosquitto, kills: 0, broker_restarts: 3, messages: 30_000, rate: 6_000.0 };
    let report = run(&plan, folder.path()).await?;
    assert_eq!(report.verdict.found, 60_000);
    Ok(())
}

/// The first kill comes before mosquitto has saved anything, the second just after.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_mosquitto_forgot_is_told_apart_and_bakau_keeps_everything_it_was_given() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let report = broker_kill::run(2, 2_000.0, folder.path()).await?;
    assert_eq!((report.lost_by_bakau, report.restarts, report.sessions_lost), (0, 2, 1), "{report:?}");
    assert_eq!(report.acknowledged, report.held + report.lost_in_broker);
    Ok(())
}
