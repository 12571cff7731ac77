//! One attempt to hand a notification to its recipient: renders, sends, and tells the answer.

use std::sync::Arc;

use bakau_model::{Level, Secret, UtcMillis};
use bakau_registry::{Channel, MailSecurity, Person, Snapshot, is_loopback_host};
use bytes::Bytes;

use crate::{
    ChartSource, Secrets,
    db::DueNotification,
    delivery::{
        channel::{
            Answer,
            email::{self, Letter, MailServer},
            telegram::Bot,
            webhook,
        },
        link::{Grant, LinkKey, VALID_MS},
    },
    message::{
        chart,
        compose::{Circumstances, Links, Message, compose},
    },
};

/// What sending needs; shared by every attempt.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) client: reqwest::Client,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) public_url: Option<String>,
    pub(crate) link_key: LinkKey,
    pub(crate) charts: Option<Arc<dyn ChartSource>>,
}

impl Courier {
    /// Sends a notification over its channel as the registry describes channel and person now.
    pub(crate) async fn deliver(&self, notification: &DueNotification, snapshot: &Snapshot, now: UtcMillis) -> Answer {
        let Some(channel) = snapshot.channels.get(&notification.channel) else {
            let id = &notification.channel;
            return Answer::NotConfigured(format!("channel '{id}' is not registered: add it with `bakau apply`"));
        };
        let sent = match channel {
            Channel::Webhook { url, secret_env, .. } => self.webhook(notification, url, secret_env, now).await,
            Channel::Email { .. } => self.email(notification, channel, snapshot).await,
            Channel::Telegram { token_env, base_url, .. } => {
                self.telegram_text(notification, snapshot, token_env, base_url).await
            }
        };
        sent.unwrap_or_else(|answer| answer)
    }

    /// What follows a delivered text: Telegram's chart, which may be lost without harm.
    pub(crate) async fn follow_up(&self, notification: &DueNotification, snapshot: &Snapshot) {
        let Some(Channel::Telegram { token_env, base_url, .. }) = snapshot.channels.get(&notification.channel) else {
            return;
        };
        let Ok((person, chat)) = chat(notification, snapshot) else { return };
        let Some(token) = self.secrets.get(token_env) else { return };
        let Some(png) = self.chart(notification, person).await else { return };
        let bot = Bot { client: &self.client, base_url, token: &token, chat };
        let answer = bot.chart(png, self.message(notification, person).caption()).await;
        if !matches!(answer, Answer::Telegram { status: 200..=299, .. }) {
            let detail = answer.detail();
            tracing::warn!(channel = %notification.channel, detail, "a chart was not taken, its text was");
        }
    }

    async fn webhook(
        &self,
        notification: &DueNotification,
        url: &str,
        env: &str,
        now: UtcMillis,
    ) -> Result<Answer, Answer> {
        let secret = self.secret(env, "the signing secret")?;
        let body = webhook::render(notification, self.public_url.as_deref());
        let body =
            body.map_err(|error| Answer::Impossible(format!("the notification cannot be written as JSON: {error}")))?;
        let signature = webhook::sign(&secret, now, &body);
        Ok(webhook::send(&self.client, url, &signature, &notification.idempotency_key, body).await)
    }

    async fn email(
        &self,
        notification: &DueNotification,
        channel: &Channel,
        snapshot: &Snapshot,
    ) -> Result<Answer, Answer> {
        let Channel::Email { host, port, security, from, username, password_env, ca_file, .. } = channel else {
            return Err(Answer::Impossible("this channel sends no mail".to_owned()));
        };
        let person = person(notification, snapshot)?;
        let to = person.email.as_deref().ok_or_else(|| unreachable_by(person, "e-mail address"))?;
        let password = match (username, password_env) {
            (Some(_), Some(env)) => Some(self.secret(env, "the mail password")?),
            (Some(_), None) | (None, Some(_) | None) => None,
        };
        if *security == MailSecurity::None && !is_loopback_host(host) {
            return Err(Answer::NotConfigured(format!(
                "mail goes unprotected to this machine only, not to {host}: set security = \"starttls\" or \"tls\""
            )));
        }
        let message = self.message(notification, person);
        let chart = self.chart(notification, person).await;
        let mail = email::letter(Letter {
            from,
            to_name: &person.name,
            to,
            subject: &message.subject,
            text: message.text(),
            html: message.html(chart.is_some()),
            date: notification.created_at,
            key: &notification.idempotency_key,
            thread: &notification.facts.alert.to_string(),
            urgent: message.is_urgent(),
            chart,
        });
        let mail = mail.map_err(Answer::Impossible)?;
        let login = username.as_deref().zip(password.as_ref());
        let server = MailServer { host, port: *port, security: *security, from, ca_file: ca_file.as_deref(), login };
        Ok(email::send(&server, &mail).await)
    }

    async fn telegram_text(
        &self,
        notification: &DueNotification,
        snapshot: &Snapshot,
        token_env: &str,
        base_url: &str,
    ) -> Result<Answer, Answer> {
        let (person, chat) = chat(notification, snapshot)?;
        let token = self.secret(token_env, "the bot's token")?;
        let bot = Bot { client: &self.client, base_url, token: &token, chat };
        Ok(bot.text(&self.message(notification, person).telegram()).await)
    }

    fn secret(&self, env: &str, what: &str) -> Result<Secret, Answer> {
        let missing = || Answer::NotConfigured(format!("{what} {env} is not set: set it and restart Bakau"));
        self.secrets.get(env).ok_or_else(missing)
    }

    fn message(&self, notification: &DueNotification, person: &Person) -> Message {
        let links = self.links(notification, person);
        compose(
            &notification.facts,
            Circumstances {
                kind: notification.kind,
                person: &person.name,
                language: person.language,
                at: notification.created_at,
                acknowledged: notification.acknowledged.as_ref(),
                links: links.as_ref(),
            },
        )
    }

    fn links(&self, notification: &DueNotification, person: &Person) -> Option<Links> {
        let base = self.public_url.as_deref()?.trim_end_matches('/');
        let alert = notification.facts.alert;
        let expires_at = notification.created_at.saturating_add(VALID_MS);
        let token = || self.link_key.token(&Grant { alert, person: person.id.clone(), expires_at });
        let open = notification.facts.level != Level::Normal;
        Some(Links {
            alert: format!("{base}/alerts/{alert}?lang={}", person.language.tag()),
            acknowledge: open.then(|| format!("{base}/a/{}", token())),
        })
    }

    async fn chart(&self, notification: &DueNotification, person: &Person) -> Option<Bytes> {
        if !Message::wants_chart(&notification.facts, notification.kind) {
            return None;
        }
        let datastream = notification.facts.datastream()?;
        chart::bounded(self.charts.clone(), datastream, notification.created_at, person.language).await
    }
}

fn person<'a>(notification: &DueNotification, snapshot: &'a Snapshot) -> Result<&'a Person, Answer> {
    let Some(id) = &notification.person else {
        return Err(Answer::Impossible("this channel reaches people, and the notification is for nobody".to_owned()));
    };
    let gone = || Answer::Impossible(format!("'{id}' is no longer in the list of people"));
    snapshot.people.get(id).ok_or_else(gone)
}

fn chat<'a>(notification: &DueNotification, snapshot: &'a Snapshot) -> Result<(&'a Person, i64), Answer> {
    let person = person(notification, snapshot)?;
    let chat = person.telegram_chat.ok_or_else(|| unreachable_by(person, "Telegram chat"))?;
    Ok((person, chat))
}

fn unreachable_by(person: &Person, what: &str) -> Answer {
    Answer::Impossible(format!("'{}' has no {what} in the catalogue any more", person.id))
}
