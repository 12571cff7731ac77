//! Small grammars: topic filters, JSON Pointers, webhook addresses, and the nearest known word.

/// Longest topic filter, in bytes: room for any real topic, short enough for logs.
const MAX_TOPIC_BYTES: usize = 1024;
/// The levels that stand for the id of the station or of the device.
const PLACEHOLDER_LEVELS: [&str; 2] = ["{station}", "{device}"];

/// Why a text is no topic filter, as a message key; `None` where it is one. A placeholder level counts as `+`.
pub(crate) fn topic_problem(topic: &str) -> Option<&'static str> {
    if topic.is_empty() || MAX_TOPIC_BYTES < topic.len() || topic.contains('\0') {
        return Some("topic_length");
    }
    if topic.starts_with("$share/") {
        return Some("topic_shared");
    }
    let levels: Vec<&str> = topic.split('/').collect();
    for (at, level) in levels.iter().enumerate() {
        let hash_misplaced = level.contains('#') && (*level != "#" || at + 1 != levels.len());
        let plus_misplaced = level.contains('+') && *level != "+";
        if hash_misplaced || plus_misplaced {
            return Some("topic_wildcard");
        }
        if level.contains(['{', '}']) && !PLACEHOLDER_LEVELS.contains(level) {
            return Some("topic_braces");
        }
    }
    if 1 < placeholder_levels(topic) {
        return Some("topic_station_twice");
    }
    None
}

/// How many levels of a topic filter are `{station}` or `{device}`.
pub(crate) fn placeholder_levels(topic: &str) -> usize {
    topic.split('/').filter(|level| PLACEHOLDER_LEVELS.contains(level)).count()
}

/// Whether a text is a JSON Pointer (RFC 6901); the empty one, the whole document, is of no use here.
pub(crate) fn is_json_pointer(text: &str) -> bool {
    let escapes_complete = |part: &str| part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.len() <= 1024 && text.starts_with('/') && escapes_complete(text)
}

/// Why a text is no address to post to, as a message key.
///
/// The sender parses the address again; this is for a clear message at the desk instead of a failed delivery at night.
pub(crate) fn webhook_problem(url: &str) -> Option<&'static str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return Some("url_scheme") };
    if 2048 < url.len() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("url_characters");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("url_password");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bad_port = port.is_some_and(|port| port.parse::<u16>().is_err());
    (!is_host(host) || bad_port).then_some("url_host")
}

/// Whether a text may be the name or address of a host.
pub(crate) fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
    !text.is_empty() && text.len() <= 255 && text.chars().all(allowed)
}

/// Whether a host is this machine.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a text looks like `somebody@host`; the mail server has the last word.
pub(crate) fn is_email_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let local_characters = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let dots_inside = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    let good_local = !local.is_empty() && local.len() <= 64 && local.chars().all(local_characters) && dots_inside;
    good_local && is_host(host) && !host.starts_with('.') && !host.ends_with('.')
}

/// Whether a text is a plain name of an environment variable.
pub(crate) fn is_variable_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= 128 && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(allowed)
}

/// Whether a text is a Kemendagri area code of a province, city, district or village, such as `35.74`.
pub(crate) fn is_area_code(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let lengths: &[usize] = &[2, 2, 2, 4];
    let fits =
        |(part, length): (&&str, &usize)| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=lengths.len()).contains(&parts.len()) && parts.iter().zip(lengths).all(fits)
}

/// The word nearest to `given` by edit distance; long words are not compared.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const MAX_BYTES: usize = 200;
    if MAX_BYTES < given.len() {
        return None;
    }
    known.filter(|word| word.len() <= MAX_BYTES).min_by_key(|word| distance(given, word))
}

/// Like [`nearest`], only where it is near enough to be a misspelling.
pub(crate) fn misspelling<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    nearest(given, known).filter(|word| distance(given, word) <= 1 + given.len() / 4)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_filters_follow_mqtt_with_one_placeholder_level() {
        for good in
            ["bakau/{station}/data", "a/+/b/#", "#", "+", "/a//b", "{station}", "v3/app@tenant/devices/{device}/up"]
        {
            assert_eq!(topic_problem(good), None, "{good}");
        }
        for bad in ["", "a/#/b", "a#", "a/b+", "{station}/{device}", "a/x{station}", "{agency}/a", "$share/g/a", "a\0"]
        {
            assert!(topic_problem(bad).is_some(), "{bad} was accepted");
        }
    }

    #[test]
    fn json_pointers_start_with_a_slash_and_escape_tildes() {
        assert!(["/", "/a", "/a/0/b~1c~0d", "/µg"].into_iter().all(is_json_pointer));
        assert!(["", "a", "/a~", "/a~2", "#/a"].into_iter().all(|bad| !is_json_pointer(bad)));
    }

    #[test]
    fn webhook_addresses_have_a_host_and_no_password() {
        for good in ["https://hooks.example.org/a?b=c@d", "http://127.0.0.1:9000", "http://[::1]:80/x", "http://[::1]/"]
        {
            assert_eq!(webhook_problem(good), None, "{good}");
        }
        assert_eq!(webhook_problem("ftp://a"), Some("url_scheme"));
        assert_eq!(webhook_problem("https://user:pass@a/"), Some("url_password"));
        assert_eq!(webhook_problem("https:///path"), Some("url_host"));
        assert_eq!(webhook_problem("https://a:99999/"), Some("url_host"));
        assert_eq!(webhook_problem("https://a b/"), Some("url_characters"));
    }

    #[test]
    fn mail_addresses_have_two_good_sides() {
        for good in ["piket@dlh.example", "a.b+c@localhost", "x@[::1]"] {
            assert!(is_email_address(good), "{good}");
        }
        for bad in ["", "piket", "@dlh.example", "a b@dlh.example", ".a@b", "a..b@c", "a@", "a@b,c@d", "a@.b"] {
            assert!(!is_email_address(bad), "{bad} was accepted");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        assert!(["localhost", "127.0.0.1", "::1", "[::1]"].into_iter().all(is_loopback_host));
        assert!(["mail.example", "10.0.0.1", "localhost.example"].into_iter().all(|host| !is_loopback_host(host)));
    }

    #[test]
    fn area_codes_are_dotted_digits() {
        assert!(["35", "35.74", "35.74.03", "35.74.03.1001"].into_iter().all(is_area_code));
        assert!(["", "3574", "35.7", "35.74.03.1001.1", "35,74"].into_iter().all(|bad| !is_area_code(bad)));
    }

    #[test]
    fn the_nearest_word_is_found() {
        assert_eq!(nearest("latitud", ["longitude", "latitude", "id"].into_iter()), Some("latitude"));
        assert_eq!(misspelling("zzzz", ["longitude", "id"].into_iter()), None);
    }
}
