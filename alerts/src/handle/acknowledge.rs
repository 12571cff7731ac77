//! What the page behind a link asks of this room.

use bakau_model::{Language, Level, Principal, Text};
use bakau_registry::Person;

use crate::{AlertView, Alerts, AlertsError, delivery::link::Grant, message::text};

/// A link that was made here, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The name of the person it was made for.
    pub person: String,
    /// The language they are written to in.
    pub language: Language,
    /// It is too old to act on.
    pub expired: bool,
    /// The alert as it stands.
    pub alert: AlertView,
    /// What happened last, as messages say it.
    pub sentence: Text,
    /// The station, or what else it is about.
    pub subject: Text,
    /// The zone of its times.
    pub time_zone: String,
}

impl Alerts {
    /// What a link is about; changes nothing.
    ///
    /// # Errors
    /// `LinkInvalid` where it was not made here or its person or alert is gone.
    pub async fn link(&self, token: &str) -> Result<Link, AlertsError> {
        let (grant, person) = self.granted(token)?;
        let facts = self.db.last_facts(grant.alert).await?.ok_or(AlertsError::LinkInvalid)?;
        let alert = self.db.alert(grant.alert).await?.ok_or(AlertsError::LinkInvalid)?;
        Ok(Link {
            person: person.name,
            language: person.language,
            expired: self.is_expired(&grant),
            alert,
            sentence: text::both(&facts),
            subject: text::subjects(&facts),
            time_zone: text::zone(&facts).to_owned(),
        })
    }

    /// Acknowledges the alert of a link, in the name of the person it was made for, at the level they have `seen`.
    ///
    /// # Errors
    /// `LinkInvalid`, `LinkExpired`, and those of [`Alerts::acknowledge`].
    pub async fn acknowledge_by_link(
        &self,
        token: &str,
        seen: Option<Level>,
        note: Option<String>,
    ) -> Result<AlertView, AlertsError> {
        let (grant, person) = self.granted(token)?;
        if self.is_expired(&grant) {
            return Err(AlertsError::LinkExpired);
        }
        let by = Principal::Person { id: person.id, name: person.name };
        self.acknowledge(&grant.alert, &by, seen, note).await
    }

    fn granted(&self, token: &str) -> Result<(Grant, Person), AlertsError> {
        let grant = self.link_key.verify(token).ok_or(AlertsError::LinkInvalid)?;
        let person = self.snapshots.borrow().people.get(&grant.person).cloned();
        Ok((grant, person.ok_or(AlertsError::LinkInvalid)?))
    }

    fn is_expired(&self, grant: &Grant) -> bool {
        grant.expires_at < self.clock.now()
    }
}
