//! `bakau.toml`: every key optional, unknown keys are errors, every error reported at once.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bakau_ingest::{
    client::{DEFAULT_SESSION_EXPIRY, Protocol},
    tls::{self, CertificateFiles, ClientTls},
};
use bakau_model::{DAY_MS, DeclaredCode, Missing, SourceName};
use serde::Deserialize;
use smart_default::SmartDefault;

use crate::store::StoreSection;

/// Old enough for a logger that was offline for a week, young enough that a reset clock is noticed.
const DEFAULT_ACCEPT_PAST_DAYS: u32 = 7;

/// Everything wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct ConfigErrors(Vec<String>);

/// The whole configuration.
#[derive(Debug, Clone, SmartDefault)]
pub(crate) struct Config {
    /// Folder of every file Bakau writes.
    #[default(PathBuf::from("data"))]
    pub(crate) data: PathBuf,
    pub(crate) http: HttpConfig,
    pub(crate) broker: BrokerSection,
    pub(crate) sources: Vec<SourceSection>,
    pub(crate) spool: SpoolSection,
    pub(crate) store: StoreSection,
    pub(crate) alerts: AlertsSection,
}

#[derive(Debug, Clone, Deserialize, SmartDefault)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpConfig {
    #[default(SocketAddr::from(([127, 0, 0, 1], 8080)))]
    pub(crate) listen: SocketAddr,
    /// Address people use, for links in messages.
    pub(crate) public_url: Option<String>,
    /// Whether current values and charts can be read without a token.
    #[default(true)]
    pub(crate) open_read: bool,
}

#[derive(Debug, Clone, Deserialize, SmartDefault)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BrokerSection {
    #[default(true)]
    pub(crate) enabled: bool,
    /// Where devices connect without encryption; tokens can be read on the way.
    #[default(SocketAddr::from(([127, 0, 0, 1], 1883)))]
    pub(crate) listen: SocketAddr,
    /// Where devices connect with TLS.
    pub(crate) tls_listen: Option<SocketAddr>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    /// Whether `listen` may be an address that other machines reach.
    allow_plaintext: bool,
    /// IANA name of the zone in which devices send local times without an offset.
    pub(crate) time_zone: Option<String>,
    /// Codes and words that mean "no value" in everything devices send.
    missing: Vec<DeclaredCode>,
    /// Largest accepted payload.
    #[default(1 << 20)]
    pub(crate) max_payload_bytes: usize,
    /// How old a measured time may be.
    #[default(DEFAULT_ACCEPT_PAST_DAYS)]
    pub(crate) accept_past_days: u32,
}

impl BrokerSection {
    /// The broker's certificate and key.
    pub(crate) fn certificate(&self) -> Option<CertificateFiles> {
        pair(&self.cert_file, &self.key_file)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceSection {
    pub(crate) name: SourceName,
    pub(crate) host: String,
    /// 1883, or 8883 with TLS, where not given.
    port: Option<u16>,
    /// Version of MQTT: `5` or `3.1.1`.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Encrypted; the broker's certificate and name are always checked.
    #[serde(default)]
    pub(crate) tls: bool,
    /// The authorities to trust instead of those of the operating system.
    ca_file: Option<PathBuf>,
    /// Certificate and key of this source, where the broker asks for one.
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    /// The name in the broker's certificate, where it is not `host`.
    pub(crate) server_name: Option<String>,
    /// Stable, so that the broker keeps the session; `bakau-<name>` where not given.
    client_id: Option<String>,
    pub(crate) username: Option<String>,
    /// Name of the environment variable with the password.
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
    /// MQTT 5: how long the broker keeps what arrives while Bakau is away.
    #[serde(default = "session_expiry_s")]
    pub(crate) session_expiry_s: u32,
    /// Whether to read the broker's own counters; off for brokers that end the connection when asked for `$SYS`.
    #[serde(default = "yes")]
    pub(crate) broker_counters: bool,
    /// IANA name of the zone in which its devices send local times without an offset.
    pub(crate) time_zone: Option<String>,
    /// Codes and words that mean "no value" in everything its devices send.
    #[serde(default)]
    missing: Vec<DeclaredCode>,
}

impl SourceSection {
    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 8883 } else { 1883 })
    }

    /// The client id to connect with.
    pub(crate) fn client_id(&self) -> String {
        self.client_id.clone().unwrap_or_else(|| format!("bakau-{}", self.name))
    }

    /// What it trusts and who it is; `None` without TLS.
    pub(crate) fn client_tls(&self) -> Option<ClientTls> {
        self.tls.then(|| ClientTls { ca_file: self.ca_file.clone(), identity: pair(&self.cert_file, &self.key_file) })
    }
}

/// A certificate and its key, where both are named.
fn pair(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<CertificateFiles> {
    let (cert_file, key_file) = (certificate.clone()?, key.clone()?);
    Some(CertificateFiles { cert_file, key_file })
}

fn session_expiry_s() -> u32 {
    u32::try_from(DEFAULT_SESSION_EXPIRY.as_secs()).unwrap_or(u32::MAX)
}

const fn yes() -> bool {
    true
}

fn window() -> u16 {
    1_000
}

fn max_packet() -> usize {
    4 << 20
}

fn accept_past_days() -> u32 {
    DEFAULT_ACCEPT_PAST_DAYS
}

#[derive(Debug, Clone, Deserialize, SmartDefault)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SpoolSection {
    /// Bound of unconsumed data; beyond it nothing is acknowledged any more.
    #[default(2 << 30)]
    pub(crate) max_bytes: u64,
}

#[derive(Debug, Clone, Deserialize, SmartDefault)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AlertsSection {
    /// How late an observation may come and still count for live alerts and before history settles.
    #[default(7_200)]
    pub(crate) lateness_s: u32,
}

/// The sections, each read on its own so that one mistake does not hide the next.
const SECTIONS: [&str; 7] = ["data", "http", "broker", "source", "spool", "store", "alerts"];

impl Config {
    /// Reads a configuration file's text; `path` is only named in errors.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigErrors> {
        let mut reader = Reader { path, text, errors: Vec::new() };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => return Err(ConfigErrors(vec![reader.located(error.span(), error.message())])),
        };
        for key in table.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
            let message = say!("config_section", name = key, known = SECTIONS.join(", "));
            reader.errors.push(format!("{}:{}: {message}", path.display(), reader.line_of(key)));
        }
        let defaults = Self::default();
        let config = Self {
            data: reader.section(&table, "data", defaults.data),
            http: reader.section(&table, "http", defaults.http),
            broker: reader.section(&table, "broker", defaults.broker),
            sources: reader.sources(&table),
            spool: reader.section(&table, "spool", defaults.spool),
            store: reader.section(&table, "store", defaults.store),
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

    /// The time zone of local times, of the sources that have one.
    pub(crate) fn time_zones(&self, broker: &SourceName) -> std::collections::BTreeMap<SourceName, String> {
        let clients = self.sources.iter().map(|source| (&source.name, &source.time_zone));
        let all = clients.chain([(broker, &self.broker.time_zone)]);
        all.filter_map(|(name, zone)| Some((name.clone(), zone.clone()?))).collect()
    }

    /// Codes and words for "no value", of the sources that have some.
    pub(crate) fn missing(&self, broker: &SourceName) -> std::collections::BTreeMap<SourceName, Vec<DeclaredCode>> {
        let clients = self.sources.iter().map(|source| (&source.name, &source.missing));
        let all = clients.chain([(broker, &self.broker.missing)]).filter(|(_, codes)| !codes.is_empty());
        all.map(|(name, codes)| (name.clone(), codes.clone())).collect()
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
            self.errors.push(format!("{}:{}: {}", self.path.display(), self.line_of("source"), say!("config_sources")));
            return Vec::new();
        };
        let mut sources = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.clone().try_into() {
                Ok(source) => sources.push(source),
                Err(error) => {
                    let number = say!("config_source_number", number = (index + 1));
                    self.errors.push(format!("{}: {number}: {}", self.path.display(), error.message()));
                }
            }
        }
        sources
    }

    fn check(&mut self, config: &Config) {
        let mut names = std::collections::BTreeSet::new();
        for source in &config.sources {
            let name = &source.name;
            if name.as_str() == crate::sources::BROKER_SOURCE || !names.insert(name.clone()) {
                self.errors.push(format!("{}: {}", self.path.display(), say!("config_name_twice", name = name)));
            }
            let others = config.sources.iter().take_while(|other| !std::ptr::eq(*other, source));
            for problem in source_problems(source).into_iter().chain(others.filter_map(|other| shared(other, source))) {
                let source = say!("source", source = name);
                self.errors.push(format!("{}: {source}: {problem}", self.path.display()));
            }
        }
        for problem in broker_problems(&config.broker) {
            self.errors.push(format!("{}:{}: [broker] {problem}", self.path.display(), self.line_of("broker")));
        }
        for problem in config.store.problems() {
            self.errors.push(format!("{}:{}: [store] {problem}", self.path.display(), self.line_of("store")));
        }
    }
}

fn source_problems(source: &SourceSection) -> Vec<String> {
    let mut problems = Vec::new();
    if source.topics.is_empty() {
        problems.push(say!("config_no_topic"));
    }
    if source.window == 0 {
        problems.push(say!("config_window"));
    }
    let has_files = source.ca_file.is_some() || source.cert_file.is_some() || source.key_file.is_some();
    if !source.tls && (has_files || source.server_name.is_some()) {
        problems.push(say!("config_needs_tls"));
    }
    if source.cert_file.is_some() != source.key_file.is_some() {
        problems.push(say!("config_certificate"));
    }
    if let Some(Err(error)) = source.client_tls().map(|files| tls::client(&files)) {
        problems.push(error.to_string());
    }
    problems.extend(zone_problem(source.time_zone.as_deref()));
    problems.extend(Missing::check(&source.missing).err().map(|error| format!("missing: {error}")));
    problems
}

/// What two sources may not share at one broker: a session, and so neither the client id nor a user name that the broker
/// may use as the client id.
fn shared(other: &SourceSection, source: &SourceSection) -> Option<String> {
    if (&other.host, other.port()) != (&source.host, source.port()) {
        return None;
    }
    let name = &other.name;
    if other.client_id() == source.client_id() {
        return Some(say!("config_same_client", other = name));
    }
    let same_user = source.username.is_some() && other.username == source.username;
    (same_user && (other.client_id.is_none() || source.client_id.is_none()))
        .then(|| say!("config_same_user", other = name))
}

fn broker_problems(broker: &BrokerSection) -> Vec<String> {
    let mut problems = Vec::new();
    if broker.enabled && !broker.listen.ip().is_loopback() && !broker.allow_plaintext {
        problems.push(say!("config_plaintext", address = broker.listen));
    }
    match (broker.tls_listen, broker.certificate()) {
        (Some(_), Some(files)) => problems.extend(files.load().err().map(|error| error.to_string())),
        (Some(_), None) => problems.push(say!("config_tls_listen")),
        (None, _) if broker.cert_file.is_some() || broker.key_file.is_some() => {
            problems.push(say!("config_tls_files"));
        }
        (None, _) => {}
    }
    problems.extend(zone_problem(broker.time_zone.as_deref()));
    problems.extend(Missing::check(&broker.missing).err().map(|error| format!("missing: {error}")));
    problems
}

fn zone_problem(name: Option<&str>) -> Option<String> {
    let name = name?;
    let unknown = jiff::tz::TimeZone::get(name).is_err();
    unknown.then(|| say!("config_zone", name = name))
}

#[cfg(test)]
mod tests;
