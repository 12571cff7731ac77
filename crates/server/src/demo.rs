//! `bakau demo`: the whole platform and its simulated stations in one process, with no configuration.

use std::sync::Arc;

use anyhow::{Result, bail};
use bakau_clock::{Clock, SystemClock};
use bakau_model::Principal;
use bakau_registry::{Catalogue, CatalogueFile, Registry, Station, demo_catalogue, token};
use bakau_simulate::demo::{Credentials, DemoConfig, run_demo};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{DemoArguments, admin, config::Config, wiring};

pub(crate) async fn run(arguments: &DemoArguments, stop: CancellationToken) -> Result<()> {
    let mut config = Config { data: arguments.data.clone(), ..Config::default() };
    config.http.listen = arguments.http;
    config.broker.listen = arguments.mqtt;
    // Registered before the rooms start, so that the first message already finds its station.
    let credentials = register(&config).await?;
    let rooms = wiring::Rooms::start(config).await?;
    rooms.announce();
    let Some(broker) = rooms.addresses().mqtt else { bail!("the demo needs the embedded broker") };
    let demo = DemoConfig { broker, credentials, seed: arguments.seed, ..DemoConfig::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stations = tokio::spawn(run_demo(demo, clock, stop.clone()));
    rooms.run_until(stop).await?;
    if let Ok(Err(error)) = stations.await {
        warn!(%error, "simulated stations ended with an error");
    }
    Ok(())
}

/// Applies the demo catalogue with fresh device tokens; gives the credentials of each station.
async fn register(config: &Config) -> Result<Vec<Credentials>> {
    let registry = wiring::open_registry(&config.data).await?;
    apply(&registry, &demo_catalogue()).await?;
    let stations = registry.snapshot();
    let device = |station: &Station| Credentials {
        station: station.id.to_string(),
        username: station.id.to_string(),
        password: token::token(admin::random_bits()),
    };
    let credentials: Vec<_> = stations.stations.values().map(device).collect();
    let file = CatalogueFile { path: "devices.toml".to_owned(), text: devices(&credentials) };
    apply(&registry, &[file]).await?;
    Ok(credentials)
}

async fn apply(registry: &Registry, files: &[CatalogueFile]) -> Result<()> {
    let catalogue = match Catalogue::parse_with(files, &registry.snapshot()) {
        Ok(catalogue) => catalogue,
        Err(errors) => {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            bail!("the demo catalogue is wrong:\n{}", lines.join("\n"))
        }
    };
    let plan = registry.plan(&catalogue, false).await?;
    if !plan.is_empty() {
        registry.apply(plan, &Principal::System, SystemClock.now()).await?;
    }
    Ok(())
}

fn devices(credentials: &[Credentials]) -> String {
    let entry = |device: &Credentials| {
        let (username, station) = (&device.username, &device.station);
        let digest = token::digest_hex(&device.password);
        format!(
            "[[device]]\nusername = \"{username}\"\ntoken_sha256 = \"{digest}\"\npublish = [\"bakau/{station}/#\"]\n"
        )
    };
    credentials.iter().map(entry).collect()
}
