//! A name that leads InfluxQL to another bucket.

use bakau_store::{
    Store, StoreErrorKind, StoreProblem,
    conformance::{batch, everything, observation},
    influx::{InfluxConfig, InfluxStore},
};

use super::{Files, names};

#[tokio::test]
async fn a_name_that_leads_to_another_bucket_is_told_in_words_and_nothing_is_read_from_there() {
    let files = Files::new().await;
    let early = files.store().await;
    let bucket = files.config().bucket;
    files.influxd.make_bucket("other").await;
    let stranger = "observation,parameter=do@150cm,station=s1 value=7,flag=1i,lag=0i,meta=1125899906842624i 0";
    files.influxd.intrude("other", stranger).await;
    early.write(&[batch(1, "a", &[observation(1, 1, Some(1.0))])], Vec::new()).await.unwrap();
    assert_eq!(early.observations(&everything(1)).await.unwrap().len(), 1);
    let (token, _) = files.influxd.make_token(&bucket).await;

    let mapping = files.influxd.map(&bucket, "other").await;
    let said = early.verify().await.unwrap_err().to_string();
    assert!(said.contains("InfluxQL finds another bucket or none by the name"), "{said}");
    drop(early);
    // A token for everything would be answered from the other bucket, one for ours with an error about the name.
    for config in [files.config(), InfluxConfig { token: bakau_model::Secret::new(token), ..files.config() }] {
        let store = InfluxStore::open(&files.journal(), config, names()).unwrap();
        let (asked, health) =
            (store.observations(&everything(1)).await.unwrap_err(), store.health().await.unwrap_err());
        for error in [asked, health] {
            assert_eq!((error.kind(), error.problem()), (StoreErrorKind::Refused, StoreProblem::Mapping), "{error}");
        }
    }
    let store = files.open();
    store.write(&[batch(2, "a", &[observation(1, 2, Some(2.0))])], Vec::new()).await.unwrap();
    files.influxd.unmap(&mapping).await;
    store.health().await.unwrap();
    assert_eq!(store.observations(&everything(1)).await.unwrap().len(), 2);
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
}
