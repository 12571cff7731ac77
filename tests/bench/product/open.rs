//! What an overview of 200 stations costs while it is open and all of them report every 10 seconds.

use anyhow::{Context, Result};
use bakau_tests::{browser, kill::Way, process::cpu_seconds};

use crate::{
    figures::Figure,
    rig::{self, Plan},
};

/// Each of 200 stations every 10 s.
const RATE: f64 = 20.0;

pub(crate) async fn run(quick: bool) -> Result<()> {
    let seconds = if quick { 60 } else { 300 };
    for tabs in [1, 8] {
        println!("\nOverview of 200 stations that report every 10 s, open for {seconds} s in Chromium, {tabs} tabs");
        let folder = tempfile::tempdir()?;
        let messages = RATE as u64 * (seconds + 30);
        let way = Way::Embedded;
        let plan = Plan { way, messages, connections: 1, window: 20, stations: 200, rate: Some(RATE), crossing: 0 };
        let mut rig = rig::prepare(&plan, folder.path()).await?;
        let watching = browser::bench("open.mjs", &[&seconds.to_string(), &tabs.to_string()], &rig.bakau)?;
        let before = cpu_seconds(rig.bakau.id()?)?;
        let sent = rig::send(&plan, &rig).await;
        let cpu = (cpu_seconds(rig.bakau.id()?)? - before) / (seconds + 30) as f64 * 100.0;
        let report = watching.report()?;
        sent?;
        let figure = |name: &str| report[name].as_f64().with_context(|| format!("no {name} in {report}"));
        Figure::new("received by the browser", "MB/h", Some("<= 3"), vec![figure("mb_per_hour")?]).print();
        Figure::new("requests", "/min", None, vec![figure("requests_per_minute")?]).print();
        let busy = figure("main_thread_percent")?;
        Figure::new("main thread of the page in front", "% core", Some("<= 3"), vec![busy]).print();
        Figure::new("Bakau, line and store included", "% core", None, vec![cpu]).print();
        Figure::new("slowest load of a tab", "ms", None, vec![figure("longest_load_ms")?]).print();
        rig.bakau.stop()?;
    }
    Ok(())
}
