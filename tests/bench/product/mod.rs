//! The figures of the product: what operators, on-call staff and researchers wait for. One section by name, or all.

mod api;
mod idle;
mod open;
mod pages;
mod steady;

use anyhow::{Result, bail};

/// Sections in the order they run.
const SECTIONS: [&str; 7] = ["idle", "latest", "week", "pages", "overview", "events", "steady"];

pub(crate) async fn run(section: Option<&str>, quick: bool) -> Result<()> {
    if let Some(other) = section.filter(|section| !SECTIONS.contains(section)) {
        bail!("unknown section '{other}'; there are: {}", SECTIONS.join(", "));
    }
    for name in SECTIONS.into_iter().filter(|name| section.is_none_or(|section| section == *name)) {
        match name {
            "idle" => idle::run(quick).await?,
            "latest" => api::latest(quick).await?,
            "week" => api::week(quick).await?,
            "pages" => pages::run(quick).await?,
            "overview" => open::run(quick).await?,
            "events" => steady::events(quick).await?,
            _ => steady::memory_and_lag(quick).await?,
        }
    }
    Ok(())
}
