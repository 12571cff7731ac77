//! Questions, and columns read as what they hold.

use std::str::FromStr;

use bakau_model::{Flag, Level, PersonId, RuleId, UtcMillis};
use rusqlite::{Connection, Params, Row, types::FromSql};

use super::DbError;
use crate::{AlertId, message::facts::Facts};

/// Every row of an answer.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    connection.prepare_cached(sql)?.query_and_then(params, read)?.collect()
}

/// The first row of an answer.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, DbError>,
) -> Result<Option<T>, DbError> {
    connection.prepare_cached(sql)?.query_and_then(params, read)?.next().transpose()
}

/// The value of an answer of one row and one column.
pub(super) fn value<T: FromSql>(connection: &Connection, sql: &str, params: impl Params) -> Result<T, DbError> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

/// Runs a statement that answers nothing.
pub(super) fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<(), DbError> {
    connection.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

pub(super) fn text<'a>(row: &'a Row<'_>, column: &str) -> Result<&'a str, DbError> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

pub(super) fn optional_text<'a>(row: &'a Row<'_>, column: &str) -> Result<Option<&'a str>, DbError> {
    Ok(row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?)
}

pub(super) fn bytes<'a>(row: &'a Row<'_>, column: &str) -> Result<&'a [u8], DbError> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// A text of its own type.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: &str, what: &'static str) -> Result<T, DbError> {
    text(row, column)?.parse().map_err(|_| DbError::Damaged(what))
}

/// A text of its own type in a column that may be empty.
pub(super) fn optional<T: FromStr>(row: &Row<'_>, column: &str, what: &'static str) -> Result<Option<T>, DbError> {
    optional_text(row, column)?.map(|text| text.parse().map_err(|_| DbError::Damaged(what))).transpose()
}

pub(super) fn time(row: &Row<'_>, column: &str) -> Result<UtcMillis, DbError> {
    Ok(UtcMillis::new(row.get(column)?))
}

pub(super) fn optional_time(row: &Row<'_>, column: &str) -> Result<Option<UtcMillis>, DbError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UtcMillis::new))
}

pub(super) fn level(row: &Row<'_>, column: &str) -> Result<Level, DbError> {
    Level::from_code(row.get(column)?).ok_or(DbError::Damaged("level"))
}

pub(super) fn flag(row: &Row<'_>, column: &str) -> Result<Option<Flag>, DbError> {
    let code: Option<u8> = row.get(column)?;
    code.map(|code| Flag::from_code(code).ok_or(DbError::Damaged("flag"))).transpose()
}

pub(super) fn alert_id(row: &Row<'_>, column: &str) -> Result<AlertId, DbError> {
    AlertId::from_bytes(bytes(row, column)?).ok_or(DbError::Damaged("alert id"))
}

pub(super) fn rule_id(row: &Row<'_>, column: &str) -> Result<RuleId, DbError> {
    parsed(row, column, "rule id")
}

pub(super) fn facts(row: &Row<'_>) -> Result<Facts, DbError> {
    serde_json::from_str(text(row, "facts")?).map_err(|_| DbError::Damaged("transition"))
}

pub(super) fn optional_person(row: &Row<'_>, column: &str) -> Result<Option<PersonId>, DbError> {
    optional(row, column, "person id")
}
