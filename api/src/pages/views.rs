//! Pages for people: values are gathered here and drawn by `bakau_dashboards`.

use std::cmp::Reverse;

use axum::{
    body::Bytes,
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{Html, IntoResponse, Redirect},
};
use bakau_alerts::{AlertDetail, AlertQuery, AlertView, SettledQuery};
use bakau_answers as answers;
use bakau_dashboards::{
    assets,
    fragment::Held,
    page::{self, PageError},
    view::{
        AcknowledgeForm, Alarm, AlertFilter, AlertPageView, AlertRow, AlertsView, Bounds, Frame, Grouping, ListForm,
        OverviewFilter, OverviewView, ProblemView, SearchWords, SettledView, StateFilter, StationClass, StationView,
        TakeForm, Window,
    },
};
use bakau_model::{DAY_MS, DAY_S, Language, Level, StationKind, Text, UtcMillis};
use bakau_registry::{AirType, Station};
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        access::{SeesPeople, Writer},
        answer,
        call::{Answered, Call},
        error::{ApiError, ProblemType},
        form,
        language::{self, LANGUAGE_KEY},
        query::Params,
    },
    read::{
        gather::{Gatherer, acknowledgement},
        limits,
    },
    state::AppState,
    v1::{
        alerts::{find, record_acknowledgement},
        catalogue,
    },
};

/// Header in which an open page names the fragments that it holds.
const HELD: &str = "bakau-held";
/// What the overview can be asked for.
const OVERVIEW_PARAMETERS: [&str; 9] = ["q", "level", "city", "agency", "kind", "group", "sort", "view", "bbox"];
/// Alerts on one page of the list.
const ALERTS_PER_PAGE: usize = 50;
/// Alerts on a station's page.
const STATION_ALERTS: usize = 10;
/// Time the settled history on a station's page covers, and its most rows.
const SETTLED_MS: i64 = 30 * DAY_MS;
const SETTLED_ROWS: usize = 200;
/// How long the language is remembered, in seconds.
const LANGUAGE_COOKIE_S: u32 = 365 * DAY_S;

/// `/`: all stations, worst first.
pub(crate) async fn overview(call: Call) -> Answered {
    let params = Params::lenient(&call.uri, &OVERVIEW_PARAMETERS);
    let frame = frame(&call);
    let gatherer = Gatherer::new(&call.state);
    let filter = OverviewFilter {
        words: SearchWords::new(params.text("q").unwrap_or_default()),
        level: params.choice("level", &StateFilter::ALL.map(|level| (level.key(), level)))?,
        city: params.id("city")?,
        agency: params.id("agency")?,
        kind: params.choice("kind", &StationKind::ALL.map(|kind| (kind.key(), kind)))?,
        group: params.choice("group", &Grouping::ALL.map(|group| (group.key(), group)))?.unwrap_or_default(),
        sort: params.id("sort")?.unwrap_or_default(),
        form: params.choice("view", &ListForm::ALL.map(|form| (form.key(), form)))?,
        // Nobody types it: what cannot be used is no reason to show nothing.
        bounds: params.text("bbox").and_then(Bounds::parse),
    };
    let view = OverviewView { frame, stations: gatherer.stations(), filter };
    show(&call, page::overview(&view))
}

/// `/stations/{id}`: one station with its charts.
pub(crate) async fn station(call: Call, SeesPeople(people): SeesPeople, Path(id): Path<String>) -> Answered {
    let params = Params::lenient(&call.uri, &["range", "history", "people"]);
    let people = may_see(&params, people)?;
    let settled = params.choice("history", &[("settled", true)])?.unwrap_or(false);
    let words = Window::ALL.map(|window| (window.key(), window));
    let window = params.choice("range", &words)?.unwrap_or_default();
    let frame = frame(&call);
    let gatherer = Gatherer::new(&call.state);
    let station = catalogue::find_station(gatherer.snapshot(), &id)?;
    let query = AlertQuery { station: Some(station.id.clone()), limit: STATION_ALERTS, ..AlertQuery::default() };
    let alerts = call.state.alerts.list(&query).await?;
    let card = gatherer.card(station);
    let view = StationView {
        frame: frame.in_zone(TimeZone::get(&station.time_zone).ok()),
        id: station.id.clone(),
        name: station.name.clone(),
        agency: card.agency.name,
        city: card.city.map_or_else(|| "".into(), |city| city.name),
        kind: station.kind,
        state: card.state,
        acknowledged_at: card.acknowledged_at,
        freshness: card.freshness,
        clock: card.clock,
        latitude: station.latitude,
        longitude: station.longitude,
        elevation_m: station.elevation_m,
        description: station.description.clone(),
        class: station_class(station),
        others: gatherer.others(station),
        deployments: gatherer.deployments(station),
        parameters: gatherer.panels(station),
        window,
        alerts: alerts.iter().map(|alert| gatherer.alert_row(alert, people)).collect(),
        settled: if settled { Some(episodes(&call.state, &gatherer, station).await?) } else { None },
    };
    show(&call, page::station(&view))
}

/// The class whose limits a station's values are compared with.
fn station_class(station: &Station) -> Option<StationClass> {
    let water = station.water_class.as_ref();
    let water = water.map(|class| StationClass::Water { class: class.class, source: class.source.clone() });
    water.or_else(|| {
        station.air_type.map(|air_type| match air_type {
            AirType::Reference => StationClass::AirReference,
            AirType::Lcs => StationClass::AirIndicative,
        })
    })
}

/// The settled history of a station's datastreams, newest first.
async fn episodes(state: &AppState, gatherer: &Gatherer<'_>, station: &Station) -> Result<SettledView, ApiError> {
    let (to, until) = (state.clock.now(), state.alerts.settled_until());
    let from = to.saturating_add(-SETTLED_MS);
    let mut rows = Vec::new();
    for datastream in gatherer.snapshot().datastreams_of(&station.id) {
        if limits::of_datastream(gatherer.snapshot(), datastream).next().is_none() {
            continue;
        }
        let query = SettledQuery { datastream: Some(datastream.name.clone()), rule: None, from, to };
        let found = state.alerts.settled(&query).await?;
        rows.extend(found.iter().map(|episode| gatherer.episode_row(datastream, episode)));
    }
    rows.sort_by_key(|row| Reverse(row.onset));
    rows.truncate(SETTLED_ROWS);
    Ok(SettledView { from, until, episodes: rows })
}

/// `/alerts`: open alerts, or all with `?all=true`.
pub(crate) async fn alerts(call: Call, SeesPeople(people): SeesPeople) -> Answered {
    let params = Params::lenient(&call.uri, &["all", "level", "agency", "station", "kind", "days", "before", "people"]);
    let people = may_see(&params, people)?;
    show(&call, page::alerts(&alerts_view(&call, &params, TakeForm::default(), people).await?))
}

/// Names and notes are shown to whoever brings the token; with `?people=true` a page asks for it.
fn may_see(params: &Params, people: bool) -> Result<bool, ApiError> {
    match params.flag("people")?.unwrap_or(false) {
        true if !people => Err(ApiError::new(ProblemType::TokenRequired)),
        true | false => Ok(people),
    }
}

/// The list of alerts that is asked for, with a form.
pub(crate) async fn alerts_view(
    call: &Call,
    params: &Params,
    form: TakeForm,
    people: bool,
) -> Result<AlertsView, ApiError> {
    let filter = AlertFilter {
        all: params.flag("all")?.unwrap_or(false),
        level: params.level()?,
        agency: params.id("agency")?,
        station: params.station()?,
        kind: params.condition_kind()?,
        days: params.number("days", 1..=3_660)?,
    };
    let before = params.before_alert()?;
    let mut frame = frame(call);
    if !form.answers.is_empty() || form.error.is_some() {
        frame.path = filter.path();
    }
    let query = AlertQuery {
        active_only: !filter.all,
        agency: filter.agency.clone(),
        station: filter.station.clone(),
        kind: filter.kind,
        min_level: filter.level,
        from: filter.days.map(|days| frame.generated_at.saturating_add(-i64::from(days) * DAY_MS)),
        before,
        limit: ALERTS_PER_PAGE + 1,
        ..AlertQuery::default()
    };
    let mut found = call.state.alerts.list(&query).await?;
    let join = if filter.path().contains('?') { '&' } else { '?' };
    let last = answer::last_before_more(&mut found, ALERTS_PER_PAGE);
    let next = last.map(|last| format!("{}{join}before={}", filter.path(), last.id));
    let gatherer = Gatherer::new(&call.state);
    let (agencies, stations) = gatherer.choices(frame.language);
    let row = |alert: &AlertView| {
        let offered = !alert.is_acknowledged() && alert.closed_at.is_none();
        AlertRow { chosen: offered.then_some(false), ..gatherer.alert_row(alert, people) }
    };
    let alerts = found.iter().map(row).collect();
    Ok(AlertsView { frame, filter, agencies, stations, alerts, next, form })
}

/// `/alerts/{id}`: one alert and the form that acknowledges it.
pub(crate) async fn alert(call: Call, SeesPeople(people): SeesPeople, Path(id): Path<String>) -> Answered {
    let people = may_see(&Params::lenient(&call.uri, &["people"]), people)?;
    let frame = frame(&call);
    let (_, detail) = find(&call.state.alerts, &id).await?;
    show(&call, page::alert(&alert_view(&call.state, frame, &detail, people)))
}

/// Fields of the form that acknowledges an alert.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AcknowledgeFields {
    /// Who takes care of it, 1 to 80 characters.
    #[serde(default)]
    #[schema(required)]
    name: String,
    /// At most 1000 characters.
    #[serde(default)]
    note: String,
    /// The admin token.
    #[serde(default)]
    #[schema(required)]
    token: String,
    /// The level that the page showed.
    #[serde(default)]
    level: Option<Level>,
}

/// The form's answer: back to the alert, or the form again with what is wrong.
pub(crate) async fn acknowledge(call: Call, Path(id): Path<String>, request: Request) -> Answered {
    let (language, state) = (call.language(), &call.state);
    let fields: AcknowledgeFields = form::read(request).await?;
    let taken = match Writer::from_form(state, fields.token.trim()).await {
        Ok(writer) => {
            record_acknowledgement(state, &writer, &id, (&fields.name, fields.level), Some(&fields.note)).await
        }
        Err(error) if error.kind() == ProblemType::TokenRequired => Err(error.detail("body_token")),
        Err(error) => Err(error),
    };
    let error = match taken {
        Ok(alert) => return Ok(Redirect::to(&format!("/alerts/{}?lang={}", alert.id, language.tag())).into_response()),
        Err(error) => error,
    };
    let mut frame = frame(&call);
    let (_, detail) = find(&state.alerts, &id).await?;
    frame.path = format!("/alerts/{}", detail.alert.id);
    // Whoever sends the form shows its answer on the same screen, so it names nobody.
    let mut view = alert_view(state, frame, &detail, false);
    view.form_error = Some(error.detail_text(language));
    view.form = AcknowledgeForm { name: fields.name, note: fields.note };
    let mut response = show(&call, page::alert(&view))?;
    *response.status_mut() = error.kind().status();
    Ok(response)
}

fn alert_view(state: &AppState, frame: Frame, detail: &AlertDetail, people: bool) -> AlertPageView {
    let gatherer = Gatherer::new(state);
    let mut alert = gatherer.alert_row(&detail.alert, people);
    let values = detail.transitions.iter().filter_map(|transition| transition.value);
    alert.decimals = gatherer.decimals(alert.datastream.as_ref(), values).max(alert.decimals);
    let station = detail.alert.station.as_ref().and_then(|station| gatherer.snapshot().stations.get(station));
    let zone = station.and_then(|station| TimeZone::get(&station.time_zone).ok());
    AlertPageView {
        frame: frame.in_zone(zone),
        transitions: gatherer.transitions(detail),
        acknowledgements: detail.acknowledgements.iter().map(|one| acknowledgement(one, people)).collect(),
        deliveries: gatherer.deliveries(detail),
        can_acknowledge: !detail.alert.is_acknowledged() && detail.alert.closed_at.is_none(),
        form_error: None,
        form: AcknowledgeForm::default(),
        alert,
    }
}

/// `/assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Answered {
    let asset = assets::get(&name).ok_or_else(|| ApiError::new(ProblemType::RouteNotFound))?;
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    let found = || ([(header::CONTENT_TYPE, asset.content_type)], Bytes::from_static(asset.bytes)).into_response();
    let mut response = answer::conditional(&headers, asset.etag, found);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}

/// `/problems/{key}`: what a problem type means, in both languages.
pub(crate) async fn problem_type(Path(key): Path<String>) -> Answered {
    let kind = ProblemType::from_key(&key).ok_or_else(|| ApiError::new(ProblemType::RouteNotFound))?;
    answer::json(&answers::ProblemType {
        kind: format!("/problems/{}", kind.key()),
        status: kind.status().as_u16(),
        title: Text { id: kind.title(Language::Id), en: kind.title(Language::En) },
    })
}

/// The page that tells a problem; `None` where even that cannot be drawn.
pub(crate) fn problem(state: &AppState, error: &ApiError, uri: &Uri, language: Language) -> Option<String> {
    let view = ProblemView {
        frame: framed(state, uri, language),
        status: error.kind().status().as_u16(),
        title: error.kind().title(language),
        detail: error.detail_text(language),
    };
    page::problem(&view).ok()
}

/// Everything around the content. Made before anything is gathered: the page shows at least what had happened by then.
pub(crate) fn frame(call: &Call) -> Frame {
    let held = call.headers.get(HELD).and_then(|held| held.to_str().ok());
    let held = held.map(Held::parse).unwrap_or_default();
    Frame { held, ..framed(&call.state, &call.uri, call.language()) }
}

pub(crate) fn framed(state: &AppState, uri: &Uri, language: Language) -> Frame {
    let generated_at: UtcMillis = state.clock.now();
    let active = state.alerts.active();
    Frame {
        language,
        generated_at,
        time_zone: catalogue::platform_zone(),
        path: without_language(uri),
        position: state.own.events.here().to_string(),
        held: Held::default(),
        active_alerts: u32::try_from(active.len()).unwrap_or(u32::MAX),
        alarms: active.iter().filter(|alert| is_alarm(alert)).map(alarm).collect(),
        site: state.config.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned()),
    }
}

/// Whether title, icon and sound of an open page are about it.
fn is_alarm(alert: &AlertView) -> bool {
    Level::Siaga <= alert.level && !alert.is_acknowledged()
}

fn alarm(alert: &AlertView) -> Alarm {
    Alarm { id: alert.id.to_string(), level: alert.level }
}

/// Path and query without `lang`, which the page's language switch adds.
fn without_language(uri: &Uri) -> String {
    let kept = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> =
        kept.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(LANGUAGE_KEY)).collect();
    if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) }
}

/// The page as an answer; the `?lang=` that somebody chose is remembered in a cookie, that of a page which renews itself
/// is not.
pub(crate) fn show(call: &Call, drawn: Result<String, PageError>) -> Answered {
    let renewed = call.headers.contains_key(HELD);
    let mut response = Html(drawn?).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("cookie, accept-language, bakau-held"));
    if let Some(language) = language::from_query(&call.uri).filter(|_| !renewed) {
        let cookie =
            format!("{LANGUAGE_KEY}={}; Path=/; Max-Age={LANGUAGE_COOKIE_S}; SameSite=Lax; HttpOnly", language.tag());
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.insert(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_taken_out_of_the_address_of_the_page() {
        let path = |uri: &str| without_language(&uri.parse().unwrap());
        assert_eq!(path("/alerts?all=true&lang=en"), "/alerts?all=true");
        assert_eq!(path("/?lang=en"), "/");
        assert_eq!(path("/alerts?language=x"), "/alerts?language=x");
    }
}
