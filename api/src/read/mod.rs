//! What routes and pages read alike: present values, rows, ranges, aggregates and how ready agencies are.

pub(crate) mod aggregate;
pub(crate) mod export;
pub(crate) mod gather;
pub(crate) mod last_day;
pub(crate) mod latest;
pub(crate) mod limits;
pub(crate) mod means;
pub(crate) mod range;
pub(crate) mod readiness;
pub(crate) mod rows;
pub(crate) mod thin;
