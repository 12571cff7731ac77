//! Pictures in messages: drawn elsewhere, because this room knows no drawing.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bakau_model::{DatastreamName, Language, UtcMillis};
use bytes::Bytes;

/// A message waits this long for its picture and then goes without.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A larger picture stays out: mail boxes and phones have bounds.
const MAX_PICTURE_BYTES: usize = 500_000;

/// Draws the last day of a datastream, with its limits, for a message.
#[async_trait]
pub trait ChartSource: Debug + Send + Sync {
    /// A PNG of the time before `until`; none where there is nothing to draw.
    async fn png(&self, datastream: &DatastreamName, until: UtcMillis, language: Language) -> Option<Bytes>;
}

/// The picture, unless it takes too long or is too large.
pub(crate) async fn bounded(
    source: Option<Arc<dyn ChartSource>>,
    datastream: &DatastreamName,
    until: UtcMillis,
    language: Language,
) -> Option<Bytes> {
    let source = source?;
    let drawn = tokio::time::timeout(LONGEST_WAIT, source.png(datastream, until, language)).await;
    let Ok(picture) = drawn else {
        tracing::warn!(%datastream, "a chart was not drawn in time, its message goes without");
        return None;
    };
    picture.filter(|picture| picture.len() <= MAX_PICTURE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Drawing(Duration, usize);

    #[async_trait]
    impl ChartSource for Drawing {
        async fn png(&self, _: &DatastreamName, _: UtcMillis, _: Language) -> Option<Bytes> {
            tokio::time::sleep(self.0).await;
            Some(vec![0; self.1].into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_does_not_wait_for_a_slow_or_a_huge_chart() {
        let name = "prb-bjbr-01/do".parse().unwrap();
        let draw = async |seconds, bytes| {
            let source: Arc<dyn ChartSource> = Arc::new(Drawing(Duration::from_secs(seconds), bytes));
            let picture = bounded(Some(source), &name, UtcMillis::new(0), Language::Id).await;
            picture.map(|picture| picture.len())
        };
        assert_eq!(draw(1, 1_000).await, Some(1_000));
        assert_eq!(draw(60, 1_000).await, None);
        assert_eq!(draw(1, 1_000_000).await, None);
        assert_eq!(bounded(None, &name, UtcMillis::new(0), Language::Id).await, None);
    }
}
