//! Listening sockets outlive the units that serve them.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use aipress_supervise::UnitState;
use serde_json::json;

use crate::support::{PATIENCE, PROBE, Place, signal};

#[tokio::test]
async fn a_unit_killed_under_traffic_refuses_nobody() {
    let place = Place::new();
    let running =
        place.run(&[place.unit("edge", &[PROBE, "serve"], json!({"tcp": "127.0.0.1:0"}))]);
    let mut pid = running.ready("edge").await.pid.unwrap();
    let address = running.status().await.unwrap().sockets[0].address.clone();
    let (ended, answered, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicU32::new(0)),
    );
    let visitors: Vec<_> = (0..4)
        .map(|_| {
            let (address, ended) = (address.clone(), ended.clone());
            let (answered, refused) = (answered.clone(), refused.clone());
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let Ok(mut peer) = TcpStream::connect(&address) else {
                        refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    peer.set_read_timeout(Some(PATIENCE)).unwrap();
                    let mut text = String::new();
                    // One that was being answered when the server was killed is cut off.
                    if peer.read_to_string(&mut text).is_ok() && !text.is_empty() {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for round in 1..=5 {
        let before = answered.load(Ordering::Relaxed);
        signal(pid, "KILL");
        let up = |unit: &aipress_supervise::UnitStatus| {
            unit.restarts == round && unit.state == UnitState::Ready
        };
        pid = running.unit("edge", up).await.pid.unwrap();
        crate::support::until("visitors are answered again", async || {
            (answered.load(Ordering::Relaxed) > before + 20).then_some(())
        })
        .await;
    }
    ended.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.join().unwrap();
    }
    assert_eq!(refused.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn sockets_come_by_the_listen_fds_convention() {
    let place = Place::new();
    let more = json!({"tcp": "127.0.0.1:0", "unix": place.path("s")});
    let running = place.run(&[place.unit("a", &[PROBE, "serve"], more)]);
    let pid = running.ready("a").await.pid.unwrap();
    let expected = format!("LISTEN_PID={pid}\nLISTEN_FDS=2\nLISTEN_FDNAMES=web:local\n");
    crate::support::until("the unit has said what it got", async || {
        (place.text("a.log") == expected).then_some(())
    })
    .await;
    let mode = std::fs::metadata(place.path("s")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_by_whom() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let unit = place.unit("edge", &[PROBE, "serve"], json!({"tcp": address}));
    let output = place.command(&[unit]).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    let expected =
        format!("socket web of unit edge: {address} is taken by process {} (", std::process::id());
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test]
async fn a_second_instance_is_refused() {
    let place = Place::new();
    let unit = place.shell("a", "exec sleep 1000", json!({}));
    let running = place.run(std::slice::from_ref(&unit));
    let up = running.ready("a").await;
    let output = place.command(&[unit]).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains(&format!("already running as process {}", running.child.id())),
        "{error}"
    );
    assert_eq!(running.ready("a").await.pid, up.pid, "the first is not disturbed");
}

#[tokio::test]
async fn the_control_socket_is_private_and_bounded() {
    let place = Place::new();
    let running = place.run(&[place.shell("a", "exec sleep 1000", json!({}))]);
    running.ready("a").await;
    let path = running.run_dir().join("supervisor.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for bad in ["{}\n", "nonsense\n", &format!("{}\n", "x".repeat(100_000))] {
        let mut peer = std::os::unix::net::UnixStream::connect(&path).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // It may have answered and gone before all of it is written.
        let _ = std::io::Write::write_all(&mut peer, bad.as_bytes());
        let mut reply = Vec::new();
        let _ = peer.read_to_end(&mut reply);
        assert!(
            String::from_utf8_lossy(&reply).starts_with(r#"{"error":"read request"#)
                || reply.is_empty()
        );
    }
    running.ready("a").await;
}
