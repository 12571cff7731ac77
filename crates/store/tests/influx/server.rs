//! A real influxd of a test's own, on a port of the system's choice.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bakau_store::influx::InfluxConfig;

const TOKEN: &str = "token-of-a-test";

/// The server; it ends with the test.
pub(crate) struct Influxd {
    child: Child,
    url: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for Influxd {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn program() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/influxd/influxd");
    std::env::var_os("BAKAU_INFLUXD").map_or_else(built, PathBuf::from)
}

impl Influxd {
    pub(crate) async fn start() -> Self {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program());
        for (option, name) in [("--bolt-path", "bolt"), ("--engine-path", "engine"), ("--sqlite-path", "sqlite")] {
            command.arg(option).arg(folder.path().join(name));
        }
        command.args(["--http-bind-address", "127.0.0.1:0", "--reporting-disabled"]);
        let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = started.expect("no influxd: `cargo xtask test` builds it, BAKAU_INFLUXD names another");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let listening = line.contains("msg=Listening") && line.contains("service=tcp-listener");
            let digits = line.rsplit_once("port=").filter(|_| listening)?.1;
            digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u16>().ok()
        });
        // What it says later is read away, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let url = format!("http://127.0.0.1:{}", port.expect("influxd ended before it listened"));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let server = Self { child, url, client, _folder: folder };
        let first = serde_json::json!({
            "username": "test", "password": "password-of-a-test", "org": "test", "bucket": "first", "token": TOKEN,
        });
        let answer = server.client.post(format!("{}/api/v2/setup", server.url)).json(&first).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        server
    }

    pub(crate) fn config(&self, bucket: &str) -> InfluxConfig {
        let (url, org, token) = (self.url.clone(), "test".to_owned(), TOKEN.to_owned());
        InfluxConfig { url, org, bucket: bucket.to_owned(), token, authority: None }
    }

    pub(crate) async fn make_bucket(&self, name: &str) {
        let auth = format!("Token {TOKEN}");
        let found = self.client.get(format!("{}/api/v2/orgs?org=test", self.url)).header("Authorization", &auth);
        let found: serde_json::Value = found.send().await.unwrap().json().await.unwrap();
        let bucket = serde_json::json!({ "orgID": found["orgs"][0]["id"], "name": name, "retentionRules": [] });
        let made = self.client.post(format!("{}/api/v2/buckets", self.url)).header("Authorization", &auth);
        let made = made.json(&bucket).send().await.unwrap();
        assert_eq!(made.status().as_u16(), 201);
    }

    /// Asks a question as somebody else would; the answer is CSV without annotations.
    pub(crate) async fn query(&self, flux: &str) -> String {
        let body = serde_json::json!({ "query": flux, "dialect": { "header": true, "annotations": [] } });
        let request = self.client.post(format!("{}/api/v2/query?org=test", self.url)).json(&body);
        let request = request.header("Authorization", format!("Token {TOKEN}")).header("Accept", "application/csv");
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Writes lines as somebody else would.
    pub(crate) async fn intrude(&self, bucket: &str, lines: &str) {
        let url = format!("{}/api/v2/write?org=test&bucket={bucket}&precision=ms", self.url);
        let request = self.client.post(url).header("Authorization", format!("Token {TOKEN}"));
        let answer = request.body(lines.to_owned()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 204);
    }
}
