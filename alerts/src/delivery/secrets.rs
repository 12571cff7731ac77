//! Secrets by name, read once by whoever starts Bakau and never shown.

use std::{collections::BTreeMap, fmt};

use bakau_model::Secret;

/// Where channels find their secrets; names are those of environment variables.
pub trait Secrets: fmt::Debug + Send + Sync {
    /// The secret of a name; `None` where it is not set.
    fn get(&self, name: &str) -> Option<Secret>;
}

/// Secrets given as values, for tests and for a process that read its environment at start.
#[derive(Debug, Clone, Default)]
pub struct FixedSecrets(BTreeMap<String, Secret>);

impl FixedSecrets {
    /// Keeps the given (name, secret) pairs.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, Secret)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Secrets for FixedSecrets {
    fn get(&self, name: &str) -> Option<Secret> {
        self.0.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_name_and_not_in_their_debug_form() {
        let secrets = FixedSecrets::new([("HOOK".to_owned(), Secret::new("hunter2"))]);
        assert!(!format!("{secrets:?}").contains("hunter2"));
        assert_eq!(secrets.get("HOOK").unwrap().expose(), "hunter2");
        assert_eq!(secrets.get("OTHER"), None);
    }
}
