//! Pages as browsers, mail scanners and strangers ask for them.

use std::fmt::Write as _;

use anyhow::Result;
use bakau_tests::{bakau::Bakau, kill::Way};

/// Stations where a map is hardest to lay out, in cities whose names are as long as people make them.
fn long_names() -> String {
    let mut text = String::new();
    let places = [(-7.9, 112.6), (-7.9, 112.6), (90.0, 0.0), (-90.0, 180.0), (0.0, -180.0)];
    for (index, (latitude, longitude)) in places.into_iter().enumerate() {
        let city = "Kabupaten Administrasi Kepulauan Mangrove Lestari Timur".repeat(index.min(3) + 1);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[city]]\nid = \"kota-{index}\"\nname = \"{city}\"\ncode = \"35.{index:02}\"\n\
             [[agency]]\nid = \"dinas-{index}\"\nname = \"Dinas {index}\"\ncity = \"kota-{index}\"\n\
             [[station]]\nid = \"stasiun-{index}\"\nname = \"{city}\"\nagency = \"dinas-{index}\"\nkind = \"water\"\n\
             latitude = {latitude:?}\nlongitude = {longitude:?}\n"
        );
    }
    text
}

async fn page(bakau: &Bakau, path: &str) -> Result<(u16, String)> {
    let response = reqwest::get(bakau.url(path)?).await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_with_a_name_of_55_letters_and_more_is_on_the_map() -> Result<()> {
    assert_eq!("Kabupaten Administrasi Kepulauan Mangrove Lestari Timur".len(), 55);
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("kota.toml", long_names())])?;
    bakau.start().await?;
    let mut paths = vec!["/".to_owned(), "/?lang=en".to_owned()];
    for index in 0..5 {
        paths.push(format!("/?city=kota-{index}"));
        paths.push(format!("/stations/stasiun-{index}"));
    }
    for path in paths {
        let (status, text) = page(&bakau, &path).await?;
        assert_eq!(status, 200, "{path}");
        assert!(text.contains("Kabupaten Administrasi"), "{path}");
    }
    bakau.stop()
}
