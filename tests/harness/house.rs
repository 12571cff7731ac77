//! A Bakau with everything that reaches people: a mail server, a stand-in for Telegram, and Sari, who is told.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_model::UtcMillis;
use serde_json::Value;

use crate::{
    bakau::Bakau,
    catalogue,
    kill::Way,
    smtp::{Mail, Security, Smtp},
    telegram::Telegram,
    wait,
};

/// Sari's number at Telegram.
pub const CHAT: i64 = 4_711;
/// Where links in messages lead.
pub const PUBLIC_URL: &str = "https://bakau.kota.example";

const PATIENCE: Duration = Duration::from_secs(90);

/// A rule about low oxygen, as notifications quote it.
pub const RULE: &str = r#"
[[rule]]
id = "do-rendah"
name = { id = "Oksigen rendah", en = "Low oxygen" }
datastream = "beban-000000/do"
direction = "below"
source = "PP 22/2021 Lampiran VIII"
[rule.awas]
raise = 0.5
clear = 1.0
"#;

/// All of it, running.
#[derive(Debug)]
pub struct House {
    /// With load stations behind its embedded broker.
    pub bakau: Bakau,
    /// The channel `surel`.
    pub smtp: Smtp,
    /// The channel `telegram`.
    pub telegram: Telegram,
}

/// Sari is told of everything over channels given as TOML, such as `["surel"]`.
fn people(channels: &str) -> String {
    format!(
        r#"
[[person]]
id = "sari"
name = "Sari Dewi"
email = "sari@dlh.example"
telegram_chat = {CHAT}

[[notification]]
id = "piket"
min_level = "waspada"
people = ["sari"]
channels = {channels}
"#
    )
}

impl House {
    /// Starts everything with so many load stations and some more of a catalogue, rules above all.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn open(folder: &Path, security: Security, stations: usize, channels: &str, more: &str) -> Result<Self> {
        let smtp = Smtp::start(&folder.join("smtp"), security).await?;
        let telegram = Telegram::start().await?;
        let configuration =
            Way::Embedded.configuration(0).replace("[http]\n", &format!("[http]\npublic_url = \"{PUBLIC_URL}\"\n"));
        let reach = smtp.channel("surel") + &telegram.channel("telegram") + &people(channels);
        let text = catalogue::load(stations) + &reach + more;
        let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &[("uji.toml", text)])?;
        bakau.start().await?;
        Ok(Self { bakau, smtp, telegram })
    }

    /// A station publishes a value of oxygen, measured at `time`.
    ///
    /// # Errors
    /// When it is not acknowledged.
    pub async fn oxygen(&self, station: usize, time: UtcMillis, value: f64) -> Result<()> {
        let topic = format!("bakau/{}/data", catalogue::station(station));
        self.bakau.put(&topic, catalogue::oxygen(time, value)).await
    }

    /// The mails, once there are so many.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn mails(&self, count: usize) -> Result<Vec<Mail>> {
        let enough = async || Ok(Some(self.smtp.mails()).filter(|mails| count <= mails.len()));
        let waited = wait::until(&format!("{count} mails"), PATIENCE, enough).await;
        waited.with_context(|| self.bakau.log_tail())
    }

    /// The only alert, with notifications, once there is one.
    ///
    /// # Errors
    /// When there is none.
    pub async fn alert(&self) -> Result<Value> {
        let listed = async || {
            let alerts = self.bakau.json("/api/v1/alerts").await?;
            Ok(alerts["alerts"][0]["id"].as_str().map(str::to_owned))
        };
        let id = wait::until("an alert", PATIENCE, listed).await?;
        self.bakau.json(&format!("/api/v1/alerts/{id}")).await
    }

    /// The notification over a channel, once `met` holds for it.
    ///
    /// # Errors
    /// When it never does.
    pub async fn notification(&self, channel: &str, what: &str, met: impl Fn(&Value) -> bool) -> Result<Value> {
        let look = async || {
            let alert = self.alert().await?;
            let notifications = alert["notifications"].as_array().cloned().unwrap_or_default();
            Ok(notifications.into_iter().find(|notification| notification["channel"] == channel && met(notification)))
        };
        wait::until(what, PATIENCE, look).await.with_context(|| self.bakau.log_tail())
    }

    /// Everything that Bakau logged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.bakau.folder().join("bakau.log"))?)
    }
}
