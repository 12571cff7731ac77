//! The form of what is answered and sent, derived from the types of it.

use std::borrow::Cow;

use bakau_answers::{Acknowledgement, Problem};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// A type whose schema is in the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// The name of its schema.
    pub(crate) name: fn() -> Cow<'static, str>,
    /// Its schema and those of the types in it.
    schemas: fn() -> Vec<(String, RefOr<Schema>)>,
}

impl Answer {
    /// What any request may be answered with.
    pub(crate) const PROBLEM: Self = Self::of::<Problem>();
    /// An acknowledgement to be recorded.
    pub(crate) const ACKNOWLEDGEMENT: Self = Self::of::<Acknowledgement>();

    pub(crate) const fn of<T: ToSchema>() -> Self {
        Self { name: T::name, schemas: schemas_of::<T> }
    }

    /// Where the document has it.
    pub(super) fn reference(self) -> Value {
        json!({ "$ref": format!("#/components/schemas/{}", (self.name)()) })
    }
}

fn schemas_of<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

/// A schema that stands where it is used.
pub(super) fn inline<T: ToSchema>() -> Value {
    value(&T::schema())
}

/// The schemas of answers, and those that any route has, by name.
pub(super) fn all(answers: impl Iterator<Item = Answer>) -> Map<String, Value> {
    let all = answers.chain([Answer::PROBLEM, Answer::ACKNOWLEDGEMENT]);
    all.flat_map(|answer| (answer.schemas)()).map(|(name, schema)| (name, value(&schema))).collect()
}

/// A schema is plain data: writing it cannot fail.
fn value(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}
