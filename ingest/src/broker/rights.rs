//! Which topics a device may use: MQTT topic filter matching (MQTT 5.0, section 4.7), pure.

/// Whether one of the filters lets a device publish to `topic`.
#[must_use]
pub(super) fn may_publish(filters: &[String], topic: &str) -> bool {
    is_publishable(topic) && filters.iter().any(|filter| is_filter(filter) && matches(filter, topic))
}

/// Whether every topic that `wanted` selects is one the device may publish to by a single one of its filters.
#[must_use]
pub(super) fn may_subscribe(filters: &[String], wanted: &str) -> bool {
    is_filter(wanted) && filters.iter().any(|filter| is_filter(filter) && covers(filter, wanted))
}

/// A topic name without wildcards, outside the server's own `$` tree.
fn is_publishable(topic: &str) -> bool {
    !topic.is_empty() && !topic.starts_with('$') && !topic.contains(['+', '#', '\0'])
}

/// A well-formed filter outside the `$` tree; a malformed one grants nothing.
fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    let mut well_formed = !filter.is_empty() && !filter.starts_with('$') && !filter.contains('\0');
    while let Some(level) = levels.next() {
        well_formed &= match level {
            "+" => true,
            "#" => levels.peek().is_none(),
            name => !name.contains(['+', '#']),
        };
    }
    well_formed
}

fn matches(filter: &str, topic: &str) -> bool {
    let mut topic_levels = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        let Some(given) = topic_levels.next() else { return false };
        if level != "+" && level != given {
            return false;
        }
    }
    topic_levels.next().is_none()
}

/// Whether `outer` selects every topic that `inner` selects.
fn covers(outer: &str, inner: &str) -> bool {
    let mut inner_levels = inner.split('/');
    for level in outer.split('/') {
        if level == "#" {
            return true;
        }
        let covered = match inner_levels.next() {
            None | Some("#") => false,
            Some(given) => level == "+" || level == given,
        };
        if !covered {
            return false;
        }
    }
    inner_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filters(filter: &str) -> Vec<String> {
        vec![filter.to_owned()]
    }

    #[test]
    fn wildcards_select_what_the_standard_says() {
        // MQTT 5.0, sections 4.7.1.2 and 4.7.1.3.
        let rows = [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "a/b", true),
            ("bakau/prb-01/data", "bakau/prb-01/data", true),
            ("bakau/prb-01/data", "bakau/prb-01/Data", false),
            ("bakau/prb-01/data", "bakau/prb-01/data/", false),
        ];
        for (filter, topic, expected) in rows {
            assert_eq!(may_publish(&filters(filter), topic), expected, "{filter} and {topic}");
        }
    }

    #[test]
    fn the_servers_own_tree_and_wildcards_in_names_are_never_granted() {
        for topic in ["$SYS/load", "$share/g/a", "", "a/+", "a/#", "a\0b"] {
            assert!(!may_publish(&filters("#"), topic), "{topic:?}");
        }
        assert!(!may_publish(&filters("$SYS/#"), "$SYS/load"));
    }

    #[test]
    fn a_malformed_filter_grants_nothing() {
        for filter in ["a/#/b", "a/b#", "a/+b", "", "a\0b"] {
            assert!(!may_publish(&filters(filter), "a/b"), "{filter:?}");
        }
    }

    #[test]
    fn a_device_may_listen_only_inside_what_it_may_publish() {
        let rows = [
            ("bakau/a/#", "bakau/a/#", true),
            ("bakau/a/#", "bakau/a/cmd", true),
            ("bakau/a/#", "bakau/a", true),
            ("bakau/a/#", "bakau/+/cmd", false),
            ("bakau/a/#", "#", false),
            ("bakau/+/data", "bakau/a/data", true),
            ("bakau/+/data", "bakau/+/data", true),
            ("bakau/+/data", "bakau/#", false),
            ("bakau/a/data", "bakau/a/+", false),
            ("#", "$SYS/#", false),
            ("#", "$share/g/bakau", false),
        ];
        for (granted, wanted, expected) in rows {
            assert_eq!(may_subscribe(&filters(granted), wanted), expected, "{granted} and {wanted}");
        }
    }

    /// The definition by recursion over levels, as a check on the loops above.
    fn selects(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            ([], []) => true,
            (["#"], _) => true,
            (["+", filter @ ..], [_, topic @ ..]) => selects(filter, topic),
            ([level, filter @ ..], [given, topic @ ..]) => level == given && selects(filter, topic),
            (_, _) => false,
        }
    }

    fn any_filter() -> impl Strategy<Value = String> {
        ("([ab]|\\+|)(/([ab]|\\+|)){0,3}", any::<bool>())
            .prop_map(|(levels, open)| if open { format!("{levels}/#") } else { levels })
    }

    proptest! {
        #[test]
        fn matching_follows_the_definition(filter in any_filter(), topic in "[ab]?(/[ab]?){0,4}") {
            let parts: (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
            prop_assert_eq!(matches(&filter, &topic), selects(&parts.0, &parts.1));
        }

        #[test]
        fn what_a_granted_subscription_selects_is_always_publishable(
            granted in any_filter(), wanted in any_filter(), topic in "[ab](/[ab]?){0,4}",
        ) {
            if may_subscribe(&filters(&granted), &wanted) && matches(&wanted, &topic) {
                prop_assert!(may_publish(&filters(&granted), &topic));
            }
        }

        #[test]
        fn any_text_is_answered(filter in ".{0,20}", topic in ".{0,20}") {
            let _ = may_publish(&filters(&filter), &topic);
            let _ = may_subscribe(&filters(&filter), &topic);
        }
    }
}
