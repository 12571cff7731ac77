//! The HTTP interface of the server: settings, writes, JSON queries.

pub(crate) mod answer;
pub(crate) mod mapping;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_model::Secret;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use self::answer::Answered;
use crate::{StoreError, StoreErrorKind};

/// An answer to a write names bad lines, one about the server is short; more is not read.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Settings of the server.
#[derive(Debug, Clone)]
pub struct InfluxConfig {
    /// Address, such as `https://influx.example.org:8086`.
    pub url: String,
    /// The organization.
    pub org: String,
    /// The bucket.
    pub bucket: String,
    /// A token that may read and write the bucket.
    pub token: Secret,
    /// Certificates (PEM) of an authority of one's own, besides those of the system.
    pub authority: Option<Vec<u8>>,
    /// Time limits.
    pub timeouts: Timeouts,
}

/// Time limits of requests; without them a client waits for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Limit for a connection.
    pub connect: Duration,
    /// Limit for a whole write, and between two pieces of an answer that is read: a long range may take longer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), total: Duration::from_secs(30) }
    }
}

/// A server and the client that speaks to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) config: InfluxConfig,
    pub(crate) client: reqwest::Client,
    /// When the name of the bucket was last seen to lead to it.
    pub(crate) mapped: Arc<Mutex<Option<Instant>>>,
}

fn wrong(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Other, cause)
}

/// An error of the connection; the address is left out, because it may carry a password.
pub(crate) fn unavailable(error: reqwest::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error.without_url())
}

impl Server {
    pub(crate) fn new(config: InfluxConfig) -> Result<Self, StoreError> {
        let address = reqwest::Url::parse(&config.url).map_err(wrong)?;
        if !matches!(address.scheme(), "http" | "https") || !address.has_host() {
            return Err(wrong("the address of InfluxDB does not begin with http:// or https://"));
        }
        let Timeouts { connect, total } = config.timeouts;
        let mut client = reqwest::Client::builder().connect_timeout(connect).read_timeout(total);
        client = client.redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &config.authority {
            for certificate in reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)? {
                client = client.add_root_certificate(certificate);
            }
        }
        Ok(Self { client: client.build().map_err(wrong)?, config, mapped: Arc::default() })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.url.trim_end_matches('/'))
    }

    pub(crate) fn authorization(&self) -> String {
        format!("Token {}", self.config.token.expose())
    }

    /// Sends lines of line protocol.
    pub(crate) async fn write(&self, lines: Bytes) -> Result<Answered, StoreError> {
        let to = [("org", self.config.org.as_str()), ("bucket", self.config.bucket.as_str()), ("precision", "ms")];
        let request = self.client.post(self.url("/api/v2/write")).query(&to).timeout(self.config.timeouts.total);
        let request = request.header("Authorization", self.authorization()).body(lines);
        let mut answer = request.send().await.map_err(unavailable)?;
        let header = |name| answer.headers().get(name).and_then(|text| text.to_str().ok()).map(str::to_owned);
        let (retry_after, date) = (header(reqwest::header::RETRY_AFTER), header(reqwest::header::DATE));
        let status = answer.status().as_u16();
        let text = beginning(&mut answer).await?;
        Ok(Answered { status, retry_after, date, text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// A JSON document about the server itself; `None` where it gives none, or not in time.
    pub(crate) async fn get_json(&self, path: &str, about: &[(&str, &str)]) -> Option<Value> {
        let request = self.client.get(self.url(path)).query(about).timeout(self.config.timeouts.connect);
        let mut answer = request.header("Authorization", self.authorization()).send().await.ok()?;
        if answer.status() != reqwest::StatusCode::OK {
            return None;
        }
        serde_json::from_slice(&beginning(&mut answer).await.ok()?).ok()
    }
}

/// The body of an answer, at most [`MAX_ANSWER_BYTES`] of it.
async fn beginning(answer: &mut reqwest::Response) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unavailable)? {
        text.extend_from_slice(&piece);
        if MAX_ANSWER_BYTES < text.len() {
            text.truncate(MAX_ANSWER_BYTES);
            break;
        }
    }
    Ok(text)
}
