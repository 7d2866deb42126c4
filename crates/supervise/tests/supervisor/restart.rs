//! What dies comes back, and says why it died.

use std::time::{Duration, Instant};

use aipress_supervise::{UnitState, control};
use serde_json::json;

use crate::support::{PATIENCE, Place, is_alive, signal, until};

#[tokio::test]
async fn a_killed_unit_is_back_at_once() {
    let place = Place::new();
    let prepared = place.path("prepared");
    let more = json!({"prepare_file": prepared});
    let running = place.run(&[place.shell("a", "echo up; exec sleep 1000", more)]);
    let first = running.ready("a").await;
    assert_eq!((first.restarts, first.last_exit), (0, None));
    until("the unit has written", async || (place.text("a.log") == "up\n").then_some(())).await;
    let killed = Instant::now();
    signal(first.pid.unwrap(), "KILL");
    let second =
        running.unit("a", |unit| unit.restarts == 1 && unit.state == UnitState::Ready).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    assert_ne!(second.pid, first.pid);
    let exit = second.last_exit.unwrap();
    assert_eq!(exit.reason, "killed by SIGKILL");
    assert_eq!(exit.log_tail, ["up"]);
    assert_eq!(place.text("prepared"), "prepared\nprepared\n", "prepared before each start");
}

#[tokio::test]
async fn one_that_dies_at_once_backs_off_and_may_be_given_up() {
    let place = Place::new();
    let script = "echo cannot do it >&2; exit 3";
    let more = json!({"give_up_after": 4, "backoff_ms": 50});
    let running = place.run(&[place.shell("a", script, more)]);
    let failed = running.unit("a", |unit| unit.state == UnitState::Failed).await;
    assert_eq!(failed.restarts, 3);
    let exit = failed.last_exit.unwrap();
    assert_eq!(exit.reason, "exited with 3");
    assert_eq!(exit.log_tail, ["cannot do it"; 4]);
    // Somebody starts it: it has its tries again.
    running.ask(control::Request::Start { unit: "a".into() }).await.unwrap();
    running.unit("a", |unit| unit.restarts == 6 && unit.state == UnitState::Failed).await;
}

#[tokio::test]
async fn one_that_is_never_ready_is_started_again_and_says_why() {
    let place = Place::new();
    let file = place.path("ready");
    let more = json!({"ready_file": file, "ready_ms": 500});
    let running = place.run(&[place.shell("a", "echo trying; exec sleep 1000", more)]);
    let again = running.unit("a", |unit| unit.restarts >= 1).await;
    let exit = again.last_exit.unwrap();
    assert!(exit.reason.starts_with("not ready within 500ms: the file is not there"), "{exit:?}");
    assert!(exit.log_tail.contains(&"trying".to_owned()));
    std::fs::write(place.path("ready"), "").unwrap();
    running.ready("a").await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let place = Place::new();
    let running = place.run(&[place.unit("a", &["/nowhere/prog"], json!({"give_up_after": 1}))]);
    let failed = running.unit("a", |unit| unit.state == UnitState::Failed).await;
    let reason = failed.last_exit.unwrap().reason;
    assert!(reason.starts_with("start: execute /nowhere/prog: No such file"), "{reason}");
}

#[tokio::test]
async fn workers_of_a_killed_master_are_gone_before_the_next_one_starts() {
    let place = Place::new();
    let (socket, verdict) = (place.path("w.sock"), place.path("verdict"));
    let argv =
        [crate::support::PROBE, "master", socket.to_str().unwrap(), verdict.to_str().unwrap()];
    let running = place.run(&[place.unit("fpm", &argv, json!({}))]);
    let worker = async || {
        let peer = tokio::net::UnixStream::connect(&socket).await.ok()?;
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut { peer }, &mut text).await.ok()?;
        text.parse::<u32>().ok()
    };
    let mut old = until("the first worker answers", &worker).await;
    for round in 1..=3 {
        let master = running.ready("fpm").await;
        signal(master.pid.unwrap(), "KILL");
        running.unit("fpm", |unit| unit.restarts == round && unit.state == UnitState::Ready).await;
        assert!(!is_alive(old), "worker {old} outlived its master");
        let new = until("the next worker answers", &worker).await;
        assert_ne!(new, old);
        old = new;
    }
    assert_eq!(place.text("verdict"), "clean\n".repeat(4));
}

#[tokio::test]
async fn what_leaves_its_session_dies_with_its_unit() {
    let place = Place::new();
    let note = place.path("stray");
    // The stray has a session of its own, and loses its parent at once.
    let script = format!(
        "(setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' &); exec sleep 1000",
        note.display()
    );
    let running = place.run(&[place.shell("a", &script, json!({}))]);
    let stray: u32 =
        until("the stray runs", async || place.text("stray").trim().parse().ok()).await;
    let first = running.ready("a").await;
    signal(first.pid.unwrap(), "KILL");
    running.unit("a", |unit| unit.restarts == 1 && unit.state == UnitState::Ready).await;
    assert!(!is_alive(stray));
}

#[tokio::test]
async fn it_is_started_and_stopped_and_restarted_when_asked() {
    let place = Place::new();
    let running = place.run(&[place.shell("a", "exec sleep 1000", json!({}))]);
    let first = running.ready("a").await;
    let ask = async |request| running.ask(request).await.unwrap().unit("a").cloned().unwrap();
    let unit = || "a".to_owned();
    let again = ask(control::Request::Restart { unit: unit() }).await;
    assert_eq!(again.state, UnitState::Ready);
    assert_ne!(again.pid, first.pid);
    assert_eq!(again.restarts, 0, "asked for, not suffered");
    let down = ask(control::Request::Stop { unit: unit() }).await;
    assert_eq!((down.state, down.pid), (UnitState::Stopped, None));
    assert!(!is_alive(again.pid.unwrap()));
    let up = ask(control::Request::Start { unit: unit() }).await;
    assert_eq!(up.state, UnitState::Ready);
    let same = ask(control::Request::Start { unit: unit() }).await;
    assert_eq!(same.pid, up.pid, "one that is up stays so");
    let unknown = running.ask(control::Request::Stop { unit: "b".into() }).await.unwrap_err();
    assert_eq!(unknown.to_string(), "no unit is called b");
}

#[tokio::test]
async fn one_on_demand_runs_only_while_somebody_asks_for_it() {
    let place = Place::new();
    let sleep = |name: &str, more| place.shell(name, "exec sleep 1000", more);
    let units = [
        sleep("base", json!({})),
        sleep("own", json!({"on_demand": true, "after": ["base"]})),
        sleep("late", json!({"after": ["own"]})),
    ];
    let mut running = place.run(&units);
    running.ready("late").await;
    running.ready("base").await;
    let now = running.status().await.unwrap();
    let own = now.unit("own").unwrap();
    assert_eq!((own.state, own.pid, own.is_idle()), (UnitState::Stopped, None, true));
    assert!(now.is_ready(), "the whole is up without it");

    let ask = async |request| running.ask(request).await.unwrap().unit("own").cloned().unwrap();
    let unit = || "own".to_owned();
    let up = ask(control::Request::Start { unit: unit() }).await;
    assert_eq!((up.state, up.restarts, up.is_idle()), (UnitState::Ready, 0, false));
    signal(up.pid.unwrap(), "KILL");
    running.unit("own", |unit| unit.restarts == 1 && unit.state == UnitState::Ready).await;
    let down = ask(control::Request::Stop { unit: unit() }).await;
    assert!(down.is_idle() && down.pid.is_none(), "{down:?}");
    let still = ask(control::Request::Stop { unit: unit() }).await;
    assert_eq!(still, down, "one that is down stays so");
    assert!(running.status().await.unwrap().is_ready());

    // Nobody hears of the end of what was down.
    let mut ended = Vec::new();
    let note = |unit: aipress_supervise::UnitStatus| {
        if unit.state == UnitState::Stopped {
            ended.push(unit.name);
        }
    };
    control::shutdown(running.run_dir(), PATIENCE, note).await.unwrap();
    assert!(running.child.try_wait().unwrap().unwrap().success());
    ended.sort();
    assert_eq!(ended, ["base", "late"]);
}

#[tokio::test]
async fn one_on_demand_comes_up_after_what_it_needs() {
    let place = Place::new();
    let ready = place.path("ready");
    let units = [
        place.shell("base", "exec sleep 1000", json!({"ready_file": ready})),
        place.shell("own", "exec sleep 1000", json!({"on_demand": true, "after": ["base"]})),
    ];
    let running = place.run(&units);
    running.unit("base", |unit| unit.pid.is_some()).await;
    let starting = running.ask(control::Request::Start { unit: "own".into() });
    let waits = async {
        running.unit("own", |unit| unit.state == UnitState::Waiting).await;
        std::fs::write(&ready, "").unwrap();
    };
    let (started, ()) = tokio::join!(starting, waits);
    assert_eq!(started.unwrap().unit("own").unwrap().state, UnitState::Ready);
}
