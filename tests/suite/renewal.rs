//! An open page is the reloaded page, in a real Chromium and with the clock of the real process in the test's hand.

use std::time::Duration;

use anyhow::Result;
use bakau_tests::renewal::{Plan, run};

#[tokio::test(flavor = "multi_thread")]
async fn after_any_sequence_of_events_an_open_page_is_what_a_fresh_load_shows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = Plan {
        sequences: 30,
        seed: 1,
        stalls: vec![Duration::from_millis(500)],
        // How soon is measured by `cargo xtask drill pages`; here it is that it comes to that.
        within: Duration::from_secs(60),
    };
    let report = run(&plan, folder.path()).await?;
    assert_eq!(report.pages, 90);
    Ok(())
}
