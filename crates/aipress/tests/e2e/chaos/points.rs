//! The points at which roles can be killed, as the code has them: one that is new is met, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Crates with points; a step of a shard has one on each side.
const CRATES: [&str; 3] = ["meta", "shard", "drivers"];

/// All of them, in an order that is the same in each run.
pub(super) fn all() -> Vec<String> {
    let mut points = BTreeSet::new();
    for name in CRATES {
        let mut folders =
            vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{name}/src"))];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() && !path.ends_with("tests") {
                    folders.push(path);
                } else if is_code(&path) {
                    points.extend(of(&fs::read_to_string(&path).unwrap(), name == "shard"));
                }
            }
        }
    }
    points.into_iter().collect()
}

fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs")
}

/// The points in a file, and the steps where it may have some.
fn of(text: &str, has_steps: bool) -> Vec<String> {
    let named = |call: &'static str| {
        text.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'))
    };
    let word = |rest: &str| rest.split('"').next().unwrap().to_owned();
    let mut points: Vec<String> = named("faults::point(").map(word).collect();
    if has_steps {
        let steps = named(".run(").map(word);
        points.extend(
            steps.flat_map(|step| ["before", "after"].map(|side| format!("shard.{step}.{side}"))),
        );
    }
    points
}

#[test]
fn points_are_found_in_the_code() {
    let code = "faults::point(\"meta.a.before\"); x.run(\n    \"b\", work); run(\"c\")";
    assert_eq!(of(code, false), ["meta.a.before"]);
    assert_eq!(of(code, true), ["meta.a.before", "shard.b.before", "shard.b.after"]);
    let all = all();
    for point in
        ["meta.push.after", "shard.serving.before", "shard.packages.kept", "shard.load.after"]
    {
        assert!(all.iter().any(|known| known == point), "{point} in {all:?}");
    }
}
