//! Texts made safe to stand in HTML and XML.

/// A text between tags: only three characters have a meaning there.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text between tags or between quotes, as the value of an attribute.
#[must_use]
pub fn escape_quoted(text: &str) -> String {
    escape(text).replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(escape("<b a=\"1\">&amp;</b>"), "&lt;b a=\"1\"&gt;&amp;amp;&lt;/b&gt;");
        assert_eq!(escape_quoted("\"'<"), "&quot;&#39;&lt;");
    }
}
