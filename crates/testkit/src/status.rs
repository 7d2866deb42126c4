//! A platform's units, as `aipress status -o json` shows them.

use serde_json::Value;

/// One supervised process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Such as `aipress-shard-001-mariadb`.
    pub name: String,
    /// Its process, when it runs.
    pub pid: Option<i32>,
    /// Whether it is up.
    pub ready: bool,
    /// How often it came back.
    pub restarts: u64,
}

/// The units of a status.
pub(crate) fn units(status: &Value) -> Vec<Unit> {
    status["units"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|unit| Unit {
            name: unit["name"].as_str().unwrap_or_default().to_owned(),
            pid: unit["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()),
            ready: unit["state"] == "ready",
            restarts: unit["restarts"].as_u64().unwrap_or_default(),
        })
        .collect()
}
