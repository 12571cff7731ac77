//! `GET /api/v1/aggregates`: one datastream summed up by hour, civil day, month or year.

use bakau_answers::{Aggregates, Bucket, BucketLabel, BucketStep, Summed};
use bakau_model::DAY_MS;
use bakau_registry::Datastream;
use bytes::Bytes;
use jiff::tz::TimeZone;

use crate::{
    http::{
        answer,
        call::{Answered, Call},
        csv,
        error::ApiError,
        query::FileFormat,
        times::Times,
    },
    read::aggregate::{
        bucket::{self, Step},
        fold::{Kind, Plan, Summary},
        summaries,
    },
    v1::catalogue::HistoryAsked,
};

/// Buckets in one answer: a year of hours fits.
const MAX_BUCKETS: i64 = 10_000;
/// The range without `from`.
const DEFAULT_RANGE_MS: i64 = 30 * DAY_MS;

const PARAMETERS: [&str; 7] = ["datastream", "from", "to", "step", "tz", "flags", "format"];

const COLUMNS: [&str; 14] = [
    "datastream",
    "start",
    "start_local",
    "end",
    "unit",
    "statistic",
    "mean",
    "sum",
    "min",
    "max",
    "count",
    "expected",
    "completeness",
    "partial",
];

/// Everything an answer is made of.
struct Answer<'a> {
    datastream: &'a Datastream,
    step: BucketStep,
    plan: Plan,
    zone_name: &'a str,
    zone: TimeZone,
    summaries: Vec<Summary>,
}

/// A datastream in buckets of time, earliest first.
pub(crate) async fn aggregates(call: Call) -> Answered {
    let asked = HistoryAsked::read(&call, &PARAMETERS, DEFAULT_RANGE_MS)?;
    let HistoryAsked { params, snapshot, datastream, span, format } = &asked;
    let (datastream, span) = (&**datastream, *span);
    let words = BucketStep::ALL.map(|step| (step.key(), step));
    let asked_step = params.choice("step", &words)?.unwrap_or(BucketStep::Day);
    let step = Step::from(asked_step);
    let good_only = params.choice("flags", &[("usable", false), ("good", true)])?.unwrap_or(false);
    let zone_name = params.text("tz").unwrap_or_else(|| snapshot.zone_name(&datastream.station));
    let zone = bucket::zone(zone_name);
    let zone = zone.ok_or_else(|| {
        ApiError::parameter("tz", Some(zone_name), "parameter_zone").with("allowed", "Asia/Jakarta, Asia/Makassar, UTC")
    })?;
    if MAX_BUCKETS < span.to.since(span.from) / step.least_ms() {
        let allowed = MAX_BUCKETS.to_string();
        return Err(ApiError::parameter("step", Some(asked_step.key()), "parameter_buckets").with("allowed", &allowed));
    }
    let kind = Kind::of(datastream);
    let expects = crate::read::range::expects(snapshot, datastream, span, call.state.clock.now());
    let plan = Plan { step, kind, interval_ms: datastream.interval_ms, span, expects, good_only };
    let folded = summaries(&*call.state.store, datastream, plan, zone.clone()).await?;
    let answer = Answer { datastream, step: asked_step, plan, zone_name, zone, summaries: folded };
    match format {
        FileFormat::Json => Ok(call.tagged(answer.json()?, answer::json_bytes)),
        FileFormat::Csv => {
            Ok(call.tagged(answer.csv()?, |body| csv::attachment(&datastream.name, asked_step.key(), body.into())))
        }
    }
}

impl Answer<'_> {
    fn json(&self) -> Result<Bytes, ApiError> {
        let mut local = Times::local(self.zone.clone());
        let bucket = |summary: &Summary| {
            let (mean, sum) = self.mean_and_sum(summary);
            Bucket {
                start: summary.bucket.start.into(),
                start_local: local.text(summary.bucket.start),
                end: summary.bucket.end.into(),
                mean,
                sum,
                min: summary.min,
                max: summary.max,
                count: summary.count,
                expected: summary.expected,
                completeness: summary.completeness(),
                partial: summary.is_partial(),
            }
        };
        let told = Aggregates {
            datastream: self.datastream.name.clone(),
            unit: self.datastream.unit.clone(),
            step: self.step,
            tz: self.zone_name.to_owned(),
            label: BucketLabel::Start,
            statistic: self.plan.kind.statistic(),
            interval_s: self.plan.interval_ms / 1_000,
            flags: if self.plan.good_only { Summed::Good } else { Summed::Usable },
            buckets: self.summaries.iter().map(bucket).collect(),
        };
        Ok(serde_json::to_vec(&told)?.into())
    }

    /// A sum has a mean as well; other statistics have no sum that means anything.
    fn mean_and_sum(&self, summary: &Summary) -> (Option<f64>, Option<f64>) {
        match self.plan.kind {
            Kind::Sum => (summary.value.map(|sum| sum / summary.count as f64), summary.value),
            // How many increments a stretch of time is cut into says nothing.
            Kind::Counted => (None, summary.value),
            Kind::Mean | Kind::Direction | Kind::Energy => (summary.value, None),
        }
    }

    fn csv(&self) -> Result<Bytes, ApiError> {
        let mut out = Vec::with_capacity(64 + 160 * self.summaries.len());
        let (name, unit) = (self.datastream.name.as_str(), self.datastream.unit.as_str());
        let (name, unit) = (csv::harmless(name), csv::harmless(unit));
        let mut writer = ::csv::Writer::from_writer(&mut out);
        writer.write_record(COLUMNS)?;
        let mut local = Times::local(self.zone.clone());
        let cell = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        for summary in &self.summaries {
            let (mean, sum) = self.mean_and_sum(summary);
            let record = [
                name.as_str(),
                &summary.bucket.start.to_string(),
                &local.text(summary.bucket.start),
                &summary.bucket.end.to_string(),
                unit.as_str(),
                self.plan.kind.statistic().key(),
                &cell(mean),
                &cell(sum),
                &cell(summary.min),
                &cell(summary.max),
                &summary.count.to_string(),
                &summary.expected.to_string(),
                &cell(summary.completeness()),
                if summary.is_partial() { "true" } else { "false" },
            ];
            writer.write_record(record)?;
        }
        writer.flush()?;
        drop(writer);
        Ok(out.into())
    }
}
