//! Retry policy.
/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Wait after the first failed attempt.
    pub base_ms: i64,
    /// Longest wait between two attempts.
    pub max_ms: i64,
    /// Attempts before giving up.
    pub attempts: u32,
    /// Share of the wait that is random, 0 to 1.
    pub jitter: f64,
}
impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base_ms: 10_000, max_ms: 900_000, attempts: 10, jitter: 0.2 }
    }
}
