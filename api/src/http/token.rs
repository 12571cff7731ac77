//! The admin token and its limit on wrong attempts.
//!
//! The token has 128 random bits: guessing it is hopeless, so the limit on wrong attempts spares the log and the registry,
//! and the right token always passes: a stranger who floods this door must not be able to lock the people on duty out.

use std::time::Duration;

use bakau_registry::Registry;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::http::error::{ApiError, ProblemType};

/// Wrong tokens answered with 401 within one window; further ones get 429.
const MAX_FAILURES: u32 = 20;
/// Length of the window.
const FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// How long the stored hash is remembered, so that a flood of tokens is not a flood of database reads.
const HASH_LIFETIME: Duration = Duration::from_secs(1);
/// A token is 32 characters; a longer text is no token and is not hashed.
const MAX_TOKEN_BYTES: usize = 256;

/// The digest under which the admin token is kept: SHA-256 of its text.
#[must_use]
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Checks tokens; its memory is bounded whatever is presented.
#[derive(Debug)]
pub(crate) struct TokenGuard {
    registry: Registry,
    failures: Failures,
    known: Mutex<Option<(Instant, [u8; 32])>>,
}

impl TokenGuard {
    /// Compares with the digest in `registry`.
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry, failures: Failures::default(), known: Mutex::default() }
    }

    /// Checks a presented token.
    pub(crate) async fn check(&self, presented: Option<&str>) -> Result<(), ApiError> {
        let Some(expected) = self.stored_hash().await? else {
            return Err(ApiError::new(ProblemType::TokenNotSet));
        };
        let Some(presented) = presented else {
            return Err(ApiError::new(ProblemType::TokenRequired));
        };
        let plausible = presented.len() <= MAX_TOKEN_BYTES;
        if plausible && bool::from(hash_token(presented).ct_eq(&expected)) {
            return Ok(());
        }
        if self.failures.too_many(Instant::now()) {
            let seconds = u32::try_from(FAILURE_WINDOW.as_secs()).unwrap_or(u32::MAX);
            return Err(ApiError::new(ProblemType::TooManyAttempts).retry_after(seconds));
        }
        Err(ApiError::new(ProblemType::TokenRequired))
    }

    /// The stored hash, at most a second old.
    async fn stored_hash(&self) -> Result<Option<[u8; 32]>, ApiError> {
        let now = Instant::now();
        let known = *self.known.lock();
        if let Some((at, hash)) = known
            && now.duration_since(at) < HASH_LIFETIME
        {
            return Ok(Some(hash));
        }
        let hash = self.registry.admin_token_hash().await?;
        // "No token yet" is not remembered: whoever has just made one may use it at once.
        *self.known.lock() = hash.map(|hash| (now, hash));
        Ok(hash)
    }
}

/// Wrong tokens of the present window: its start and their number.
#[derive(Debug, Default)]
struct Failures(Mutex<Option<(Instant, u32)>>);

impl Failures {
    /// Counts a wrong token; true when there have been too many within the window.
    fn too_many(&self, now: Instant) -> bool {
        let mut failures = self.0.lock();
        let (since, count) = match *failures {
            Some((since, count)) if now.duration_since(since) < FAILURE_WINDOW => (since, count.saturating_add(1)),
            Some(_) | None => (now, 1),
        };
        *failures = Some((since, count));
        MAX_FAILURES < count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_limited_by_the_minute() {
        let failures = Failures::default();
        let start = Instant::now();
        for _ in 0..MAX_FAILURES {
            assert!(!failures.too_many(start));
        }
        assert!(failures.too_many(start));
        assert!(!failures.too_many(start + FAILURE_WINDOW));
    }
}
