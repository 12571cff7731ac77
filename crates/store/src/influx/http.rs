//! Where the server is and how it is spoken to: one client that writes, one that asks.

use std::{fmt, time::Duration};

use influxdb2::{Client, ClientBuilder};

use crate::{StoreError, StoreErrorKind};

/// Time limits; there are none by default.
const CONNECT: Duration = Duration::from_secs(2);
const WRITE: Duration = Duration::from_secs(30);
/// Between two pieces of an answer; a long range as a whole may take longer.
const READ: Duration = Duration::from_secs(30);

/// Where observations go.
#[derive(Clone)]
pub struct InfluxConfig {
    /// Such as `https://influx.example.org:8086`.
    pub url: String,
    /// The organization.
    pub org: String,
    /// The bucket.
    pub bucket: String,
    /// A token that may read and write the bucket.
    pub token: String,
    /// Certificates (PEM) of an authority of one's own, besides those of the system.
    pub authority: Option<Vec<u8>>,
}

impl fmt::Debug for InfluxConfig {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, org, bucket, .. } = self;
        f.debug_struct("InfluxConfig")
            .field("url", url)
            .field("org", org)
            .field("bucket", bucket)
            .finish_non_exhaustive()
    }
}

/// A server and its two clients.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) config: InfluxConfig,
    pub(super) writer: Client,
    pub(super) reader: reqwest::Client,
}

fn wrong(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Other, cause)
}

impl Server {
    pub(super) fn new(config: InfluxConfig) -> Result<Self, StoreError> {
        // The builder of the writing client panics on an address it cannot read.
        let address = reqwest::Url::parse(&config.url).map_err(wrong)?;
        if !matches!(address.scheme(), "http" | "https") || !address.has_host() {
            return Err(wrong("the address of InfluxDB does not begin with http:// or https://"));
        }
        let mut writing = reqwest_influxdb2::Client::builder().connect_timeout(CONNECT).timeout(WRITE);
        writing = writing.redirect(reqwest_influxdb2::redirect::Policy::none());
        let mut reading = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(READ);
        reading = reading.redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &config.authority {
            writing = writing.add_root_certificate(reqwest_influxdb2::Certificate::from_pem(pem).map_err(wrong)?);
            for certificate in reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)? {
                reading = reading.add_root_certificate(certificate);
            }
        }
        let writer = ClientBuilder::with_builder(writing, &config.url, &config.org, &config.token);
        let writer = writer.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { config, writer, reader: reading.build().map_err(wrong)? })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.url.trim_end_matches('/'))
    }
}
