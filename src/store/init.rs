//! `bakau store init`: bucket and token in InfluxDB, where they are missing.
//!
//! Everything is asked for by name: a list of buckets would stop at 20 of them.

use std::{fs::File, io::Write, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use bakau_model::{HOUR_S, Language};
use bakau_text::Messages;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    StoreSection,
    section::{TokenPlace, token_of},
};
use crate::words::texts;

/// What may be changed, and with whose rights.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Name of the environment variable with a token that may make buckets and tokens.
    pub(crate) admin_token_env: Option<String>,
    /// How long InfluxDB keeps values; zero for ever.
    pub(crate) retention: Duration,
}

/// One bucket of one server, asked with one token.
struct Server<'a> {
    url: &'a str,
    org: &'a str,
    bucket: &'a str,
    client: reqwest::Client,
}

/// A bucket that is there.
struct Bucket {
    id: String,
    org_id: String,
    retention_s: u64,
}

pub(crate) async fn run(section: &StoreSection, plan: &Plan, language: Language) -> Result<()> {
    let words = texts(language);
    let settings = section.influx()?;
    let mut client = reqwest::Client::builder().connect_timeout(settings.connect).timeout(settings.total);
    client = client.redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = &settings.authority {
        for certificate in reqwest::Certificate::from_pem_bundle(pem)? {
            client = client.add_root_certificate(certificate);
        }
    }
    let (url, client) = (settings.url.trim_end_matches('/'), client.build()?);
    let server = Server { url, org: &settings.org, bucket: &settings.bucket, client };
    let own = own_token(section)?;
    let admin = plan.admin_token_env.as_deref().map(token_of).transpose()?;
    let Some(asking) = admin.as_ref().or(own.as_ref()) else { bail!("{}", words.text("init_no_token")) };
    let bucket = match server.bucket(asking).await? {
        Some(bucket) => {
            say(words, "init_bucket_there", &server);
            bucket
        }
        None => {
            let made = server.make_bucket(asking, plan.retention).await;
            let made = made.with_context(|| words.fill("init_bucket_missing", &server.names()))?;
            say(words, "init_bucket_made", &server);
            made
        }
    };
    if let Some(mapping) = server.mapped_elsewhere(asking, &bucket).await? {
        bail!("{}", words.fill("init_mapping", &[("bucket", server.bucket), ("mapping", mapping.as_str())]));
    }
    if bucket.retention_s != 0 {
        let hours = (bucket.retention_s / u64::from(HOUR_S)).to_string();
        eprintln!("{}", words.fill("init_retention", &[("hours", &hours)]));
    }
    if let Some(own) = &own
        && server.may_read_and_write(own).await?
    {
        say(words, "init_token_works", &server);
        return Ok(());
    }
    let Some(admin) = admin else { bail!("{}", words.fill("init_token_useless", &server.names())) };
    match section.token_place() {
        Some(TokenPlace::File(path)) => {
            let shown = path.display().to_string();
            let failed = || words.fill("init_file_unwritable", &[("path", &shown)]);
            // Before the token is made: one that nobody can keep would stay valid, unknown to all.
            let file = token_file(path).with_context(failed)?;
            keep(file, &server.make_token(&admin, &bucket).await?).with_context(failed)?;
            eprintln!("{}", words.fill("init_token_in_file", &[("bucket", server.bucket), ("path", &shown)]));
        }
        Some(TokenPlace::Variable(name)) => {
            let token = server.make_token(&admin, &bucket).await?;
            say(words, "init_token_made", &server);
            // Alone on standard output, as a line for the file that the service reads its environment from.
            println!("{name}={token}");
        }
        None => bail!("{}", words.text("init_no_token")),
    }
    Ok(())
}

/// The token that there is. A file that holds something else is somebody's mistake, and nothing to write over.
fn own_token(section: &StoreSection) -> Result<Option<String>> {
    let token = section.token();
    let is_empty = |path: &Path| path.metadata().map_or(true, |file| file.len() == 0);
    match section.token_place() {
        Some(TokenPlace::File(path)) if !is_empty(path) => token.map(Some),
        Some(TokenPlace::File(_) | TokenPlace::Variable(_)) | None => Ok(token.ok()),
    }
}

/// The file for a token, readable by this account alone where it is new; one that is there keeps owner and rights.
fn token_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn keep(mut file: File, token: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

fn say(words: &Messages, key: &str, server: &Server<'_>) {
    eprintln!("{}", words.fill(key, &server.names()));
}

impl Server<'_> {
    fn names(&self) -> [(&'static str, &str); 2] {
        [("bucket", self.bucket), ("org", self.org)]
    }

    async fn ask(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        request = request.query(&[("org", self.org)]).header("Authorization", format!("Token {token}"));
        request = match body {
            Some(body) => request.json(&body),
            None => request.query(&[("name", self.bucket), ("bucket", self.bucket)]),
        };
        // The address may contain a password; errors must not repeat it.
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        let text = answer.text().await.map_err(reqwest::Error::without_url)?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// The bucket, as far as the token may see it.
    async fn bucket(&self, token: &str) -> Result<Option<Bucket>> {
        let (status, answer) = self.ask(token, Method::GET, "/api/v2/buckets", None).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        refused(status, &answer)?;
        Ok(answer["buckets"].get(0).and_then(read))
    }

    /// What leads the name of the bucket elsewhere in InfluxQL, which is how Bakau asks: the number of the mapping, or a dash
    /// where the token does not see it. A bucket that nobody mapped is found by its name.
    async fn mapped_elsewhere(&self, token: &str, bucket: &Bucket) -> Result<Option<String>> {
        let (database, policy) = self.bucket.split_once('/').unwrap_or((self.bucket, "autogen"));
        let named = [("org", self.org), ("db", database), ("rp", policy)];
        let request = self.client.get(format!("{}/api/v2/dbrps", self.url)).query(&named);
        let answer = request.header("Authorization", format!("Token {token}")).send().await;
        let text = answer.map_err(reqwest::Error::without_url)?.text().await.map_err(reqwest::Error::without_url)?;
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let Some(mapped) = answer["content"].as_array() else { return Ok(None) };
        let elsewhere = mapped.iter().find(|mapping| mapping["bucketID"] != bucket.id.as_str());
        let unseen = mapped.is_empty().then(|| "-".to_owned());
        Ok(elsewhere.map(|mapping| mapping["id"].as_str().unwrap_or("-").to_owned()).or(unseen))
    }

    async fn make_bucket(&self, token: &str, retention: Duration) -> Result<Bucket> {
        let (status, answer) = self.ask(token, Method::GET, "/api/v2/orgs", None).await?;
        refused(status, &answer)?;
        let org = answer["orgs"][0]["id"].as_str().context("the organization cannot be seen with this token")?;
        let rules = match retention.as_secs() {
            0 => json!([]),
            seconds => json!([{ "type": "expire", "everySeconds": seconds }]),
        };
        let wanted = json!({ "orgID": org, "name": self.bucket, "retentionRules": rules });
        let (status, answer) = self.ask(token, Method::POST, "/api/v2/buckets", Some(wanted)).await?;
        refused(status, &answer)?;
        read(&answer).context("InfluxDB made a bucket and does not say which")
    }

    /// A token that may read and write this bucket, and nothing else.
    async fn make_token(&self, admin: &str, bucket: &Bucket) -> Result<String> {
        let resource = json!({ "type": "buckets", "id": bucket.id, "orgID": bucket.org_id });
        let right = |action: &str| json!({ "action": action, "resource": resource });
        let wanted = json!({
            "orgID": bucket.org_id,
            "description": format!("bakau {}", self.bucket),
            "permissions": [right("read"), right("write")],
        });
        let (status, answer) = self.ask(admin, Method::POST, "/api/v2/authorizations", Some(wanted)).await?;
        refused(status, &answer)?;
        Ok(answer["token"].as_str().context("InfluxDB made a token and does not say which")?.to_owned())
    }

    /// Whether a token sees the bucket, and may write nothing at all into it.
    async fn may_read_and_write(&self, token: &str) -> Result<bool> {
        let (status, answer) = self.ask(token, Method::GET, "/api/v2/buckets", None).await?;
        let sees = status.is_success() && answer["buckets"].get(0).is_some();
        let (status, _) = self.ask(token, Method::POST, "/api/v2/write", None).await?;
        Ok(sees && status == StatusCode::NO_CONTENT)
    }
}

fn read(bucket: &Value) -> Option<Bucket> {
    let text = |name: &str| bucket[name].as_str().map(str::to_owned);
    let retention_s = bucket["retentionRules"][0]["everySeconds"].as_u64().unwrap_or(0);
    Some(Bucket { id: text("id")?, org_id: text("orgID")?, retention_s })
}

/// An error with what InfluxDB says, unless it agreed.
fn refused(status: StatusCode, answer: &Value) -> Result<()> {
    if status.is_success() {
        return Ok(());
    }
    let said = answer["message"].as_str().unwrap_or_default();
    bail!("InfluxDB answers {}: {}", status.as_u16(), said.chars().take(300).collect::<String>())
}
