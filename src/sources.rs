//! Where messages come in: the embedded broker and one client per external broker.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bakau_clock::Clock;
use bakau_ingest::{
    IngestConfig, Intake, SourceBoard,
    broker::{self, BrokerConfig, BrokerError, BrokerTls},
    client::{self, ClientConfig, Tls},
    tls,
};
use bakau_model::{Secret, SourceName};
use bakau_registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SourceSection};

/// Name of the embedded broker among the sources.
pub(crate) const BROKER_SOURCE: &str = "broker";

/// What every source is given.
pub(crate) struct Door<'a> {
    pub(crate) intake: &'a Intake,
    pub(crate) board: &'a SourceBoard,
    pub(crate) registry: &'a Registry,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

fn broker_source() -> Result<SourceName> {
    Ok(SourceName::new(BROKER_SOURCE)?)
}

/// Limits of what is taken in.
pub(crate) fn ingest_config(config: &Config) -> Result<IngestConfig> {
    let broker = broker_source()?;
    Ok(IngestConfig {
        accept_past_ms: config.accept_past_ms(&broker),
        time_zones: config.time_zones(&broker),
        missing: config.missing(&broker),
        max_payload_bytes: config.broker.max_payload_bytes,
        ..IngestConfig::default()
    })
}

/// Where devices connect.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ports {
    /// Without encryption.
    pub(crate) mqtt: Option<SocketAddr>,
    /// With TLS.
    pub(crate) mqtts: Option<SocketAddr>,
}

/// Starts every configured source; gives the embedded broker's addresses and the tasks.
pub(crate) async fn start(
    config: &Config,
    door: &Door<'_>,
    stop: &CancellationToken,
) -> Result<(Ports, Vec<JoinHandle<()>>)> {
    let (mut ports, mut tasks) = (Ports::default(), Vec::new());
    if config.broker.enabled {
        let (found, task) = start_broker(config, door, stop).await?;
        ports = found;
        tasks.push(task);
    }
    for section in &config.sources {
        let client = client_config(section, &config.data)?;
        let (intake, board) = (door.intake.clone(), door.board.clone());
        tasks.push(tokio::spawn(client::run(client, intake, board, Arc::clone(door.clock), stop.clone())));
    }
    Ok((ports, tasks))
}

async fn start_broker(config: &Config, door: &Door<'_>, stop: &CancellationToken) -> Result<(Ports, JoinHandle<()>)> {
    let (listen, tls_listen) = (config.broker.listen, config.broker.tls_listen);
    let mut settings = BrokerConfig::new(broker_source()?, listen);
    settings.max_payload_bytes = config.broker.max_payload_bytes;
    // Both together are checked with the configuration.
    settings.tls = tls_listen.zip(config.broker.certificate()).map(|(listen, files)| BrokerTls { listen, files });
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "mqtt without encryption on an address that other machines reach: tokens can be read");
    }
    let (intake, board) = (door.intake.clone(), door.board.clone());
    let started =
        broker::start(settings, intake, door.registry.watch(), board, Arc::clone(door.clock), stop.clone()).await;
    match started {
        Ok(handle) => {
            let ports = Ports { mqtt: Some(handle.local_addr), mqtts: handle.tls_addr };
            Ok((ports, tokio::spawn(handle.stopped())))
        }
        Err(BrokerError::AddressInUse { addr }) => {
            let (port, key) = (addr.port(), if Some(addr) == tls_listen { "tls_listen" } else { "listen" });
            let key = format!("[broker] {key}");
            bail!(say!("port_in_use", port = port, option = "--mqtt", key = key))
        }
        Err(error) => Err(error).with_context(|| say!("cannot_start_broker", address = listen)),
    }
}

fn client_config(section: &SourceSection, data: &Path) -> Result<ClientConfig> {
    let name = &section.name;
    let password = match &section.password_env {
        Some(variable) => {
            let found = std::env::var(variable);
            let text = found.with_context(|| say!("source_variable_unset", source = name, name = variable))?;
            Some(Secret::new(text))
        }
        None => None,
    };
    let tls = match section.client_tls() {
        Some(files) => {
            let config = tls::client(&files).with_context(|| say!("source", source = name))?;
            Some(Tls { config, server_name: section.server_name.clone() })
        }
        None => None,
    };
    Ok(ClientConfig {
        name: name.clone(),
        host: section.host.clone(),
        port: section.port(),
        protocol: section.protocol,
        tls,
        client_id: section.client_id(),
        username: section.username.clone(),
        password,
        topics: section.topics.clone(),
        max_packet_bytes: section.max_packet_bytes,
        window: section.window,
        session_expiry: Duration::from_secs(u64::from(section.session_expiry_s)),
        broker_counters: section.broker_counters,
        memory: Some(data.join("sources").join(format!("{name}.json"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!("[[source]]\nname = \"kota\"\nhost = \"h\"\ntopics = [\"a/#\"]\n{more}");
        Config::parse(Path::new("bakau.toml"), &text).unwrap()
    }

    #[test]
    fn a_password_comes_from_the_environment_and_one_that_is_not_there_is_named() {
        let missing = config("username = \"u\"\npassword_env = \"BAKAU_NEVER_SET\"\n");
        let said = client_config(&missing.sources[0], &missing.data).unwrap_err().to_string();
        assert_eq!(said, "source 'kota': environment variable BAKAU_NEVER_SET is not set");
        // A variable that every test process has.
        let set = config("username = \"u\"\npassword_env = \"PATH\"\n");
        let client = client_config(&set.sources[0], &set.data).unwrap();
        assert_eq!(client.password.unwrap().expose(), std::env::var("PATH").unwrap());
    }

    #[test]
    fn what_a_source_remembers_has_a_file_of_its_own_in_the_data_folder() {
        let config = config("");
        let client = client_config(&config.sources[0], Path::new("data")).unwrap();
        assert_eq!(client.memory.unwrap(), Path::new("data/sources/kota.json"));
        assert_eq!((client.client_id.as_str(), client.port, client.tls.is_none()), ("bakau-kota", 1883, true));
    }

    #[test]
    fn each_source_has_its_own_oldest_accepted_time_and_the_broker_too() {
        let config = config("accept_past_days = 30\n[broker]\naccept_past_days = 2\nmax_payload_bytes = 1000\n");
        let ingest = ingest_config(&config).unwrap();
        let days = |name: &str| ingest.accept_past_ms[&SourceName::new(name).unwrap()] / bakau_model::DAY_MS;
        assert_eq!((days("kota"), days(BROKER_SOURCE), ingest.max_payload_bytes), (30, 2, 1_000));
    }
}
