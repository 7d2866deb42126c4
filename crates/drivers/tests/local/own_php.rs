//! A slot's own php-fpm master: nobody shares memory with it, and it ends when it is not used.

use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use aipress_drivers::DriverError;
use aipress_drivers::Recycle;
use aipress_drivers::ShardIds;
use aipress_drivers::ShardPaths;
use aipress_drivers::Slot;
use aipress_drivers::UnitControl;
use aipress_drivers::local::fpm::PhpFpmOptions;
use aipress_drivers::local::fpm::PhpInstall;
use aipress_drivers::local::fpm::own_command;
use aipress_drivers::local::fpm::own_unit;
use aipress_drivers::local::fpm::prepare_own;
use async_trait::async_trait;

use crate::conformance;
use crate::machine::is_root;
use crate::machine::owner;
use crate::machine::spawn;
use crate::machine::until;
use crate::php::Shard;
use crate::php::ask;
use crate::php::neighbour_includes;
use crate::php::slot;
use crate::php::without_guard;

/// Starts and ends masters as the supervisor does.
struct Units {
    paths: ShardPaths,
    ids: ShardIds,
    running: Mutex<Vec<(String, Child)>>,
}

impl Units {
    fn of(shard: &Shard) -> Arc<Self> {
        let (paths, ids) = (shard.machine.paths.clone(), shard.machine.ids);
        Arc::new(Self { paths, ids, running: Mutex::default() })
    }

    fn end(&self, unit: &str) {
        let mut running = self.running.lock().unwrap();
        let Some(at) = running.iter().position(|(name, _)| name == unit) else { return };
        let (_, mut child) = running.remove(at);
        let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let names: Vec<String> =
            self.running.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| self.end(name));
    }
}

#[async_trait]
impl UnitControl for Units {
    async fn start(&self, unit: &str) -> Result<(), DriverError> {
        if self.running.lock().unwrap().iter().any(|(name, _)| name == unit) {
            return Ok(());
        }
        let slot = Slot::all().find(|slot| own_unit(self.paths.id(), *slot) == unit).unwrap();
        let mut options = PhpFpmOptions::new(PhpInstall::detect().unwrap());
        options.opcache_mib = 32;
        let command = prepare_own(&self.paths, &self.ids, &options, slot)?;
        assert_eq!(command, own_command(&self.paths, &self.ids, &options, slot));
        let child = spawn(&self.paths, unit, &command);
        self.running.lock().unwrap().push((unit.to_owned(), child));
        until(unit, || async {
            let connected = tokio::net::UnixStream::connect(&command.socket).await;
            connected.map(drop).map_err(|error| DriverError::Unavailable {
                what: "connect".to_owned(),
                detail: error.to_string(),
            })
        })
        .await;
        Ok(())
    }

    async fn stop(&self, unit: &str) -> Result<(), DriverError> {
        self.end(unit);
        Ok(())
    }
}

#[tokio::test]
async fn its_memory_is_nobody_elses() {
    if !is_root() {
        return;
    }
    // Without the guard a neighbour includes what the shared cache has: see the other test.
    let shard = Shard::start_with(None, without_guard).await;
    let drivers = shard.machine.drivers_with(Units::of(&shard));
    drivers.php.ensure_master(slot(2)).await.unwrap();
    let socket = shard.machine.paths.fpm_own_socket(slot(2));
    let gateway = shard.machine.ids.gateway();
    assert_eq!(owner(&socket), (gateway.uid, gateway.gid, 0o600));
    assert_eq!(neighbour_includes(&shard, &socket).await, ".");
    assert_eq!(shard.ask(2, std::path::Path::new("/.aipress/ping"), ""), "pong", "both answer");

    let workers = drivers.php.inventory().await.unwrap();
    let own: Vec<_> = workers.iter().filter(|worker| worker.slot == slot(2)).collect();
    assert!(own.len() >= 2 && own.iter().all(|worker| !worker.orphan), "of both: {workers:?}");
    assert!(drivers.php.recycle_slot(slot(2), Recycle::Kill).await.unwrap() >= 2);
    drivers.php.master_health(slot(2)).await.unwrap();
}

#[tokio::test]
async fn it_comes_and_goes_beside_the_shards() {
    let shard = Shard::start(None).await;
    let drivers = shard.machine.drivers_with(Units::of(&shard));
    conformance::own_masters(&drivers).await;

    // Who is connected gets his answer first.
    drivers.php.ensure_master(slot(3)).await.unwrap();
    let uid = shard.site(3).await;
    let slow = shard.put(
        3,
        uid,
        "slow.php",
        "<?php touch(__DIR__ . '/begun'); usleep(700000); echo 'whole';",
    );
    let begun = Path::new(&slow).with_file_name("begun");
    let socket = shard.machine.paths.fpm_own_socket(slot(3));
    let path = socket.clone();
    let asking = std::thread::spawn(move || ask(&path, &slow, ""));
    let mut waits = 0;
    while !begun.exists() {
        waits += 1;
        assert!(waits < 1000, "no worker came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while !asking.is_finished() {
        if drivers.php.end_master(slot(3), Recycle::Graceful).await.unwrap() {
            break;
        }
        drivers.php.master_health(slot(3)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asking.join().unwrap(), "whole");
    assert!(drivers.php.end_master(slot(3), Recycle::Graceful).await.unwrap());
    assert!(!socket.exists());
    assert!(drivers.php.masters().await.unwrap().is_empty());
    drivers.php.health().await.unwrap();
}
