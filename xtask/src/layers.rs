//! The direction of dependencies: a crate uses crates of lower layers only.
//!
//! The planes of layer 4 meet over HTTP, never by a dependency, not even in
//! tests. Tests of any crate may use `aipress-testkit`.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::tree::{cargo, output};

/// Crates from the bottom (0) to the top. A new crate is added here.
const LAYERS: &[&[&str]] = &[
    &["types"],
    &["age", "api", "archive", "cores", "flow", "kit", "packages", "supervise"],
    &["drivers", "logs", "mirror", "runtime", "store"],
    &["audit", "feed"],
    &["edge", "meta", "shard"],
    &["aipress", "bench", "testkit"],
];

/// Dependencies within a layer that are wanted: the typed client in `api` is
/// built on the HTTP client of `kit`.
const WITHIN: &[(&str, &str)] = &[("api", "kit")];

/// What is wrong with the dependencies of the workspace's crates.
pub(crate) fn check() -> Result<Vec<String>> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).context("read cargo metadata")?;
    let mut findings = Vec::new();
    for package in list(&metadata, "packages") {
        let Some(from) = short(&package["name"]) else { continue };
        if layer(from).is_none() {
            findings.push(format!("crates/{from}: add it to a layer in xtask/src/layers.rs"));
        }
        for dependency in list(package, "dependencies") {
            let is_test = dependency["kind"] == "dev";
            if let Some(to) = short(&dependency["name"])
                && let Some(reason) = refusal(from, to, is_test)
            {
                findings
                    .push(format!("crates/{from}/Cargo.toml: must not depend on {to}: {reason}"));
            }
        }
    }
    Ok(findings)
}

/// Why crate `from` must not depend on `to`; `None` when it may.
fn refusal(from: &str, to: &str, is_test: bool) -> Option<&'static str> {
    // A crate's tests may switch on a feature of their own crate.
    if is_test && (to == "testkit" || to == from) {
        return None;
    }
    let (Some(above), Some(below)) = (layer(from), layer(to)) else {
        return Some("it is in no layer");
    };
    if below < above || WITHIN.contains(&(from, to)) {
        return None;
    }
    Some(match (above, below) {
        (4, 4) => "planes meet over HTTP",
        (above, below) if above == below => "it is in the same layer",
        _ => "it is in a higher layer",
    })
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// The name of one of our crates without the prefix; `None` for others.
fn short(name: &Value) -> Option<&str> {
    let name = name.as_str()?;
    if name == "aipress" { Some(name) } else { name.strip_prefix("aipress-") }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_downwards() {
        assert_eq!(refusal("meta", "store", false), None);
        assert_eq!(refusal("api", "kit", false), None);
        assert!(refusal("kit", "api", false).is_some());
        assert!(refusal("store", "meta", false).is_some());
        assert!(refusal("meta", "shard", false).is_some());
        assert!(refusal("meta", "shard", true).is_some(), "not even in tests");
        assert_eq!(refusal("meta", "testkit", true), None);
        assert!(refusal("meta", "testkit", false).is_some());
        assert!(refusal("meta", "unknown", false).is_some());
    }
}
