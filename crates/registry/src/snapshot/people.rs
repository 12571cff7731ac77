//! Who is notified of which alerts, and by which channels.

use bakau_model::{AgencyId, ChannelId, Language, Level, NotificationRouteId, PersonId, StationKind};
use serde::{Deserialize, Serialize};

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// STARTTLS, required; usually port 587.
    Starttls,
    /// TLS from the first byte; usually port 465.
    Tls,
    /// Nothing: only for a server on this machine.
    None,
}

/// A way to reach people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Channel {
    /// A signed HTTP POST.
    Webhook {
        /// Text id.
        id: ChannelId,
        /// Where to post.
        url: String,
        /// Name of the environment variable with the signing secret; the secret itself is in no file.
        secret_env: String,
    },
    /// Mail by SMTP.
    Email {
        /// Text id.
        id: ChannelId,
        /// The mail server.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        security: MailSecurity,
        /// The sender's address.
        from: String,
        /// User name at the mail server, where it wants one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        /// Name of the environment variable with the password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_env: Option<String>,
        /// File with further trusted certificates (PEM), for a mail server with a certificate of one's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_file: Option<String>,
    },
    /// A Telegram bot.
    Telegram {
        /// Text id.
        id: ChannelId,
        /// Name of the environment variable with the bot's token.
        token_env: String,
        /// Where the bot API is.
        #[serde(default = "telegram_url")]
        base_url: String,
    },
}

pub(crate) fn telegram_url() -> String {
    "https://api.telegram.org".to_owned()
}

impl Channel {
    /// The text id.
    #[must_use]
    pub const fn id(&self) -> &ChannelId {
        match self {
            Self::Webhook { id, .. } | Self::Email { id, .. } | Self::Telegram { id, .. } => id,
        }
    }

    /// Whether it can reach a person; webhooks reach programs.
    #[must_use]
    pub const fn reaches(&self, person: &Person) -> bool {
        match self {
            Self::Webhook { .. } => false,
            Self::Email { .. } => person.email.is_some(),
            Self::Telegram { .. } => person.telegram_chat.is_some(),
        }
    }
}

/// A receiver of notifications: a person, or a group chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Text id.
    pub id: PersonId,
    /// Name shown to people.
    pub name: String,
    /// The language of messages to them.
    #[serde(default)]
    pub language: Language,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telegram chat; negative for groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telegram_chat: Option<i64>,
}

/// What kind of alerts a notification route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Values beyond thresholds.
    Environment,
    /// Stations without data, sources and stores that are down.
    Technical,
    /// Both.
    #[default]
    Both,
}

/// Which alerts go to which people by which channels: an entry `[[notification]]` of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationRoute {
    /// Text id.
    pub id: NotificationRouteId,
    /// Only alerts at stations of these agencies; of all where empty.
    #[serde(default)]
    pub agencies: Vec<AgencyId>,
    /// Only alerts at stations of these kinds; of all where empty.
    #[serde(default)]
    pub kinds: Vec<StationKind>,
    /// Only alerts that reached this level.
    pub min_level: Level,
    /// What kind of alerts.
    #[serde(default)]
    pub about: About,
    /// Who is notified.
    pub people: Vec<PersonId>,
    /// By which channels; each person by those they have an address for.
    pub channels: Vec<ChannelId>,
}
