//! Identity of an alert: a hash, so that the live engine and the settled history name the same episode alike.

use bakau_model::{AlertId, RuleId, UtcMillis};
use sha2::{Digest, Sha256};

use crate::engine::Subject;

/// The id of the episode of `rule` on `subject` that began at `onset`.
#[must_use]
pub(crate) fn of(rule: &RuleId, subject: &Subject, onset: UtcMillis) -> AlertId {
    let mut hash = Sha256::new();
    hash.update(match subject {
        Subject::Datastream(_) => b"bakau alert 1\0".as_slice(),
        Subject::Station(_) => b"bakau station alert 1\0",
        Subject::Source(_) => b"bakau source alert 1\0",
        Subject::Store => b"bakau store alert 1\0",
    });
    hash.update(rule.as_str().as_bytes());
    // Text ids never hold a zero byte, so no two (rule, subject, onset) give the same input.
    hash.update([0]);
    match subject {
        Subject::Datastream(number) => hash.update(number.get().to_be_bytes()),
        Subject::Station(station) => hash.update(station.as_str().as_bytes()),
        Subject::Source(source) => hash.update(source.as_str().as_bytes()),
        Subject::Store => {}
    }
    hash.update(onset.get().to_be_bytes());
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    AlertId::new(id)
}

#[cfg(test)]
mod tests {
    use bakau_model::{DatastreamId, SourceName, StationId};

    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_text_and_depends_on_every_part() {
        let rule = RuleId::new("do-low").unwrap();
        let seven = Subject::Datastream(DatastreamId::new(7));
        let at = UtcMillis::new(1_000);
        let id = of(&rule, &seven, at);
        assert_eq!(id.to_string().parse::<AlertId>().unwrap(), id);
        assert_ne!(id, of(&rule, &Subject::Datastream(DatastreamId::new(8)), at));
        assert_ne!(id, of(&rule, &seven, UtcMillis::new(1_001)));
        assert_ne!(id, of(&RuleId::new("do-lo").unwrap(), &seven, at));
        let station = Subject::Station(StationId::new("a").unwrap());
        assert_ne!(of(&rule, &station, at), of(&rule, &Subject::Source(SourceName::new("a").unwrap()), at));
    }
}
