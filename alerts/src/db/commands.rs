//! The command inbox: people's requests, kept until the engine has decided them.

use bakau_model::{Level, PersonId, Principal, RuleId, UtcMillis};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{
    Db, DbError,
    rows::{all, optional_person, text, value},
};
use crate::{AlertId, engine::Refusal};

/// What people can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub(crate) enum Command {
    Acknowledge {
        alert: AlertId,
        /// The level that was seen; requests from before acknowledgements had levels have none.
        #[serde(default)]
        seen: Option<Level>,
        note: Option<String>,
    },
    Mute {
        rule: RuleId,
        until: UtcMillis,
    },
}

/// A request in the inbox; the body is none where it cannot be read.
#[derive(Debug)]
pub(crate) struct StoredCommand {
    pub(crate) id: i64,
    pub(crate) by: String,
    pub(crate) person: Option<PersonId>,
    pub(crate) command: Option<Command>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused(Refusal),
    Unreadable,
}

impl Outcome {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused(refusal) => refusal.key(),
            Self::Unreadable => "unreadable",
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        let plain = [Self::Done, Self::Unreadable].into_iter().find(|outcome| outcome.key() == key);
        plain.or_else(|| Refusal::from_key(key).map(Self::Refused))
    }
}

/// Requests taken at once; people do not ask faster.
const COMMANDS_AT_ONCE: i64 = 100;

impl Db {
    /// Keeps a request; it will be decided even if Bakau is restarted first.
    pub(crate) async fn request(&self, command: &Command, by: &Principal, now: UtcMillis) -> Result<i64, DbError> {
        let body = serde_json::to_string(command).map_err(|_| DbError::Damaged("command"))?;
        let (by, person) = (by.name().to_owned(), by.person().map(PersonId::to_string));
        let keep = move |connection: &mut Connection| {
            let mut insert =
                connection.prepare_cached("INSERT INTO commands (body, by, person, created_at) VALUES (?, ?, ?, ?)")?;
            Ok(insert.insert(params![body, by, person, now.get()])?)
        };
        self.writer.run(keep).await
    }

    /// What became of a request; none while it waits.
    pub(crate) async fn outcome(&self, id: i64) -> Result<Option<Outcome>, DbError> {
        let ask = move |connection: &Connection| {
            let key: Option<String> = value(connection, "SELECT outcome FROM commands WHERE id = ?", [id])?;
            key.map(|key| Outcome::from_key(&key).ok_or(DbError::Damaged("outcome"))).transpose()
        };
        self.readers.run(ask).await
    }

    /// Requests not yet decided, oldest first.
    pub(crate) async fn requests(&self) -> Result<Vec<StoredCommand>, DbError> {
        let ask = |connection: &Connection| {
            let sql = "SELECT id, by, person, body FROM commands WHERE outcome IS NULL ORDER BY id LIMIT ?";
            all(connection, sql, [COMMANDS_AT_ONCE], |row| {
                let command = serde_json::from_str(text(row, "body")?).ok();
                let person = optional_person(row, "person")?;
                Ok(StoredCommand { id: row.get("id")?, by: row.get("by")?, person, command })
            })
        };
        self.readers.run(ask).await
    }
}
