//! Redis: what a tenant's user can reach.

use std::path::Path;

use aipress_drivers::CacheUser;
use aipress_drivers::Ensured;
use aipress_types::Secret;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::conformance;
use crate::machine::Machine;
use crate::machine::fresh_uid;

/// A connection that says lines as they are typed (inline commands) and returns the first line.
struct Typed(UnixStream);

impl Typed {
    async fn open(socket: &Path) -> Self {
        Self(UnixStream::connect(socket).await.unwrap())
    }

    async fn say(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = self.0.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }
}

#[tokio::test]
async fn redis_does_what_all_drivers_do_and_a_tenant_reaches_its_prefix_only() {
    let machine = Machine::new();
    machine.prepare_mariadb();
    machine.start_redis().await;
    let drivers = machine.drivers();
    conformance::cache(&drivers).await;

    let user =
        |password: &str| CacheUser { uid: fresh_uid(), passwords: vec![Secret::new(password)] };
    let (mine, other) = (user("mine"), user("other"));
    drivers.cache.ensure_user(&mine).await.unwrap();
    drivers.cache.ensure_user(&other).await.unwrap();
    let socket = machine.paths.redis_socket();
    let mut anonymous = Typed::open(&socket).await;
    assert!(anonymous.say("GET x").await.starts_with("-NOAUTH"));

    let mut neighbour = Typed::open(&socket).await;
    assert_eq!(neighbour.say(&format!("AUTH {} other", other.name())).await, "+OK\r\n");
    assert_eq!(neighbour.say(&format!("SET {}k secret", other.prefix())).await, "+OK\r\n");

    let mut tenant = Typed::open(&socket).await;
    assert_eq!(tenant.say(&format!("AUTH {} mine", mine.name())).await, "+OK\r\n");
    assert_eq!(tenant.say(&format!("SET {}k v EX 10 NX", mine.prefix())).await, "+OK\r\n");
    assert_eq!(tenant.say(&format!("HSET {}h a 1", mine.prefix())).await, ":1\r\n");
    for attack in [
        format!("GET {}k", other.prefix()),
        format!("MGET {}k {}k", mine.prefix(), other.prefix()),
        format!("SET {}k v", other.prefix()),
        format!("SET {}k v", mine.name()),
        "SCAN 0".to_owned(),
        "KEYS *".to_owned(),
        "RANDOMKEY".to_owned(),
        "DBSIZE".to_owned(),
        "FLUSHALL".to_owned(),
        "FLUSHDB".to_owned(),
        "CONFIG GET *".to_owned(),
        "ACL LIST".to_owned(),
        "CLIENT LIST".to_owned(),
        "MONITOR".to_owned(),
        "PUBLISH c x".to_owned(),
        "SUBSCRIBE c".to_owned(),
        "EVAL return(1) 0".to_owned(),
        format!("SORT {}k BY {}k GET {}k", mine.prefix(), other.prefix(), other.prefix()),
        "SHUTDOWN".to_owned(),
    ] {
        let answer = tenant.say(&attack).await;
        assert!(answer.starts_with("-NOPERM"), "{attack}: {answer}");
    }
    // Switched off for everybody.
    assert!(tenant.say("DEBUG SLEEP 1").await.starts_with("-ERR"));

    // Users survive a restart, the tenant's keys do not survive its removal.
    assert_eq!(drivers.cache.remove_user(mine.uid).await.unwrap(), Ensured::Repaired);
    machine.kill("redis");
    machine.start_redis().await;
    assert_eq!(drivers.cache.ensure_user(&other).await.unwrap(), Ensured::Kept);
    assert_eq!(drivers.cache.ensure_user(&mine).await.unwrap(), Ensured::Created);
}

#[tokio::test]
async fn the_keys_of_a_removed_tenant_go_and_no_others() {
    let machine = Machine::new();
    machine.prepare_mariadb();
    machine.start_redis().await;
    let drivers = machine.drivers();
    let (mine, other) = (fresh_uid(), fresh_uid());
    let mut names = Vec::new();
    for uid in [mine, other] {
        let user = CacheUser { uid, passwords: vec![Secret::new("pw")] };
        drivers.cache.ensure_user(&user).await.unwrap();
        let mut session = Typed::open(&machine.paths.redis_socket()).await;
        session.say(&format!("AUTH {} pw", user.name())).await;
        for number in 0..2500 {
            let key = format!("{}{number}", user.prefix());
            assert_eq!(session.say(&format!("SET {key} v")).await, "+OK\r\n");
        }
        names.push((user, session));
    }
    drivers.cache.remove_user(mine).await.unwrap();
    let (user, session) = &mut names[1];
    assert_eq!(session.say(&format!("GET {}7", user.prefix())).await, "$1\r\nv\r\n");
    drivers.cache.ensure_user(&names[0].0).await.unwrap();
    let mut session = Typed::open(&machine.paths.redis_socket()).await;
    session.say(&format!("AUTH {} pw", names[0].0.name())).await;
    assert_eq!(session.say(&format!("EXISTS {}7", names[0].0.prefix())).await, ":0\r\n");
}
