//! Alert levels, by word and never by bare number.

use std::str::FromStr;

use derive_more::Display;
use serde::{Deserialize, Serialize};

crate::words! {
    /// How serious an alert is; ordered from calm to worst.
    ///
    /// Words follow BMKG practice. Numbers are never shown: "Siaga 1" is the lowest level in East Java and the highest in
    /// Jakarta.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Display, Serialize, Deserialize)]
    #[display("{}", self.key())]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum Level {
        /// Nothing crossed.
        #[default]
        Normal = 0 => "normal",
        /// Watch.
        Waspada = 1 => "waspada",
        /// Stand by.
        Siaga = 2 => "siaga",
        /// Act now.
        Awas = 3 => "awas",
    }
}

impl Level {
    /// The levels that an alert can be raised to, calm first.
    pub const RAISED: [Self; 3] = [Self::Waspada, Self::Siaga, Self::Awas];
}

impl FromStr for Level {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_key(text).ok_or_else(|| format!("'{text}' is not a level: use normal, waspada, siaga or awas"))
    }
}

/// One thing for each of [`Level::RAISED`], where it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerLevel<T> {
    /// *Waspada*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waspada: Option<T>,
    /// *Siaga*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siaga: Option<T>,
    /// *Awas*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awas: Option<T>,
}

impl<T> Default for PerLevel<T> {
    fn default() -> Self {
        Self { waspada: None, siaga: None, awas: None }
    }
}

impl<T> PerLevel<T> {
    /// What `of` says of each level.
    pub fn from_fn(mut of: impl FnMut(Level) -> Option<T>) -> Self {
        Self { waspada: of(Level::Waspada), siaga: of(Level::Siaga), awas: of(Level::Awas) }
    }

    /// What is set for a level; nothing for *normal*.
    #[must_use]
    pub const fn get(&self, level: Level) -> Option<&T> {
        match level {
            Level::Normal => None,
            Level::Waspada => self.waspada.as_ref(),
            Level::Siaga => self.siaga.as_ref(),
            Level::Awas => self.awas.as_ref(),
        }
    }

    /// What is set, calm first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Level, &T)> {
        Level::RAISED.into_iter().filter_map(|level| Some((level, self.get(level)?)))
    }

    /// The same made of something else.
    #[must_use]
    pub fn map<U>(self, of: impl Fn(T) -> U) -> PerLevel<U> {
        PerLevel { waspada: self.waspada.map(&of), siaga: self.siaga.map(&of), awas: self.awas.map(&of) }
    }
}
