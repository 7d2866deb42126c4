//! Figures beside their floor, their aim and their peer: as JSON, and as a table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

use crate::args::Options;
use crate::cores::Cores;
use crate::machine;
use crate::machine::Machine;
use crate::stats::Stats;
use crate::stats::rounded;

/// Version of the format.
const VERSION: u32 = 1;

/// The results of one run of one benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) version: u32,
    pub(crate) bench: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) measured_at: OffsetDateTime,
    pub(crate) commit: String,
    pub(crate) seed: u64,
    /// Few samples: the figures mean nothing.
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) versions: BTreeMap<String, String>,
    /// How it was measured: what a reader must know to repeat it.
    pub(crate) method: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aim: Option<f64>,
    /// What `value` is of.
    pub(crate) of: Stats,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<Peer>,
    /// Where it comes from, such as CPU time by process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) details: BTreeMap<String, f64>,
}

/// The same figure of somebody else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) of: Stats,
}

impl Run {
    /// A run that begins now.
    pub(crate) fn begin(
        bench: &str,
        options: &Options,
        cores: Cores,
        scratch: &Path,
    ) -> anyhow::Result<Self> {
        let mut versions = machine::versions(&options.aipress);
        if let Some(aipress) = versions.get("aipress").cloned() {
            eprintln!("==> {bench}: {aipress}");
        }
        versions.insert("bench".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Ok(Self {
            version: VERSION,
            bench: bench.to_owned(),
            measured_at: OffsetDateTime::now_utc().replace_nanosecond(0)?,
            commit: machine::commit(),
            seed: options.seed,
            quick: options.quick,
            machine: Machine::look(scratch)?,
            versions,
            method: vec![cores.words()],
            rows: Vec::new(),
        })
    }

    /// Says how something was measured.
    pub(crate) fn method(&mut self, words: impl Into<String>) {
        self.method.push(words.into());
    }

    /// Writes `<bench>.json`.
    ///
    /// # Errors
    /// From the file system.
    pub(crate) fn save(&self, dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        let path = dir.join(format!("{}.json", self.bench));
        let mut text = serde_json::to_string(self)?;
        text.push('\n');
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        println!("  (all of it: {})\n", path.display());
        Ok(())
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!(
            "\n{}: commit {}, seed {}, load before {:.2}{}",
            self.bench,
            self.commit,
            self.seed,
            self.machine.load_before,
            if self.quick { ", QUICK: the figures mean nothing" } else { "" }
        );
        let head = ["figure", "value", "unit", "floor", "aim", "", "median", "min", "max", "n"];
        let mut table: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
        for row in &self.rows {
            table.push(row.cells());
            if let Some(peer) = &row.peer {
                let mut cells = vec![format!("  beside: {}", peer.name), figure(peer.value)];
                cells.extend([row.unit.as_str(), "", "", ""].map(str::to_owned));
                cells.extend(summary(&peer.of));
                table.push(cells);
            }
            for (name, value) in &row.details {
                table.push(vec![format!("    {name}"), figure(*value)]);
            }
        }
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = table.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
            })
            .collect();
        for row in table {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            println!("  {}", line.trim_end());
        }
    }
}

impl Row {
    /// A figure of `stats`, its median unless said otherwise.
    pub(crate) fn new(id: &str, title: &str, unit: &str, better: Better, of: Stats) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            unit: unit.to_owned(),
            better,
            value: of.median,
            floor: None,
            aim: None,
            of,
            peer: None,
            details: BTreeMap::new(),
        }
    }

    /// Takes another value of the same samples, such as a quantile.
    pub(crate) fn value(mut self, value: f64) -> Self {
        self.value = rounded(value);
        self
    }

    /// What must and what should be reached.
    pub(crate) fn bounds(mut self, floor: f64, aim: Option<f64>) -> Self {
        self.floor = Some(floor);
        self.aim = aim;
        self
    }

    /// The peer's figure.
    pub(crate) fn beside(mut self, name: &str, value: f64, of: Stats) -> Self {
        self.peer = Some(Peer { name: name.to_owned(), value: rounded(value), of });
        self
    }

    /// Where it comes from.
    pub(crate) fn detail(mut self, name: impl Into<String>, value: f64) -> Self {
        self.details.insert(name.into(), rounded(value));
        self
    }

    /// How it stands, in a word.
    pub(crate) fn verdict(&self) -> &'static str {
        let reached = |bound: f64| match self.better {
            Better::Lower => self.value <= bound,
            Better::Higher => self.value >= bound,
        };
        match (self.floor.map(reached), self.aim.map(reached)) {
            (Some(false), _) => "below floor",
            (_, Some(true)) => "aim reached",
            (Some(true), _) => "floor reached",
            (None, _) => "",
        }
    }

    fn cells(&self) -> Vec<String> {
        let bound = |bound: Option<f64>| bound.map(figure).unwrap_or_default();
        let mut cells = vec![
            self.title.clone(),
            figure(self.value),
            self.unit.clone(),
            bound(self.floor),
            bound(self.aim),
            self.verdict().to_owned(),
        ];
        cells.extend(summary(&self.of));
        cells
    }
}

fn summary(of: &Stats) -> [String; 4] {
    [figure(of.median), figure(of.min), figure(of.max), of.samples.to_string()]
}

/// A figure for people: about three digits.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_by_direction() {
        let row = |better, value| {
            let of = Stats::of(&[value]);
            Row::new("a", "a", "ms", better, of).bounds(10.0, Some(5.0)).verdict()
        };
        assert_eq!(row(Better::Lower, 11.0), "below floor");
        assert_eq!(row(Better::Lower, 9.0), "floor reached");
        assert_eq!(row(Better::Lower, 4.0), "aim reached");
        let ratio = |value| {
            let row = Row::new("a", "a", "×", Better::Higher, Stats::of(&[value]));
            row.bounds(0.97, Some(1.15)).verdict()
        };
        assert_eq!((ratio(0.96), ratio(1.0)), ("below floor", "floor reached"));
    }

    #[test]
    fn figures_are_short() {
        let figures = [0.0, 0.0123, 0.97, 12.34, 1234.5].map(figure);
        assert_eq!(figures, ["0", "0.012", "0.97", "12.3", "1234"]);
    }
}
