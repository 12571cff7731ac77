use std::sync::atomic::Ordering;

use bakau_model::{DatastreamId, UtcMillis};
use bakau_store::{RangeQuery, StoreCounts, StoreErrorKind};

use super::{
    testing::{Door, unwatched},
    *,
};
use crate::testing::{House, nothing_registered, observation};

async fn reached(spool: &SpoolReader, seq: Seq) {
    let waiting = async {
        while spool.cursor(Consumer::Store) < seq {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the store was not reached in 20 s");
}

async fn stored(store: &dyn Store) -> usize {
    let (from, to) = (UtcMillis::new(0), UtcMillis::new(i64::MAX));
    let query =
        RangeQuery { datastream: DatastreamId::new(1), from, to, after: None, limit: 10_000, newest_first: false };
    store.observations(&query).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_spooled_reaches_the_store_in_few_writes() {
    let mut house = House::new();
    let door = Door::new(&house.store, false);
    let stop = CancellationToken::new();
    let running = tokio::spawn(run_writer(
        Arc::clone(&door) as Arc<dyn Store>,
        house.reader.clone(),
        nothing_registered(),
        unwatched(),
        stop.clone(),
    ));
    for at in 0..500 {
        house.spool(&[observation(1, at, at, 1.0)]);
    }
    reached(&house.reader, Seq::new(500)).await;
    assert_eq!(stored(&*house.store).await, 500);
    let writes = door.writes.load(Ordering::SeqCst);
    assert!(writes < 100, "{writes} writes for 500 batches");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_store_is_away() {
    let mut house = House::new();
    let door = Door::new(&house.store, true);
    let stop = CancellationToken::new();
    house.spool(&[observation(1, 1, 1, 1.0)]);
    let (board, clock) = unwatched();
    let running = tokio::spawn(run_writer(
        Arc::clone(&door) as Arc<dyn Store>,
        house.reader.clone(),
        nothing_registered(),
        (board.clone(), clock),
        stop.clone(),
    ));
    while door.refused.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let status = board.status();
    let problem = status.present_failure().map(|failure| failure.problem);
    assert_eq!((status.last_write, problem), (None, Some(StoreErrorKind::Unavailable.into())));
    house.spool(&[observation(1, 2, 2, 2.0)]);
    assert_eq!(house.reader.cursor(Consumer::Store), Seq::START);
    door.shut.store(false, Ordering::SeqCst);
    reached(&house.reader, Seq::new(2)).await;
    assert_eq!(stored(&*house.store).await, 2);
    stop.cancel();
    running.await.unwrap();
    assert!(board.status().last_write.is_some() && !board.status().failing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_run_goes_on_where_the_store_is() {
    let mut house = House::new();
    house.spool(&[observation(1, 1, 1, 1.0)]);
    house.store.write(&house.reader.read_after(Seq::START, 10).unwrap(), Vec::new()).await.unwrap();
    house.spool(&[observation(1, 2, 2, 2.0)]);
    let stop = CancellationToken::new();
    let running = tokio::spawn(run_writer(
        Arc::clone(&house.store),
        house.reader.clone(),
        nothing_registered(),
        unwatched(),
        stop.clone(),
    ));
    reached(&house.reader, Seq::new(2)).await;
    assert_eq!(stored(&*house.store).await, 2);
    let counts: u64 = house
        .store
        .ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX))
        .await
        .unwrap()
        .values()
        .map(StoreCounts::total)
        .sum();
    assert_eq!(counts, 2, "a batch was written twice");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_writes_what_is_in_the_spool() {
    let mut house = House::new();
    let stop = CancellationToken::new();
    for at in 0..20 {
        house.spool(&[observation(1, at, at, 1.0)]);
    }
    stop.cancel();
    run_writer(Arc::clone(&house.store), house.reader.clone(), nothing_registered(), unwatched(), stop).await;
    assert_eq!(stored(&*house.store).await, 20);
}

#[test]
fn a_store_under_steady_load_is_as_late_as_the_oldest_batch_it_lacks() {
    let (start, mut waiting) = (Instant::now(), Waiting::default());
    let second = |n: u64| start + Duration::from_secs(n);
    let mut behind = |newest, cursor, at| waiting.behind(Seq::new(newest), Seq::new(cursor), second(at)).as_secs();
    assert_eq!(behind(0, 0, 0), 0);
    assert_eq!(behind(10, 0, 1), 0);
    assert_eq!(behind(20, 0, 3), 2, "the first ten wait since the first second");
    assert_eq!(behind(30, 10, 4), 1, "the next ten wait since the third");
    assert_eq!(behind(30, 30, 5), 0);
    assert_eq!(behind(40, 30, 9), 0);
}
