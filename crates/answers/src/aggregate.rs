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
    /// Length of the buckets.
    pub step: BucketStep,
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

bakau_model::words! {
    /// Length of a bucket, in the words of the parameter `step`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub serde enum BucketStep {
        /// 5 minutes, counted from local midnight.
        FiveMinutes => "5m",
        /// 15 minutes, counted from local midnight.
        QuarterHour => "15m",
        /// An hour, counted from local midnight.
        Hour => "1h",
        /// 3 hours, counted from local midnight.
        ThreeHours => "3h",
        /// 8 hours, counted from local midnight.
        EightHours => "8h",
        /// A civil day.
        Day => "1d",
        /// A civil month.
        Month => "1mo",
        /// A civil year.
        Year => "1y",
    }
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

bakau_model::words! {
    /// How values are put together.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub serde enum Statistic {
        /// Arithmetic mean.
        Mean => "mean",
        /// Of directions: the direction of the mean unit vector.
        VectorMean => "vector_mean",
        /// Of amounts, and of what counters counted.
        Sum => "sum",
        /// Of levels in decibels: the mean of the energies.
        EnergyMean => "energy_mean",
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
    /// Observations at the expected interval in that part of it that was asked for, is over, and in which an instrument
    /// was deployed.
    pub expected: u64,
    /// Share of the expected intervals that usable values stand for; at most 1.
    #[schema(required)]
    pub completeness: Option<f64>,
    /// Whether it is about a part of its time only: the rest is not over, was not asked for, or came before the first
    /// deployment.
    pub partial: bool,
}
