//! What a killed supervisor leaves serves on, and is ended by the next one.

use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::{PROBE, Place, is_alive, signal, start_ticks, until};

#[tokio::test]
async fn the_next_run_takes_over_from_a_killed_one() {
    let place = Place::new();
    let unit = place.shell("a", "trap 'echo asked; exit' TERM; touch $READY; while :; do sleep 1000 & wait $!; done",
        json!({"ready_file": place.path("ready"), "env": {"READY": place.path("ready"), "PATH": "/bin:/usr/bin"}}));
    let mut running = place.run(std::slice::from_ref(&unit));
    let old = running.ready("a").await.pid.unwrap();
    running.kill();
    assert!(is_alive(old), "units outlive their supervisor");
    let running = place.run(&[unit]);
    let new = running.ready("a").await.pid.unwrap();
    assert!(!is_alive(old));
    assert_ne!(old, new);
    assert_eq!(place.text("a.log"), "asked\n", "it was asked to end, not killed");
    let said = place.text("supervisor.log");
    assert!(said.contains(&format!("ending a (process {old}) of an earlier run")), "{said}");
}

#[tokio::test]
async fn a_worker_whose_master_and_supervisor_are_gone_is_ended() {
    let place = Place::new();
    let (socket, verdict) = (place.path("w.sock"), place.path("verdict"));
    let argv = [PROBE, "master", socket.to_str().unwrap(), verdict.to_str().unwrap()];
    let unit = place.unit("fpm", &argv, json!({}));
    let mut running = place.run(std::slice::from_ref(&unit));
    let master = running.ready("fpm").await.pid.unwrap();
    let worker = async || {
        let mut peer = tokio::net::UnixStream::connect(&socket).await.ok()?;
        let mut text = String::new();
        peer.read_to_string(&mut text).await.ok()?;
        text.parse::<u32>().ok()
    };
    let old = until("the worker answers", &worker).await;
    running.kill();
    signal(master, "KILL");
    until("the master is gone", async || (!is_alive(master)).then_some(())).await;
    assert!(is_alive(old));
    let running = place.run(&[unit]);
    running.ready("fpm").await;
    assert!(!is_alive(old));
    let new = until("the next worker answers", &worker).await;
    assert_ne!(new, old);
    assert_eq!(place.text("verdict"), "clean\nclean\n");
}

#[tokio::test]
async fn a_unit_that_is_not_wanted_any_more_is_ended_too() {
    let place = Place::new();
    let units = [
        place.shell("kept", "exec sleep 1000", json!({})),
        place.shell("gone", "exec sleep 1000", json!({"after": ["kept"]})),
    ];
    let mut running = place.run(&units);
    let old = running.ready("gone").await.pid.unwrap();
    running.kill();
    let [kept, _] = units;
    let running = place.run(&[kept]);
    running.ready("kept").await;
    assert!(!is_alive(old));
}

#[tokio::test]
async fn a_record_that_names_another_process_harms_nobody() {
    let place = Place::new();
    let unit = place.shell("a", "exec sleep 1000", json!({}));
    let mut running = place.run(std::slice::from_ref(&unit));
    let old = running.ready("a").await.pid.unwrap();
    running.kill();
    // As if the number had been used again: a session of that number, begun by
    // somebody else. A number comes round again in more than the 10 ms of a
    // clock tick, which this test does not take: wait for the next one.
    let file = place.path("run/units/a.json");
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mut other = until("a process that began later", async || {
        let mut other =
            std::process::Command::new("setsid").args(["sleep", "1000"]).spawn().unwrap();
        if record["start_ticks"] != json!(start_ticks(other.id())) {
            return Some(other);
        }
        other.kill().unwrap();
        other.wait().unwrap();
        None
    })
    .await;
    record["pid"] = json!(other.id());
    std::fs::write(&file, record.to_string()).unwrap();
    let running = place.run(&[unit]);
    running.ready("a").await;
    let spared = is_alive(other.id());
    other.kill().unwrap();
    other.wait().unwrap();
    signal(old, "KILL");
    assert!(spared);
}
