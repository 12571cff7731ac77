//! Commands that change what is registered or look for damage, as an administrator meets them.

use std::time::Duration;

use anyhow::{Context, Result};
use bakau_registry::Registry;
use bakau_tests::{bakau::Bakau, catalogue, kill::Way, wait};
use reqwest::StatusCode;
use rusqlite::Connection;

/// What follows from a command shows within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a command prints in English, whether it succeeds or not.
fn said(bakau: &Bakau, arguments: &[&str]) -> Result<(bool, String)> {
    let arguments: Vec<_> = arguments.iter().chain(&["--lang", "en"]).map(|argument| (*argument).to_owned()).collect();
    let output = bakau.command(&arguments)?.output()?;
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Ok((output.status.success(), text))
}

async fn stations(bakau: &Bakau) -> Result<usize> {
    Ok(Registry::open(&bakau.data("registry.db")).await?.snapshot().stations.len())
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_only_prune_removes_what_is_in_no_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(2))])?;
    let fewer = folder.path().join("catalogue/baik.toml");
    std::fs::write(&fewer, catalogue::load(1))?;
    let file = fewer.display().to_string();
    let (done, shown) = said(&bakau, &["apply", &file, "--prune", "--dry-run"])?;
    assert!(done && shown.contains("beban-000001") && !shown.contains("revision"), "{shown}");
    assert_eq!(stations(&bakau).await?, 2, "a dry run has removed a station");
    let (done, shown) = said(&bakau, &["apply", &file])?;
    assert!(done, "{shown}");
    assert_eq!(stations(&bakau).await?, 2, "a station is gone that nobody asked to remove");
    let (done, shown) = said(&bakau, &["apply", &file, "--prune"])?;
    assert!(done && shown.contains("revision"), "{shown}");
    assert_eq!(stations(&bakau).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_mistake_in_one_file_keeps_every_file_from_being_applied() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(1))])?;
    let [more, wrong] = ["lebih.toml", "salah.toml"].map(|name| folder.path().join("catalogue").join(name));
    std::fs::write(&more, catalogue::place("lain", "Lain", "water"))?;
    std::fs::write(&wrong, "[[station]]\nid = \"tanpa-tempat\"\n")?;
    let files = [more, wrong].map(|path| path.display().to_string());
    let (done, shown) = said(&bakau, &["apply", &files[0], &files[1]])?;
    assert!(!done && shown.contains("salah.toml:1") && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(stations(&bakau).await?, 1);
    Ok(())
}

#[test]
fn a_device_token_comes_with_the_digest_that_the_catalogue_takes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[])?;
    let made = || -> Result<[String; 2]> {
        let (done, shown) = said(&bakau, &["device-token"])?;
        assert!(done, "{shown}");
        let word = |name: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
            line.with_context(|| format!("no {name} in {shown}"))
        };
        Ok([word("token ")?, word("token_sha256 ")?])
    };
    let [token, digest] = made()?;
    assert_eq!(bakau_registry::token::digest_hex(&token), digest);
    assert_ne!(made()?[0], token, "a token is random");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_admin_token_ends_the_old_one_while_bakau_runs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau =
        Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("baik.toml", catalogue::load(1))])?;
    bakau.start().await?;
    let url = bakau.url("/api/v1/quarantine")?;
    let ask = async |token: &str| -> Result<StatusCode> {
        Ok(reqwest::Client::new().get(&url).bearer_auth(token).send().await?.status())
    };
    let old = bakau.admin_token()?.to_owned();
    assert_eq!(ask(&old).await?, StatusCode::OK);
    let (done, shown) = said(&bakau, &["admin-token"])?;
    let new = shown.lines().find_map(|line| line.strip_prefix("admin token ")).filter(|_| done);
    let new = new.with_context(|| shown.clone())?;
    let refused = async || Ok((ask(&old).await? == StatusCode::UNAUTHORIZED).then_some(()));
    wait::until("the old token to be refused", PATIENCE, refused).await?;
    assert_eq!(ask(new).await?, StatusCode::OK);
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_while_bakau_runs_is_there_without_a_restart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau =
        Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("baik.toml", catalogue::load(1))])?;
    bakau.start().await?;
    assert!(bakau.json("/api/v1/stations/lain").await.is_err());
    let more = folder.path().join("catalogue/lebih.toml");
    std::fs::write(&more, catalogue::place("lain", "Lain", "water"))?;
    let (done, shown) = said(&bakau, &["apply", &more.display().to_string()])?;
    assert!(done, "{shown}");
    let there = async || bakau.json("/api/v1/stations/lain").await.map(Some);
    wait::until("the new station", PATIENCE, there).await?;
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_damage_and_fails() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau =
        Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("baik.toml", catalogue::load(1))])?;
    bakau.start().await?;
    bakau.stop()?;
    let (sound, shown) = said(&bakau, &["verify"])?;
    assert!(sound, "{shown}");
    // A value in the books that is in no table.
    let series = Connection::open(bakau.data("series.db"))?;
    series
        .execute("INSERT INTO ledger (minute, source, stored, duplicate, corrected) VALUES (0, 'kota', 1, 0, 0)", [])?;
    drop(series);
    let (sound, shown) = said(&bakau, &["verify"])?;
    assert!(!sound && shown.contains("damage found"), "{shown}");
    Ok(())
}
