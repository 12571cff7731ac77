//! Charts for messages: the same drawing as on pages, asked for by the alert room.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bakau_alerts::ChartSource;
use bakau_dashboards::chart::{self, ChartSpec};
use bakau_model::{DAY_MS, DatastreamName, Language, MINUTE_MS, UtcMillis};
use bytes::Bytes;

use crate::{
    http::{error::ApiError, language::texts, query::Span},
    pages::charts,
    state::AppState,
    v1::catalogue,
};

/// What a message shows: the day before it.
/// Wide enough for a mail on a desk, and small enough to load on a phone in the field.
const SIZE: (u32, u32) = (600, 280);

/// Draws for messages once the HTTP side is there; until then messages go without charts.
///
/// The alert room starts first, because the HTTP side needs it.
#[derive(Debug, Clone, Default)]
pub struct MessageCharts {
    state: Arc<OnceLock<AppState>>,
}

impl MessageCharts {
    /// Draws with this state from now on; a second call changes nothing.
    pub fn connect(&self, state: AppState) {
        let _first = self.state.set(state);
    }
}

#[async_trait]
impl ChartSource for MessageCharts {
    async fn png(&self, datastream: &DatastreamName, until: UtcMillis, language: Language) -> Option<Bytes> {
        let state = self.state.get()?;
        match draw(state, datastream, until, language).await {
            Ok(picture) => Some(picture),
            Err(error) => {
                tracing::warn!(%datastream, cause = error.cause(), "a chart for a message could not be drawn");
                None
            }
        }
    }
}

async fn draw(
    state: &AppState,
    name: &DatastreamName,
    until: UtcMillis,
    language: Language,
) -> Result<Bytes, ApiError> {
    let snapshot = state.snapshot();
    let datastream = catalogue::find_datastream(&snapshot, name)?;
    let to = until.saturating_add(MINUTE_MS).minute();
    let span = Span { from: to.saturating_add(-DAY_MS), to };
    let time_zone = catalogue::zone(&snapshot, &datastream.station);
    let drawn = charts::read_points(state, datastream, span, SIZE.0, &time_zone).await?;
    let spec = ChartSpec {
        title: charts::title(&snapshot, datastream, language),
        subtitle: texts(language).text("chart_day").to_owned(),
        unit: datastream.unit.clone(),
        from: span.from,
        to: span.to,
        time_zone,
        language,
        width: SIZE.0,
        height: SIZE.1,
        decimals: catalogue::decimals(&snapshot, datastream),
        interval_ms: charts::visible_interval(datastream.interval_ms, drawn.bucket_ms),
        limits: charts::limits(&snapshot, datastream),
        points: drawn.points,
        spreads: drawn.spreads,
        dark: false,
    };
    let permit = Arc::clone(&state.own.drawings).acquire_owned().await;
    let permit = permit.map_err(|error| ApiError::defect(error.to_string()))?;
    let drawn = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        chart::png(&spec)
    });
    let drawn = drawn.await.map_err(|error| ApiError::defect(error.to_string()))?;
    drawn.map(Bytes::from).map_err(|error| ApiError::defect(error.to_string()))
}
