//! `/a/{token}`: the link in a message by which its reader acknowledges an alert, without an account.
//!
//! The token is the right; it is in no log, since requests are logged by route and never by address. GET shows and
//! changes nothing, because mail scanners open links before people do.

use axum::{
    extract::{Path, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use bakau_alerts::{AlertsError, Link, MAX_NOTE_CHARS};
use bakau_dashboards::{
    link::{LinkAlert, LinkState, LinkView},
    page,
};
use bakau_model::{Language, Level, Text};
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        call::{Answered, Call},
        error::ApiError,
        form,
        language::{self, texts},
    },
    pages::views,
    read::gather::acknowledgement,
    state::AppState,
};

/// Neither browsers nor proxies keep the page, and search engines leave it alone.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// What the form of a signed link sends.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct LinkFields {
    /// At most 1000 characters.
    #[serde(default)]
    note: String,
    /// The level that the page showed.
    #[serde(default)]
    level: Option<Level>,
}

/// Shows what the link is about and the button.
pub(crate) async fn show(call: Call, Path(token): Path<String>) -> Answered {
    let link = find(&call.state, &token).await?;
    draw(&call, link, LinkFields::default(), None)
}

/// Acknowledges the alert in the name of the person the link was made for.
pub(crate) async fn acknowledge(call: Call, Path(token): Path<String>, request: Request) -> Answered {
    let fields: LinkFields = form::read(request).await?;
    let note = Some(fields.note.trim()).filter(|note| !note.is_empty());
    if note.is_some_and(|note| MAX_NOTE_CHARS < note.chars().count()) {
        let link = find(&call.state, &token).await?;
        return draw(&call, link, fields, Some("body_note"));
    }
    match call.state.alerts.acknowledge_by_link(&token, fields.level, note.map(str::to_owned)).await {
        // Asked again with GET, so that reloading the page sends nothing twice; it tells what has become of the alert.
        Ok(_) | Err(AlertsError::AlreadyAcknowledged(_) | AlertsError::Closed(_) | AlertsError::LinkExpired) => {
            let here = call.uri.path_and_query().map_or_else(|| call.uri.path(), |path| path.as_str());
            Ok(guarded(Redirect::to(here).into_response()))
        }
        Err(AlertsError::LinkInvalid) => draw(&call, None, fields, None),
        Err(error) => Err(error.into()),
    }
}

/// The link; none where it was not made here.
async fn find(state: &AppState, token: &str) -> Result<Option<Link>, ApiError> {
    match state.alerts.link(token).await {
        Ok(link) => Ok(Some(link)),
        Err(AlertsError::LinkInvalid) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn draw(call: &Call, link: Option<Link>, fields: LinkFields, error: Option<&'static str>) -> Answered {
    // Without a choice of their own, people read what they are written to in.
    let chosen = language::chosen(&call.uri, &call.headers);
    let language = chosen.or(link.as_ref().map(|link| link.language)).unwrap_or_default();
    let zone = link.as_ref().and_then(|link| TimeZone::get(&link.time_zone).ok());
    let frame = views::framed(&call.state, &call.uri, language).in_zone(zone);
    let (view, status) = match link {
        None => (LinkView { frame, state: LinkState::Invalid, alert: None }, StatusCode::NOT_FOUND),
        Some(link) => {
            let (shown, status) = state_of(&link, fields, error, language);
            (LinkView { frame, state: shown, alert: Some(alert_of(&link, language)) }, status)
        }
    };
    let mut response = guarded(Html(page::link(&view)?).into_response());
    *response.status_mut() = status;
    Ok(response)
}

fn state_of(
    link: &Link,
    fields: LinkFields,
    error: Option<&'static str>,
    language: Language,
) -> (LinkState, StatusCode) {
    let alert = &link.alert;
    if let Some(by) = alert.acknowledged.as_ref().filter(|_| alert.is_acknowledged()) {
        // Whoever holds the link is one of those who are told.
        return (LinkState::Acknowledged(acknowledgement(by, true)), StatusCode::OK);
    }
    match alert.closed_at {
        Some(at) => (LinkState::Closed(at), StatusCode::OK),
        None if link.expired => (LinkState::Expired, StatusCode::OK),
        None => {
            let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            let error = error.map(|key| texts(language).text(key).to_owned());
            (LinkState::Open { error, note: fields.note }, status)
        }
    }
}

fn alert_of(link: &Link, language: Language) -> LinkAlert {
    let text = |text: &Text| text.get(language).to_owned();
    LinkAlert {
        path: format!("/alerts/{}", link.alert.id),
        sentence: text(&link.sentence),
        subject: text(&link.subject),
        level: Some(link.alert.level),
        person: link.person.clone(),
        earlier: link.alert.acknowledged.as_ref().map(|one| acknowledgement(one, true)),
    }
}

fn guarded(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
