//! The end: in order, in time, with nothing left.

use std::time::{Duration, Instant};

use aipress_supervise::{UnitState, control};
use serde_json::json;

use crate::support::{PATIENCE, Place, is_alive, until};

#[tokio::test]
async fn units_start_in_order_and_stop_in_reverse() {
    let place = Place::new();
    let log = place.path("order");
    let unit = |name: &str, after: &[&str]| {
        let ready = place.path(&format!("{name}.ready"));
        let script = format!(
            "trap 'echo -{name} >> {log}; exit' TERM; echo +{name} >> {log}; touch {ready}; \
             while :; do sleep 1000 & wait $!; done",
            log = log.display(),
            ready = ready.display()
        );
        place.shell(name, &script, json!({"after": after, "ready_file": ready}))
    };
    // Given in the wrong order.
    let units =
        [unit("edge", &["php", "meta"]), unit("php", &["db"]), unit("db", &[]), unit("meta", &[])];
    let mut running = place.run(&units);
    running.ready("edge").await;
    let pids: Vec<u32> =
        running.status().await.unwrap().units.iter().filter_map(|unit| unit.pid).collect();
    assert_eq!(pids.len(), 4);
    let mut seen = Vec::new();
    let note = |unit: aipress_supervise::UnitStatus| {
        if unit.state == UnitState::Stopped {
            seen.push(unit.name);
        }
    };
    control::shutdown(running.run_dir(), PATIENCE, note).await.unwrap();
    assert!(running.child.try_wait().unwrap().unwrap().success(), "it is gone when told so");
    assert!(!pids.into_iter().any(is_alive));
    let order = place.text("order");
    let at = |line: &str| order.lines().position(|l| l == line).unwrap_or_else(|| panic!("{line}"));
    for (first, then) in [
        ("+db", "+php"),
        ("+php", "+edge"),
        ("+meta", "+edge"),
        ("-edge", "-php"),
        ("-php", "-db"),
        ("-edge", "-meta"),
    ] {
        assert!(at(first) < at(then), "{order}");
    }
    assert_eq!(seen.first().map(String::as_str), Some("edge"));
    assert_eq!(seen.len(), 4);
    let again = control::shutdown(running.run_dir(), PATIENCE, |_| {}).await.unwrap_err();
    assert!(matches!(again, control::ControlError::NotRunning(_)));
    assert!(std::fs::read_dir(place.path("run/units")).unwrap().next().is_none());
}

#[tokio::test]
async fn one_that_does_not_end_is_killed_after_its_grace_and_not_before() {
    let place = Place::new();
    let script = "trap '' TERM; touch $READY; while :; do sleep 1000 & wait; done";
    let ready = place.path("ready");
    let more = json!({
        "stop": {"signal": "term", "grace_ms": 400}, "ready_file": ready, "env": {"READY": ready, "PATH": "/bin:/usr/bin"},
    });
    let running = place.run(&[place.shell("a", script, more)]);
    let pid = running.ready("a").await.pid.unwrap();
    let asked = Instant::now();
    running.ask(control::Request::Stop { unit: "a".into() }).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(400));
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_unit_that_waits_or_backs_off_does_not_hold_up_the_end() {
    let place = Place::new();
    let never = place.path("never");
    let units = [
        place.shell("base", "exec sleep 1000", json!({"ready_file": never, "ready_ms": 60000})),
        place.shell("waits", "exec sleep 1000", json!({"after": ["base"]})),
        place.shell("dies", "exit 1", json!({"backoff_ms": 60000})),
    ];
    let running = place.run(&units);
    running.unit("dies", |unit| unit.state == UnitState::Backoff && unit.restarts == 1).await;
    running.unit("waits", |unit| unit.state == UnitState::Waiting).await;
    let asked = Instant::now();
    control::shutdown(running.run_dir(), PATIENCE, |_| {}).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn nothing_is_left_of_a_unit_with_children() {
    let place = Place::new();
    let note = place.path("pids");
    let script = format!(
        "sleep 1001 & echo $! >> {0}; (setsid sh -c 'echo $$ >> {0}; exec sleep 1002' &); \
         while [ $(wc -l < {0}) -lt 2 ]; do sleep 0.01; done; touch {0}.all; exec sleep 1003",
        note.display()
    );
    let more = json!({"ready_file": place.path("pids.all"), "env": {"PATH": "/bin:/usr/bin"}});
    let running = place.run(&[place.shell("a", &script, more)]);
    running.ready("a").await;
    let pids: Vec<u32> = place.text("pids").lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    control::shutdown(running.run_dir(), PATIENCE, |_| {}).await.unwrap();
    assert!(!pids.into_iter().any(is_alive));
}

#[tokio::test]
async fn logs_are_rotated_under_the_writer_and_forwarded() {
    let place = Place::new();
    let script = "i=0; while :; do echo line $i of the log; i=$((i+1)); done";
    let unit = place.shell("a", script, json!({"log_max_bytes": 65536}));
    let scenario = json!({"run_dir": place.path("run"), "units": [unit], "forward": true});
    let running = place.spawn(place.scenario(&scenario));
    running.ready("a").await;
    until("three older files", async || place.path("a.log.3").exists().then_some(())).await;
    running.ask(control::Request::Stop { unit: "a".into() }).await.unwrap();
    for number in 1..=3 {
        let size = std::fs::metadata(place.path(&format!("a.log.{number}"))).unwrap().len();
        assert!(size <= 2 * 65536, "{size}");
    }
    assert!(!place.path("a.log.4").exists());
    assert!(place.text("supervisor.log").contains("a: line "));
}
