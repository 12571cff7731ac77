//! Pages, drawn on the server and complete without the script.

use crate::view::{AlertPageView, AlertsView, OverviewView, ProblemView, StationView, StatusView};

/// A page that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be drawn")]
pub struct PageError(#[from] askama::Error);

/// The page with all stations, worst first.
///
/// # Errors
/// When the template fails.
pub fn overview(view: &OverviewView) -> Result<String, PageError> {
    let _ = view;
    todo!()
}

/// The page of one station.
///
/// # Errors
/// When the template fails.
pub fn station(view: &StationView) -> Result<String, PageError> {
    let _ = view;
    todo!()
}

/// The list of alerts.
///
/// # Errors
/// When the template fails.
pub fn alerts(view: &AlertsView) -> Result<String, PageError> {
    let _ = view;
    todo!()
}

/// The page of one alert.
///
/// # Errors
/// When the template fails.
pub fn alert(view: &AlertPageView) -> Result<String, PageError> {
    let _ = view;
    todo!()
}

/// The page about Bakau itself.
///
/// # Errors
/// When the template fails.
pub fn status(view: &StatusView) -> Result<String, PageError> {
    let _ = view;
    todo!()
}

/// The page that says what went wrong.
///
/// # Errors
/// When the template fails.
pub fn problem(view: &ProblemView) -> Result<String, PageError> {
    let _ = view;
    todo!()
}
