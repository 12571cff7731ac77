//! Child processes that never outlive the test that started them.

use std::{
    net::TcpListener,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts a command.
    ///
    /// # Errors
    /// When the program cannot be started; the message names it.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("could not start {name}: is it installed?"))?;
        Ok(Self { name, child })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Standard output, once, if it was piped.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Standard input, once, if it was piped.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it was gone already.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} had ended by itself with {status} before it was killed", self.name);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal such as `USR1`.
    ///
    /// # Errors
    /// When `kill` is not installed.
    pub fn signal(&self, name: &str) -> Result<()> {
        let (signal, pid) = (format!("-{name}"), self.child.id().to_string());
        Command::new("kill").args([&signal, &pid]).status().context("could not run kill")?;
        Ok(())
    }

    /// SIGTERM, then waits for a clean end.
    ///
    /// # Errors
    /// When it does not end in 30 s or ends with an error.
    pub fn terminate(self) -> Result<()> {
        let (name, status) = (self.name, self.ended_by_term()?);
        if !status.success() {
            bail!("{name} ended with {status} after SIGTERM");
        }
        Ok(())
    }

    /// SIGTERM, then waits for the end, whichever that is.
    ///
    /// # Errors
    /// When it does not end in 30 s.
    pub fn ended_by_term(mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None if deadline < Instant::now() => bail!("{} did not end within 30 s of SIGTERM", self.name),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago, for programs that cannot pick one themselves.
///
/// # Errors
/// When loopback has no free port.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// CPU seconds (user + system) a process and its ended children have used so far.
///
/// # Errors
/// When the process is gone.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Fields after the command name, which may itself hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // utime and stime are fields 14 and 15 of the whole line, 100 ticks a second on Linux.
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// Resident memory of a process in bytes: (now, highest so far).
///
/// # Errors
/// When the process is gone.
pub fn resident_bytes(pid: u32) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Ok((field("VmRSS:").unwrap_or(0) * 1024, field("VmHWM:").unwrap_or(0) * 1024))
}
