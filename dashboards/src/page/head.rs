//! What stands in the head of each page: title, description and preview picture.

use crate::{
    assets,
    page::{Alert, Alerts, Link, Overview, Problem, Reference, Rules, Station, Status},
    view::Window,
};

/// Size of a preview picture, pixels: what most programs show at once.
const PREVIEW: (u32, u32) = (1200, 630);

/// Path of the picture of pages that are about no datastream.
fn emblem() -> String {
    assets::path("icon.svg")
}

macro_rules! plain {
    ($($name:ident => |$page:ident| $title:expr),* $(,)?) => {
        $(impl $name<'_> {
            pub(super) fn title(&self) -> String {
                let $page = self;
                $title
            }

            pub(super) fn description(&self) -> String {
                self.s.t("description").to_owned()
            }

            pub(super) fn picture(&self) -> String {
                emblem()
            }
        })*
    };
}

plain! {
    Overview => |page| page.s.t("overview_title").to_owned(),
    Alerts => |page| page.s.t("alerts_title").to_owned(),
    Status => |page| page.s.t("status_title").to_owned(),
    Rules => |page| page.s.t("rules_title").to_owned(),
    Reference => |page| page.v.title.clone(),
    Problem => |page| page.v.title.clone(),
    Link => |page| match &page.v.alert {
        Some(alert) => alert.subject.clone(),
        None => page.s.t("link_invalid_title").to_owned(),
    },
}

impl Station<'_> {
    pub(super) fn title(&self) -> String {
        self.s.text(&self.v.name).to_owned()
    }

    pub(super) fn description(&self) -> String {
        let (station, city) = (self.s.text(&self.v.name), self.s.text(&self.v.city));
        self.s.fill_all("description_station", &[("station", station), ("city", city)])
    }

    pub(super) fn picture(&self) -> String {
        let first = self.v.parameters.first();
        first.map_or_else(emblem, |panel| {
            self.s.chart(&panel.cell.datastream, Window::Day).url("png", PREVIEW.0, PREVIEW.1, false)
        })
    }
}

impl Alert<'_> {
    pub(super) fn title(&self) -> String {
        self.s.alert_title(&self.v.alert)
    }

    pub(super) fn description(&self) -> String {
        let (rule, alert) = (self.s.text(&self.v.alert.rule_name), self.title());
        self.s.fill_all("description_alert", &[("rule", rule), ("alert", &alert)])
    }

    pub(super) fn picture(&self) -> String {
        let datastream = self.v.alert.datastream.as_ref();
        datastream.map_or_else(emblem, |datastream| {
            self.s.alert_chart(&self.v.alert, datastream).url("png", PREVIEW.0, PREVIEW.1, false)
        })
    }
}
