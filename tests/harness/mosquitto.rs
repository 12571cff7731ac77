//! A real mosquitto with the configuration Bakau ships, on a free port and in a folder of the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::{Process, free_port},
    wait,
};

/// The shipped configuration; only the port, the password file and the folder are replaced.
const SHIPPED: &str = include_str!("../../deploy/mosquitto/mosquitto.conf");

/// User name of every client of the test broker.
pub const USERNAME: &str = "uji";
/// Password of every client of the test broker.
pub const PASSWORD: &str = "kata-sandi-uji";

/// Environment variable in which Bakau under test finds that password.
pub const PASSWORD_ENV: &str = "BAKAU_TEST_MQTT_PASSWORD";

/// A running mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

fn program(name: &str) -> PathBuf {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.is_file() { sbin } else { PathBuf::from(name) }
}

impl Mosquitto {
    /// Starts mosquitto with its files in `folder`.
    ///
    /// # Errors
    /// When mosquitto is not installed or does not listen within 10 s.
    pub async fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let passwords = folder.join("passwords");
        let mut make = Command::new("mosquitto_passwd");
        let made = make.arg("-b").arg("-c").arg(&passwords).args([USERNAME, PASSWORD]).output();
        let made = made.context("could not start mosquitto_passwd: is mosquitto installed?")?;
        if !made.status.success() {
            bail!("mosquitto_passwd failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        // The one user of the tests is all devices and Bakau at once.
        fs::write(folder.join("rights"), format!("user {USERNAME}\ntopic readwrite #\ntopic read $SYS/broker/#\n"))?;
        let mut broker = Self { folder: folder.to_path_buf(), port: free_port()?, process: None };
        broker.resume().await?;
        Ok(broker)
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// SIGTERM: it saves its sessions and ends.
    ///
    /// # Errors
    /// When it does not end cleanly.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().context("mosquitto is not running")?.terminate()
    }

    /// `kill -9`: what it has not saved is forgotten.
    ///
    /// # Errors
    /// When it was not running any more.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("mosquitto is not running")?.kill()
    }

    /// Whether it has ever saved what it holds.
    #[must_use]
    pub fn saved(&self) -> bool {
        self.database().is_file()
    }

    /// Has it save what it holds now, as it does by itself every `autosave_interval`.
    ///
    /// # Errors
    /// When it does not within 10 s.
    pub async fn save(&self) -> Result<()> {
        let written = || fs::metadata(self.database()).and_then(|found| found.modified()).ok();
        let before = written();
        self.process.as_ref().context("mosquitto is not running")?.signal("USR1")?;
        let saved = async || Ok((written() != before).then_some(()));
        wait::until("mosquitto to save", Duration::from_secs(10), saved).await
    }

    fn database(&self) -> PathBuf {
        self.folder.join("mosquitto.db")
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// When it does not listen within 10 s.
    pub async fn resume(&mut self) -> Result<()> {
        let configuration = self.folder.join("mosquitto.conf");
        fs::write(&configuration, self.configuration())?;
        let log = fs::File::options().create(true).append(true).open(self.folder.join("mosquitto.log"))?;
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(&configuration).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(Process::start("mosquitto", &mut command)?);
        let port = self.port;
        let listens = async || Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok());
        wait::until("mosquitto to listen", Duration::from_secs(10), listens).await?;
        Ok(())
    }

    fn configuration(&self) -> String {
        let replace = |line: &str| match line.split_whitespace().next() {
            Some("listener") => format!("listener {} 127.0.0.1", self.port),
            Some("password_file") => format!("password_file {}", self.folder.join("passwords").display()),
            Some("acl_file") => format!("acl_file {}", self.folder.join("rights").display()),
            Some("persistence_location") => format!("persistence_location {}/", self.folder.display()),
            Some(_) | None => line.to_owned(),
        };
        let mut text: Vec<String> = SHIPPED.lines().map(replace).collect();
        // As root it would otherwise change to a user that cannot write the test's folder.
        text.push("user root".to_owned());
        text.join("\n") + "\n"
    }
}
