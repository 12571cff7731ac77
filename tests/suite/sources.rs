//! Several brokers at once: MQTT 5, MQTT 3.1.1, TLS with a password, and devices with tokens at the embedded broker.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bakau_simulate::{
    load::{self, LoadContent, LoadPlan, Progress},
    mqtt::Login,
};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    certificates::Certificates,
    checker,
    kill::{expected, wait_settled},
    mosquitto::{Mosquitto, PASSWORD, PASSWORD_ENV, USERNAME},
    wait,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
/// Two stations behind each source; their ids begin with its name.
const SOURCES: [&str; 4] = ["broker", "lima", "tiga", "sandi"];
const STATIONS: u32 = 2;
/// Of each source and round, two values each.
const MESSAGES: u64 = 200;

/// Brokers of three kinds and a Bakau behind all of them.
struct Rig {
    bakau: Bakau,
    lima: Mosquitto,
    tiga: Mosquitto,
    sandi: Mosquitto,
}

fn stations_of(source: &str) -> [String; STATIONS as usize] {
    [0, 1].map(|number| format!("{source}-{number:06}"))
}

impl Rig {
    async fn start(folder: &Path) -> Result<Self> {
        let certificates = Certificates::make(&folder.join("certificates"))?;
        let lima = Mosquitto::start(&folder.join("lima")).await?;
        let tiga = Mosquitto::start(&folder.join("tiga")).await?;
        let [first, second] = stations_of("sandi");
        let sandi = Mosquitto::shipped(&folder.join("sandi"), &["bakau", &first, &second], Some(&certificates)).await?;
        let source = |name: &str, user: &str, port: u16, more: &str| {
            format!(
                "[[source]]\nname = \"{name}\"\nhost = \"localhost\"\nport = {port}\nusername = \"{user}\"\n\
                 password_env = \"{PASSWORD_ENV}\"\ntopics = [\"bakau/#\"]\naccept_past_days = 20000\n{more}\n"
            )
        };
        let tls = format!("tls = true\nca_file = \"{}\"", certificates.authority.display());
        let tls_port = sandi.tls_port().context("it listens with TLS")?;
        let configuration = "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nlisten = \"127.0.0.1:0\"\n\
                             accept_past_days = 20000\n"
            .to_owned()
            + &source("lima", USERNAME, lima.port(), "protocol = \"5\"")
            + &source("tiga", USERNAME, tiga.port(), "protocol = \"3.1.1\"")
            + &source("sandi", "bakau", tls_port, &tls);
        let mut text = catalogue::load(0);
        for source in SOURCES {
            text += &catalogue::stations(&format!("{source}-"), STATIONS as usize);
        }
        for station in stations_of("broker") {
            text += &catalogue::device(&station, catalogue::TOKEN, &format!("bakau/{station}/#"));
        }
        let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &[("uji.toml", text)])?;
        bakau.start().await?;
        Ok(Self { bakau, lima, tiga, sandi })
    }

    /// The load of one source: what is published where, by whom.
    fn plan(&self, source: &str, round: i64) -> Result<LoadPlan> {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let own = |password: &str| {
            let login = |username: String| Login { username, password: bakau_model::Secret::new(password) };
            stations_of(source).map(login).to_vec()
        };
        let anybody = || vec![Login { username: USERNAME.to_owned(), password: bakau_model::Secret::new(PASSWORD) }];
        let (broker, logins) = match source {
            "broker" => (self.bakau.mqtt()?, own(catalogue::TOKEN)),
            "lima" => (local(self.lima.port()), anybody()),
            "tiga" => (local(self.tiga.port()), anybody()),
            _ => (local(self.sandi.port()), own(PASSWORD)),
        };
        let content = LoadContent {
            messages: MESSAGES,
            stations: STATIONS,
            station_prefix: format!("{source}-"),
            start: LoadContent::default().start.saturating_add(round * 86_400_000),
            ..LoadContent::default()
        };
        // Each connection is one station, so that each device signs in as itself.
        Ok(LoadPlan { broker, logins, connections: STATIONS, window: 20, content, ..LoadPlan::default() })
    }

    /// Publishes through some sources at once; gives what was acknowledged.
    async fn publish(&self, sources: &[&str], round: i64) -> Result<Vec<LoadContent>> {
        let mut running = Vec::new();
        for source in sources {
            let plan = self.plan(source, round)?;
            running.push(tokio::spawn(async move {
                let report = load::run(&plan, &Arc::new(Progress::default()), &CancellationToken::new()).await;
                (plan.content, report)
            }));
        }
        let mut contents = Vec::new();
        for load in running {
            let (content, report) = load.await?;
            ensure!(report.errors.is_empty(), "publishers gave up: {:?}", report.errors);
            ensure!(report.acknowledged.len() == MESSAGES, "{} were acknowledged", report.acknowledged.len());
            contents.push(content);
        }
        Ok(contents)
    }

    async fn source(&self, name: &str) -> Result<Value> {
        let answer = self.bakau.json("/api/v1/sources").await?;
        let found = answer["sources"].as_array().and_then(|all| all.iter().find(|source| source["name"] == name));
        found.cloned().with_context(|| format!("no source {name} in {answer}"))
    }

    async fn wait_state(&self, name: &str, state: &str) -> Result<()> {
        let reached = async || Ok((self.source(name).await?["state"] == state).then_some(()));
        let waited = wait::until(&format!("{name} to be {state}"), PATIENCE, reached).await;
        waited.with_context(|| self.bakau.log_tail())
    }
}

/// Readings by source: each line of the ledger says whose it is.
async fn check_origins(bakau: &Bakau, messages: [u64; 4]) -> Result<()> {
    let ledger = bakau.json("/api/v1/ledger").await?;
    for (source, messages) in SOURCES.into_iter().zip(messages) {
        let lines = ledger["lines"].as_array().context("the ledger has lines")?;
        let of_source: Vec<_> = lines.iter().filter(|line| line["source"] == source).collect();
        let sum = |part: &str, field: &str| of_source.iter().filter_map(|line| line[part][field].as_u64()).sum::<u64>();
        assert_eq!(sum("messages", "decoded"), messages, "{source}");
        assert_eq!((sum("readings", "stored"), sum("readings", "decoded")), (2 * messages, 2 * messages), "{source}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_four_sources_delivers_every_value_once_and_one_that_is_down_holds_up_no_other() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut rig = Rig::start(folder.path()).await?;
    for source in SOURCES {
        rig.wait_state(source, "connected").await?;
    }
    let mut sent = rig.publish(&SOURCES, 0).await?;
    wait_settled(&rig.bakau, 4 * 2 * MESSAGES).await?;
    check_origins(&rig.bakau, [MESSAGES; 4]).await?;

    rig.tiga.stop()?;
    rig.wait_state("tiga", "connecting").await?;
    let others = ["broker", "lima", "sandi"];
    sent.extend(rig.publish(&others, 1).await?);
    wait_settled(&rig.bakau, 7 * 2 * MESSAGES).await?;
    for source in others {
        assert_eq!(rig.source(source).await?["state"], "connected", "{source}");
    }
    let down = rig.source("tiga").await?;
    assert_eq!(down["state"], "connecting");
    assert!(down["problem"].as_str().is_some_and(|words| words.contains("refused")), "{down}");

    let mut status = rig.bakau.command(&["status", "--url", &rig.bakau.url("")?].map(str::to_owned))?;
    let told = status.env("BAKAU_TOKEN", rig.bakau.admin_token()?).output()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.matches("hilang di broker: ").count(), 3, "{told}");

    rig.tiga.resume().await?;
    rig.wait_state("tiga", "connected").await?;
    assert_eq!(rig.source("tiga").await?["problem"], Value::Null);
    sent.extend(rig.publish(&["tiga"], 1).await?);
    wait_settled(&rig.bakau, 8 * 2 * MESSAGES).await?;
    check_origins(&rig.bakau, [2 * MESSAGES; 4]).await?;
    rig.bakau.stop()?;
    let values = sent.iter().flat_map(|content| (0..MESSAGES).flat_map(|n| expected(content, n)));
    let verdict = checker::check(&rig.bakau.data(""), values)?;
    assert_eq!((verdict.rows, verdict.superseded), (8 * 2 * MESSAGES, 0));
    Ok(())
}
