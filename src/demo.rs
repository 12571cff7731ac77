//! `bakau demo`: the whole platform and its simulated stations in one process, with no configuration.

#[cfg(test)]
mod payloads;
mod progress;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bakau_clock::{Clock, SystemClock};
use bakau_model::{DAY_MS, DAY_S, HOUR_S, Language, Principal, Secret, StationId, UtcMillis};
use bakau_registry::{Catalogue, CatalogueFile, Registry, Snapshot, demo_catalogue, token};
use bakau_simulate::demo::{Credentials, DemoConfig, Gap, HistoryPlan, fill, run_demo, topics};
use bakau_store::Store;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::progress::Progress;
use crate::{DemoArguments, admin, config::Config, files, wiring};

/// Beyond the oldest row of history, so that it is not refused while the rows before it are on their way.
const ACCEPT_MORE_DAYS: i64 = 1;

pub(crate) async fn run(arguments: &DemoArguments, language: Language, stop: CancellationToken) -> Result<()> {
    let mut config = Config { data: arguments.data.clone(), ..Config::default() };
    config.http.listen = arguments.http;
    config.http.public_url = public_url(arguments);
    config.broker.listen = arguments.mqtt;
    let history_ms = i64::try_from(arguments.history.0.as_millis()).with_context(|| say!("span_too_long"))?;
    let accepted = u32::try_from(history_ms / DAY_MS + 1 + ACCEPT_MORE_DAYS).with_context(|| say!("span_too_long"))?;
    config.broker.accept_past_days = config.broker.accept_past_days.max(accepted);
    // Before anything is written: fresh device tokens would lock out the stations of a demo that is already running here.
    let lock = files::lock(&config.data)?;
    // Registered before anything starts, so that the first message already finds its station.
    let (snapshot, credentials) = register(&config).await?;
    let platform = wiring::Platform::start(config, lock).await?;
    let Some(broker) = platform.addresses().mqtt else { bail!(say!("demo_broker")) };

    let now = SystemClock.now();
    let wanted = Gap { from: now.saturating_add(-history_ms), to: now };
    let stations = missing(&**platform.store(), &snapshot, &credentials, wanted).await?;
    let plan = HistoryPlan { broker, stations, seed: arguments.seed };
    fill_history(&platform, plan, language, &stop).await?;

    platform.announce();
    let demo = DemoConfig { broker, credentials, seed: arguments.seed };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // The stations send DISCONNECT before the broker ends, as devices that are switched off do.
    let gone = CancellationToken::new();
    let told = gone.clone();
    tokio::spawn(async move {
        if let Err(error) = run_demo(demo, clock, stop.clone()).await {
            warn!(%error, "simulated stations ended with an error");
        }
        stop.cancelled().await;
        told.cancel();
    });
    platform.run_until(gone).await
}

/// Where links in messages lead: where the demo answers, unless it is reached by another name or a port is picked later.
fn public_url(arguments: &DemoArguments) -> Option<String> {
    let here = || (arguments.http.port() != 0).then(|| format!("http://{}", arguments.http));
    arguments.public_url.clone().or_else(here)
}

/// Publishes the history and waits until store and alerts have it.
async fn fill_history(
    platform: &wiring::Platform,
    plan: HistoryPlan,
    language: Language,
    stop: &CancellationToken,
) -> Result<()> {
    let rows = plan.rows();
    if rows == 0 {
        return Ok(());
    }
    let progress = Arc::new(Progress::new(rows, language));
    let teller = Arc::clone(&progress);
    let filled = fill(plan, move |rows| teller.published(rows), stop.clone());
    tokio::pin!(filled);
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            outcome = &mut filled => { outcome?; break }
            _ = beat.tick() => progress.show(),
        }
    }
    tokio::select! {
        () = stop.cancelled() => {}
        () = platform.caught_up() => {}
    }
    progress.end();
    Ok(())
}

/// What each station lacks of the wanted history. All datastreams of a station come in the same rows, so the one that is
/// behind decides.
async fn missing(
    store: &dyn Store,
    snapshot: &Snapshot,
    credentials: &[Credentials],
    wanted: Gap,
) -> Result<Vec<(Credentials, Vec<Gap>)>> {
    let mut stations = Vec::new();
    for device in credentials {
        let mut held: Option<(UtcMillis, UtcMillis)> = Some((UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX)));
        for datastream in snapshot.datastreams_of(&StationId::new(&device.station)?) {
            let extent = store.extent(datastream.number).await?;
            held = held.zip(extent).map(|(all, own)| (all.0.max(own.0), all.1.min(own.1)));
        }
        stations.push((device.clone(), Gap::missing(wanted, held)));
    }
    Ok(stations)
}

/// Applies the demo catalogue with fresh device tokens; gives what is registered and the credentials of each station.
async fn register(config: &Config) -> Result<(Arc<Snapshot>, Vec<Credentials>)> {
    let registry = files::open_registry(&config.data).await?;
    apply(&registry, &demo_catalogue()).await?;
    let snapshot = registry.snapshot();
    let device = |station: &StationId| Credentials {
        station: station.to_string(),
        username: station.to_string(),
        password: Secret::new(token::token(admin::random_bits())),
    };
    let credentials: Vec<_> = snapshot.stations.keys().map(device).collect();
    let file = CatalogueFile { path: "devices.toml".to_owned(), text: devices(&credentials) };
    apply(&registry, &[file]).await?;
    Ok((registry.snapshot(), credentials))
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
        let digest = token::digest_hex(device.password.expose());
        let topics: Vec<_> = topics(station).iter().map(|topic| format!("\"{topic}\"")).collect();
        let publish = topics.join(", ");
        format!("[[device]]\nusername = \"{username}\"\ntoken_sha256 = \"{digest}\"\npublish = [{publish}]\n")
    };
    credentials.iter().map(entry).collect()
}

/// A length of time as people write it: `30d`, `12h`, `90m`, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// Longest history: the series would still be filled, but not while somebody waits for the first page.
const LONGEST: Duration = Duration::from_secs(400 * DAY_S as u64);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || say!("span_wrong", text = text);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let seconds = match unit {
            "d" => u64::from(DAY_S),
            "h" => u64::from(HOUR_S),
            "m" => 60,
            "" if number == 0 => 0,
            _ => return Err(wrong()),
        };
        let span = number.checked_mul(seconds).map(Duration::from_secs).filter(|span| *span <= LONGEST);
        span.map(Self).ok_or_else(|| say!("span_beyond", text = text))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_span_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<Span>().map(|span| span.0.as_secs());
        assert_eq!(read("30d"), Ok(30 * 86_400));
        assert_eq!((read("12h"), read("90m"), read("0"), read("0d")), (Ok(43_200), Ok(5_400), Ok(0), Ok(0)));
        for wrong in ["", "d", "30", "-1d", "1.5d", "401d", "99999999999999999999d", "3w"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn links_lead_to_where_the_demo_answers_or_to_the_given_name() {
        let read = |arguments: &[&str]| {
            let all = ["bakau", "demo"].iter().chain(arguments);
            match crate::Arguments::parse_from(all).command {
                crate::Command::Demo(demo) => public_url(&demo),
                _ => unreachable!("demo was asked for"),
            }
        };
        assert_eq!(read(&[]).as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(read(&["--http", "127.0.0.1:0"]), None);
        assert_eq!(read(&["--public-url", "https://demo.example"]).as_deref(), Some("https://demo.example"));
    }
}
