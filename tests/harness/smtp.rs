//! A mail server with TLS and a login (python3-aiosmtpd) that can be away, slow or in a bad mood.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use serde_json::Value;

use crate::{certificates::Certificates, process::Process, wait};

/// The user name every test server wants.
pub const USERNAME: &str = "bakau";
/// Its password.
pub const PASSWORD: &str = "sandi-surel";
/// Environment variable in which Bakau under test finds it.
pub const PASSWORD_ENV: &str = "BAKAU_TEST_SMTP_PASSWORD";
/// Debian's own, because its packages are not seen by others.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = include_str!("smtp_server.py");
const PATIENCE: Duration = Duration::from_secs(20);

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Tls,
}

impl Security {
    /// The word of the catalogue.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Tls => "tls",
        }
    }
}

/// A mail as the server took it, decoded.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// The plain text.
    pub text: String,
    /// The page.
    pub html: String,
    /// Bytes of each PNG.
    pub pictures: Vec<u64>,
    /// When it came.
    pub at: Instant,
    headers: Value,
}

impl Mail {
    /// The value of a header, named in small letters; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].as_str().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Heard {
    port: Option<u16>,
    mails: Vec<Mail>,
    done: usize,
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Smtp {
    _process: Process,
    commands: Mutex<ChildStdin>,
    heard: Arc<Mutex<Heard>>,
    security: Security,
    certificates: Certificates,
    port: u16,
}

impl Smtp {
    /// Starts it on a free port, with certificates of its own in `folder`.
    ///
    /// # Errors
    /// When python3-aiosmtpd or openssl is not installed.
    pub async fn start(folder: &Path, security: Security) -> Result<Self> {
        let certificates = Certificates::make(folder)?;
        let script = folder.join("smtp_server.py");
        fs::write(&script, SCRIPT)?;
        let mut command = Command::new(PYTHON);
        command
            .args(["-W", "ignore"])
            .arg(script)
            .arg(security.word())
            .arg(&certificates.certificate)
            .arg(&certificates.key);
        command.args([USERNAME, PASSWORD]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start("the mail server (python3)", &mut command)?;
        let (commands, stdout) = (process.stdin(), process.stdout());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (teller, stdout) = (Arc::clone(&heard), stdout.context("standard output is piped")?);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                teller.lock().hear(&line);
            }
        });
        let port = wait::until("the mail server's port (is python3-aiosmtpd installed?)", PATIENCE, async || {
            Ok(heard.lock().port)
        });
        let port = port.await?;
        let commands = Mutex::new(commands.context("standard input is piped")?);
        Ok(Self { _process: process, commands, heard, security, certificates, port })
    }

    /// The channel `id` of a catalogue that sends through this server.
    #[must_use]
    pub fn channel(&self, id: &str) -> String {
        format!(
            "\n[[channel]]\nid = \"{id}\"\nkind = \"email\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"{}\"\n\
             from = \"bakau@kota.example\"\nusername = \"{USERNAME}\"\npassword_env = \"{PASSWORD_ENV}\"\n\
             ca_file = \"{}\"\n",
            self.port,
            self.security.word(),
            self.certificates.authority.display()
        )
    }

    /// The mails taken so far, in order.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.heard.lock().mails.clone()
    }

    /// Closes the port and every connection.
    ///
    /// # Errors
    /// When the server has ended.
    pub async fn away(&self) -> Result<()> {
        self.tell("away").await
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// When the server has ended.
    pub async fn back(&self) -> Result<()> {
        self.tell("back").await
    }

    /// Answers every mail with a line such as `451 4.3.0 later`; an empty one takes mails again.
    ///
    /// # Errors
    /// When the server has ended.
    pub async fn answer(&self, line: &str) -> Result<()> {
        self.tell(&format!("answer {line}")).await
    }

    /// Waits so many seconds before it answers a mail it has taken.
    ///
    /// # Errors
    /// When the server has ended.
    pub async fn slow(&self, seconds: u32) -> Result<()> {
        self.tell(&format!("slow {seconds}")).await
    }

    async fn tell(&self, command: &str) -> Result<()> {
        let before = self.heard.lock().done;
        writeln!(self.commands.lock(), "{command}")?;
        wait::until("the mail server to obey", PATIENCE, async || Ok((before < self.heard.lock().done).then_some(())))
            .await
    }
}

impl Heard {
    fn hear(&mut self, line: &str) {
        if let Some(port) = line.strip_prefix("port ") {
            self.port = port.parse().ok();
        } else if line.starts_with("done ") {
            self.done += 1;
        } else if let Ok(mail) = serde_json::from_str::<Value>(line) {
            let text = |key: &str| mail[key].as_str().unwrap_or_default().to_owned();
            let list = |key: &str| mail[key].as_array().cloned().unwrap_or_default();
            self.mails.push(Mail {
                from: text("from"),
                to: list("to").iter().filter_map(|to| to.as_str().map(str::to_owned)).collect(),
                text: text("text"),
                html: text("html"),
                pictures: list("pictures").iter().filter_map(Value::as_u64).collect(),
                at: Instant::now(),
                headers: mail["headers"].clone(),
            });
        }
    }
}
