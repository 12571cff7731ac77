//! Who may connect: user name and token of a registered device; pure.

use bakau_registry::{Device, Snapshot, token};

/// Longest password that is hashed, in bytes; tokens have 32 characters.
const MAX_PASSWORD_BYTES: usize = 1024;

/// The SHA-256 an unknown user's password is compared with, so that it costs what a known user's costs.
const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

bakau_model::words! {
    /// Why a connection is refused.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Refusal {
        /// No user name or no password: MQTT 3.1.1 return code 5, MQTT 5 reason 0x87.
        Anonymous => "anonymous",
        /// Unknown user or wrong password: MQTT 3.1.1 return code 4, MQTT 5 reason 0x86.
        WrongCredentials => "wrong_credentials",
    }
}

/// The device that may connect with these credentials.
pub(super) fn authenticate<'a>(
    snapshot: &'a Snapshot,
    username: Option<&str>,
    password: Option<&[u8]>,
) -> Result<&'a Device, Refusal> {
    let (Some(username), Some(password)) = (username, password) else { return Err(Refusal::Anonymous) };
    if username.is_empty() {
        return Err(Refusal::Anonymous);
    }
    let device = snapshot.devices.get(username);
    let expected = device.map_or(NOBODY, |device| device.token_sha256.as_str());
    let bounded = if password.len() <= MAX_PASSWORD_BYTES { password } else { &[] };
    let verified = std::str::from_utf8(bounded).is_ok_and(|given| token::verify_hex(given, expected));
    device.filter(|_| verified).ok_or(Refusal::WrongCredentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let device = Device {
            username: "prb-01".to_owned(),
            token_sha256: token::digest_hex("secret"),
            publish: vec!["bakau/prb-01/#".to_owned()],
        };
        Snapshot { devices: [(device.username.clone(), device)].into(), ..Snapshot::default() }
    }

    #[test]
    fn only_the_right_pair_is_let_in() {
        let snapshot = snapshot();
        let ask =
            |username, password| authenticate(&snapshot, username, password).map(|device| device.username.as_str());
        assert_eq!(ask(Some("prb-01"), Some(b"secret")), Ok("prb-01"));
        assert_eq!(ask(Some("prb-01"), Some(b"Secret")), Err(Refusal::WrongCredentials));
        assert_eq!(ask(Some("prb-01"), Some(b"")), Err(Refusal::WrongCredentials));
        assert_eq!(ask(Some("prb-01"), Some(&[0xff, 0xfe])), Err(Refusal::WrongCredentials));
        assert_eq!(ask(Some("prb-01"), Some(&[b'x'; 5_000])), Err(Refusal::WrongCredentials));
        assert_eq!(ask(Some("someone"), Some(b"secret")), Err(Refusal::WrongCredentials));
    }

    #[test]
    fn nobody_is_let_in_without_a_name_or_a_password() {
        let snapshot = snapshot();
        for (username, password) in
            [(None, None), (Some("prb-01"), None), (None, Some(&b"secret"[..])), (Some(""), Some(b""))]
        {
            assert_eq!(authenticate(&snapshot, username, password).err(), Some(Refusal::Anonymous));
        }
    }

    #[test]
    fn an_empty_registry_lets_nobody_in() {
        assert_eq!(authenticate(&Snapshot::default(), Some("a"), Some(b"b")).err(), Some(Refusal::WrongCredentials));
    }
}
