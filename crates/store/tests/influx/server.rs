//! A real influxd of a test's own, on a port of the system's choice.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bakau_store::influx::{InfluxConfig, Timeouts};
use influxdb2::{
    api::{organization::ListOrganizationRequest, write::TimestampPrecision},
    models::PostBucketRequest,
};

const TOKEN: &str = "token-of-a-test";

/// The server; it ends with the test.
pub(crate) struct Influxd {
    child: Child,
    url: String,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    disk: Option<PathBuf>,
}

impl Drop for Influxd {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
        if let Some(disk) = &self.disk {
            let _or_it_stays = Command::new("umount").arg("-l").arg(disk).status();
        }
    }
}

fn program() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/influxd/influxd");
    std::env::var_os("BAKAU_INFLUXD").map_or_else(built, PathBuf::from)
}

/// Starts the program on a folder and gives its address.
fn run(folder: &Path) -> (Child, String) {
    let mut command = Command::new(program());
    for (option, name) in [("--bolt-path", "bolt"), ("--engine-path", "engine"), ("--sqlite-path", "sqlite")] {
        command.arg(option).arg(folder.join(name));
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
    (child, format!("http://127.0.0.1:{}", port.expect("influxd ended before it listened")))
}

impl Influxd {
    pub(crate) async fn start() -> Self {
        Self::set_up(tempfile::tempdir().unwrap(), None).await
    }

    /// With its values on a small file system in memory, which only root can mount.
    pub(crate) async fn on_a_small_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("engine");
        std::fs::create_dir(&disk).unwrap();
        let mut mount = Command::new("mount");
        let made = mount.args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs"]).arg(&disk).output().unwrap();
        assert!(made.status.success(), "a small disk cannot be mounted, this test must run as root: {made:?}");
        Self::set_up(folder, Some(disk)).await
    }

    async fn set_up(folder: tempfile::TempDir, disk: Option<PathBuf>) -> Self {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let (child, url) = run(folder.path());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let server = Self { child, url, client, folder, disk };
        let first = serde_json::json!({
            "username": "test", "password": "password-of-a-test", "org": "test", "bucket": "first", "token": TOKEN,
        });
        let answer = server.client.post(format!("{}/api/v2/setup", server.url)).json(&first).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        server
    }

    /// Kill -9, now.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same server once more, at another address.
    pub(crate) fn start_again(&mut self) {
        (self.child, self.url) = run(self.folder.path());
    }

    /// Fills the small disk to the last byte; gives the file to delete.
    pub(crate) fn fill_disk(&self) -> PathBuf {
        let path = self.disk.as_ref().unwrap().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        path
    }

    async fn api(&self, request: reqwest::RequestBuilder) -> serde_json::Value {
        let answer = request.header("Authorization", format!("Token {TOKEN}")).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
    }

    /// A token that may read and write one bucket; and its number, by which it is revoked.
    pub(crate) async fn make_token(&self, bucket: &str) -> (String, String) {
        let found = self.api(self.client.get(format!("{}/api/v2/buckets?name={bucket}", self.url))).await;
        let (id, org) = (&found["buckets"][0]["id"], &found["buckets"][0]["orgID"]);
        let may =
            |action| serde_json::json!({ "action": action, "resource": { "type": "buckets", "id": id, "orgID": org } });
        let body = serde_json::json!({ "orgID": org, "permissions": [may("read"), may("write")] });
        let made = self.api(self.client.post(format!("{}/api/v2/authorizations", self.url)).json(&body)).await;
        (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }

    /// Revokes a token, or allows it again.
    pub(crate) async fn allow_token(&self, id: &str, allowed: bool) {
        let body = serde_json::json!({ "status": if allowed { "active" } else { "inactive" } });
        self.api(self.client.patch(format!("{}/api/v2/authorizations/{id}", self.url)).json(&body)).await;
    }

    /// The whole answer to the question for a station's values, in chunks of 10,000.
    pub(crate) async fn question(&self, bucket: &str, station: &str) -> Vec<u8> {
        let text =
            format!("SELECT value, flag, lag, meta, tests, increment FROM observation WHERE station = '{station}'");
        let url = format!("{}/query?db={bucket}&epoch=ms&chunked=true", self.url);
        let request = self.client.post(url).header("Authorization", format!("Token {TOKEN}"));
        let request = request.header("Accept", "application/x-msgpack");
        let answer = request.header("Content-Type", "application/vnd.influxql").body(text).send().await.unwrap();
        answer.bytes().await.unwrap().to_vec()
    }

    pub(crate) fn config(&self, bucket: &str) -> InfluxConfig {
        let (url, org, token) = (self.url.clone(), "test".to_owned(), bakau_model::Secret::new(TOKEN));
        InfluxConfig { url, org, bucket: bucket.to_owned(), token, authority: None, timeouts: Timeouts::default() }
    }

    /// A client that is not ours.
    pub(crate) fn stranger(&self) -> influxdb2::Client {
        influxdb2::Client::new(self.url.as_str(), "test", TOKEN)
    }

    pub(crate) async fn make_bucket(&self, name: &str) {
        let client = self.stranger();
        let wanted = ListOrganizationRequest { org: Some("test".to_owned()), ..ListOrganizationRequest::default() };
        let found = client.list_organizations(wanted).await.unwrap();
        let org = found.orgs[0].id.clone().unwrap();
        client.create_bucket(Some(PostBucketRequest::new(org, name.to_owned()))).await.unwrap();
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

    /// Gives the name of a bucket in InfluxQL to another one; gives the number of the mapping.
    pub(crate) async fn map(&self, name: &str, to: &str) -> String {
        let found = self.api(self.client.get(format!("{}/api/v2/buckets?name={to}", self.url))).await;
        let bucket = &found["buckets"][0];
        let (id, org) = (&bucket["id"], &bucket["orgID"]);
        let mapping = serde_json::json!({
            "bucketID": id, "orgID": org, "database": name, "retention_policy": "autogen", "default": true,
        });
        let made = self.api(self.client.post(format!("{}/api/v2/dbrps", self.url)).json(&mapping)).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Takes a mapping away.
    pub(crate) async fn unmap(&self, id: &str) {
        self.api(self.client.delete(format!("{}/api/v2/dbrps/{id}?org=test", self.url))).await;
    }

    /// Writes lines as somebody else would.
    pub(crate) async fn intrude(&self, bucket: &str, lines: &str) {
        let (client, lines) = (self.stranger(), lines.to_owned());
        let written =
            client.write_line_protocol_with_precision("test", bucket, lines, TimestampPrecision::Milliseconds);
        written.await.unwrap();
    }
}
