//! `/status`: what an operator needs of what `GET /api/v1/status` tells, as a page.

use std::cmp::Reverse;

use bakau_answers::AgencyReadiness;
use bakau_dashboards::{page, view::StatusView};
use bakau_model::HOUR_MS;

use crate::{
    http::{
        access::SeesPeople,
        call::{Answered, Call},
        query::Span,
    },
    pages::views,
    v1::{ledger, status},
};

/// Time the ledgers on the page cover.
const LEDGER_MS: i64 = HOUR_MS;

/// How Bakau itself is doing.
pub(crate) async fn status(call: Call, SeesPeople(people): SeesPeople) -> Answered {
    let frame = views::frame(&call);
    let mut status = status::tell(&call.state, people, frame.language).await;
    status.agencies.sort_by_key(missing);
    let now = frame.generated_at;
    let span = ledger::whole_minutes(Span { from: now.saturating_add(-LEDGER_MS), to: now.saturating_add(1) });
    // This page must also be there where the ledger cannot be read.
    let total = match ledger::read(&call.state, span).await {
        Ok(ledger) => ledger.total(),
        Err(error) => {
            tracing::warn!(cause = error.cause(), "status page without ledger");
            ledger::Line::default()
        }
    };
    let (messages, readings) = (total.messages, total.readings);
    let view = StatusView { frame, status, ledger_from: span.from, ledger_to: span.to, messages, readings };
    views::show(&call, page::status(&view))
}

/// Sort key: agencies that miss the greatest part come first.
fn missing(agency: &AgencyReadiness) -> Reverse<(u64, u64)> {
    let share = |part: u32, all: u32| u64::from(all.saturating_sub(part)) * 10_000 / u64::from(all.max(1));
    Reverse((share(agency.stations_reporting, agency.stations), share(agency.datastreams_current, agency.datastreams)))
}
