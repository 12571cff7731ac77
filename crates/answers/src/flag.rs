//! Quality flags in answers.

use bakau_model::Flag;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

/// The quality of a value, written as its QARTOD code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagCode(pub Flag);

impl From<Flag> for FlagCode {
    fn from(flag: Flag) -> Self {
        Self(flag)
    }
}

impl Serialize for FlagCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0.code())
    }
}

impl<'de> Deserialize<'de> for FlagCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = u8::deserialize(deserializer)?;
        Flag::from_code(code).map(Self).ok_or_else(|| D::Error::custom(format!("{code} is not a QARTOD flag")))
    }
}

impl PartialSchema for FlagCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .enum_values(Some(Flag::ALL.map(Flag::code)))
            .description(Some("QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing."))
            .into()
    }
}

impl ToSchema for FlagCode {}
