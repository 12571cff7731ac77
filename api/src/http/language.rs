//! Which language an answer is written in, and the texts of the API.

use axum::http::{HeaderMap, Uri, header};
use bakau_model::{Language, Text};

/// Name of the query parameter and of the cookie that choose the language.
pub(crate) const LANGUAGE_KEY: &str = "lang";

bakau_text::texts! {
    /// The texts of the API in one language. An example in JSON stands in braces too, with words of its language.
    pub(crate) fn texts = "../../messages/id.toml", "../../messages/en.toml", unlike "body_json";
}

/// A text of the API in both languages.
pub(crate) fn in_both(key: &str) -> Text {
    Text { id: texts(Language::Id).text(key).into(), en: texts(Language::En).text(key).into() }
}

/// The language of an answer: `?lang=`, then the cookie set by an earlier `?lang=`, then what `Accept-Language` says, then
/// Bahasa Indonesia. Values that are no language of Bakau are passed over.
pub(crate) fn of_request(uri: &Uri, headers: &HeaderMap) -> Language {
    chosen(uri, headers).or_else(|| from_accept(headers)).unwrap_or_default()
}

/// The language somebody has chosen, now or earlier.
pub(crate) fn chosen(uri: &Uri, headers: &HeaderMap) -> Option<Language> {
    from_query(uri).or_else(|| from_cookie(headers))
}

/// The language asked for by `?lang=`.
pub(crate) fn from_query(uri: &Uri) -> Option<Language> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == LANGUAGE_KEY).find_map(|(_, value)| value.parse().ok())
}

fn from_cookie(headers: &HeaderMap) -> Option<Language> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == LANGUAGE_KEY).find_map(|(_, value)| value.parse().ok())
}

fn from_accept(headers: &HeaderMap) -> Option<Language> {
    let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<(f32, Language)> = None;
    for range in lines.flat_map(|line| line.split(',')) {
        let (tag, weight) = split_weight(range);
        let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let language = match primary.as_str() {
            // `in` is the code some older systems still send for Bahasa Indonesia.
            "id" | "in" | "*" => Language::Id,
            "en" => Language::En,
            _ => continue,
        };
        if 0.0 < weight && best.is_none_or(|(found, _)| found < weight) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

fn split_weight(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
    (tag, weight.filter(|weight: &f32| weight.is_finite()).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(uri: &str, cookie: Option<&str>, accept: Option<&str>) -> Language {
        let mut headers = HeaderMap::new();
        if let Some(cookie) = cookie {
            headers.insert(header::COOKIE, cookie.parse().unwrap());
        }
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
        }
        of_request(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn the_query_wins_over_the_cookie_and_the_cookie_over_the_browser() {
        assert_eq!(language("/?lang=en", Some("lang=id"), Some("id")), Language::En);
        assert_eq!(language("/", Some("a=b; lang=en"), Some("id")), Language::En);
        assert_eq!(language("/api/v1/latest", None, Some("en-GB,en;q=0.9,id;q=0.8")), Language::En);
        assert_eq!(language("/api/v1/latest", None, Some("fr, en;q=0.3, id;q=0.4")), Language::Id);
    }

    #[test]
    fn pages_heed_the_browser_until_somebody_chooses() {
        assert_eq!(language("/", None, Some("en-US,en;q=0.9")), Language::En);
        assert_eq!(language("/", None, Some("id-ID,id;q=0.9,en-US;q=0.8")), Language::Id);
        assert_eq!(language("/", Some("lang=id"), Some("en-US")), Language::Id);
        assert_eq!(language("/?lang=id", Some("lang=en"), Some("en-US")), Language::Id);
    }

    #[test]
    fn without_a_known_wish_it_is_bahasa_indonesia() {
        assert_eq!(language("/", None, None), Language::Id);
        assert_eq!(language("/?lang=fr", Some("lang=xx"), Some("de, en;q=0")), Language::Id);
        assert_eq!(language("/?lang=", Some(";;="), Some(";q=,;;,q=zz")), Language::Id);
    }
}
