//! The link in a message with which one person can acknowledge one alert, without an account.
//!
//! Whoever holds the link may act as that person on that alert and on nothing else, until it expires. The token says
//! for whom it is and is signed with a key of this installation, so nothing needs to be stored per message. Looking
//! at it changes nothing: mail scanners open every link before people do.

use std::fmt;

use bakau_model::{DAY_MS, PersonId, UtcMillis};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use rand::TryRngCore;
use sha2::Sha256;

use crate::AlertId;

/// A week: people come back from leave, and a forwarded mail does not stay a key for ever.
pub(crate) const VALID_MS: i64 = 7 * DAY_MS;
/// Longest token looked at; ours are shorter.
const MAX_TOKEN_CHARS: usize = 512;
const ALERT_BYTES: usize = 16;
const EXPIRY_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
/// What the signature is for, so that no other text signed with the key could pass for a link.
const PURPOSE: &[u8] = b"bakau acknowledge link\0";

/// The key that signs links; made once per installation and kept in `alerts.db`.
#[derive(Clone)]
pub(crate) struct LinkKey([u8; 32]);

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(***)")
    }
}

/// For whom a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) alert: AlertId,
    pub(crate) person: PersonId,
    pub(crate) expires_at: UtcMillis,
}

impl LinkKey {
    /// A new random key.
    pub(crate) fn random() -> Result<Self, rand::rand_core::OsError> {
        let mut key = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut key)?;
        Ok(Self(key))
    }

    /// The key of stored bytes; `None` when there are not 32 of them.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes as stored.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The token of a grant, fit for a path: `A-Z a-z 0-9 - _`.
    pub(crate) fn token(&self, grant: &Grant) -> String {
        let mut bytes = Vec::with_capacity(ALERT_BYTES + EXPIRY_BYTES + grant.person.as_str().len() + MAC_BYTES);
        bytes.extend_from_slice(grant.alert.bytes());
        bytes.extend_from_slice(&grant.expires_at.get().to_be_bytes());
        bytes.extend_from_slice(grant.person.as_str().as_bytes());
        let mac = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The grant of a token that this key has signed, expired or not; the comparison takes the same time for every
    /// wrong signature.
    pub(crate) fn verify(&self, token: &str) -> Option<Grant> {
        if MAX_TOKEN_CHARS < token.len() {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        self.mac(signed).verify_slice(mac).ok()?;
        let (alert, rest) = signed.split_at_checked(ALERT_BYTES)?;
        let (expiry, person) = rest.split_at_checked(EXPIRY_BYTES)?;
        Some(Grant {
            alert: AlertId::from_bytes(alert)?,
            person: PersonId::new(std::str::from_utf8(person).ok()?).ok()?,
            expires_at: UtcMillis::new(i64::from_be_bytes(expiry.try_into().ok()?)),
        })
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC key");
        mac.update(PURPOSE);
        mac.update(bytes);
        mac
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> LinkKey {
        LinkKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn grant() -> Grant {
        Grant {
            alert: AlertId::from_bytes(&[7; 16]).unwrap(),
            person: PersonId::new("sari").unwrap(),
            expires_at: UtcMillis::new(1_773_075_600_000),
        }
    }

    #[test]
    fn a_token_names_its_alert_person_and_expiry_and_needs_no_escaping() {
        let token = key(1).token(&grant());
        assert_eq!(key(1).verify(&token), Some(grant()));
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{token}");
    }

    #[test]
    fn the_key_of_another_installation_signs_nothing_here() {
        assert_eq!(key(2).verify(&key(1).token(&grant())), None);
    }

    #[test]
    fn two_keys_differ_and_show_nothing_in_their_debug_form() {
        let [first, second] = [LinkKey::random().unwrap(), LinkKey::random().unwrap()];
        assert_ne!(first.bytes(), second.bytes());
        assert_eq!(format!("{first:?}"), "LinkKey(***)");
    }

    proptest! {
        #[test]
        fn one_changed_character_makes_a_token_worthless(position in 0_usize..95, letter in "[A-Za-z0-9_-]") {
            let token = key(1).token(&grant());
            let position = position % token.len();
            let mut changed = token.clone();
            changed.replace_range(position..=position, &letter);
            // The last character carries unused bits, which the decoder refuses unless they are zero.
            prop_assert!(changed == token || key(1).verify(&changed).is_none());
        }

        #[test]
        fn arbitrary_texts_are_refused_without_a_panic(text in ".{0,600}") {
            prop_assert_eq!(key(1).verify(&text), None);
        }
    }
}
