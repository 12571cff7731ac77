//! Checks of a datastream's own limits of quality control.

use bakau_model::{DatastreamName, FlatLine, QualityLimits, Range, Step};

use super::Values;
use crate::{catalogue::fields::Fields, parameters};

/// Checks the limits that would be in force: those of the parameter, where known, overridden by the datastream's own.
pub(crate) fn quality(fields: &mut Fields<'_, '_>, parameter: Option<QualityLimits>, own: &QualityLimits) {
    if *own == QualityLimits::default() {
        fields.error_at("", "quality_empty", &[]);
    }
    range(fields, "fail", own.fail);
    range(fields, "suspect", own.suspect);
    let in_force = parameter.unwrap_or_default().overridden_by(own);
    if let (Some(fail), Some(suspect)) = (in_force.fail, in_force.suspect)
        && (own.fail.is_some() || own.suspect.is_some())
        && fail.min < fail.max
        && (suspect.min < fail.min || fail.max < suspect.max)
    {
        let field = if own.suspect.is_some() { "suspect" } else { "fail" };
        let values: Values<'_, 4> =
            [("min", &suspect.min), ("max", &suspect.max), ("low", &fail.min), ("high", &fail.max)];
        fields.error_at(field, "suspect_beyond_fail", &values);
    }
    step(fields, "spike", own.spike);
    step(fields, "rate_per_min", own.rate_per_min);
    if let Some(FlatLine { tolerance, suspect_s, fail_s }) = own.flat_line {
        let seconds = |seconds: Option<u32>| seconds.map(f64::from);
        if tolerance < 0.0 || !tolerance.is_finite() {
            fields.error_at("flat_line", "not_negative", &[("key", &"flat_line.tolerance")]);
        }
        ordered(fields, "flat_line", seconds(suspect_s), seconds(fail_s));
    }
}

/// Checks a counter with its `counter_max`, where the datastream is one, against parameter and limits.
pub(crate) fn counter(
    fields: &mut Fields<'_, '_>,
    id: Option<&DatastreamName>,
    counter: Option<Option<f64>>,
    own: Option<&QualityLimits>,
) {
    let Some(max) = counter else {
        if fields.is_written("counter_max") {
            fields.error_at("counter_max", "counter_max_alone", &[]);
        }
        return;
    };
    let known = id.and_then(|id| parameters().get(id.parameter()));
    if let Some(parameter) = known.filter(|parameter| !parameter.amount) {
        let amounts: Vec<&str> =
            parameters().values().filter(|info| info.amount).map(|info| info.code.as_str()).collect();
        let values: Values<'_, 2> = [("code", &parameter.code), ("known", &amounts.join(", "))];
        fields.error_at("counter", "counter_no_amount", &values);
    }
    if max.is_some_and(|max| max <= 0.0 || !max.is_finite()) {
        fields.error_at("counter_max", "not_positive", &[("key", &"counter_max")]);
    }
    let Some(own) = own else { return };
    for (key, is_there) in [("spike", own.spike.is_some()), ("flat_line", own.flat_line.is_some())] {
        if is_there {
            fields.error_at("quality", "counter_quality", &[("key", &key)]);
        }
    }
}

fn range(fields: &mut Fields<'_, '_>, field: &'static str, range: Option<Range>) {
    let Some(Range { min, max }) = range else { return };
    if !min.is_finite() || !max.is_finite() {
        fields.error_at(field, "not_finite", &[("key", &field)]);
    }
    if max <= min {
        fields.error_at(field, "range_order", &[("key", &field), ("min", &min), ("max", &max)]);
    }
}

fn step(fields: &mut Fields<'_, '_>, field: &'static str, step: Option<Step>) {
    let Some(Step { suspect, fail }) = step else { return };
    ordered(fields, field, suspect, fail);
}

/// Both positive, at least one of them there, and the suspect limit before the fail limit.
fn ordered(fields: &mut Fields<'_, '_>, field: &'static str, suspect: Option<f64>, fail: Option<f64>) {
    if suspect.is_none() && fail.is_none() {
        fields.error_at(field, "step_empty", &[("key", &field)]);
    }
    if [suspect, fail].into_iter().flatten().any(|limit| limit <= 0.0 || !limit.is_finite()) {
        fields.error_at(field, "not_positive", &[("key", &field)]);
    }
    if let (Some(suspect), Some(fail)) = (suspect, fail)
        && fail <= suspect
    {
        fields.error_at(field, "step_order", &[("key", &field), ("suspect", &suspect), ("fail", &fail)]);
    }
}
