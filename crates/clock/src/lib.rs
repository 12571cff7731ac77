//! The seam between the system clock and everything that decides by time.
//!
//! Decisions take time as an argument; shells take a [`Clock`]. Reading a clock anywhere else is refused by
//! `clippy.toml`, except for monotonic timers of the async runtime.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicI64, Ordering},
};

use bakau_model::UtcMillis;

/// A source of the present time.
pub trait Clock: Debug + Send + Sync {
    /// The present time.
    fn now(&self) -> UtcMillis;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn now(&self) -> UtcMillis {
        jiff::Timestamp::now().into()
    }
}

/// A clock that stands still until it is moved, for tests and replays.
///
/// ```
/// use bakau_clock::{Clock, ManualClock};
/// use bakau_model::UtcMillis;
///
/// let clock = ManualClock::new(UtcMillis::new(1_000));
/// clock.advance(500);
/// assert_eq!(clock.now(), UtcMillis::new(1_500));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock standing at `start`.
    #[must_use]
    pub const fn new(start: UtcMillis) -> Self {
        Self(AtomicI64::new(start.get()))
    }

    /// Moves the clock to `now`.
    pub fn set(&self, now: UtcMillis) {
        self.0.store(now.get(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UtcMillis {
        UtcMillis::new(self.0.load(Ordering::SeqCst))
    }
}
