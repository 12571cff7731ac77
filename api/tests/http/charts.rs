//! Charts as pictures.

use axum::http::{StatusCode, header};

use crate::rig::Rig;

#[tokio::test]
async fn a_chart_is_drawn_as_svg_and_as_png() {
    let mut rig = Rig::start().await;
    let values: Vec<Option<f64>> = (0..3_000).map(|n| Some(5.0 + (f64::from(n) / 100.0).sin())).collect();
    rig.feed_series("prb-bjbr-01/do", &values).await;
    let svg = rig.get("/charts/prb-bjbr-01/do.svg?range=7d&lang=en").await;
    assert_eq!(svg.status, StatusCode::OK, "{}", svg.text());
    assert_eq!(svg.header(header::CONTENT_TYPE), "image/svg+xml");
    assert!(svg.text().contains("BeeJay Mangrove"), "the title names the station");
    assert!(svg.header(header::CACHE_CONTROL).contains("max-age"));
    let png = rig.get("/charts/prb-bjbr-01/do.png?width=960&height=480").await;
    assert_eq!(png.header(header::CONTENT_TYPE), "image/png");
    assert_eq!(&png.body[1..4], b"PNG");
    let qualified = rig.get("/charts/prb-bjbr-01/do@150cm.svg").await;
    assert_eq!(qualified.status, StatusCode::OK, "a datastream without observations has an empty chart");
}

#[tokio::test]
async fn the_same_chart_is_the_same_bytes() {
    let mut rig = Rig::start().await;
    rig.feed_series("prb-bjbr-01/do", &[Some(5.0), None, Some(6.0)]).await;
    let first = rig.get("/charts/prb-bjbr-01/do.svg").await;
    let second = rig.get("/charts/prb-bjbr-01/do.svg").await;
    assert_eq!(first.body, second.body);
    assert_ne!(rig.get("/charts/prb-bjbr-01/do.svg?lang=en").await.header(header::ETAG), first.header(header::ETAG));
}

#[tokio::test]
async fn every_chart_and_asset_a_page_names_exists() {
    let mut rig = Rig::start().await;
    rig.feed_series("prb-bjbr-01/do", &[Some(3.5)]).await;
    let alert = rig.alerts.active()[0].id;
    for page in ["/", "/alerts", "/alerts?all=true", "/status", "/stations/prb-bjbr-01", &format!("/alerts/{alert}")] {
        let html = rig.get(page).await;
        assert_eq!(html.status, StatusCode::OK, "{page}");
        let text = html.text().replace("&amp;", "&").replace("&#38;", "&");
        let links = ["src=\"", "href=\"", "srcset=\""].into_iter().flat_map(|attribute| text.split(attribute).skip(1));
        let links = links.filter_map(|rest| rest.split('"').next()).filter(|link| link.starts_with('/'));
        for link in links {
            let answer = rig.get(link).await;
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "{page} links to {link}: {}",
                String::from_utf8_lossy(&answer.body)
            );
        }
    }
}
