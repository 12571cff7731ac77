//! Device tokens: 128 random bits, kept as SHA-256.
//!
//! A token has full entropy, so a fast hash is as safe as a slow one, and 500 devices that reconnect at once do not
//! cost 500 password hashes.

use bakau_model::hex;
use sha2::{Digest, Sha256};

/// The token given to the device, from 16 bytes of a secure random source: 32 lowercase hexadecimal digits.
#[must_use]
pub fn token(random: [u8; 16]) -> String {
    hex::encode(&random)
}

/// SHA-256 of a token, as kept.
#[must_use]
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// SHA-256 of a token as written in `token_sha256`: 64 lowercase hexadecimal digits.
#[must_use]
pub fn digest_hex(token: &str) -> String {
    hex::encode(&digest(token))
}

/// Whether `token` is the one whose SHA-256 is `expected`.
///
/// The comparison does not stop at the first difference, so its duration says nothing about the digest.
#[must_use]
pub fn verify(token: &str, expected: &[u8; 32]) -> bool {
    digest(token).iter().zip(expected).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Like [`verify`] with the digest in hexadecimal; false where that is no digest.
#[must_use]
pub fn verify_hex(token: &str, expected: &str) -> bool {
    hex::decode(expected).is_some_and(|expected| verify(token, &expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_digest_and_no_other() {
        let given = token([0xab; 16]);
        assert_eq!(given, "abababababababababababababababab");
        assert!(verify_hex(&given, &digest_hex(&given)));
        assert!(!verify_hex("abababababababababababababababac", &digest_hex(&given)));
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(digest_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_is_no_digest_verifies_nothing() {
        assert!(!verify_hex("00", "00"));
        assert!(!verify_hex("", &"zz".repeat(32)));
        assert!(!verify_hex("", &"é".repeat(32)));
        assert!(!verify_hex("", ""));
    }
}
