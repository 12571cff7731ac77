//! The real `bakau` binary in a folder of the test.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

use crate::{influx, mosquitto, process::Process, sink, smtp, telegram, wait};

/// What `bakau` says on standard output while it starts.
#[derive(Debug, Default, Clone)]
struct Announced {
    http: Option<String>,
    mqtt: Option<SocketAddr>,
    admin_token: Option<String>,
    ended: bool,
}

/// A folder with configuration, catalogue and data, in which `bakau` is started, killed and started again.
#[derive(Debug)]
pub struct Bakau {
    folder: PathBuf,
    admin_token: Option<String>,
    influx_token: String,
    environment: Vec<(&'static str, String)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    http: String,
    mqtt: Option<SocketAddr>,
}

/// Where the binary under test lies: beside the test itself, or where `BAKAU_BIN` says.
///
/// # Errors
/// When it has not been built.
pub fn binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("BAKAU_BIN") {
        return Ok(PathBuf::from(named));
    }
    let me = std::env::current_exe()?;
    let folders = me.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("bakau")).find(|path| path.is_file());
    found.context("bakau is not built: run `cargo build`, or `cargo xtask test` which does it")
}

impl Bakau {
    /// Prepares a folder: writes `bakau.toml` and applies the catalogue files, if any.
    ///
    /// # Errors
    /// When `bakau apply` refuses the catalogue.
    pub fn prepare(folder: &Path, configuration: &str, catalogue: &[(&str, String)]) -> Result<Self> {
        crate::install_tls();
        fs::create_dir_all(folder.join("catalogue"))?;
        fs::write(folder.join("bakau.toml"), configuration)?;
        let influx_token = influx::ADMIN_TOKEN.to_owned();
        let environment = Vec::new();
        let me = Self { folder: folder.to_path_buf(), admin_token: None, influx_token, environment, running: None };
        let mut arguments = vec!["apply".to_owned()];
        for (name, text) in catalogue {
            let path = folder.join("catalogue").join(name);
            fs::write(&path, text)?;
            arguments.push(path.display().to_string());
        }
        if catalogue.is_empty() {
            return Ok(me);
        }
        let output = me.command(&arguments)?.output()?;
        if !output.status.success() {
            bail!("bakau apply failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(me)
    }

    /// A `bakau` command in this folder with this configuration.
    ///
    /// # Errors
    /// When the binary has not been built.
    pub fn command(&self, arguments: &[String]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        // The demo reads no configuration.
        if arguments.first().is_none_or(|first| first != "demo") {
            command.arg("--config").arg(self.folder.join("bakau.toml"));
        }
        command.args(arguments).current_dir(&self.folder);
        // The secrets that configurations and catalogues of the tests name.
        command.env(mosquitto::PASSWORD_ENV, mosquitto::PASSWORD).env(sink::SECRET_ENV, sink::SECRET);
        command.env(influx::TOKEN_ENV, &self.influx_token);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env(smtp::PASSWORD_ENV, smtp::PASSWORD).env(telegram::TOKEN_ENV, telegram::TOKEN);
        Ok(command)
    }

    /// Writes another `bakau.toml`, for the next start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, configuration: &str) -> Result<()> {
        Ok(fs::write(self.folder.join("bakau.toml"), configuration)?)
    }

    /// Gives it another token for InfluxDB than the admin's, for the next start.
    pub fn use_influx_token(&mut self, token: &str) {
        token.clone_into(&mut self.influx_token);
    }

    /// Gives it more of an environment, for the next start.
    pub fn environment(&mut self, more: impl IntoIterator<Item = (&'static str, String)>) {
        self.environment.extend(more);
    }

    /// Starts `bakau run` and waits until it says it is ready.
    ///
    /// # Errors
    /// When it ends or says nothing within 60 s; its log is in the message.
    pub async fn start(&mut self) -> Result<()> {
        self.start_with(&["run".to_owned()]).await
    }

    /// Starts `bakau` with other arguments, such as `demo`.
    ///
    /// # Errors
    /// As [`Bakau::start`].
    pub async fn start_with(&mut self, arguments: &[String]) -> Result<()> {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("bakau.log"))?;
        let mut command = self.command(arguments)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process::start("bakau", &mut command)?;
        let announced = Arc::new(Mutex::new(Announced::default()));
        let stdout = process.stdout().context("standard output is piped")?;
        let teller = Arc::clone(&announced);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                teller.lock().hear(&line);
            }
            teller.lock().ended = true;
        });
        let ready = async || {
            let heard = announced.lock().clone();
            if heard.ended && heard.http.is_none() {
                bail!("bakau ended while starting:\n{}", self.log_tail());
            }
            Ok(heard.http.clone().map(|http| (http, heard)))
        };
        let found = wait::until("bakau to say it is ready", Duration::from_secs(60), ready).await;
        let (http, heard) = found.with_context(|| self.log_tail())?;
        self.admin_token = heard.admin_token.or(self.admin_token.take());
        self.running = Some(Running { process, http, mqtt: heard.mqtt });
        Ok(())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.join("bakau.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("bakau is not running")
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in its data folder.
    #[must_use]
    pub fn data(&self, file: &str) -> PathBuf {
        self.folder.join("data").join(file)
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it is not running.
    pub fn id(&self) -> Result<u32> {
        Ok(self.running()?.process.id())
    }

    /// The address of the embedded broker.
    ///
    /// # Errors
    /// When it is not running or has none.
    pub fn mqtt(&self) -> Result<SocketAddr> {
        self.running()?.mqtt.context("the embedded broker is not enabled")
    }

    /// A URL of its HTTP server.
    ///
    /// # Errors
    /// When it is not running.
    pub fn url(&self, path: &str) -> Result<String> {
        Ok(format!("{}{path}", self.running()?.http))
    }

    /// The admin token shown at the first start.
    ///
    /// # Errors
    /// When it has not been shown.
    pub fn admin_token(&self) -> Result<&str> {
        self.admin_token.as_deref().context("bakau has not shown an admin token")
    }

    /// GET as JSON, with the admin token.
    ///
    /// # Errors
    /// When the answer is no 2xx or no JSON.
    pub async fn json(&self, path: &str) -> Result<serde_json::Value> {
        let mut request = reqwest::Client::new().get(self.url(path)?);
        if let Some(token) = &self.admin_token {
            request = request.bearer_auth(token);
        }
        let response = request.timeout(Duration::from_secs(30)).send().await?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("GET {path} answered {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("GET {path} answered no JSON: {text}"))
    }

    /// Sends it a signal such as `STOP`.
    ///
    /// # Errors
    /// When it is not running.
    pub fn signal(&self, name: &str) -> Result<()> {
        self.running()?.process.signal(name)
    }

    /// The address of its HTTP server.
    ///
    /// # Errors
    /// When it is not running.
    pub fn http(&self) -> Result<SocketAddr> {
        Ok(self.running()?.http.trim_start_matches("http://").parse()?)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it was not running any more.
    pub fn kill(&mut self) -> Result<()> {
        self.running.take().context("bakau is not running")?.process.kill()
    }

    /// SIGTERM and a clean end.
    ///
    /// # Errors
    /// When it does not end cleanly.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().context("bakau is not running")?.process.terminate()
    }
}

impl Announced {
    fn hear(&mut self, line: &str) {
        if let Some(http) = line.strip_prefix("ready ") {
            self.http = Some(http.trim().trim_end_matches('/').to_owned());
        } else if let Some(mqtt) = line.strip_prefix("mqtt ") {
            self.mqtt = mqtt.trim().parse().ok();
        } else if let Some(token) = line.strip_prefix("token admin ") {
            self.admin_token = Some(token.trim().to_owned());
        }
    }
}
