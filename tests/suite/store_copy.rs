//! `bakau store copy` with the real binary and a real influxd: refused while Bakau runs, killed in the middle, there and back.

use std::{
    net::SocketAddr,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::StatusCode,
};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    influx::{BUCKET, Influx, section},
    kill::{Way, wait_settled},
    process::Process,
    series::{assert_held, catalogue_of, jfk, replay_with},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Stands before influxd and stops answering after some writes, as a server that hangs does.
#[derive(Debug, Clone)]
struct Gate {
    url: String,
    writes: Arc<AtomicUsize>,
    most: usize,
}

impl Gate {
    async fn open(influx: &Influx, most: usize) -> Result<(Self, SocketAddr)> {
        let gate = Self { url: influx.url(""), writes: Arc::default(), most };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(pass).with_state(gate.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((gate, address))
    }

    fn is_shut(&self) -> bool {
        self.most < self.writes.load(Ordering::SeqCst)
    }
}

async fn pass(State(gate): State<Gate>, request: Request) -> (StatusCode, Bytes) {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if path.starts_with("/api/v2/write") && gate.most <= gate.writes.fetch_add(1, Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let body = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let mut onward = reqwest::Client::new().request(head.method, format!("{}{path}", gate.url)).body(body);
    for name in ["authorization", "content-type", "content-encoding", "accept"] {
        if let Some(value) = head.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    match onward.send().await {
        Ok(answer) => (answer.status(), answer.bytes().await.unwrap_or_default()),
        Err(_) => (StatusCode::BAD_GATEWAY, Bytes::new()),
    }
}

fn copy(bakau: &Bakau, from: &str, to: &str) -> Result<Output> {
    let arguments = ["store", "copy", "--from", from, "--to", to].map(str::to_owned);
    Ok(bakau.command(&arguments)?.output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn assert_equal(output: &Output, begin: &str) {
    let said = said(output);
    assert!(output.status.success() && said.starts_with(begin), "{said}");
    assert!(said.contains("jfk/air_temperature: ") && said.contains("1 nilai yang diganti"), "{said}");
    assert!(said.contains("Dibandingkan 9 deret data") && said.contains("Sama."), "{said}");
}

/// A month of weather, one value of which is corrected.
async fn fill(bakau: &Bakau) -> Result<u64> {
    let login = [&*bakau.mqtt()?.to_string(), catalogue::DEVICE, catalogue::TOKEN];
    let readings = replay_with(&jfk(), bakau, &login, &[])?;
    wait_settled(bakau, readings).await?;
    Ok(readings)
}

async fn publish(bakau: &Bakau, payload: &str) -> Result<()> {
    bakau.put("replay/jfk/jfk", payload).await?;
    let settled = async || {
        let ledger = bakau.json("/api/v1/ledger").await?;
        Ok((ledger["readings"]["waiting"] == 0).then_some(()))
    };
    wait::until("the value to be stored", PATIENCE, settled).await.with_context(|| bakau.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_moves_to_influxdb_and_back_and_a_killed_copy_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(&folder.path().join("influx")).await?;
    let way = Way::Embedded.configuration(0);
    let configure = |kind: &str| way.clone() + &influx.section(kind);
    let mut bakau = Bakau::prepare(&folder.path().join("bakau"), &configure("embedded"), &catalogue_of(&jfk())?)?;
    bakau.start().await?;
    fill(&bakau).await?;
    publish(&bakau, r#"{"time":"2013-06-01T00:00:00Z","air_temperature":50.0}"#).await?;
    publish(&bakau, r#"{"time":"2013-06-01T00:00:00Z","air_temperature":59.0}"#).await?;
    let refused = copy(&bakau, "embedded", "influx")?;
    assert!(!refused.status.success() && said(&refused).contains("bakau lain sedang berjalan"), "{}", said(&refused));
    bakau.stop()?;

    // The third write hangs; then the copy is killed.
    let (gate, address) = Gate::open(&influx, 2).await?;
    bakau.configure(&(way.clone() + &section("embedded", address.port())))?;
    let arguments = ["store", "copy", "--from", "embedded", "--to", "influx"].map(str::to_owned);
    let copying = Process::start("bakau", &mut bakau.command(&arguments)?)?;
    let hangs = async || Ok(gate.is_shut().then_some(()));
    wait::until("the third write", PATIENCE, hangs).await?;
    copying.kill()?;
    bakau.configure(&configure("influx"))?;
    let refused = bakau.command(&["verify".to_owned()])?.output()?;
    assert!(!refused.status.success() && said(&refused).contains("a copy into it is unfinished"), "{}", said(&refused));
    assert_equal(&copy(&bakau, "embedded", "influx")?, "Melanjutkan");

    bakau.start().await?;
    assert_held(&jfk(), &bakau).await?;
    publish(&bakau, r#"{"time":"2013-06-01T01:00:00Z","air_temperature":52.0}"#).await?;
    bakau.stop()?;
    let verified = bakau.command(&["verify".to_owned()])?.output()?;
    assert!(verified.status.success(), "{}", said(&verified));
    let count = format!(
        "from(bucket: \"{BUCKET}\") |> range(start: 2013-06-01T00:00:00Z) |> filter(fn: (r) => r._field == \"value\")"
    );
    assert_eq!(influx.query(&count).await?.matches(",15").count(), 1, "the correction is what InfluxDB has");

    let back = copy(&bakau, "influx", "embedded")?;
    assert!(!back.status.success() && said(&back).contains("it holds values of its own"), "{}", said(&back));
    std::fs::rename(bakau.data("series.db"), bakau.data("series-lama.db"))?;
    assert_equal(&copy(&bakau, "influx", "embedded")?, "Menyalin");
    bakau.configure(&configure("embedded"))?;
    bakau.start().await?;
    assert_held(&jfk(), &bakau).await?;
    publish(&bakau, r#"{"time":"2013-06-01T02:00:00Z","air_temperature":53.0}"#).await?;
    bakau.stop()?;
    let verified = bakau.command(&["verify".to_owned()])?.output()?;
    assert!(verified.status.success(), "{}", said(&verified));
    Ok(())
}
