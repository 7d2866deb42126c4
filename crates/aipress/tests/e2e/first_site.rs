//! What a new user sees: `up`, the first site, `up` again, `down`, `clean-data`.

use std::net::TcpListener;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::Process;
use aipress_testkit::end_process;
use aipress_testkit::wait_until;

use crate::options;

#[tokio::test]
async fn up_ends_with_the_addresses_and_a_first_site_already_served() {
    let options = PlatformOptions { shards: 1, hello: true, ..options() };
    let platform = Platform::new(options);
    let told = platform.up().await.good();
    for part in ["/v1", "admin-token", "http://hello.localhost:"] {
        assert!(told.out.contains(part), "{part} in {}", told.out);
    }
    hello_is_served(&platform).await;

    up_again_changes_nothing(&platform).await;
    doctor_finds_nothing_wrong(&platform).await;
    down_leaves_no_process_and_up_brings_the_same_sites_back(&platform).await;
    a_killed_supervisor_leaves_sites_served_and_up_takes_over(&platform).await;
    a_deleted_hello_does_not_come_back(&platform).await;
    a_port_that_is_taken_says_by_whom_and_which_flag_changes_it(&platform).await;
    clean_data_asks_and_then_removes_everything(&platform).await;
}

async fn hello_is_served(platform: &Platform) {
    let page = platform.visitor("hello").get("/").await.with_status(200);
    assert_eq!(page.title(), "Hello from AIPress");
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
}

async fn up_again_changes_nothing(platform: &Platform) {
    let (before, processes) = (platform.units().await, platform.processes());
    let told = platform.up().await.good();
    assert!(told.out.contains("http://hello.localhost:"), "{}", told.out);
    assert_eq!(platform.units().await, before);
    let lasting = |p: &Process| !p.command.contains("php-fpm: pool");
    let now: Vec<_> = platform.processes().into_iter().filter(lasting).collect();
    assert!(processes.into_iter().filter(lasting).eq(now), "other processes than before");
}

async fn doctor_finds_nothing_wrong(platform: &Platform) {
    let told = platform.cli(&["doctor"]).await.good();
    assert!(told.out.contains("1/50 sites"), "{}", told.out);
    platform.has_clean_inventory().await;
}

async fn down_leaves_no_process_and_up_brings_the_same_sites_back(platform: &Platform) {
    let before = platform.tenant("hello").await;
    platform.down().await;
    let status = platform.cli(&["status"]).await.ended(1);
    assert!(status.err.contains("aipress up"), "{}", status.err);
    // Stopped twice is stopped.
    platform.down().await;
    platform.up().await.good();
    hello_is_served(platform).await;
    let after = platform.tenant("hello").await;
    for field in ["uid", "shard", "generation", "state", "url"] {
        assert_eq!(before[field], after[field], "{field}");
    }
}

async fn a_killed_supervisor_leaves_sites_served_and_up_takes_over(platform: &Platform) {
    let status = platform.cli(&["status", "-o", "json"]).await.good().json();
    end_process(i32::try_from(status["pid"].as_i64().unwrap()).unwrap());
    wait_until(Duration::from_secs(60), "the supervisor is gone", async || {
        if platform.cli(&["status"]).await.code == 1 { Ok(()) } else { Err("it answers".into()) }
    })
    .await;
    hello_is_served(platform).await;
    platform.up().await.good();
    hello_is_served(platform).await;
    let mut units: Vec<_> = platform.units().await.into_iter().map(|unit| unit.name).collect();
    units.sort();
    units.dedup();
    assert_eq!(units.len(), 7, "{units:?}");
    platform.has_clean_inventory().await;
    // Nothing of before runs beside it.
    let servers = |p: &&Process| {
        ["mariadbd", "redis-server", "role meta"].iter().any(|n| p.command.contains(n))
    };
    assert_eq!(platform.processes().iter().filter(servers).count(), 3);
}

async fn a_deleted_hello_does_not_come_back(platform: &Platform) {
    platform.cli(&["tenant", "delete", "hello", "--yes"]).await.good();
    platform.down().await;
    platform.up().await.good();
    assert_eq!(platform.tenant("hello").await["state"], "deleted");
    platform.visitor("hello").get("/").await.with_status(404);
    platform.has_clean_inventory().await;
}

async fn a_port_that_is_taken_says_by_whom_and_which_flag_changes_it(platform: &Platform) {
    platform.down().await;
    let taken = TcpListener::bind(platform.address()).unwrap();
    let told = platform.up().await.ended(1);
    let port = platform.address().port().to_string();
    let me = std::process::id().to_string();
    for part in [port.as_str(), me.as_str(), "--listen"] {
        assert!(told.err.contains(part), "`{part}` in {}", told.err);
    }
    assert_eq!(platform.processes(), []);
    drop(taken);
    platform.up().await.good();
}

async fn clean_data_asks_and_then_removes_everything(platform: &Platform) {
    let running = platform.cli(&["clean-data", "--yes"]).await;
    assert_ne!(running.code, 0, "data of a running platform");
    assert!(running.err.contains("aipress down"), "{}", running.err);
    platform.down().await;
    let told = platform.cli(&["clean-data"]).await.ended(8);
    assert!(told.err.contains("--yes"), "{}", told.err);
    assert!(platform.data().exists());
    platform.cli(&["clean-data", "--yes"]).await.good();
    assert!(!platform.data().exists());
    platform.cli(&["clean-data", "--yes"]).await.good();
}
