//! A real mosquitto with the configuration Bakau ships, on a free port and in a folder of the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    certificates::Certificates,
    process::{Process, free_port},
    wait,
};

/// The shipped files; only ports, folders and paths are filled in.
const SHIPPED: &str = include_str!("../../deploy/mosquitto/mosquitto.conf");
const SHIPPED_TLS: &str = include_str!("../../deploy/mosquitto/tls.conf");
const SHIPPED_RIGHTS: &str = include_str!("../../deploy/mosquitto/bakau.acl");

/// User name of the one client of an open test broker: all devices and Bakau at once.
pub const USERNAME: &str = "uji";
/// Password of every user of a test broker.
pub const PASSWORD: &str = "kata-sandi-uji";

/// Environment variable in which Bakau under test finds that password.
pub const PASSWORD_ENV: &str = "BAKAU_TEST_MQTT_PASSWORD";

/// Whose client ids clients may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    /// A client's id is its user name, as shipped.
    OwnIds,
    /// Any: one user is everybody.
    OneUser,
    /// Any, as mosquitto is by default; and it tells its counters every second.
    AnyIds,
}

/// A running mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    folder: PathBuf,
    port: u16,
    tls: Option<(u16, Certificates)>,
    clients: Clients,
    process: Option<Process>,
}

fn program(name: &str) -> PathBuf {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.is_file() { sbin } else { PathBuf::from(name) }
}

impl Mosquitto {
    /// Starts mosquitto with its files in `folder` and one user, [`USERNAME`], who may do everything.
    ///
    /// # Errors
    /// When mosquitto is not installed or does not listen within 10 s.
    pub async fn start(folder: &Path) -> Result<Self> {
        let rights = format!("user {USERNAME}\ntopic readwrite #\ntopic read $SYS/broker/#\n");
        Self::start_with(folder, &[USERNAME], &rights, (None, Clients::OneUser)).await
    }

    /// Starts mosquitto with the rights Bakau ships, some users (each with [`PASSWORD`]), and the shipped listener with
    /// TLS where it is given certificates.
    ///
    /// # Errors
    /// As [`Mosquitto::start`].
    pub async fn shipped(folder: &Path, users: &[&str], certificates: Option<&Certificates>) -> Result<Self> {
        Self::start_with(folder, users, SHIPPED_RIGHTS, (certificates, Clients::OwnIds)).await
    }

    /// As [`Mosquitto::shipped`], but everybody may connect with everybody's client id, as mosquitto is by default, and it
    /// tells its counters every second.
    ///
    /// # Errors
    /// As [`Mosquitto::start`].
    pub async fn with_any_client_id(folder: &Path, users: &[&str]) -> Result<Self> {
        Self::start_with(folder, users, SHIPPED_RIGHTS, (None, Clients::AnyIds)).await
    }

    async fn start_with(
        folder: &Path,
        users: &[&str],
        rights: &str,
        (certificates, clients): (Option<&Certificates>, Clients),
    ) -> Result<Self> {
        fs::create_dir_all(folder.join("conf.d"))?;
        fs::write(folder.join("bakau.passwd"), "")?;
        for user in users {
            let mut make = Command::new("mosquitto_passwd");
            let made = make.arg("-b").arg(folder.join("bakau.passwd")).args([user, PASSWORD]).output();
            let made = made.context("could not start mosquitto_passwd: is mosquitto installed?")?;
            if !made.status.success() {
                bail!("mosquitto_passwd failed: {}", String::from_utf8_lossy(&made.stderr));
            }
        }
        fs::write(folder.join("bakau.acl"), rights)?;
        let tls = certificates.map(|found| anyhow::Ok((free_port()?, found.clone()))).transpose()?;
        let mut broker = Self { folder: folder.to_path_buf(), port: free_port()?, tls, clients, process: None };
        broker.resume().await?;
        Ok(broker)
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The port it listens on with TLS, where it does.
    #[must_use]
    pub fn tls_port(&self) -> Option<u16> {
        self.tls.as_ref().map(|(port, _)| *port)
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
        // As root it would otherwise change to a user that cannot write the test's folder.
        fs::write(&configuration, self.fill_in(SHIPPED, self.port) + "user root\n")?;
        if let Some((port, _)) = &self.tls {
            fs::write(self.folder.join("conf.d").join("tls.conf"), self.fill_in(SHIPPED_TLS, *port))?;
        }
        let log = fs::File::options().create(true).append(true).open(self.folder.join("mosquitto.log"))?;
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(&configuration).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(Process::start("mosquitto", &mut command)?);
        for port in [Some(self.port), self.tls_port()].into_iter().flatten() {
            let listens = async || Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok());
            wait::until("mosquitto to listen", Duration::from_secs(10), listens).await.with_context(|| self.log())?;
        }
        Ok(())
    }

    /// What it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("mosquitto.log")).unwrap_or_default()
    }

    /// A shipped file with its port and its paths filled in.
    fn fill_in(&self, shipped: &str, port: u16) -> String {
        let folder = self.folder.display();
        let replace = |line: &str| {
            let key = line.split_whitespace().next();
            match key {
                Some("listener") => format!("listener {port} 127.0.0.1"),
                Some("password_file") => format!("password_file {folder}/bakau.passwd"),
                Some("acl_file") => format!("acl_file {folder}/bakau.acl"),
                Some("persistence_location") => format!("persistence_location {folder}/"),
                Some("include_dir") => format!("include_dir {folder}/conf.d"),
                Some(key @ ("certfile" | "keyfile")) => match &self.tls {
                    Some((_, files)) if key == "certfile" => format!("certfile {}", files.certificate.display()),
                    Some((_, files)) => format!("keyfile {}", files.key.display()),
                    None => line.to_owned(),
                },
                Some("use_username_as_clientid") if self.clients != Clients::OwnIds => String::new(),
                Some("sys_interval") if self.clients == Clients::AnyIds => "sys_interval 1".to_owned(),
                Some(_) | None => line.to_owned(),
            }
        };
        shipped.lines().map(replace).collect::<Vec<_>>().join("\n") + "\n"
    }
}
