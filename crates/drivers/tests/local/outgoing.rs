//! The rules of where sites may connect to, in the real kernel: what an operator opened is reached by a
//! slot's user, and nothing beside it.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::process::Command;

use aipress_drivers::local::firewall::Firewall;

use crate::machine::Machine;
use crate::php::slot;

/// Whether a user's program gets a connection.
fn connects(user: u32, to: SocketAddr) -> bool {
    let code = format!("exit(@stream_socket_client('tcp://{to}', $n, $e, 20) ? 0 : 3);");
    let status = Command::new("setpriv")
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .args(["--clear-groups", "--", "php", "-n", "-r", &code])
        .status()
        .unwrap();
    match status.code() {
        Some(0) => true,
        Some(3) => false,
        other => panic!("{other:?}"),
    }
}

/// Takes the rules away however the test ends.
struct Removed(Firewall);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

#[test]
fn what_an_operator_opened_is_reached_and_nothing_beside_it() {
    let machine = Machine::new();
    let Some(slots) = machine.ids.slot_uids() else {
        eprintln!("skipped: only root can give each site a Unix user of its own");
        return;
    };
    let user = machine.ids.slot(slot(1)).uid;
    let servers = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [relay, other] = servers.each_ref().map(|server| server.local_addr().unwrap());
    let edge = SocketAddr::from(([127, 0, 0, 1], 9));
    let with = |openings: &[SocketAddr]| {
        let openings = openings.iter().map(|at| at.to_string().parse().unwrap()).collect();
        Firewall::new(machine.paths.data(), vec![slots.clone()], edge, openings)
    };
    if let Err(error) = with(&[]).apply() {
        eprintln!(
            "not run: outgoing connections of sites, for this machine has no nftables: {error}"
        );
        return;
    }
    let removed = Removed(with(&[]));
    assert!(!connects(user, relay) && !connects(user, other), "with nothing opened");
    with(&[relay]).apply().unwrap();
    assert!(connects(user, relay), "what was opened is closed");
    assert!(!connects(user, other), "more is open than was opened");
    drop(removed);
    assert!(connects(user, relay) && connects(user, other), "without rules");
}
