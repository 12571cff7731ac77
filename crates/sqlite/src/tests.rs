//! Writer and readers on one file.

use std::{sync::mpsc, time::Duration};

use rusqlite::Connection;

use crate::{Database, Error, Failure, Readers, Writer};

const NOTES: Database = Database {
    what: "a notebook",
    application_id: 77,
    migrations: &["CREATE TABLE note (text TEXT NOT NULL UNIQUE) STRICT;"],
    ..Database::DEFAULTS
};

/// What goes wrong in a question of a caller.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Opening(#[from] Error),
    #[error(transparent)]
    Asking(#[from] rusqlite::Error),
}

fn open(folder: &tempfile::TempDir, idle_checkpoint: Option<Duration>) -> (Writer, Readers) {
    let path = folder.path().join("notes.db");
    let writer = Writer::start("notes-db", NOTES.open_writer(&path).unwrap(), idle_checkpoint).unwrap();
    (writer, Readers::new(&NOTES, &path, 2))
}

fn put(connection: &Connection, text: &str) -> Result<usize, Failed> {
    Ok(connection.execute("INSERT INTO note (text) VALUES (?1)", [text])?)
}

fn count(connection: &Connection) -> Result<i64, Failed> {
    Ok(connection.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?)
}

#[tokio::test]
async fn readers_answer_while_the_writer_is_in_the_middle_of_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, readers) = open(&folder, None);
    let (go_on, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let writing = tokio::spawn({
        let writer = writer.clone();
        async move {
            let work = move |connection: &mut Connection| {
                let transaction = connection.transaction()?;
                put(&transaction, "one")?;
                let _ = begun.send(());
                wait.recv().unwrap();
                Ok::<_, Failed>(transaction.commit()?)
            };
            writer.run(work).await
        }
    });
    has_begun.await.unwrap();
    assert_eq!(readers.run(count).await.unwrap(), 0);
    go_on.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(readers.run(count).await.unwrap(), 1);
}

#[tokio::test]
async fn work_whose_caller_has_gone_away_is_done_all_the_same_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) = open(&folder, None);
    let (go_on, wait) = mpsc::channel::<()>();
    let abandoned = writer.run(move |connection| {
        wait.recv().unwrap();
        put(connection, "one")
    });
    let mut abandoned = Box::pin(abandoned);
    // Polled once, so that the job is with the thread.
    assert!(futures_now(&mut abandoned).await.is_none());
    drop(abandoned);
    go_on.send(()).unwrap();
    assert_eq!(writer.run(|connection| count(connection)).await.unwrap(), 1);
}

/// The answer, if there is one at once.
async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        answer = future => Some(answer),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_failed_transaction_leaves_the_writer_usable() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, readers) = open(&folder, None);
    let twice = |connection: &mut Connection| {
        let transaction = connection.transaction()?;
        put(&transaction, "one")?;
        put(&transaction, "one")?;
        Ok::<_, Failed>(transaction.commit()?)
    };
    assert!(matches!(writer.run(twice).await, Err(Failed::Asking(_))));
    writer.run(|connection| put(connection, "two")).await.unwrap();
    assert_eq!(readers.run(count).await.unwrap(), 1);
}

#[tokio::test]
async fn after_a_full_disk_the_same_connection_writes_again() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, readers) = open(&folder, None);
    let set_pages = async |pages: u32| {
        let limit = move |connection: &mut Connection| {
            Ok::<_, Failed>(connection.pragma_update(None, "max_page_count", pages)?)
        };
        writer.run(limit).await.unwrap();
    };
    let large = |connection: &mut Connection| {
        let transaction = connection.transaction()?;
        put(&transaction, "small")?;
        put(&transaction, &"x".repeat(100_000))?;
        Ok::<_, Failed>(transaction.commit()?)
    };
    set_pages(8).await;
    let refused = writer.run(large).await.unwrap_err();
    assert!(matches!(&refused, Failed::Asking(error) if Failure::of(error) == Failure::Full), "{refused}");
    assert_eq!(readers.run(count).await.unwrap(), 0);
    set_pages(1_000).await;
    writer.run(large).await.unwrap();
    assert_eq!(readers.run(count).await.unwrap(), 2);
}

#[tokio::test]
async fn closing_waits_for_what_was_asked_and_refuses_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, readers) = open(&folder, None);
    let log = folder.path().join("notes.db-wal");
    assert_eq!(readers.run(count).await.unwrap(), 0);
    writer.run(|connection| put(connection, "one")).await.unwrap();
    assert!(log.exists());
    readers.close().await;
    writer.close().await;
    assert!(!log.exists(), "the last connection takes the log with it");
    assert!(matches!(writer.run(|connection| count(connection)).await, Err(Failed::Opening(Error::Closed))));
    assert!(matches!(readers.run(count).await, Err(Failed::Opening(Error::Closed))));
    writer.close().await;
    readers.close().await;
    assert_eq!(count(&NOTES.open_reader(&folder.path().join("notes.db")).unwrap()).unwrap(), 1);
}

#[tokio::test]
async fn a_quiet_writer_moves_its_log_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) = open(&folder, Some(Duration::from_millis(1)));
    let file = folder.path().join("notes.db");
    let bytes = || std::fs::metadata(&file).unwrap().len();
    let before = bytes();
    writer.run(|connection| put(connection, &"x".repeat(100_000))).await.unwrap();
    let moved = async {
        while bytes() <= before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), moved).await.unwrap();
}
