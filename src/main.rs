//! The `bakau` binary: wiring and subcommands, nothing else.

#[macro_use]
mod words;

mod admin;
mod catalogue;
mod config;
mod demo;
mod files;
mod help;
mod replay;
mod source_states;
mod sources;
mod status;
mod store;
mod verify;
mod wiring;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow};
use bakau_model::{Language, StoreKind};
use clap::{
    Args, FromArgMatches, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Environmental sensor monitoring: MQTT in; alerts, charts and research-grade history out.
#[derive(Debug, Parser)]
#[command(name = "bakau", version)]
struct Arguments {
    /// Configuration file; without it, `bakau.toml` here if there is one, else the defaults.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Language of what this command prints: id or en.
    #[arg(long, global = true, default_value = "id")]
    lang: Language,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process with simulated stations of four cities and no configuration.
    Demo(DemoArguments),
    /// Run the platform.
    Run,
    /// Check configuration and catalogue files; reports every error with file and line.
    Check {
        /// Catalogue files.
        files: Vec<PathBuf>,
    },
    /// Apply catalogue files to the registry; shows the difference first.
    Apply {
        /// Catalogue files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Also remove what is registered but in none of the files.
        #[arg(long)]
        prune: bool,
        /// Only show the difference.
        #[arg(long)]
        dry_run: bool,
    },
    /// Ask the running process how it is doing. Exit code 0: ready, 1: not ready, 2: not reachable.
    ///
    /// Where reading is closed, the admin token is taken from the environment variable BAKAU_TOKEN.
    Status {
        /// Where it answers; without it, where the configuration lets it listen.
        #[arg(long)]
        url: Option<String>,
    },
    /// Publish a measured CSV file as MQTT messages.
    Replay(ReplayArguments),
    /// Make a random device token and the digest to put in a catalogue file.
    DeviceToken,
    /// Make a new admin token; the old one stops working.
    AdminToken,
    /// Read every stored block and row again and name what is damaged.
    Verify,
    /// Where observations are kept.
    #[command(subcommand)]
    Store(StoreCommand),
}

/// The word for a kind of store.
fn store_kind() -> impl TypedValueParser<Value = StoreKind> {
    let words = PossibleValuesParser::new(StoreKind::ALL.map(StoreKind::key));
    words.try_map(|word| StoreKind::from_key(&word).ok_or("no kind of store"))
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Move everything to another kind of store while Bakau is stopped; stopped or killed, it goes on when run again.
    Copy {
        /// The store that has everything; it is left as it is.
        #[arg(long, value_parser = store_kind())]
        from: StoreKind,
        /// The store that gets everything; it must be empty.
        #[arg(long, value_parser = store_kind())]
        to: StoreKind,
    },
    /// Look whether InfluxDB has the bucket and takes the token of bakau.toml; make what is missing. Repeating it does no
    /// harm.
    ///
    /// Words go to standard error; a new token goes to standard output, once, as a line for the service's environment file.
    Init {
        /// Environment variable with a token that may make buckets and tokens; it is used for this and kept nowhere.
        #[arg(long)]
        admin_token_env: Option<String>,
        /// How long a new bucket keeps values: 0 for ever, or such as 400d.
        #[arg(long, default_value = "0")]
        retention: demo::Span,
    },
}

#[derive(Debug, Args)]
struct DemoArguments {
    /// Folder of the demo's files.
    #[arg(long, default_value = "data/demo")]
    data: PathBuf,
    /// HTTP address and port; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// MQTT address and port; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:1883")]
    mqtt: SocketAddr,
    /// Address at which people reach the demo, for links in messages [default: that of --http].
    #[arg(long)]
    public_url: Option<String>,
    /// Seed of the simulated stations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// History to fill in before the start, such as 30d or 12h; what is there already stays.
    #[arg(long, default_value = "30d")]
    history: demo::Span,
}

#[derive(Debug, Args)]
struct ReplayArguments {
    /// CSV file, plain or .gz, with a header line.
    file: PathBuf,
    /// Which column is what (TOML).
    #[arg(long)]
    map: PathBuf,
    /// MQTT broker.
    #[arg(long, default_value = "127.0.0.1:1883")]
    broker: SocketAddr,
    /// MQTT user name.
    #[arg(long)]
    username: Option<String>,
    /// Name of the environment variable with the MQTT password.
    #[arg(long)]
    password_env: Option<String>,
    /// How many times faster than measured; without it as fast as acknowledged.
    #[arg(long)]
    speed: Option<f64>,
    /// First measured time, RFC 3339.
    #[arg(long)]
    from: Option<String>,
    /// First measured time not replayed, RFC 3339.
    #[arg(long)]
    to: Option<String>,
    /// Publish in a random order, always the same for a seed; the rows of the file must be in order of time.
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// With --shuffle: how late a row may come, such as 2h.
    #[arg(long, default_value = "2h", requires = "shuffle")]
    lateness: demo::Span,
}

/// The language that `--lang` names, so that even what is wrong with the other arguments is said in it.
fn language_of(arguments: impl Iterator<Item = std::ffi::OsString>) -> Language {
    let mut arguments = arguments.filter_map(|argument| argument.into_string().ok());
    let mut found = None;
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--lang") {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        found = value.and_then(|value| value.parse().ok()).or(found);
    }
    found.unwrap_or_default()
}

fn main() -> ExitCode {
    words::choose(language_of(std::env::args_os().skip(1)));
    let arguments = Arguments::from_arg_matches(&help::command().get_matches()).unwrap_or_else(|error| error.exit());
    let filter = EnvFilter::try_from_env("BAKAU_LOG").unwrap_or_else(|_| EnvFilter::new("info,rmqtt=warn"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match start(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bakau: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes. Errors of the libraries often hold the text of their cause already: nothing is said twice.
fn in_one_line(error: &anyhow::Error) -> String {
    let causes = error.chain().map(ToString::to_string);
    causes
        .reduce(|said, cause| if said.contains(&cause) { said } else { format!("{said}: {cause}") })
        .unwrap_or_default()
}

fn start(arguments: Arguments) -> Result<ExitCode> {
    // The one TLS provider; installing it twice is impossible this early.
    let _ = rustls::crypto::ring::default_provider().install_default();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(execute(arguments))
}

/// Each device connection needs three file descriptors, and the usual soft limit of 1,024 would end at some 300 devices;
/// the hard limit is the administrator's choice and stays.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, "file limit could not be raised");
    }
}

async fn execute(arguments: Arguments) -> Result<ExitCode> {
    let language = arguments.lang;
    let done = match arguments.command {
        Command::Demo(_) if arguments.config.is_some() => Err(anyhow!(say!("demo_configuration"))),
        Command::Demo(demo) => demo::run(&demo, language, stop_signal()?).await,
        Command::Replay(replay) => replay::run(&replay).await,
        Command::DeviceToken => admin::device_token(),
        Command::Check { files } => catalogue::check(&load(arguments.config.as_deref())?, &files, language).await,
        Command::Apply { files, prune, dry_run } => {
            let options = catalogue::ApplyOptions { prune, dry_run, language };
            catalogue::apply(&load(arguments.config.as_deref())?, &files, options).await
        }
        Command::AdminToken => admin::new_admin_token(&load(arguments.config.as_deref())?).await,
        Command::Store(StoreCommand::Init { admin_token_env, retention }) => {
            let plan = store::init::Plan { admin_token_env, retention: retention.0 };
            store::init::run(&load(arguments.config.as_deref())?.store, &plan, language).await
        }
        Command::Store(StoreCommand::Copy { from, to }) => {
            store::copy(&load(arguments.config.as_deref())?, from, to, language).await
        }
        Command::Verify => verify::run(&load(arguments.config.as_deref())?).await,
        Command::Run => wiring::run(load(arguments.config.as_deref())?, stop_signal()?).await,
        Command::Status { url } => {
            return status::run(&load(arguments.config.as_deref())?, url.as_deref(), language).await;
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The named configuration file, or `bakau.toml` here, or the defaults.
fn load(named: Option<&Path>) -> Result<Config> {
    let fallback = Path::new("bakau.toml");
    let path = match named {
        Some(path) => path,
        None if fallback.is_file() => fallback,
        None => return Ok(Config::default()),
    };
    let text = std::fs::read_to_string(path).with_context(|| say!("cannot_read", path = path.display()))?;
    Ok(Config::parse(path, &text)?)
}

/// Cancelled by the first SIGTERM or Ctrl-C; the second one ends the process at once.
fn stop_signal() -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                told.cancel();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("alerts.db cannot be used: {0}")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_says_each_cause_once() {
        let full = || std::io::Error::other("disk full");
        let held = anyhow::Error::new(Outer(full())).context("could not start");
        assert_eq!(in_one_line(&held), "could not start: alerts.db cannot be used: disk full");
        assert_eq!(in_one_line(&anyhow::Error::new(full()).context("could not start")), "could not start: disk full");
    }
}
