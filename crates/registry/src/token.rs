//! Device tokens: 128 random bits, kept as SHA-256.
//!
//! A token has full entropy, so a fast hash is as safe as a slow one, and 500 devices that reconnect at once do not
//! cost 500 password hashes.

use sha2::{Digest, Sha256};

/// The token given to the device, from 16 bytes of a secure random source: 32 lowercase hexadecimal digits.
#[must_use]
pub fn token(random: [u8; 16]) -> String {
    hex(&random)
}

/// SHA-256 of a token, as kept.
#[must_use]
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// SHA-256 of a token as written in `token_sha256`: 64 lowercase hexadecimal digits.
#[must_use]
pub fn digest_hex(token: &str) -> String {
    hex(&digest(token))
}

/// Whether `token` is the one whose SHA-256 is `expected`.
///
/// Compares digests without stopping at the first difference: what timing could tell is about a digest nobody can
/// choose, not about the token.
#[must_use]
pub fn verify(token: &str, expected: &[u8; 32]) -> bool {
    digest(token).iter().zip(expected).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Like [`verify`] with the digest in hexadecimal; false where that is no digest.
#[must_use]
pub fn verify_hex(token: &str, expected: &str) -> bool {
    parse_digest(expected).is_some_and(|expected| verify(token, &expected))
}

/// Reads a digest from 64 hexadecimal digits of either case.
#[must_use]
pub fn parse_digest(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
        assert_eq!(parse_digest("00"), None);
        assert_eq!(parse_digest(&"zz".repeat(32)), None);
        assert_eq!(parse_digest(&"é".repeat(32)), None);
        assert!(!verify_hex("", ""));
    }
}
