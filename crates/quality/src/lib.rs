//! Quality control of measured values: QARTOD tests as pure functions over event-time neighbours.
//!
//! A value is judged by its own limits and by the values before and after it *in event time*, whatever the order in
//! which they arrived. [`Stream`] judges one datastream value by value with a small state of fixed size; [`evaluate`]
//! judges a whole series; both say the same. No value is ever changed or dropped: a verdict is one flag per test
//! ([`bakau_model::TestResults`]), and the worst of them is the flag of the value.
//!
//! # Neighbours
//! A *usable* value is there (not missing) and within the `fail` range. Neighbours of a value are the usable values
//! next to it in event time. A gap of more than [`NEIGHBOUR_GAP_MS`] between two usable values ends neighbourhood: the
//! tests begin anew behind it. A station that reports less often than that is judged by the range test alone.
//!
//! # Tests
//! | Test | Says *suspect* or *fail* when | Is *not evaluated* |
//! |---|---|---|
//! | gross range | the value is outside the range of that name | without ranges |
//! | spike | the value lies further than the step beyond *both* neighbours, on the same side | until the next neighbour is there; where one of the two gaps is more than [`GAP_RATIO`] times the other |
//! | rate of change | the distance from the value before, per minute of event time, is beyond the step | without a value before |
//! | flat line | no value of the window differs from another by more than the tolerance | until neighbours reach back over the whole window |
//! | missing code | *fail*: the value is outside the `fail` range and a code for "no value"; *suspect*: it is one within it and the same as the value before, to the last bit | otherwise |
//! | clock | *suspect*: the value is stamped more than [`CLOCK_TOLERANCE_MS`] after it arrived | otherwise |
//!
//! - The spike test measures the distance from the mean of both neighbours less half the distance between these, which
//!   is the distance from the nearer one. The plain mean would also blame a good value whose neighbour is the spike.
//! - Rate of change: the step back from a spike is measured against the value before the spike, so that a good value is
//!   not blamed for its neighbour. Values less than a minute apart count as a minute apart; otherwise the noise of a fast
//!   sensor is a rate.
//! - Flat line: event time is cut into [`FLAT_SLOTS`] slots per (longest) window, and a window begins with the slot that
//!   its nominal start is in. It is therefore longer than its limit by up to one slot, and the state stays small.
//! - A value outside the `fail` range is judged by no other test.
//! - Missing code: nobody declared the code, so within the range one that comes once is taken for a value. Outside it, it
//!   counts in whatever unit it was sent; within, only in a unit that devices of the datastream send
//!   ([`bakau_model::MissingCodes`]). A counter repeats its reading whenever nothing is counted, so only codes that cannot be
//!   readings count there.
//! - Of a counter not the reading is judged but what it counts ([`counter`]).
//!
//! # How far neighbours matter
//! The results of a value depend on nothing further away than [`margin`] says. So a late or corrected value changes the
//! results only around it, and a state lost in a crash comes back from the stored values of that margin.

#![forbid(unsafe_code)]

mod clock;
pub mod counter;
mod flagger;
mod flat;
mod margin;
mod sample;
mod series;
mod stream;

pub use clock::{CLOCK_TOLERANCE_MS, clock, clock_ahead_ms};
pub use counter::{LookAhead, LookBack};
pub use flagger::Flagger;
pub use flat::FLAT_SLOTS;
pub use margin::{GAP_RATIO, Margin, NEIGHBOUR_GAP_MS, glitch_gap_ms, margin};
pub use sample::Sample;
pub use series::{count, evaluate, flag};
pub use stream::{Judgement, Revision, Stream};
