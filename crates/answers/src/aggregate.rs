//! Values summed up by stretches of time.

use bakau_model::{DatastreamName, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A datastream in buckets of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Aggregates {
    /// The datastream.
    pub datastream: DatastreamName,
    /// Unit of its values (UCUM).
    pub unit: Unit,
    /// How long a bucket is, in the words of the parameter `step`.
    pub step: String,
    /// IANA zone in which days, months and years are civil.
    pub tz: String,
    /// Which end of a bucket its local time is.
    pub label: BucketLabel,
    /// What `mean` or `sum` is.
    pub statistic: Statistic,
    /// Expected seconds between observations.
    #[schema(minimum = 0)]
    pub interval_s: i64,
    /// Which values are in it.
    pub flags: Summed,
    /// Earliest first.
    pub buckets: Vec<Bucket>,
}

/// Which end of a bucket its local time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BucketLabel {
    /// Its first instant.
    Start,
}

/// Which values are summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Summed {
    /// All but those that fail or are missing.
    Usable,
    /// Those that passed every test alone.
    Good,
}

/// How values are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Of directions: the direction of the mean unit vector.
    VectorMean,
    /// Of amounts, and of what counters counted.
    Sum,
    /// Of levels in decibels: the mean of the energies.
    EnergyMean,
}

impl Statistic {
    /// The stable key in answers.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::VectorMean => "vector_mean",
            Self::Sum => "sum",
            Self::EnergyMean => "energy_mean",
        }
    }
}

/// One stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    /// Its first instant.
    pub start: Time,
    /// The same with the offset of the zone.
    #[schema(format = DateTime)]
    pub start_local: String,
    /// Its end, exclusive.
    pub end: Time,
    /// Mean of the values: the vector mean of directions, the energy mean of sound levels; null of a counter.
    #[schema(required)]
    pub mean: Option<f64>,
    /// Sum of amounts such as rain; of a counter that of its increments.
    #[schema(required)]
    pub sum: Option<f64>,
    /// Lowest value.
    #[schema(required)]
    pub min: Option<f64>,
    /// Highest value.
    #[schema(required)]
    pub max: Option<f64>,
    /// Values in it.
    pub count: u64,
    /// Observations at the expected interval.
    pub expected: u64,
    /// Share of the expected intervals that usable values stand for; at most 1.
    #[schema(required)]
    pub completeness: Option<f64>,
}
