//! Live events, read as their types.

use anyhow::{Context, Result};
use bakau_answers::Event;

use crate::bakau::Bakau;

/// An open stream of live events.
#[derive(Debug)]
pub struct Events {
    answer: reqwest::Response,
    /// What has come of events that are not read yet.
    heard: Vec<u8>,
}

impl Events {
    /// Opens the stream, with a query such as `station=uji`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open(bakau: &Bakau, query: &str) -> Result<Self> {
        let answer = reqwest::get(bakau.url(&format!("/api/v1/events?{query}"))?).await?.error_for_status()?;
        Ok(Self { answer, heard: Vec::new() })
    }

    /// The next event.
    ///
    /// # Errors
    /// When the stream ends, or says what is no event.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            let Some(end) = self.heard.windows(2).position(|pair| pair == b"\n\n") else {
                self.heard.extend(self.answer.chunk().await?.context("the events ended")?);
                continue;
            };
            let message: Vec<u8> = self.heard.drain(..end + 2).collect();
            let message = std::str::from_utf8(&message)?;
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let read = field("event:").zip(field("data:")).map(|(name, data)| Event::read(name, data));
            // Without a name it is a comment that keeps the connection open.
            if let Some(event) = read {
                return Ok(event?);
            }
        }
    }
}
