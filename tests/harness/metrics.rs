//! What `/metrics` says, read from outside.

use anyhow::Result;

use crate::bakau::Bakau;

/// The whole page.
///
/// # Errors
/// When Bakau does not answer.
pub async fn text(bakau: &Bakau) -> Result<String> {
    Ok(reqwest::get(bakau.url("/metrics")?).await?.text().await?)
}

/// The sum of all samples of a counter whose labels contain `label`.
#[must_use]
pub fn counter(text: &str, name: &str, label: &str) -> f64 {
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Upper edge of the bucket in which the 99th percentile lies of what a histogram counted between two pages, in ms, and how
/// many that were. An empty page is the beginning.
#[must_use]
pub fn p99_ms(before: &str, after: &str, name: &str) -> Option<(f64, u64)> {
    let bucket = format!("{name}_bucket");
    let cumulative = |text: &str, edge: &str| counter(text, &bucket, &format!("le=\"{edge}\""));
    let total = format!("{name}_count");
    let count = counter(after, &total, "") - counter(before, &total, "");
    for line in after.lines().filter(|line| line.starts_with(&bucket)) {
        let edge = line.split("le=\"").nth(1)?.split('"').next()?;
        if 0.0 < count && 0.99 * count <= cumulative(after, edge) - cumulative(before, edge) {
            return Some((edge.parse::<f64>().unwrap_or(f64::INFINITY) * 1_000.0, count as u64));
        }
    }
    None
}
