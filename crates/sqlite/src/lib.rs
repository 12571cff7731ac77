//! How Bakau opens, migrates and uses its SQLite files.
//!
//! A [`Database`] is the definition of one kind of file: its mark, its migrations and its settings. Synchronous callers
//! use the connections that [`Database::open_writer`] and [`Database::open_reader`] give them; asynchronous callers put
//! the writing connection on a thread of its own ([`Writer`]) and read through a few others ([`Readers`]), which never
//! wait for it because every file has a write-ahead log.
//!
//! ```
//! use bakau_sqlite::{Database, Error, Readers, Writer};
//!
//! const NOTES: Database = Database {
//!     what: "a notebook",
//!     application_id: 0x426b_4e6f,
//!     migrations: &["CREATE TABLE note (text TEXT NOT NULL) STRICT;"],
//!     ..Database::DEFAULTS
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("notes.db");
//! let writer = Writer::start("notes-db", NOTES.open_writer(&path)?, None)?;
//! let readers = Readers::new(&NOTES, &path, 2);
//! writer
//!     .run(|connection| {
//!         connection.execute("INSERT INTO note (text) VALUES (?1)", ["air pasang"])?;
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     })
//!     .await
//!     .map_err(|error| error.to_string())?;
//! # readers.close().await;
//! # writer.close().await;
//! # Ok(())
//! # }
//! ```

mod database;
mod error;
mod readers;
mod writer;

#[cfg(test)]
mod tests;

pub use database::{Database, Synchronous};
pub use error::{Error, Failure};
pub use readers::Readers;
pub use writer::Writer;
