//! The command line as an administrator meets it.

use std::{path::Path, process::Output, time::Duration};

use anyhow::{Context, Result};
use bakau_tests::{bakau::Bakau, catalogue, kill::Way, wait};
use rusqlite::Connection;

/// A command that should end by itself ends in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// In English, where no language is asked for.
async fn run(bakau: &Bakau, arguments: &[&str]) -> Result<Output> {
    let english: &[&str] = if arguments.contains(&"--lang") { &[] } else { &["--lang", "en"] };
    let arguments: Vec<_> = arguments.iter().chain(english).map(|argument| (*argument).to_owned()).collect();
    let mut command = tokio::process::Command::from(bakau.command(&arguments)?);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    Ok(output.with_context(|| format!("bakau {arguments:?} did not end"))??)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn check_names_every_mistake_with_file_and_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(1))])?;
    let bad = folder.path().join("salah.toml");
    std::fs::write(
        &bad,
        "[[station]]\nid = \"Stasiun 1\"\nname = \"x\"\nagency = \"dlh-uji\"\nkind = \"water\"\nlatitude = -7.9\n\
         longitude = 112.6\n[[datastream]]\nid = \"tidak-ada/do\"\ninterval_s = 60\n[[stasiun]]\nid = \"x\"\n",
    )?;
    let output = run(&bakau, &["check", &bad.display().to_string()]).await?;
    let said = errors(&output);
    assert!(!output.status.success());
    for line in ["salah.toml:2:", "salah.toml:9:", "salah.toml:11:"] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
    Ok(())
}

#[tokio::test]
async fn check_warns_of_a_level_without_a_range_of_its_site_and_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(1))])?;
    let file = folder.path().join("muka-air.toml");
    let ranges = [
        "",
        "[datastream.quality]\nfail = { min = -1.0, max = 12.0 }\n",
        "[datastream.quality]\nspike = { suspect = 1.0 }\n",
    ];
    let level = |(number, quality): (usize, &&str)| {
        format!(
            "[[datastream]]\nid = \"beban-000000/water_level@{number}\"\ninterval_s = 60\nvertical_datum = \"LOCAL\"\n{quality}"
        )
    };
    std::fs::write(&file, ranges.iter().enumerate().map(level).collect::<String>())?;
    for (language, word) in [("id", "perhatian: 'beban"), ("en", "warning: 'beban")] {
        let output = run(&bakau, &["check", "--lang", language, &file.display().to_string()]).await?;
        let said = errors(&output);
        assert!(output.status.success(), "{said}");
        let warned: Vec<&str> = said.lines().filter(|line| line.contains(word)).collect();
        assert_eq!(warned.len(), 2, "{said}");
        assert!(warned[0].contains("muka-air.toml:1: ") && warned[0].contains("water_level@0'"), "{said}");
        assert!(warned[1].contains("water_level@2'") && warned[1].contains("[datastream.quality]"), "{said}");
    }
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/catalogue");
    let files = std::fs::read_dir(shipped)?.map(|file| Ok(file?.path().display().to_string()));
    let files =
        files.filter(|file| file.as_ref().is_ok_and(|file| file.ends_with(".toml"))).collect::<Result<Vec<_>>>()?;
    let arguments: Vec<&str> = std::iter::once("check").chain(files.iter().map(String::as_str)).collect();
    let output = run(&bakau, &arguments).await?;
    assert!(output.status.success() && errors(&output).is_empty(), "{}", errors(&output));
    Ok(())
}

#[tokio::test]
async fn applying_the_same_catalogue_again_changes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(1))])?;
    let path = folder.path().join("catalogue/baik.toml").display().to_string();
    let output = run(&bakau, &["apply", &path]).await?;
    assert!(output.status.success(), "{}", errors(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("applied as revision"), "a revision without a change");
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_option_that_changes_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(1))])?;
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?;
    let data = folder.path().join("demo").display().to_string();
    for (option, other) in [("--http", "--mqtt"), ("--mqtt", "--http")] {
        let arguments = ["demo", "--data", &data, option, &address.to_string(), other, "127.0.0.1:0"];
        let output = run(&bakau, &arguments).await?;
        let said = errors(&output);
        assert!(!output.status.success());
        assert!(said.contains(&format!("port {} is in use", address.port())) && said.contains(option), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn the_demo_refuses_a_configuration_that_it_would_not_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[])?;
    let output = run(&bakau, &["demo", "--config", "bakau.toml"]).await?;
    assert!(!output.status.success());
    assert!(errors(&output).contains("the demo reads no configuration"), "{}", errors(&output));
    Ok(())
}

#[tokio::test]
async fn a_public_address_without_an_admin_token_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let configuration = "[http]\nlisten = \"0.0.0.0:0\"\n[broker]\nenabled = false\n";
    let bakau = Bakau::prepare(folder.path(), configuration, &[("baik.toml", catalogue::load(1))])?;
    let output = run(&bakau, &["run"]).await?;
    assert!(!output.status.success());
    assert!(errors(&output).contains("bakau admin-token"), "{}", errors(&output));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_is_refused_and_verify_finds_no_damage() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau =
        Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("baik.toml", catalogue::load(1))])?;
    bakau.start().await?;
    let second = run(&bakau, &["run"]).await?;
    assert!(!second.status.success());
    assert!(errors(&second).contains("another bakau is running"), "{}", errors(&second));
    bakau.stop()?;
    let verify = run(&bakau, &["verify"]).await?;
    assert!(verify.status.success(), "{}", errors(&verify));
    Ok(())
}

/// Every file of a data folder that another process may not touch while one runs on it; the running one itself writes
/// to the spool, the series and the alerts.
fn registered(bakau: &Bakau) -> Result<Vec<(&'static str, Vec<u8>, std::time::SystemTime)>> {
    let read = |name| {
        let path = bakau.data(name);
        Ok((name, std::fs::read(&path)?, std::fs::metadata(&path)?.modified()?))
    };
    ["registry.db", "registry.db-wal", "bakau.lock"].into_iter().map(read).collect()
}

/// The measured time of the newest value of all.
async fn newest(bakau: &Bakau) -> Result<Option<String>> {
    let latest = bakau.json("/api/v1/latest").await?;
    let rows = latest["latest"].as_array().context("present values")?;
    Ok(rows.iter().filter_map(|row| row["observed_at"].as_str()).max().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_demo_on_the_same_folder_leaves_the_first_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), "", &[])?;
    let arguments = ["demo", "--data", "data", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "0"];
    bakau.start_with(&arguments.map(str::to_owned)).await?;
    let reporting = async || newest(&bakau).await;
    wait::until("values of the demo", PATIENCE, reporting).await?;
    let before = registered(&bakau)?;
    let second = run(&bakau, &arguments).await?;
    assert!(!second.status.success());
    assert!(errors(&second).contains("another bakau is running on the data folder data"), "{}", errors(&second));
    assert!(before == registered(&bakau)?, "the second one wrote to the first one's files");
    let then = newest(&bakau).await?;
    let going_on = async || Ok((then < newest(&bakau).await?).then_some(()));
    wait::until("the stations of the first demo to go on", PATIENCE, going_on).await?;
    bakau.stop()
}

/// The number that every file of Bakau carries: which version of its tables it has.
fn format(path: &Path, set: Option<i64>) -> Result<i64> {
    let file = Connection::open(path)?;
    if let Some(format) = set {
        file.pragma_update(None, "user_version", format)?;
    }
    Ok(file.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_newer_version_is_refused_in_words_and_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau =
        Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("baik.toml", catalogue::load(1))])?;
    bakau.start().await?;
    bakau.stop()?;
    for file in ["spool.db", "series.db", "alerts.db", "registry.db"] {
        let path = bakau.data(file);
        let known = format(&path, None)?;
        format(&path, Some(99))?;
        let output = run(&bakau, &["run"]).await?;
        let said = errors(&output);
        assert!(!output.status.success(), "{file}");
        for words in [file, "99", "newer"] {
            assert!(said.contains(words), "no '{words}' in:\n{said}");
        }
        assert_eq!(format(&path, None)?, 99, "{file} was changed");
        format(&path, Some(known))?;
    }
    bakau.start().await?;
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_by_its_exit_code_whether_bakau_is_ready_and_reachable() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let configuration = Way::Embedded.configuration(0).replace("[http]\n", "[http]\nopen_read = false\n");
    let mut bakau = Bakau::prepare(folder.path(), &configuration, &[("baik.toml", catalogue::load(1))])?;
    let away = run(&bakau, &["status", "--url", "http://127.0.0.1:1", "--lang", "en"]).await?;
    assert_eq!(away.status.code(), Some(2));
    assert!(errors(&away).contains("No Bakau answers at http://127.0.0.1:1"), "{}", errors(&away));
    bakau.start().await?;
    let url = bakau.url("")?;
    let ask = |token: Option<&str>| -> Result<Output> {
        let arguments = ["status", "--url", &url].map(str::to_owned);
        let mut command = bakau.command(&arguments)?;
        match token {
            Some(token) => command.env("BAKAU_TOKEN", token),
            None => command.env_remove("BAKAU_TOKEN"),
        };
        Ok(command.output()?)
    };
    let closed = ask(None)?;
    assert_eq!(closed.status.code(), Some(2));
    assert!(errors(&closed).contains("BAKAU_TOKEN"), "{}", errors(&closed));
    let ready = ask(Some(bakau.admin_token()?))?;
    let said = String::from_utf8_lossy(&ready.stdout).into_owned();
    assert_eq!(ready.status.code(), Some(0), "{said}{}", errors(&ready));
    for part in [": siap", "Penyimpanan", "Sumber", "tersambung", "bebas di disk"] {
        assert!(said.contains(part), "no '{part}' in:\n{said}");
    }
    bakau.stop()
}

/// Words that a sentence in English has and none in Bahasa Indonesia.
fn english_words(text: &str) -> Vec<&str> {
    let words = ["the", "is", "was", "not", "and", "there", "nothing", "cannot", "found", "of", "options", "print"];
    let all = text.split(|letter: char| !letter.is_ascii_alphabetic());
    all.filter(|word| words.contains(&word.to_lowercase().as_str())).collect()
}

#[tokio::test]
async fn in_bahasa_indonesia_every_command_says_everything_in_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[("baik.toml", catalogue::load(1))])?;
    let wrong = folder.path().join("salah.toml");
    std::fs::write(&wrong, "[[station]]\nid = \"tanpa-tempat\"\n")?;
    let [wrong, right] = [wrong, folder.path().join("catalogue/baik.toml")].map(|path| path.display().to_string());
    let commands: [&[&str]; 11] = [
        &["--help"],
        &["apply", "--help"],
        &["store", "copy", "--help"],
        &["check", &right],
        &["check", &wrong],
        &["apply", &right],
        &["apply", &wrong],
        &["apply", "--dry-run", &right],
        &["verify"],
        &["admin-token"],
        &["status", "--url", "http://127.0.0.1:1"],
    ];
    for command in commands {
        let output = run(&bakau, &[command, &["--lang", "id"]].concat()).await?;
        let said = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
        // The log is for the administrator's tools, and what the system says is the system's.
        let lines = said.lines().filter(|line| !line.contains(" INFO ") && !line.contains("os error"));
        for line in lines {
            // `[OPTIONS]` in the usage is clap's.
            assert_eq!(english_words(&line.replace("[OPTIONS]", "")), Vec::<&str>::new(), "{command:?}: {line}");
        }
        assert!(!said.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_apply_that_fails_or_only_shows_leaves_no_file_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bakau = Bakau::prepare(folder.path(), "", &[])?;
    let before = files_below(folder.path())?;
    let [wrong, right] = ["salah.toml", "baik.toml"].map(|name| folder.path().join(name));
    std::fs::write(&wrong, "[[station]]\nid = \"tanpa-tempat\"\n")?;
    std::fs::write(&right, catalogue::load(1))?;
    let [wrong, right] = [wrong, right].map(|path| path.display().to_string());
    for (arguments, done) in [
        (&["apply", &wrong][..], false),
        (&["apply", &right, "tidak-ada.toml"], false),
        (&["apply", "--dry-run", &right], true),
    ] {
        let output = run(&bakau, arguments).await?;
        assert_eq!(output.status.success(), done, "{arguments:?}: {}", errors(&output));
        assert_eq!(files_below(folder.path())?.len(), before.len() + 2, "{arguments:?} left something behind");
    }
    let output = run(&bakau, &["apply", "--dry-run", &right]).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("+ station beban-000000") && said.contains("nothing was changed"), "{said}");
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        }
        found.push(path);
    }
    Ok(found)
}
