//! Words for JSON Schema (2020-12), as far as the answers of this API need them.

use serde_json::{Map, Value, json};

/// A text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// A whole number that is not negative.
pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A number.
pub(super) fn number() -> Value {
    json!({ "type": "number" })
}

/// Yes or no.
pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// An instant, RFC 3339.
pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// One of some words.
pub(super) fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// Another schema of the document.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A list.
pub(super) fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// Any member name, values of one kind.
pub(super) fn map(values: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// The same, or `null`.
pub(super) fn nullable(mut schema: Value) -> Value {
    let kind = schema.get("type").and_then(Value::as_str).map(str::to_owned);
    match kind {
        Some(kind) if schema.get("enum").is_none() => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        Some(_) | None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// The same with a remark.
pub(super) fn about(mut schema: Value, remark: &str) -> Value {
    schema["description"] = remark.into();
    schema
}

/// An object: members that are always there; a name that begins with `?` may be missing.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in members {
        let plain = name.trim_start_matches('?');
        if plain == name {
            required.push(plain.to_owned());
        }
        properties.insert(plain.to_owned(), schema);
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// An object with further members.
pub(super) fn extended<const N: usize>(mut base: Value, members: [(&str, Value); N]) -> Value {
    let more = object(members);
    if let (Some(properties), Some(new)) = (base["properties"].as_object_mut(), more["properties"].as_object()) {
        properties.extend(new.clone());
    }
    if let (Some(required), Some(new)) = (base["required"].as_array_mut(), more["required"].as_array()) {
        for name in new {
            if !required.contains(name) {
                required.push(name.clone());
            }
        }
    }
    base
}
