//! Checks of people, of the ways to reach them, and of notification routes.

use bakau_model::Level;

use super::{MAX_LIST, text};
use crate::{
    catalogue::{
        fields::Fields,
        grammar::{is_email_address, is_host, is_loopback_host, is_variable_name, webhook_problem},
    },
    snapshot::MailSecurity,
};

/// Checks an address to post to; a refused one may hold a password and is not repeated.
pub(crate) fn url(fields: &mut Fields<'_, '_>, field: &'static str, url: Option<&str>) {
    if let Some(problem) = url.and_then(webhook_problem) {
        fields.error_at(field, problem, &[("key", &field)]);
    }
}

/// Checks the name of an environment variable; what is written may be the secret itself and is not repeated.
pub(crate) fn variable(fields: &mut Fields<'_, '_>, field: &'static str, name: Option<&str>) {
    if name.is_some_and(|name| !is_variable_name(name)) {
        fields.error_at(field, "variable_name", &[("key", &field)]);
    }
}

/// Checks an e-mail address.
pub(crate) fn email(fields: &mut Fields<'_, '_>, field: &'static str, address: Option<&str>) {
    if let Some(address) = address.filter(|address| !is_email_address(address)) {
        fields.error_at(field, "email_address", &[("value", &address)]);
    }
}

/// Checks how a mail server is reached.
pub(crate) fn mail_server(fields: &mut Fields<'_, '_>, host: Option<&str>, security: Option<MailSecurity>) {
    if let Some(host) = host {
        if !is_host(host) {
            fields.error_at("host", "mail_host", &[("value", &host)]);
        } else if security == Some(MailSecurity::None) && !is_loopback_host(host) {
            fields.error_at("security", "mail_in_clear", &[("host", &host)]);
        }
    }
    if fields.is_written("username") != fields.is_written("password_env") {
        fields.error_at("username", "mail_login", &[]);
    }
}

/// Checks that somebody can be reached at all.
pub(crate) fn person(fields: &mut Fields<'_, '_>, name: Option<&str>) {
    text(fields, "name", name);
    if !fields.is_written("email") && !fields.is_written("telegram_chat") {
        fields.error_at("", "person_without_address", &[]);
    }
}

/// Checks whom a notification route reaches and from which level.
pub(crate) fn notification(
    fields: &mut Fields<'_, '_>,
    min_level: Option<Level>,
    lists: &[(&'static str, Option<usize>)],
) {
    if min_level == Some(Level::Normal) {
        fields.error_at("min_level", "min_level_normal", &[]);
    }
    for (field, length) in lists {
        let must_name = matches!(*field, "people" | "channels");
        match length {
            Some(0) if must_name => fields.error_at(field, "list_empty", &[("key", field)]),
            Some(length) if MAX_LIST < *length => {
                fields.error_at(field, "list_too_long", &[("key", field), ("limit", &MAX_LIST)]);
            }
            Some(_) | None => {}
        }
    }
}
