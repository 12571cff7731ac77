//! `/rules`: which limits raise alerts, how long they must be crossed and where they come from.

use bakau_dashboards::{page, view::RulesView};

use crate::{
    http::call::{Answered, Call},
    pages::views,
    read::limits,
};

/// Every rule, by name.
pub(crate) async fn rules(call: Call) -> Answered {
    let (frame, snapshot) = (views::frame(&call), call.state.snapshot());
    let mut rules: Vec<_> = snapshot.rules.values().map(|rule| limits::row(&snapshot, rule)).collect();
    rules.sort_by(|a, b| a.facts.name.get(frame.language).cmp(b.facts.name.get(frame.language)));
    views::show(&call, page::rules(&RulesView { frame, rules }))
}
