//! Identifiers: text ids people write, and the immutable integers things are stored under.

use std::{str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest accepted text id part, in bytes; long enough for any station code, short enough for an index key.
const MAX_PART_BYTES: usize = 64;

/// A text id that does not follow the grammar `[a-z0-9_-]+`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a valid {kind}: use 1 to 64 of a-z, 0-9, '-' and '_'{hint}")]
pub struct InvalidId {
    kind: &'static str,
    given: String,
    hint: &'static str,
}

fn check_part(kind: &'static str, part: &str, given: &str, hint: &'static str) -> Result<(), InvalidId> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if part.is_empty() || MAX_PART_BYTES < part.len() || !part.bytes().all(allowed) {
        return Err(InvalidId { kind, given: given.chars().take(200).collect(), hint });
    }
    Ok(())
}

/// Writes a type to serde as the text that it shows, and reads it as it reads texts.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident => $kind:literal,)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, derive_more::Display)]
        #[cfg_attr(
            feature = "schema",
            derive(utoipa::ToSchema),
            schema(value_type = String, pattern = "^[a-z0-9_-]{1,64}$")
        )]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a text id.
            ///
            /// # Errors
            /// When the text is empty, longer than 64 bytes or has other characters than `[a-z0-9_-]`.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                check_part($kind, text, text, "")?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        as_text!($name);
    )+};
}

text_ids! {
    /// A city; its Kemendagri area code is an attribute of it.
    CityId => "city id",
    /// An agency (OPD) that owns stations.
    AgencyId => "agency id",
    /// A place that measures.
    StationId => "station id",
    /// The code of a parameter, such as `pm25`, `do` or `water_level`.
    Parameter => "parameter code",
    /// A physical instrument: make, model, serial number.
    InstrumentId => "instrument id",
    /// A rule that turns topics into stations and formats.
    RouteId => "route id",
    /// A condition that raises alerts.
    RuleId => "rule id",
    /// A way to reach people or programs: mail, Telegram, webhook.
    ChannelId => "channel id",
    /// A receiver of notifications: a person, or a group chat.
    PersonId => "person id",
    /// Which alerts go to which people by which channels.
    NotificationRouteId => "notification id",
    /// Where messages come in: one embedded broker or one external broker each.
    SourceName => "source name",
}

macro_rules! number_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, derive_more::Display,
        )]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// Wraps the integer the registry assigned.
            #[must_use]
            pub const fn new(number: u32) -> Self {
                Self(number)
            }

            /// The integer as stored.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }
    )+};
}

number_ids! {
    /// The immutable integer a datastream is stored under; never reused, independent of its name.
    DatastreamId;
    /// Which instrument served a datastream from when to when; 0 means no deployment is on record.
    DeploymentId;
}

/// The text name of a datastream: `station/parameter` or `station/parameter@qualifier`.
///
/// ```
/// use bakau_model::DatastreamName;
/// let name: DatastreamName = "mlg-brantas-02/do@150cm".parse().unwrap();
/// assert_eq!(name.station(), "mlg-brantas-02");
/// assert_eq!(name.parameter(), "do");
/// assert_eq!(name.qualifier(), Some("150cm"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, derive_more::Display)]
#[display("{text}")]
pub struct DatastreamName {
    text: Arc<str>,
    slash: usize,
    at: Option<usize>,
}

const NAME_HINT: &str = ", as station/parameter or station/parameter@qualifier";

impl DatastreamName {
    /// Builds a name from its parts.
    ///
    /// # Errors
    /// When a part has other characters than `[a-z0-9_-]`.
    pub fn new(station: &str, parameter: &str, qualifier: Option<&str>) -> Result<Self, InvalidId> {
        match qualifier {
            Some(qualifier) => format!("{station}/{parameter}@{qualifier}").parse(),
            None => format!("{station}/{parameter}").parse(),
        }
    }

    /// The station part.
    #[must_use]
    pub fn station(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The parameter code.
    #[must_use]
    pub fn parameter(&self) -> &str {
        &self.text[self.slash + 1..self.at.unwrap_or(self.text.len())]
    }

    /// What tells several datastreams of one parameter apart, such as a depth.
    #[must_use]
    pub fn qualifier(&self) -> Option<&str> {
        self.at.map(|at| &self.text[at + 1..])
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for DatastreamName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { kind: "datastream", given: text.chars().take(200).collect(), hint: NAME_HINT };
        let slash = text.find('/').ok_or_else(invalid)?;
        let at = text.find('@');
        if at.is_some_and(|at| at < slash) {
            return Err(invalid());
        }
        check_part("datastream", &text[..slash], text, NAME_HINT)?;
        check_part("datastream", &text[slash + 1..at.unwrap_or(text.len())], text, NAME_HINT)?;
        if let Some(at) = at {
            check_part("datastream", &text[at + 1..], text, NAME_HINT)?;
        }
        Ok(Self { text: Arc::from(text), slash, at })
    }
}

as_text!(DatastreamName);

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for DatastreamName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[a-z0-9_-]{1,64}/[a-z0-9_-]{1,64}(@[a-z0-9_-]{1,64})?$"))
            .description(Some("The name of a datastream: station/parameter or station/parameter@qualifier."))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for DatastreamName {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_with_dots_capitals_or_missing_parts_are_refused() {
        for bad in ["", "a", "a/", "/b", "a.b/c", "A/b", "a/b@", "a@b/c", "a/b@c@d", "a/b/c"] {
            assert!(bad.parse::<DatastreamName>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn an_error_says_what_is_allowed() {
        let error = StationId::new("Stasiun 1").unwrap_err();
        assert_eq!(error.to_string(), "'Stasiun 1' is not a valid station id: use 1 to 64 of a-z, 0-9, '-' and '_'");
    }

    proptest! {
        #[test]
        fn parts_come_back_as_given(s in "[a-z0-9_-]{1,64}", p in "[a-z0-9_-]{1,64}", q in proptest::option::of("[a-z0-9_-]{1,64}")) {
            let name = DatastreamName::new(&s, &p, q.as_deref()).unwrap();
            prop_assert_eq!((name.station(), name.parameter(), name.qualifier()), (s.as_str(), p.as_str(), q.as_deref()));
        }

        #[test]
        fn any_text_is_refused_or_round_trips(text in ".{0,80}") {
            if let Ok(name) = text.parse::<DatastreamName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
