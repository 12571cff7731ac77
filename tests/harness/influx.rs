//! A real influxd with limits, on a port of the system's choice and with its files in a folder of the test.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use influxdb2::{
    api::{buckets::ListBucketsRequest, write::TimestampPrecision},
    models::{PostBucketRequest, Query, Status},
};
use influxdb2_structmap::value::Value as FluxValue;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{process::Process, wait};

/// The organization of every test.
pub const ORG: &str = "uji";
/// The bucket that is there from the beginning.
pub const BUCKET: &str = "bakau";
/// Name of the environment variable with Bakau's token.
pub const TOKEN_ENV: &str = "BAKAU_TEST_INFLUX_TOKEN";
/// May do everything.
pub const ADMIN_TOKEN: &str = "token-admin-uji";

/// Without limits one question of a test took 22 GB.
const LIMITS: [&str; 10] = [
    "--query-memory-bytes",
    "268435456",
    "--query-concurrency",
    "4",
    "--query-queue-size",
    "64",
    "--storage-cache-max-memory-size",
    "268435456",
    // What is in the write-ahead log only becomes a data file once nobody writes: how large data are is seen soon.
    "--storage-cache-snapshot-write-cold-duration",
    "10s",
];

/// Long enough for a busy machine; nothing is judged by it.
const PATIENCE: Duration = Duration::from_secs(60);
const SIGTERM: i32 = 15;
/// Lines of its log that are kept for messages of failed tests.
const TAIL: usize = 40;

/// An influxd; it ends with the test.
#[derive(Debug)]
pub struct Influx {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
    log: Arc<Mutex<Log>>,
    client: reqwest::Client,
}

/// What it said.
#[derive(Debug, Default)]
struct Log {
    tail: VecDeque<String>,
    port: Option<u16>,
    ended: bool,
}

/// A token and how it is named when it is changed.
#[derive(Debug, Clone)]
pub struct Token {
    id: String,
    /// What a client sends.
    pub secret: String,
}

/// Where influxd lies: where `BAKAU_INFLUXD` says, or where `cargo xtask test` builds it.
fn program() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/influxd/influxd");
    std::env::var_os("BAKAU_INFLUXD").map_or_else(built, PathBuf::from)
}

/// `[store]` with an InfluxDB on a port.
#[must_use]
pub fn section(kind: &str, port: u16) -> String {
    format!(
        "[store]\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:{port}\"\norg = \"{ORG}\"\nbucket = \"{BUCKET}\"\n\
         token_env = \"{TOKEN_ENV}\"\n"
    )
}

impl Influx {
    /// Starts influxd with its files in `folder`, with organization, bucket and admin token.
    ///
    /// # Errors
    /// When it has not been built or does not answer.
    pub async fn start(folder: &Path) -> Result<Self> {
        crate::install_tls();
        fs::create_dir_all(folder)?;
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let folder = folder.to_path_buf();
        let mut server = Self { folder, port: 0, process: None, log: Arc::default(), client };
        server.resume().await?;
        let first = json!({
            "username": "uji", "password": "kata-sandi-uji", "org": ORG, "bucket": BUCKET, "token": ADMIN_TOKEN,
        });
        let made = server.client.post(server.url("/api/v2/setup")).json(&first).send().await?;
        if !made.status().is_success() {
            bail!("influxd refuses the setup: {}", made.text().await?);
        }
        Ok(server)
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// When it does not answer within a minute; the end of its log is in the message.
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(program());
        for (option, name) in [("--bolt-path", "bolt"), ("--engine-path", "engine"), ("--sqlite-path", "sqlite")] {
            command.arg(option).arg(self.folder.join(name));
        }
        command.args(["--http-bind-address", &format!("127.0.0.1:{}", self.port), "--reporting-disabled"]);
        // Its settings come from here alone, not from a file in the working folder.
        command.args(LIMITS).current_dir(&self.folder).env("INFLUXD_CONFIG_PATH", &self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let started = Process::start("influxd", &mut command);
        let mut process = started.context("no influxd: `cargo xtask test` builds it, BAKAU_INFLUXD names another")?;
        self.log = Arc::default();
        let (log, stdout) = (Arc::clone(&self.log), process.stdout().context("standard output is piped")?);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                log.lock().hear(line);
            }
            log.lock().ended = true;
        });
        self.process = Some(process);
        let listens = async || {
            let log = self.log.lock();
            if log.ended {
                bail!("influxd ended");
            }
            Ok(log.port)
        };
        self.port = wait::until("influxd to listen", PATIENCE, listens).await.with_context(|| self.log_tail())?;
        let answers = async || Ok((self.stranger().health().await?.status == Status::Pass).then_some(()));
        wait::until("influxd to be healthy", PATIENCE, answers).await.with_context(|| self.log_tail())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it was not running any more.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("influxd is not running")?.kill()
    }

    /// SIGTERM, as a service is stopped. influxd 2.7.12 does not listen to it: the signal ends it on the spot, and that is
    /// how it stops. Any other end is none that was asked for.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.process.take().context("influxd is not running")?.ended_by_term()?;
        if !status.success() && status.signal() != Some(SIGTERM) {
            bail!("influxd ended with {status} after SIGTERM:\n{}", self.log_tail());
        }
        Ok(())
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it is not running.
    pub fn id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("influxd is not running")?.id())
    }

    /// The last lines it said.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.log.lock().tail.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// A URL of its HTTP interface; with an empty path its address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What `bakau.toml` says of it, as a store of this kind (`embedded` or `influx`).
    #[must_use]
    pub fn section(&self, kind: &str) -> String {
        section(kind, self.port)
    }

    /// Asks its HTTP interface as the admin; the answer as JSON, null where it is empty.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.client.request(method, self.url(path));
        request = request.header("Authorization", format!("Token {ADMIN_TOKEN}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("influxd answers {path} with {status}: {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// The id of the organization.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn org_id(&self) -> Result<String> {
        let found = self.ask(reqwest::Method::GET, &format!("/api/v2/orgs?org={ORG}"), None).await?;
        Ok(found["orgs"][0]["id"].as_str().context("the organization has an id")?.to_owned())
    }

    /// A client that shares no code with Bakau, for what somebody else does.
    #[must_use]
    pub fn stranger(&self) -> influxdb2::Client {
        influxdb2::Client::new(self.url(""), ORG, ADMIN_TOKEN)
    }

    /// Makes a bucket that keeps everything; gives its id.
    ///
    /// # Errors
    /// When it is there already.
    pub async fn make_bucket(&self, name: &str) -> Result<String> {
        let client = self.stranger();
        client.create_bucket(Some(PostBucketRequest::new(self.org_id().await?, name.to_owned()))).await?;
        let named = ListBucketsRequest { name: Some(name.to_owned()), ..ListBucketsRequest::default() };
        let mut found = client.list_buckets(Some(named)).await?.buckets;
        found.pop().and_then(|bucket| bucket.id).context("the bucket has an id")
    }

    /// How many points of these parameters (with their qualifiers) from one instant (RFC 3339) until before another have a
    /// usable value, as the server counts by value and flag.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn count_usable(&self, parameters: &[&str], from: &str, to: &str) -> Result<i64> {
        let flux = format!(
            "from(bucket: \"{BUCKET}\") |> range(start: {from}, stop: {to})
             |> filter(fn: (r) => contains(value: r.parameter, set: {parameters:?}))
             |> filter(fn: (r) => r._field == \"value\" or r._field == \"flag\")
             |> pivot(rowKey: [\"_time\"], columnKey: [\"_field\"], valueColumn: \"_value\")
             |> filter(fn: (r) => r.flag != 4 and r.flag != 9) |> group() |> count(column: \"value\")"
        );
        let found = self.stranger().query_raw(Some(Query::new(flux))).await?;
        match found.first().and_then(|record| record.values.get("value")) {
            Some(FluxValue::Long(count)) => Ok(*count),
            other => bail!("influxd counts {other:?}"),
        }
    }

    /// Makes a token that may do `actions` (`read`, `write`) with all buckets.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn make_token(&self, actions: &[&str]) -> Result<Token> {
        let org = self.org_id().await?;
        let right = |action: &&str| json!({ "action": action, "resource": { "type": "buckets", "orgID": org } });
        let rights: Vec<Value> = actions.iter().map(right).collect();
        let wanted = json!({ "orgID": org, "permissions": rights });
        let made = self.ask(reqwest::Method::POST, "/api/v2/authorizations", Some(&wanted)).await?;
        let field = |name: &str| Ok::<_, anyhow::Error>(made[name].as_str().context("a token")?.to_owned());
        Ok(Token { id: field("id")?, secret: field("token")? })
    }

    /// Revokes a token for good.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn revoke(&self, token: &Token) -> Result<()> {
        let path = format!("/api/v2/authorizations/{}", token.id);
        self.ask(reqwest::Method::DELETE, &path, None).await.map(drop)
    }

    /// Makes a token invalid, or valid again.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn set_active(&self, token: &Token, active: bool) -> Result<()> {
        let path = format!("/api/v2/authorizations/{}", token.id);
        let wanted = json!({ "status": if active { "active" } else { "inactive" } });
        self.ask(reqwest::Method::PATCH, &path, Some(&wanted)).await.map(drop)
    }

    /// Writes lines as somebody else would.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn write(&self, bucket: &str, lines: &str) -> Result<()> {
        let (client, lines) = (self.stranger(), lines.to_owned());
        Ok(client.write_line_protocol_with_precision(ORG, bucket, lines, TimestampPrecision::Milliseconds).await?)
    }

    /// The answer to a Flux query as CSV without annotations.
    ///
    /// # Errors
    /// When it is no success.
    pub async fn query(&self, flux: &str) -> Result<String> {
        let body = json!({ "query": flux, "dialect": { "header": true, "annotations": [] } });
        let request = self.client.post(self.url(&format!("/api/v2/query?org={ORG}"))).json(&body);
        let request =
            request.header("Authorization", format!("Token {ADMIN_TOKEN}")).header("Accept", "application/csv");
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("influxd answers a query with {status}: {text}");
        }
        Ok(text)
    }
}

impl Log {
    fn hear(&mut self, line: String) {
        if line.contains("msg=Listening") && line.contains("service=tcp-listener") {
            let digits = line.rsplit_once("port=").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
            self.port = digits.and_then(|digits| digits.collect::<String>().parse().ok());
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}
