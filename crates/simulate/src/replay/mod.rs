//! A measured CSV file as MQTT messages.
use bakau_model::UtcMillis;
use std::{net::SocketAddr, path::Path};
/// Map.
#[derive(Debug, Clone)]
pub struct ReplayMap {}
/// Where and how fast to replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// MQTT user name; anonymous where absent.
    pub username: Option<String>,
    /// MQTT password.
    pub password: Option<String>,
    /// Measured seconds per second; `None` is as fast as messages are acknowledged.
    pub speed: Option<f64>,
    /// Rows at or after this instant only.
    pub from: Option<UtcMillis>,
    /// Rows before this instant only.
    pub to: Option<UtcMillis>,
}
/// What was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayReport {
    /// Rows of the file within the limits.
    pub rows: u64,
    /// Messages acknowledged.
    pub messages: u64,
    /// Values in them.
    pub values: u64,
    /// Empty cells in them.
    pub empty: u64,
}
/// Why not.
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ReplayError {}
impl ReplayMap {
    /// x
    /// # Errors
    /// x
    pub fn parse(_text: &str) -> Result<Self, ReplayError> {
        todo!()
    }
}
/// x
/// # Errors
/// x
pub async fn replay(_file: &Path, _map: &ReplayMap, _options: &ReplayOptions) -> Result<ReplayReport, ReplayError> {
    todo!()
}
