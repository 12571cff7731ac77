//! Quality control against flags that people set: a year-round estuary sonde with the reviewed flags of its operators.
//!
//! Recall is the share of rejected (`<-3>`) and of suspect (`<1>`) values that get *suspect* or *fail*; the price is the
//! share of good (`<0>`) values that get it too. The limits are those every station starts with; none was fitted to this
//! station. Its winters are colder than East Java ever is, so the figures are also given without the ranges that hold
//! for East Java only, which a station elsewhere replaces by its own.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use bakau_model::{Flag, QualityLimits, QualityTest, TestResults, UtcMillis};
use bakau_quality::evaluate;

/// Column of the file, parameter, and the factor to its canonical unit.
const COLUMNS: [(&str, &str, f64); 8] = [
    ("temp", "water_temperature", 1.0),
    ("spcond", "conductivity", 1_000.0),
    ("sal", "salinity", 1.0),
    ("do_pct", "do_saturation", 1.0),
    ("do_mgl", "do", 1.0),
    ("depth", "depth", 1.0),
    ("ph", "ph", 1.0),
    ("turb", "turbidity", 1.0),
];

/// What the operators said of values.
const VERDICTS: [(&str, &str); 3] = [("<-3>", "rejected"), ("<1>", "suspect"), ("<0>", "good")];

struct Column {
    values: Vec<(UtcMillis, Option<f64>)>,
    /// The operators' flag of each value, without their reason codes.
    said: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nerrs_apacpwq.csv.gz");
    if !file.exists() {
        println!("quality: left out, ../shared/data/nerrs_apacpwq.csv.gz is not beside the project");
        return Ok(());
    }
    let columns = read(&file)?;
    let parameters = bakau_registry::parameters();
    println!("share of values flagged suspect or fail, in percent (values with that verdict of the operators)");
    for local in [true, false] {
        let ranges = if local { "limits as shipped" } else { "without the suspect ranges of East Java" };
        println!("\n{ranges}\n  {:<18} {:>18} {:>18} {:>18}   of rejected, by test", "", "rejected", "suspect", "good");
        for (name, code, _) in COLUMNS {
            let (Some(column), Some(info)) = (columns.get(name), parameters.get(code)) else { continue };
            let mut limits = info.limits(60);
            if !local {
                limits.suspect = None;
            }
            println!("{}", line(code, column, &limits));
        }
    }
    Ok(())
}

fn line(code: &str, column: &Column, limits: &QualityLimits) -> String {
    let results = evaluate(limits, &column.values);
    let share = |verdict: &str, flagged: &dyn Fn(&TestResults) -> bool| {
        let of_verdict = |&n: &usize| column.said[n] == verdict && column.values[n].1.is_some();
        let all: Vec<usize> = (0..results.len()).filter(of_verdict).collect();
        let hit = all.iter().filter(|&&n| flagged(&results[n])).count();
        (100.0 * hit as f64 / all.len().max(1) as f64, all.len())
    };
    let bad = |flag: Flag| matches!(flag, Flag::Suspect | Flag::Fail);
    let mut text = format!("  {code:<18}");
    for (verdict, _) in VERDICTS {
        let (percent, count) = share(verdict, &|results| bad(results.aggregate()));
        text += &if count == 0 { format!(" {:>18}", "-") } else { format!(" {percent:>8.2} ({count:>7})") };
    }
    for test in QualityTest::ALL {
        let (percent, _) = share("<-3>", &|results| bad(results.get(test)));
        text += &format!("   {} {percent:.1}", test.key());
    }
    text
}

fn read(file: &Path) -> Result<BTreeMap<&'static str, Column>> {
    let reader = flate2::read::GzDecoder::new(std::fs::File::open(file)?);
    let mut rows = csv::Reader::from_reader(reader);
    let header = rows.headers()?.clone();
    let place =
        |name: &str| header.iter().position(|column| column == name).with_context(|| format!("no column {name}"));
    let mut columns = BTreeMap::new();
    let mut places = Vec::new();
    for (name, _, factor) in COLUMNS {
        columns.insert(name, Column { values: Vec::new(), said: Vec::new() });
        places.push((name, factor, place(name)?, place(&format!("f_{name}"))?));
    }
    let time = place("time")?;
    for row in rows.records() {
        let row = row?;
        let at = UtcMillis::parse(&row[time])?;
        for &(name, factor, value, flag) in &places {
            let Some(column) = columns.get_mut(name) else { continue };
            let value = row[value].parse::<f64>().ok().map(|value| value * factor);
            column.values.push((at, value));
            column.said.push(row[flag].split_inclusive('>').next().unwrap_or_default().to_owned());
        }
    }
    Ok(columns)
}
