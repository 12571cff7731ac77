//! Examples of answers, as a real installation gave them; a test holds them to the schemas.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static EXAMPLES: LazyLock<Map<String, Value>> = LazyLock::new(|| parse(include_str!("examples.json")));

#[expect(clippy::expect_used, reason = "the file is compiled in and a test parses it")]
fn parse(file: &str) -> Map<String, Value> {
    serde_json::from_str(file).expect("examples")
}

/// The example of a schema.
pub(super) fn of(name: &str) -> Option<&'static Value> {
    EXAMPLES.get(name)
}
