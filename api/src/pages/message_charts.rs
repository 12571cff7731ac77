//! Charts for messages: the same drawing as on pages, asked for by the alert engine.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bakau_alerts::ChartSource;
use bakau_model::{DAY_MS, DatastreamName, Language, MINUTE_MS, UtcMillis};
use bytes::Bytes;

use crate::{
    http::{error::ApiError, language::texts, query::Span},
    pages::charts::{self, Asked, Picture},
    state::AppState,
    v1::catalogue,
};

/// Wide enough for a mail on a desk, and small enough to load on a phone in the field.
const SIZE: (u32, u32) = (600, 280);

/// Draws for messages once the HTTP side is there; until then messages go without charts.
///
/// The alert engine starts first, because the HTTP side needs it.
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
                tracing::warn!(%datastream, cause = error.cause(), "chart for a message not drawn");
                None
            }
        }
    }
}

/// The chart of the day before `until`.
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
    let subtitle = texts(language).text("chart_day");
    let asked = Asked { span, subtitle, language, width: SIZE.0, height: SIZE.1, dark: false };
    let spec = charts::spec(state, &snapshot, datastream, asked).await?;
    charts::draw(state, spec, Picture::Png).await.map(Bytes::from)
}
