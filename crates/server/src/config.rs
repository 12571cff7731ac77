//! `bakau.toml`: every key optional, unknown keys are errors, every error reported at once.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bakau_model::SourceName;
use serde::Deserialize;

const DAY_MS: i64 = 86_400_000;
/// Old enough for a logger that was offline for a week, young enough that a reset clock is noticed.
const DEFAULT_ACCEPT_PAST_DAYS: u32 = 7;

/// Everything wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct ConfigErrors(Vec<String>);

/// The whole configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Folder of every file Bakau writes.
    pub(crate) data: PathBuf,
    pub(crate) http: HttpConfig,
    pub(crate) broker: BrokerSection,
    pub(crate) sources: Vec<SourceSection>,
    pub(crate) spool: SpoolSection,
    pub(crate) alerts: AlertsSection,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpConfig {
    pub(crate) listen: SocketAddr,
    /// Address people use, for links in messages.
    pub(crate) public_url: Option<String>,
    /// Whether current values and charts can be read without a token.
    pub(crate) open_read: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), public_url: None, open_read: true }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BrokerSection {
    pub(crate) enabled: bool,
    pub(crate) listen: SocketAddr,
    /// Largest accepted payload.
    pub(crate) max_payload_bytes: usize,
    /// How old a measured time may be.
    pub(crate) accept_past_days: u32,
}

impl Default for BrokerSection {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            max_payload_bytes: 1 << 20,
            accept_past_days: DEFAULT_ACCEPT_PAST_DAYS,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceSection {
    pub(crate) name: SourceName,
    pub(crate) host: String,
    #[serde(default = "mqtt_port")]
    pub(crate) port: u16,
    /// Stable, so that the broker keeps the session; `bakau-<name>` where not given.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
    #[serde(default)]
    pub(crate) username: Option<String>,
    /// Name of the environment variable with the password.
    #[serde(default)]
    pub(crate) password_env: Option<String>,
    pub(crate) topics: Vec<String>,
    /// Above the broker's own limit, so that the broker refuses first.
    #[serde(default = "max_packet")]
    pub(crate) max_packet_bytes: usize,
    #[serde(default = "accept_past_days")]
    pub(crate) accept_past_days: u32,
    /// The broker's `max_inflight_messages`: how many messages it sends ahead of our acknowledgements.
    #[serde(default = "window")]
    pub(crate) window: u16,
}

fn window() -> u16 {
    1_000
}

fn mqtt_port() -> u16 {
    1883
}

fn max_packet() -> usize {
    4 << 20
}

fn accept_past_days() -> u32 {
    DEFAULT_ACCEPT_PAST_DAYS
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SpoolSection {
    /// Bound of unconsumed data; beyond it nothing is acknowledged any more.
    pub(crate) max_bytes: u64,
}

impl Default for SpoolSection {
    fn default() -> Self {
        Self { max_bytes: 2 << 30 }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AlertsSection {
    /// How late an observation may come and still count for live alerts and before history settles.
    pub(crate) lateness_s: u32,
}

impl Default for AlertsSection {
    fn default() -> Self {
        Self { lateness_s: 7_200 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            http: HttpConfig::default(),
            broker: BrokerSection::default(),
            sources: Vec::new(),
            spool: SpoolSection::default(),
            alerts: AlertsSection::default(),
        }
    }
}

/// The sections, each read on its own so that one mistake does not hide the next.
const SECTIONS: [&str; 6] = ["data", "http", "broker", "source", "spool", "alerts"];

impl Config {
    /// Reads a configuration file's text; `path` is only named in errors.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigErrors> {
        let mut reader = Reader { path, text, errors: Vec::new() };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => return Err(ConfigErrors(vec![reader.located(error.span(), error.message())])),
        };
        for key in table.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
            let message = format!("unknown section '{key}'; known are {}", SECTIONS.join(", "));
            reader.errors.push(format!("{}:{}: {message}", path.display(), reader.line_of(key)));
        }
        let defaults = Self::default();
        let config = Self {
            data: reader.section(&table, "data", defaults.data),
            http: reader.section(&table, "http", defaults.http),
            broker: reader.section(&table, "broker", defaults.broker),
            sources: reader.sources(&table),
            spool: reader.section(&table, "spool", defaults.spool),
            alerts: reader.section(&table, "alerts", defaults.alerts),
        };
        reader.check(&config);
        if reader.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(reader.errors)) }
    }

    /// How old a measured time may be, per source.
    pub(crate) fn accept_past_ms(&self, broker: &SourceName) -> std::collections::BTreeMap<SourceName, i64> {
        let days = |days: u32| i64::from(days) * DAY_MS;
        let clients = self.sources.iter().map(|source| (source.name.clone(), days(source.accept_past_days)));
        clients.chain([(broker.clone(), days(self.broker.accept_past_days))]).collect()
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    errors: Vec<String>,
}

impl Reader<'_> {
    fn located(&self, span: Option<std::ops::Range<usize>>, message: &str) -> String {
        let start = span.map_or(0, |span| span.start.min(self.text.len()));
        let line = self.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}: {message}", self.path.display())
    }

    /// The line a key or section is written on; 1 where it cannot be found.
    fn line_of(&self, key: &str) -> usize {
        let starts = |line: &str| line.trim_start().trim_start_matches('[').trim_start().starts_with(key);
        self.text.lines().position(starts).map_or(1, |index| index + 1)
    }

    fn section<T: for<'de> Deserialize<'de>>(&mut self, table: &toml::Table, name: &str, default: T) -> T {
        let Some(value) = table.get(name) else { return default };
        value.clone().try_into().unwrap_or_else(|error: toml::de::Error| {
            let message = format!("{}:{}: [{name}] {}", self.path.display(), self.line_of(name), error.message());
            self.errors.push(message);
            default
        })
    }

    fn sources(&mut self, table: &toml::Table) -> Vec<SourceSection> {
        let Some(value) = table.get("source") else { return Vec::new() };
        let Some(items) = value.as_array() else {
            self.errors.push(format!(
                "{}:{}: write sources as [[source]]",
                self.path.display(),
                self.line_of("source")
            ));
            return Vec::new();
        };
        let mut sources = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.clone().try_into() {
                Ok(source) => sources.push(source),
                Err(error) => {
                    let number = index + 1;
                    self.errors.push(format!(
                        "{}: [[source]] number {number}: {}",
                        self.path.display(),
                        error.message()
                    ));
                }
            }
        }
        sources
    }

    fn check(&mut self, config: &Config) {
        let mut names = std::collections::BTreeSet::new();
        for source in &config.sources {
            if source.name.as_str() == crate::sources::BROKER_SOURCE || !names.insert(source.name.clone()) {
                self.errors.push(format!("{}: source name '{}' is used twice", self.path.display(), source.name));
            }
            if source.topics.is_empty() {
                let name = &source.name;
                self.errors.push(format!("{}: source '{name}' needs at least one topic", self.path.display()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config = Config::parse(Path::new("bakau.toml"), "").unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert!(config.broker.enabled);
    }

    #[test]
    fn every_error_is_reported_at_once() {
        let text = "typo = 1\n[http]\nlisten = \"here\"\n[broker]\nenable = true\n[[source]]\nname = \"kota\"\n";
        let error = Config::parse(Path::new("bakau.toml"), text).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 4, "{error}");
        assert!(error.contains("bakau.toml:1: unknown section 'typo'"), "{error}");
        assert!(error.contains("unknown field `enable`"), "{error}");
        assert!(error.contains("[[source]] number 1: missing field `host`"), "{error}");
    }

    #[test]
    fn two_sources_of_one_name_are_refused() {
        let one = "[[source]]\nname = \"kota\"\nhost = \"h\"\ntopics = [\"a/#\"]\n";
        let error = Config::parse(Path::new("bakau.toml"), &one.repeat(2)).unwrap_err().to_string();
        assert!(error.contains("'kota' is used twice"), "{error}");
    }
}
