//! Check that InfluxQL finds our bucket by its name.
//!
//! InfluxQL names a database. A mapping that somebody made (`influx v1 dbrp`) may lead that name to another bucket: queries
//! would be answered from there, or with nothing, while writes go to ours.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Server;
use crate::{StoreError, StoreProblem};

/// Time between two looks: a mapping can be made at any time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Database and retention policy under which InfluxQL has a bucket by default.
pub(crate) fn database(bucket: &str) -> (&str, &str) {
    bucket.split_once('/').unwrap_or((bucket, "autogen"))
}

/// Looks at the mapping, unless it was right a moment ago.
///
/// # Errors
/// When the name of the bucket leads elsewhere. A server that does not answer is no error here: the query will fail.
pub(crate) async fn check(server: &Server) -> Result<(), StoreError> {
    let is_due = server.mapped.lock().is_none_or(|at| LOOK_EVERY <= at.elapsed());
    if is_due { look(server).await } else { Ok(()) }
}

/// Looks at the mapping now.
///
/// # Errors
/// As for [`check`].
pub(crate) async fn look(server: &Server) -> Result<(), StoreError> {
    let (org, bucket) = (server.config.org.as_str(), server.config.bucket.as_str());
    let (database, policy) = database(bucket);
    let mapped = server.get_json("/api/v2/dbrps", &[("org", org), ("db", database), ("rp", policy)]).await;
    let found = server.get_json("/api/v2/buckets", &[("org", org), ("name", bucket)]).await;
    let is_elsewhere = mapped.zip(found).is_some_and(|(mapped, found)| leads_elsewhere(&mapped, &found));
    *server.mapped.lock() = (!is_elsewhere).then(Instant::now);
    if is_elsewhere {
        let message =
            format!("InfluxQL finds another bucket or none by the name \"{bucket}\": see `influx v1 dbrp list`");
        return Err(StoreError::new(StoreProblem::Mapping, message));
    }
    Ok(())
}

/// A token for one bucket sees no mapping that leads to another one, and the server then hides its own as well.
fn leads_elsewhere(mapped: &Value, found: &Value) -> bool {
    let Some(ours) = found["buckets"][0]["id"].as_str() else { return false };
    let Some(mapped) = mapped["content"].as_array() else { return false };
    mapped.is_empty() || mapped.iter().any(|mapping| mapping["bucketID"] != ours)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_server_says_is_held_against_it() {
        let ours = json!({ "buckets": [{ "id": "a" }] });
        let mapped = |to: &[&str]| {
            let content: Vec<_> = to.iter().map(|id| json!({ "bucketID": id })).collect();
            leads_elsewhere(&json!({ "content": content }), &ours)
        };
        assert_eq!((mapped(&["a"]), mapped(&["b"]), mapped(&["a", "b"]), mapped(&[])), (false, true, true, true));
        for silent in [json!(null), json!({}), json!({ "message": "not found" }), json!({ "buckets": [] })] {
            assert!(!leads_elsewhere(&json!({ "content": [] }), &silent), "{silent}");
            assert!(!leads_elsewhere(&silent, &ours), "{silent}");
        }
    }
}
