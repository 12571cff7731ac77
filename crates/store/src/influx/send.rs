//! Sends the lines of a write until every one is stored or named as refused.

use std::collections::{BTreeMap, HashMap};

use influxdb2::{RequestError, api::write::TimestampPrecision};

use super::{
    answer::{Next, decide},
    http::Server,
};
use crate::{StoreError, StoreErrorKind};

/// Lines of one request; 5,000 to 20,000 measured fastest.
const LINES: usize = 10_000;

/// A refused line or reason is kept up to this length.
const KEPT_BYTES: usize = 500;

/// A line that the server does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) line: String,
    pub(super) reason: String,
}

/// Sends a body and returns what is not wanted of it; everything else is stored then.
///
/// After an error nobody knows how much is stored: send the same body again, points overwrite themselves.
pub(super) async fn send(server: &Server, body: &str) -> Result<Vec<Refused>, StoreError> {
    let lines: Vec<&str> = body.lines().collect();
    let mut refused = Vec::new();
    // Pieces still to be sent, the next one last; a piece is halved from the left.
    let mut pieces: Vec<Vec<&str>> = lines.chunks(LINES).rev().map(<[&str]>::to_vec).collect();
    while let Some(piece) = pieces.pop() {
        let (status, text) = post(server, &piece).await?;
        match decide(status) {
            Next::Done => {}
            Next::Again => {
                let message = format!("InfluxDB answered with status {status}");
                return Err(StoreError::new(StoreErrorKind::Unavailable, message));
            }
            Next::Hold(hold) => return Err(StoreError::new(StoreErrorKind::Refused, hold.sentence())),
            Next::BadLines | Next::Partly | Next::Halve if piece.len() <= 1 => {
                let reason = bounded(&reason(&text));
                refused.extend(piece.into_iter().map(|line| Refused { line: bounded(line), reason: reason.clone() }));
            }
            Next::Halve | Next::Partly => halve(&piece, &mut pieces),
            Next::BadLines => match named(&text, &piece) {
                Some(bad) => {
                    let mut good = Vec::with_capacity(piece.len());
                    for (n, line) in piece.into_iter().enumerate() {
                        match bad.get(&n) {
                            Some(reason) => refused.push(Refused { line: bounded(line), reason: reason.clone() }),
                            None => good.push(line),
                        }
                    }
                    if !good.is_empty() {
                        pieces.push(good);
                    }
                }
                None => halve(&piece, &mut pieces),
            },
        }
    }
    Ok(refused)
}

fn halve<'a>(piece: &[&'a str], pieces: &mut Vec<Vec<&'a str>>) {
    let (left, right) = piece.split_at(piece.len() / 2);
    pieces.push(right.to_vec());
    pieces.push(left.to_vec());
}

async fn post(server: &Server, piece: &[&str]) -> Result<(u16, String), StoreError> {
    let config = &server.config;
    let mut body = piece.join("\n");
    body.push('\n');
    let sent = server.writer.write_line_protocol_with_precision(
        &config.org,
        &config.bucket,
        body,
        TimestampPrecision::Milliseconds,
    );
    match sent.await {
        Ok(()) => Ok((204, String::new())),
        Err(RequestError::Http { status, text }) => Ok((status.as_u16(), text)),
        // Of transport errors the address is left out: it may carry a password.
        Err(RequestError::ReqwestProcessing { source }) => {
            Err(StoreError::new(StoreErrorKind::Unavailable, source.without_url()))
        }
        Err(RequestError::Serializing { .. } | RequestError::Deserializing { .. }) => {
            Err(StoreError::new(StoreErrorKind::Unavailable, "the answer of InfluxDB makes no sense"))
        }
    }
}

fn reason(text: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let message = parsed.as_ref().and_then(|value| value.get("message")).and_then(serde_json::Value::as_str);
    message.unwrap_or("InfluxDB gave no reason").to_owned()
}

fn bounded(text: &str) -> String {
    text.char_indices().take_while(|(at, _)| *at < KEPT_BYTES).map(|(_, c)| c).collect()
}

/// Places (from 0) and reasons of the lines that an answer names as not readable; `None` when it names none, or one that
/// was not sent.
fn named(text: &str, piece: &[&str]) -> Option<BTreeMap<usize, String>> {
    let message = reason(text);
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (n, line) in piece.iter().enumerate() {
        places.entry(line).or_default().push(n);
    }
    let mut found = BTreeMap::new();
    for part in message.split("unable to parse '").skip(1) {
        let (line, why) = part.rsplit_once("': ")?;
        for &place in places.get(line)? {
            found.insert(place, bounded(why.trim_end()));
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests;
