//! The shortest way to a Bakau that one device may send anything to, and to what came of it.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{bakau::Bakau, catalogue, publish::Publisher};

impl Bakau {
    /// Starts one with a catalogue beside [`catalogue::AGENCY`], and with the known device, which may publish anything at
    /// its own broker. `broker` goes on with that section of `bakau.toml`, and with others behind it.
    ///
    /// # Errors
    /// When the catalogue is refused or it does not start.
    pub async fn open(folder: &Path, catalogue: &str, broker: &str) -> Result<Self> {
        let text =
            catalogue::AGENCY.to_owned() + catalogue + &catalogue::device(catalogue::DEVICE, catalogue::TOKEN, "#");
        let configuration =
            "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nlisten = \"127.0.0.1:0\"\n".to_owned() + broker;
        let mut bakau = Self::prepare(folder, &configuration, &[("uji.toml", text)])?;
        bakau.start().await?;
        Ok(bakau)
    }

    /// The known device at its own broker.
    ///
    /// # Errors
    /// When it is not running.
    pub fn device(&self) -> Result<Publisher> {
        Ok(Publisher::device(self.mqtt()?))
    }

    /// The known device publishes something.
    ///
    /// # Errors
    /// When it is not acknowledged.
    pub async fn put(&self, topic: &str, payload: impl AsRef<[u8]>) -> Result<()> {
        self.device()?.put(topic, payload).await
    }

    /// What is stored, oldest first, for a query such as `datastream=uji/do&from=2026-01-01T00:00:00Z`.
    ///
    /// # Errors
    /// When there is no such answer.
    pub async fn observations(&self, query: &str) -> Result<Vec<Value>> {
        self.listed(&format!("/api/v1/observations?{query}"), "observations").await
    }

    /// The alerts.
    ///
    /// # Errors
    /// When there is no such answer.
    pub async fn alerts(&self) -> Result<Vec<Value>> {
        self.listed("/api/v1/alerts", "alerts").await
    }

    /// The list of this name at an address.
    ///
    /// # Errors
    /// When there is no such list.
    pub async fn listed(&self, path: &str, name: &str) -> Result<Vec<Value>> {
        let answer = self.json(path).await?;
        let rows = answer[name].as_array().cloned();
        rows.with_context(|| format!("no list '{name}' in {answer}"))
    }
}
