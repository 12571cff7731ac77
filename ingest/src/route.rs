//! From topic to route and station.
//!
//! Pure. Routes are tried in catalogue order and the first that matches wins; matching a topic allocates nothing.

use bakau_model::{SourceName, StationId};
use bakau_registry::{Format, Route};

/// The placeholder that stands for one topic level with the station's id.
pub(crate) const STATION_LEVEL: &str = "{station}";

/// The placeholder that stands for one topic level with the device's id.
pub(crate) const DEVICE_LEVEL: &str = "{device}";

/// The route of a message and the station its topic names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Routed<'a> {
    /// Index of the route in catalogue order.
    pub(crate) route: usize,
    /// The station: from the topic, else the one the route fixes; `None` where neither says.
    pub(crate) station: Option<&'a str>,
    /// The device its topic names.
    pub(crate) device: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Literal(Box<str>),
    Any,
    Station,
    Device,
}

impl Level {
    const fn names_somebody(&self) -> bool {
        match self {
            Self::Station | Self::Device => true,
            Self::Literal(_) | Self::Any => false,
        }
    }
}

/// Station or device that a topic names.
#[derive(Debug, Clone, Copy, Default)]
struct Named<'t> {
    station: Option<&'t str>,
    device: Option<&'t str>,
}

#[derive(Debug, Clone)]
struct Filter {
    levels: Vec<Level>,
    /// Whether the filter ends in `#`: any further levels, also none.
    open_end: bool,
}

#[derive(Debug, Clone)]
struct CompiledRoute {
    /// `None` where the filter is none: such a route matches nothing (the catalogue refuses it earlier).
    filter: Option<Filter>,
    source: Option<SourceName>,
    station: Option<StationId>,
}

/// All routes of a snapshot, ready for matching.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matcher {
    routes: Vec<CompiledRoute>,
}

impl Matcher {
    /// Compiles routes.
    #[must_use]
    pub(crate) fn compile(routes: &[Route]) -> Self {
        let compiled = |route: &Route| CompiledRoute {
            filter: Filter::parse(&route.topic),
            source: route.source.clone(),
            station: route.station.clone(),
        };
        Self { routes: routes.iter().map(compiled).collect() }
    }

    /// The first route that takes messages of this source and topic.
    #[must_use]
    pub(crate) fn find<'a>(&'a self, source: &SourceName, topic: &'a str) -> Option<Routed<'a>> {
        self.routes.iter().enumerate().find_map(|(index, route)| {
            if route.source.as_ref().is_some_and(|wanted| wanted != source) {
                return None;
            }
            let named = route.filter.as_ref()?.matches(topic)?;
            let station = named.station.or(route.station.as_ref().map(StationId::as_str));
            Some(Routed { route: index, station, device: named.device })
        })
    }
}

/// Whether the route that takes a topic reads availability messages. For rare messages: it compiles every route.
#[must_use]
pub(crate) fn is_status(routes: &[Route], source: &SourceName, topic: &str) -> bool {
    let matcher = Matcher::compile(routes);
    let route = matcher.find(source, topic).and_then(|routed| routes.get(routed.route));
    route.is_some_and(|route| matches!(route.format, Format::Status { .. }))
}

impl Filter {
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let mut levels = Vec::new();
        let mut open_end = false;
        for part in text.split('/') {
            if open_end {
                return None;
            }
            match part {
                "#" => open_end = true,
                "+" => levels.push(Level::Any),
                STATION_LEVEL | DEVICE_LEVEL if levels.iter().any(Level::names_somebody) => return None,
                STATION_LEVEL => levels.push(Level::Station),
                DEVICE_LEVEL => levels.push(Level::Device),
                literal if literal.contains(['+', '#']) => return None,
                literal => levels.push(Level::Literal(literal.into())),
            }
        }
        Some(Self { levels, open_end })
    }

    /// `None` when the topic does not match; else the station or device it names, if the filter has that level.
    fn matches<'t>(&self, topic: &'t str) -> Option<Named<'t>> {
        // MQTT: a wildcard at the first level does not take the broker's own topics.
        if topic.starts_with('$') && !matches!(self.levels.first(), Some(Level::Literal(_))) {
            return None;
        }
        let mut named = Named::default();
        let mut parts = topic.split('/');
        for level in &self.levels {
            let part = parts.next()?;
            match level {
                Level::Literal(literal) if **literal != *part => return None,
                Level::Literal(_) | Level::Any => {}
                Level::Station | Level::Device if part.is_empty() => return None,
                Level::Station => named.station = Some(part),
                Level::Device => named.device = Some(part),
            }
        }
        if !self.open_end && parts.next().is_some() {
            return None;
        }
        Some(named)
    }
}

#[cfg(test)]
mod tests {
    use bakau_registry::{JsonMapping, TimeFormat};
    use proptest::prelude::*;

    use super::*;

    fn route(topic: &str, source: Option<&str>, station: Option<&str>) -> Route {
        let json = JsonMapping {
            readings: None,
            station: None,
            time: None,
            time_format: TimeFormat::Rfc3339,
            values: Vec::new(),
        };
        Route {
            id: bakau_model::RouteId::new("r").unwrap(),
            topic: topic.to_owned(),
            source: source.map(|name| SourceName::new(name).unwrap()),
            station: station.map(|id| StationId::new(id).unwrap()),
            devices: std::collections::BTreeMap::new(),
            time_zone: None,
            missing: Vec::new(),
            decimal_comma: false,
            format: Format::Json { json },
        }
    }

    fn find(routes: &[Route], topic: &str) -> Option<(usize, Option<String>)> {
        let source = SourceName::new("main").unwrap();
        let matcher = Matcher::compile(routes);
        matcher.find(&source, topic).map(|routed| (routed.route, routed.station.map(str::to_owned)))
    }

    #[test]
    fn the_station_level_names_the_station() {
        let routes = [route("bakau/{station}/data", None, None)];
        assert_eq!(find(&routes, "bakau/prb-bjbr-01/data"), Some((0, Some("prb-bjbr-01".to_owned()))));
        for other in ["bakau/prb/status", "bakau/prb", "bakau/prb/data/x", "bakau//data", "Bakau/prb/data", ""] {
            assert_eq!(find(&routes, other), None, "{other}");
        }
    }

    #[test]
    fn the_device_level_names_the_device_and_no_station() {
        let routes = [route("application/+/device/{device}/event/up", None, None)];
        let matcher = Matcher::compile(&routes);
        let source = SourceName::new("main").unwrap();
        let routed = matcher.find(&source, "application/a/device/70b3/event/up").unwrap();
        assert_eq!((routed.station, routed.device), (None, Some("70b3")));
        assert_eq!(matcher.find(&source, "application/a/device//event/up"), None);
    }

    #[test]
    fn wildcards_follow_the_mqtt_rules() {
        let routes = [route("a/+/c", None, Some("one")), route("b/#", None, Some("two")), route("#", None, None)];
        assert_eq!(find(&routes, "a/x/c"), Some((0, Some("one".to_owned()))));
        assert_eq!(find(&routes, "a//c"), Some((0, Some("one".to_owned()))));
        assert_eq!(find(&routes, "b"), Some((1, Some("two".to_owned()))));
        assert_eq!(find(&routes, "b/x/y"), Some((1, Some("two".to_owned()))));
        assert_eq!(find(&routes, "elsewhere"), Some((2, None)));
        assert_eq!(find(&routes, "$SYS/uptime"), None);
    }

    #[test]
    fn the_first_matching_route_wins_and_a_source_limits_a_route() {
        let routes = [route("a/#", Some("other"), None), route("a/b", None, Some("s")), route("a/+", None, None)];
        assert_eq!(find(&routes, "a/b"), Some((1, Some("s".to_owned()))));
        assert_eq!(find(&routes, "a/c"), Some((2, None)));
    }

    #[test]
    fn a_filter_that_is_none_matches_nothing() {
        for bad in ["", "a/#/b", "a+/b", "a/b#", "{station}/{station}", "{station}/{device}"] {
            assert_eq!(find(&[route(bad, None, None)], "a/b"), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_filter_and_topic_are_matched_without_panic(filter in ".{0,40}", topic in ".{0,40}") {
            let _ = find(&[route(&filter, None, None)], &topic);
        }
    }
}
