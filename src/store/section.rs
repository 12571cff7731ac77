//! `[store]` of `bakau.toml`, and the secret that it names without holding it.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bakau_model::StoreKind;
use serde::Deserialize;
use smart_default::SmartDefault;

/// A token of InfluxDB has 88 characters; a file longer than this is some other file.
const MAX_TOKEN_BYTES: u64 = 4_096;

/// Seconds that a connection may take to be made, and an answer; the longest a group of values may wait for one.
const CONNECT_S: std::ops::RangeInclusive<u32> = 1..=60;
const TIMEOUT_S: std::ops::RangeInclusive<u32> = 1..=600;

#[derive(Debug, Clone, Deserialize, SmartDefault)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSection {
    pub(crate) kind: StoreKind,
    /// Such as `https://influx.example.org:8086`.
    url: Option<String>,
    org: Option<String>,
    bucket: Option<String>,
    /// Name of the environment variable with the token.
    token_env: Option<String>,
    /// The file with the token and nothing else.
    token_file: Option<PathBuf>,
    /// An authority of one's own, besides those of the operating system.
    ca_file: Option<PathBuf>,
    #[default(2)]
    connect_timeout_s: u32,
    /// For a whole write, and for each piece of an answer that is read.
    #[default(30)]
    timeout_s: u32,
}

/// Where InfluxDB is and who is trusted there.
pub(super) struct Influx {
    pub(super) url: String,
    pub(super) org: String,
    pub(super) bucket: String,
    pub(super) authority: Option<Vec<u8>>,
    pub(super) connect: Duration,
    pub(super) total: Duration,
}

/// Where the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenPlace<'a> {
    /// In an environment variable.
    Variable(&'a str),
    /// In a file of its own.
    File(&'a Path),
}

impl StoreSection {
    /// What is wrong with the section; other files are not looked at.
    pub(crate) fn problems(&self) -> Vec<String> {
        let influx = self.kind == StoreKind::Influx;
        let named = [("url", &self.url), ("org", &self.org), ("bucket", &self.bucket)];
        let missing = named.iter().filter(|(_, value)| influx && value.as_ref().is_none_or(String::is_empty));
        let mut problems: Vec<_> = missing.map(|(name, _)| say!("store_needs", what = name)).collect();
        if self.token_env.is_some() && self.token_file.is_some() {
            problems.push(say!("store_two_tokens"));
        } else if influx && self.token_place().is_none() {
            problems.push(say!("store_needs", what = "token_env | token_file"));
        }
        if let Some(url) = self.url.as_ref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            problems.push(say!("store_url", url = url));
        }
        let times =
            [("connect_timeout_s", self.connect_timeout_s, CONNECT_S), ("timeout_s", self.timeout_s, TIMEOUT_S)];
        for (name, seconds, allowed) in times.into_iter().filter(|(_, seconds, allowed)| !allowed.contains(seconds)) {
            let (least, most) = (allowed.start(), allowed.end());
            problems.push(say!("store_seconds", name = name, seconds = seconds, least = least, most = most));
        }
        if self.timeout_s < self.connect_timeout_s {
            problems.push(say!("store_timeouts"));
        }
        problems
    }

    /// Checks the files that the store needs, so that `bakau check` reports them before a start fails.
    pub(crate) fn check_files(&self) -> Result<()> {
        if self.kind == StoreKind::Influx {
            self.influx()?;
            if let Some(TokenPlace::File(path)) = self.token_place() {
                token_in(path)?;
            }
        }
        Ok(())
    }

    /// The settings of InfluxDB, whether it is the store now or not.
    pub(super) fn influx(&self) -> Result<Influx> {
        let problems = Self { kind: StoreKind::Influx, ..self.clone() }.problems();
        if !problems.is_empty() {
            bail!("[store] {}", problems.join("; "));
        }
        let read =
            |path: &PathBuf| std::fs::read(path).with_context(|| say!("store_cannot_read", path = path.display()));
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(Influx {
            url: given(&self.url),
            org: given(&self.org),
            bucket: given(&self.bucket),
            authority: self.ca_file.as_ref().map(read).transpose()?,
            connect: Duration::from_secs(self.connect_timeout_s.into()),
            total: Duration::from_secs(self.timeout_s.into()),
        })
    }

    /// Where the token is, if anywhere.
    pub(super) fn token_place(&self) -> Option<TokenPlace<'_>> {
        let variable = self.token_env.as_deref().filter(|name| !name.is_empty()).map(TokenPlace::Variable);
        variable.or_else(|| {
            let path = self.token_file.as_deref().filter(|path| !path.as_os_str().is_empty());
            path.map(TokenPlace::File)
        })
    }

    /// The token itself.
    pub(super) fn token(&self) -> Result<String> {
        match self.token_place() {
            Some(TokenPlace::Variable(name)) => token_of(name),
            Some(TokenPlace::File(path)) => token_in(path),
            None => bail!(say!("store_no_token")),
        }
    }
}

/// A token from the environment.
pub(super) fn token_of(variable: &str) -> Result<String> {
    let token = std::env::var(variable).ok().filter(|token| !token.is_empty());
    let token = token.with_context(|| say!("store_variable_unset", name = variable))?;
    usable(&token).with_context(|| say!("store_variable_no_token", name = variable))
}

/// A token from a file of its own.
fn token_in(path: &Path) -> Result<String> {
    let shown = path.display();
    let mut text = Vec::new();
    let file = File::open(path).with_context(|| say!("store_token_file", path = shown))?;
    let read = file.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut text);
    read.with_context(|| say!("store_token_file", path = shown))?;
    let text = std::str::from_utf8(&text).ok().filter(|text| text.len() as u64 <= MAX_TOKEN_BYTES);
    text.and_then(usable).with_context(|| say!("store_token_file_wrong", path = shown))
}

/// A token as it can be sent, without what an editor puts around it.
fn usable(text: &str) -> Option<String> {
    let token = text.trim();
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> StoreSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn influxdb_needs_to_be_named_and_the_own_file_needs_nothing() {
        assert_eq!(StoreSection::default().problems(), Vec::<String>::new());
        let expected = [
            "kind = \"influx\" needs org",
            "kind = \"influx\" needs bucket",
            "kind = \"influx\" needs token_env | token_file",
            "url = \"influx:8086\" does not begin with http:// or https://",
        ];
        assert_eq!(section("kind = \"influx\"\norg = \"\"\nurl = \"influx:8086\"").problems(), expected);
        assert!(toml::from_str::<StoreSection>("token = \"x\"").is_err(), "the token itself is never in the file");
    }

    #[test]
    fn one_place_for_the_token_and_times_that_make_sense() {
        let whole = "kind = \"influx\"\nurl = \"http://h\"\norg = \"o\"\nbucket = \"b\"\n";
        let problems = |more: &str| section(&format!("{whole}{more}")).problems();
        for sound in [
            "token_env = \"T\"",
            "token_file = \"t\"\nconnect_timeout_s = 60\ntimeout_s = 600",
            "token_file = \"t\"\nconnect_timeout_s = 1\ntimeout_s = 1",
        ] {
            assert_eq!(problems(sound), Vec::<String>::new());
        }
        assert_eq!(problems("token_file = \"\""), ["kind = \"influx\" needs token_env | token_file"]);
        let expected = [
            "token_env and token_file exclude each other: name one of them",
            "connect_timeout_s = 61 must be 1 to 60 seconds",
            "timeout_s = 0 must be 1 to 600 seconds",
            "timeout_s is shorter than connect_timeout_s",
        ];
        assert_eq!(problems("token_env = \"T\"\ntoken_file = \"t\"\nconnect_timeout_s = 61\ntimeout_s = 0"), expected);
        let influx = section(&format!("{whole}token_env = \"T\"")).influx().unwrap();
        assert_eq!((influx.connect, influx.total), (Duration::from_secs(2), Duration::from_secs(30)));
    }

    #[test]
    fn a_token_file_holds_a_token_and_nothing_else_and_what_it_holds_is_in_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let text = format!(
            "kind = \"influx\"\nurl = \"http://h\"\norg = \"o\"\nbucket = \"b\"\ntoken_file = '{}'",
            path.display()
        );
        let section = section(&text);
        let said = format!("{:#}", section.check_files().unwrap_err());
        assert!(said.contains("cannot read token_file") && said.contains("No such file"), "{said}");
        std::fs::write(&path, "  rahasia-123==\r\n").unwrap();
        section.check_files().unwrap();
        assert_eq!(section.token().unwrap(), "rahasia-123==");
        let long = "r".repeat(4_097);
        for wrong in ["", " \n", "rahasia\nrahasia", "TOKEN = rahasia", "rahasia\u{e9}", &long] {
            std::fs::write(&path, wrong).unwrap();
            let said = format!("{:#}", section.check_files().unwrap_err());
            assert!(said.contains("must hold a token and nothing else"), "{said}");
            assert!(!said.contains("rahasia") && !said.contains("rrrr"), "{said}");
        }
        std::fs::write(&path, [b'a', 0xFF]).unwrap();
        assert!(section.token().is_err());
        std::fs::write(&path, &long[..4_096]).unwrap();
        assert_eq!(section.token().unwrap().len(), 4_096);
    }
}
