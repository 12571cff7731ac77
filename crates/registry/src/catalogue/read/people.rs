//! People, the ways to reach them, and notification routes.

use bakau_model::{AgencyId, ChannelId, Language, Level, PersonId, StationKind};

use crate::{
    catalogue::{check, fields::Fields},
    snapshot::{Channel, MailSecurity, NotificationRoute, Person, telegram_url},
};

pub(crate) fn channel(fields: &mut Fields<'_, '_>) -> Option<Channel> {
    let (kind, id) = (fields.required::<String>("kind")?, fields.required("id"));
    match kind.as_str() {
        "webhook" => webhook(fields, id),
        "email" => email(fields, id),
        "telegram" => telegram(fields, id),
        other => {
            fields.error_at("kind", "channel_kind", &[("value", &other)]);
            fields.pass_all();
            None
        }
    }
}

fn webhook(fields: &mut Fields<'_, '_>, id: Option<ChannelId>) -> Option<Channel> {
    let (url, secret_env) = (fields.required::<String>("url"), fields.required::<String>("secret_env"));
    check::url(fields, "url", url.as_deref());
    check::variable(fields, "secret_env", secret_env.as_deref());
    Some(Channel::Webhook { id: id?, url: url?, secret_env: secret_env? })
}

fn email(fields: &mut Fields<'_, '_>, id: Option<ChannelId>) -> Option<Channel> {
    let (host, port) = (fields.required::<String>("host"), fields.required::<u16>("port"));
    let (security, from) = (fields.required::<MailSecurity>("security"), fields.required::<String>("from"));
    let [username, password_env, ca_file] =
        ["username", "password_env", "ca_file"].map(|field| fields.optional::<String>(field));
    check::within(fields, "port", port.map(f64::from), 1.0, f64::from(u16::MAX));
    check::mail_server(fields, host.as_deref(), security);
    check::email(fields, "from", from.as_deref());
    check::text(fields, "username", username.as_deref());
    check::variable(fields, "password_env", password_env.as_deref());
    check::text(fields, "ca_file", ca_file.as_deref());
    let (host, port, security, from) = (host?, port?, security?, from?);
    Some(Channel::Email { id: id?, host, port, security, from, username, password_env, ca_file })
}

fn telegram(fields: &mut Fields<'_, '_>, id: Option<ChannelId>) -> Option<Channel> {
    let (token_env, base_url) = (fields.required::<String>("token_env"), fields.optional::<String>("base_url"));
    check::variable(fields, "token_env", token_env.as_deref());
    check::url(fields, "base_url", base_url.as_deref());
    Some(Channel::Telegram { id: id?, token_env: token_env?, base_url: base_url.unwrap_or_else(telegram_url) })
}

pub(crate) fn person(fields: &mut Fields<'_, '_>) -> Option<Person> {
    let (id, name) = (fields.required("id"), fields.required::<String>("name"));
    let (language, email) = (fields.optional::<Language>("language"), fields.optional::<String>("email"));
    let telegram_chat = fields.optional::<i64>("telegram_chat");
    check::person(fields, name.as_deref());
    check::email(fields, "email", email.as_deref());
    Some(Person { id: id?, name: name?, language: language.unwrap_or_default(), email, telegram_chat })
}

pub(crate) fn notification(fields: &mut Fields<'_, '_>) -> Option<NotificationRoute> {
    let (id, min_level) = (fields.required("id"), fields.required::<Level>("min_level"));
    let (agencies, kinds) =
        (fields.optional::<Vec<AgencyId>>("agencies"), fields.optional::<Vec<StationKind>>("kinds"));
    let about = fields.optional("about");
    let (people, channels) =
        (fields.required::<Vec<PersonId>>("people"), fields.required::<Vec<ChannelId>>("channels"));
    let lists = [
        ("agencies", agencies.as_ref().map(Vec::len)),
        ("kinds", kinds.as_ref().map(Vec::len)),
        ("people", people.as_ref().map(Vec::len)),
        ("channels", channels.as_ref().map(Vec::len)),
    ];
    check::notification(fields, min_level, &lists);
    Some(NotificationRoute {
        id: id?,
        agencies: agencies.unwrap_or_default(),
        kinds: kinds.unwrap_or_default(),
        min_level: min_level?,
        about: about.unwrap_or_default(),
        people: people?,
        channels: channels?,
    })
}
