//! Values summed up by buckets of time.
//!
//! Observations stream through [`fold::Folder`], so a decade of one-minute values takes as little memory as a day.

pub(crate) mod bucket;
pub(crate) mod fold;
mod hours;

use bakau_model::DatastreamId;
use bakau_registry::Datastream;
use bakau_store::Store;
use jiff::tz::TimeZone;

use self::fold::{Folder, Kind, Plan, Summary};
pub(crate) use self::hours::summaries as from_hours;
use crate::{
    http::{error::ApiError, query::Span},
    read::range::{self, Quantity},
};

/// Reads a range and sums it up, from whole hours where the store keeps their sums.
pub(crate) async fn summaries(
    store: &dyn Store,
    datastream: &Datastream,
    plan: Plan,
    zone: TimeZone,
) -> Result<Vec<Summary>, ApiError> {
    if let Some(found) = from_hours(store, datastream.number, plan, &zone).await? {
        return Ok(found);
    }
    let folder = fold_values(store, datastream.number, plan.span, Folder::new(plan, zone)).await?;
    Ok(folder.finish())
}

/// Takes every value of a range into the folder.
pub(crate) async fn fold_values(
    store: &dyn Store,
    datastream: DatastreamId,
    span: Span,
    folder: Folder,
) -> Result<Folder, ApiError> {
    let query = span.query(datastream, usize::MAX);
    let quantity = if folder.kind() == Kind::Counted { Quantity::Increment } else { Quantity::Value };
    range::fold(store, &query, quantity, folder, |folder, point| {
        folder.push(point.observed_at, point.value, point.flag);
    })
    .await
}
