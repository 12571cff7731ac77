//! `/charts/{station}/{parameter}[@qualifier].svg|.png`: one datastream over time, with its limits.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bakau_dashboards::chart::{self, ChartSpec, LimitLine, MAX_SIDE, MIN_HEIGHT, MIN_WIDTH, Point, Side, Spread};
use bakau_model::{DAY_MS, DatastreamName, Language, MINUTE_MS, UtcMillis};
use bakau_registry::{Datastream, Snapshot};
use jiff::tz::TimeZone;

use crate::{
    http::{
        answer,
        call::{Answered, Call},
        error::{ApiError, ProblemType},
        language::texts,
        query::{Params, Span},
    },
    read::{
        aggregate::{
            self,
            fold::{Folder, Kind, Plan, Summary},
        },
        limits, means,
        range::{self, Quantity},
        thin::Thinner,
    },
    state::AppState,
    v1::catalogue,
};

/// Longest time axis, a little more than a leap year.
const MAX_RANGE_MS: i64 = 367 * DAY_MS;
/// Observations one chart may read: a year of one-minute values fits twice.
const MAX_ROWS: usize = 1_200_000;
/// Columns that differ by less than this many pixels look alike.
const PIXELS_PER_BUCKET: u32 = 1;
/// A gap is drawn where points are further apart than this many intervals (as `ChartSpec` says).
const GAP_INTERVALS: f64 = 2.5;
/// How long a browser may show a chart without asking again.
const CACHE_OPEN: &str = "public, max-age=30";
const CACHE_CLOSED: &str = "private, max-age=30";
/// A drawing may be looked at by itself; it needs no script and no other file.
const CHART_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/// The form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Picture {
    Svg,
    Png,
}

impl Picture {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }
}

/// Words of `?range=`: (word, days, message key).
const RANGES: [(&str, (i64, &str)); 8] = [
    ("1d", (1, "chart_day")),
    ("7d", (7, "chart_week")),
    ("30d", (30, "chart_month")),
    ("365d", (365, "chart_year")),
    ("day", (1, "chart_day")),
    ("week", (7, "chart_week")),
    ("month", (30, "chart_month")),
    ("year", (365, "chart_year")),
];

/// Draws the chart of a datastream.
pub(crate) async fn chart(call: Call, Path((station, file)): Path<(String, String)>) -> Answered {
    let Call { state, uri, headers } = &call;
    let params = Params::lenient(uri, &["range", "from", "to", "width", "height", "theme"]);
    let snapshot = state.snapshot();
    let (datastream, picture) = find(&snapshot, &station, &file)?;
    let language = call.language();
    let (span, subtitle) = time_axis(&params, state.clock.now(), language)?;
    let asked = Asked {
        span,
        subtitle,
        language,
        width: size(&params, "width", 800, MIN_WIDTH)?,
        height: size(&params, "height", 320, MIN_HEIGHT)?,
        dark: params.choice("theme", &[("light", false), ("dark", true)])?.unwrap_or(false),
    };
    let spec = spec(state, &snapshot, datastream, asked).await?;
    let etag = answer::etag(&Fingerprint { spec: &spec, picture });
    let mut response = if answer::not_modified(headers, &etag) {
        answer::conditional(headers, &etag, Response::default)
    } else {
        let bytes = draw(state, spec, picture).await?;
        answer::conditional(headers, &etag, || {
            ([(header::CONTENT_TYPE, picture.content_type())], bytes).into_response()
        })
    };
    let cache = if state.config.open_read { CACHE_OPEN } else { CACHE_CLOSED };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("cookie, accept-language"));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CHART_POLICY));
    Ok(response)
}

fn find<'a>(snapshot: &'a Snapshot, station: &str, file: &str) -> Result<(&'a Datastream, Picture), ApiError> {
    catalogue::find_station(snapshot, station)?;
    let (stem, picture) = match file.rsplit_once('.') {
        Some((stem, "svg")) => (stem, Picture::Svg),
        Some((stem, "png")) => (stem, Picture::Png),
        Some(_) | None => return Err(ApiError::new(ProblemType::RouteNotFound)),
    };
    let text = format!("{station}/{stem}");
    let unknown = || ApiError::new(ProblemType::DatastreamNotFound).with("datastream", &text);
    let name: DatastreamName = text.parse().map_err(|_| unknown())?;
    Ok((catalogue::find_datastream(snapshot, &name)?, picture))
}

fn time_axis(params: &Params, now: UtcMillis, language: Language) -> Result<(Span, &'static str), ApiError> {
    let range = params.choice("range", &RANGES)?;
    let times = params.text("from").is_some() || params.text("to").is_some();
    if range.is_some() && times {
        return Err(ApiError::parameter("range", params.text("range"), "parameter_range_and_times"));
    }
    if times {
        let span = params.span(now, DAY_MS)?;
        if MAX_RANGE_MS < span.to.since(span.from) {
            return Err(ApiError::parameter("from", params.text("from"), "parameter_longest").with("allowed", "367 d"));
        }
        return Ok((span, ""));
    }
    let (days, words) = range.unwrap_or((1, "chart_day"));
    // The next whole minute, so that asking again within it finds the same picture.
    let to = now.saturating_add(MINUTE_MS).minute();
    Ok((Span { from: to.saturating_add(-days * DAY_MS), to }, texts(language).text(words)))
}

fn size(params: &Params, name: &'static str, default: u32, least: u32) -> Result<u32, ApiError> {
    Ok(params.number(name, least..=MAX_SIDE)?.unwrap_or(default))
}

/// The summaries of which a long chart is drawn; `None` where single values are.
fn summaries_of(datastream: &Datastream, span: Span, expects: Span) -> Option<Plan> {
    let kind = Kind::of(datastream);
    // Directions have no mean that a line could show.
    let step = means::step_for(span, datastream.interval_ms).filter(|_| kind != Kind::Direction)?;
    Some(Plan { step, kind, interval_ms: datastream.interval_ms, span, expects, good_only: false })
}

/// Takes values in order of time and makes of them what is drawn.
enum Collector {
    Single(Thinner),
    Summaries(Plan, Folder),
}

impl Collector {
    fn push(&mut self, point: Point) {
        match self {
            Self::Single(thinner) => thinner.push(point),
            Self::Summaries(_, folder) => folder.push(point.at, point.value, point.flag),
        }
    }

    fn finish(self) -> Drawn {
        match self {
            Self::Single(thinner) => {
                let thinned = thinner.finish();
                Drawn { points: thinned.points, spreads: Vec::new(), partial: Vec::new(), bucket_ms: thinned.bucket_ms }
            }
            Self::Summaries(plan, folder) => Drawn::of(plan, &folder.finish()),
        }
    }
}

/// What a chart shows of the values.
struct Drawn {
    points: Vec<Point>,
    spreads: Vec<Spread>,
    /// Instants of those points that stand for a part of what they should.
    partial: Vec<UtcMillis>,
    /// Length of what a point stands for, where it stands for several values.
    bucket_ms: Option<i64>,
}

impl Drawn {
    fn of(plan: Plan, summaries: &[Summary]) -> Self {
        let means::Drawn { points, spreads, partial } = means::drawn(summaries, plan.kind);
        Self { bucket_ms: Some(plan.step.most_ms()), points, spreads, partial }
    }
}

async fn read_points(
    state: &AppState,
    datastream: &Datastream,
    (span, expects): (Span, Span),
    buckets: u32,
    zone: &TimeZone,
) -> Result<Drawn, ApiError> {
    // One more than a chart may read tells that there are too many.
    let query = span.query(datastream.number, MAX_ROWS + 1);
    let collector = match summaries_of(datastream, span, expects) {
        Some(plan) => {
            if let Some(found) = aggregate::from_hours(&*state.store, datastream.number, plan, zone).await? {
                return Ok(Drawn::of(plan, &found));
            }
            Collector::Summaries(plan, Folder::new(plan, zone.clone()))
        }
        None => Collector::Single(Thinner::new(span, buckets)),
    };
    let start = (collector, 0);
    let read = range::fold(&*state.store, &query, Quantity::of(datastream), start, |(collector, rows), point| {
        collector.push(Point { at: point.observed_at, value: point.value, flag: point.flag });
        *rows += 1;
    });
    let (collector, rows) = read.await?;
    if MAX_ROWS < rows {
        return Err(ApiError::new(ProblemType::RangeTooLarge).with("allowed", &MAX_ROWS.to_string()));
    }
    Ok(collector.finish())
}

/// Where points were left out, only a hole longer than a bucket can be told from a gap.
fn visible_interval(interval_ms: i64, bucket_ms: Option<i64>) -> i64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a year is 3e10 ms")]
    let least = bucket_ms.map_or(0, |bucket_ms| (bucket_ms as f64 / GAP_INTERVALS).ceil() as i64);
    interval_ms.max(least)
}

fn title(snapshot: &Snapshot, datastream: &Datastream, language: Language) -> String {
    let label = catalogue::label(snapshot, datastream);
    let station = snapshot.stations.get(&datastream.station);
    let station = station.map_or(datastream.station.as_str(), |station| station.name.get(language));
    // Where there is no room for all of it, what is measured must stay.
    format!("{} · {station}", label.get(language))
}

/// The values at which rules raise alerts on a datastream.
fn limit_lines(snapshot: &Snapshot, datastream: &Datastream) -> Vec<LimitLine> {
    let rules = limits::of_datastream(snapshot, datastream).map(limits::facts);
    rules.flat_map(|rule| rule.limits().iter().map(|limit| limit.line).collect::<Vec<_>>()).collect()
}

/// What is asked of a chart besides the datastream.
pub(crate) struct Asked<'a> {
    pub(crate) span: Span,
    pub(crate) subtitle: &'a str,
    pub(crate) language: Language,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

/// Everything the chart of a datastream shows.
pub(crate) async fn spec(
    state: &AppState,
    snapshot: &Snapshot,
    datastream: &Datastream,
    asked: Asked<'_>,
) -> Result<ChartSpec, ApiError> {
    let Asked { span, subtitle, language, width, height, dark } = asked;
    let time_zone = catalogue::zone(snapshot, &datastream.station);
    let expects = range::expects(snapshot, datastream, span, state.clock.now());
    let drawn = read_points(state, datastream, (span, expects), width / PIXELS_PER_BUCKET, &time_zone).await?;
    Ok(ChartSpec {
        title: title(snapshot, datastream, language),
        subtitle: subtitle.to_owned(),
        unit: datastream.unit.clone(),
        from: span.from,
        to: span.to,
        time_zone,
        language,
        width,
        height,
        decimals: catalogue::decimals(snapshot, datastream),
        interval_ms: visible_interval(datastream.interval_ms, drawn.bucket_ms),
        limits: limit_lines(snapshot, datastream),
        points: drawn.points,
        spreads: drawn.spreads,
        partial: drawn.partial,
        dark,
    })
}

/// Draws on a thread of its own, as soon as one is free for it.
pub(crate) async fn draw(state: &AppState, spec: ChartSpec, picture: Picture) -> Result<Vec<u8>, ApiError> {
    let permit = Arc::clone(&state.own.drawings).acquire_owned().await?;
    let drawn = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        match picture {
            Picture::Svg => chart::svg(&spec).map(String::into_bytes),
            Picture::Png => chart::png(&spec),
        }
    });
    Ok(drawn.await??)
}

/// Everything that changes the picture, for its entity tag.
struct Fingerprint<'a> {
    spec: &'a ChartSpec,
    picture: Picture,
}

impl Hash for Fingerprint<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let spec = self.spec;
        (self.picture, &spec.title, &spec.subtitle, &spec.unit, spec.from, spec.to).hash(state);
        (spec.time_zone.iana_name(), spec.language, spec.width, spec.height, spec.decimals).hash(state);
        (spec.interval_ms, spec.dark).hash(state);
        for limit in &spec.limits {
            (limit.level, limit.value.to_bits(), limit.side == Side::Low).hash(state);
        }
        for point in &spec.points {
            (point.at, point.value.map(f64::to_bits), point.flag).hash(state);
        }
        spec.partial.hash(state);
        for spread in &spec.spreads {
            (spread.at, spread.low.to_bits(), spread.high.to_bits()).hash(state);
        }
    }
}
