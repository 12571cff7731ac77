//! The bot API of Telegram: the text first, the chart after it in a message of its own.
//!
//! The bot's token is part of every address, so no address and no text of the HTTP client reaches a log or the
//! delivery log unchecked.

use std::time::Duration;

use bakau_model::Secret;
use bytes::Bytes;
use reqwest::{
    Client,
    multipart::{Form, Part},
};
use serde::Deserialize;

use super::{Answer, webhook};

/// For the text; the client's own bound is longer.
const TEXT_TIMEOUT: Duration = Duration::from_secs(15);
/// For the chart, which is larger and less urgent.
const CHART_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers are a few hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Longest text of one message, in characters after entities are resolved.
pub(crate) const MAX_TEXT_CHARS: usize = 4_096;

/// Which bot, to which chat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bot<'a> {
    pub(crate) client: &'a Client,
    pub(crate) base_url: &'a str,
    pub(crate) token: &'a Secret,
    pub(crate) chat: i64,
}

/// What the bot API answers.
#[derive(Debug, Default, Deserialize)]
struct Reply {
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    retry_after: Option<u32>,
    migrate_to_chat_id: Option<i64>,
}

impl Bot<'_> {
    /// Sends a text in Telegram's HTML.
    pub(crate) async fn text(&self, html: &str) -> Answer {
        let body = serde_json::json!({
            "chat_id": self.chat,
            "text": html,
            "parse_mode": "HTML",
            // A preview of the acknowledge link would show a page nobody needs and hide the next message.
            "link_preview_options": { "is_disabled": true },
        });
        self.call(self.client.post(self.url("sendMessage")).json(&body).timeout(TEXT_TIMEOUT)).await
    }

    /// Sends a chart with a line of plain text.
    pub(crate) async fn chart(&self, png: Bytes, caption: String) -> Answer {
        let picture = Part::stream(png).file_name("bagan.png").mime_str("image/png");
        let Ok(picture) = picture else { return Answer::Impossible("a chart cannot be attached".to_owned()) };
        let form = Form::new().text("chat_id", self.chat.to_string()).text("caption", caption).part("photo", picture);
        self.call(self.client.post(self.url("sendPhoto")).multipart(form).timeout(CHART_TIMEOUT)).await
    }

    fn url(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.base_url.trim_end_matches('/'), self.token.expose())
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Answer {
        match webhook::sent(request, |text| self.safe(text)).await {
            Ok(mut response) => {
                let body = webhook::beginning(&mut response, MAX_ANSWER_BYTES).await;
                self.read(response.status().as_u16(), &body)
            }
            Err(answer) => answer,
        }
    }

    /// An answer of the bot API; anything else (a proxy's page) counts by its status alone.
    fn read(&self, status: u16, body: &[u8]) -> Answer {
        let reply: Reply = serde_json::from_slice(body).unwrap_or_default();
        let mut description = self.safe(&reply.description);
        if let Some(chat) = reply.parameters.migrate_to_chat_id {
            let hint = "the group has become another chat: write telegram_chat =";
            description = format!("{description}; {hint} {chat} in the catalogue and apply it");
        }
        Answer::Telegram {
            status,
            retry_after_s: reply.parameters.retry_after,
            migrated: reply.parameters.migrate_to_chat_id.is_some(),
            description,
        }
    }

    /// A text without the token, whoever wrote it.
    fn safe(&self, text: &str) -> String {
        let text = text.replace(self.token.expose(), "***");
        text.chars().filter(|c| !c.is_control()).take(300).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Answer {
        let (client, token) = (super::super::webhook::client().unwrap(), Secret::new("123:rahasia"));
        let bot = Bot { client: &client, base_url: "http://127.0.0.1:1", token: &token, chat: -5 };
        bot.read(status, body.as_bytes())
    }

    #[test]
    fn a_moved_group_is_told_with_its_new_number() {
        let body = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded",
                       "parameters":{"migrate_to_chat_id":-1001234}}"#;
        let Answer::Telegram { description, migrated: true, .. } = read(400, body) else { panic!() };
        assert!(description.contains("telegram_chat = -1001234"), "{description}");
    }

    #[test]
    fn the_token_never_leaves_in_a_text_whoever_wrote_it() {
        let echo = r#"{"description":"no such path /bot123:rahasia/sendMessage"}"#;
        let Answer::Telegram { description, .. } = read(404, echo) else { panic!() };
        assert_eq!(description, "no such path /bot***/sendMessage");
    }

    #[test]
    fn a_page_of_a_proxy_counts_by_its_status() {
        let answer = read(502, "<html>Bad gateway</html>");
        assert_eq!(
            answer,
            Answer::Telegram { status: 502, retry_after_s: None, migrated: false, description: String::new() }
        );
    }

    #[tokio::test]
    async fn a_bot_that_cannot_be_reached_is_told_without_its_token() {
        let (client, token) = (super::super::webhook::client().unwrap(), Secret::new("123:rahasia"));
        let bot = Bot { client: &client, base_url: "http://127.0.0.1:9", token: &token, chat: 5 };
        let Answer::None(text) = bot.text("x").await else { panic!() };
        assert!(!text.contains("rahasia") && text.starts_with("no connection"), "{text}");
    }
}
