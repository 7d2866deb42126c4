//! A gold site has a php-fpm master of its own: it comes and goes with the tier, without a failed
//! request, and is brought back like any other process.

mod workers;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::Unit;
use aipress_testkit::end_process;
use aipress_testkit::wait_until;

use crate::options;

#[tokio::test]
async fn a_gold_site_has_a_php_of_its_own_and_changes_its_tier_without_a_failed_request() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("plain").await;
    assert_eq!(own_masters(&platform).await, []);
    let title = ["--title", "Title of gilded", "--tier", "gold"];
    platform.cli(&[&["tenant", "create", "gilded"], title.as_slice()].concat()).await.good();
    is_served(&platform, "gilded").await;
    let masters = own_masters(&platform).await;
    assert_eq!(masters.len(), 1, "{masters:?}");
    its_master_is_another_ones_than_its_neighbours(&platform, &masters[0]).await;

    end_process(masters[0].pid.unwrap());
    platform.back(&masters[0].name, masters[0].pid.unwrap()).await;
    is_served(&platform, "gilded").await;

    the_tier_goes_up_and_down_under_requests(&platform).await;
    platform.down().await;
    platform.up().await.good();
    is_served(&platform, "gilded").await;
    is_served(&platform, "plain").await;

    platform.cli(&["tenant", "delete", "gilded", "--yes"]).await.good();
    assert_eq!(own_masters(&platform).await, [], "it outlives its site");
    platform.cli(&["tenant", "undelete", "gilded"]).await.good();
    is_served(&platform, "gilded").await;
    assert_eq!(own_masters(&platform).await.len(), 1);
    platform.has_clean_inventory().await;
}

/// The masters of single slots that run.
async fn own_masters(platform: &Platform) -> Vec<Unit> {
    let units = platform.units().await;
    units.into_iter().filter(|u| u.name.contains("php-fpm-slot") && u.pid.is_some()).collect()
}

async fn is_served(platform: &Platform, name: &str) {
    let page = platform.visitor(name).get("/").await.with_status(200);
    assert_eq!(page.title(), format!("Title of {name}"));
}

/// The shared master killed, the gold site's PHP does not notice.
async fn its_master_is_another_ones_than_its_neighbours(platform: &Platform, own: &Unit) {
    let shared = "aipress-shard-001-php-fpm";
    let pid = platform.pid(shared).await;
    end_process(pid);
    for _ in 0..5 {
        is_served(platform, "gilded").await;
    }
    platform.back(shared, pid).await;
    assert_eq!(platform.unit(&own.name).await.pid, own.pid);
}

async fn the_tier_goes_up_and_down_under_requests(platform: &Platform) {
    let (count, done) = (AtomicU32::new(0), AtomicBool::new(false));
    let visits = async {
        while !done.load(Ordering::Relaxed) {
            is_served(platform, "plain").await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    // Before, while and after each change there are some.
    let some_more = async || {
        let wanted = count.load(Ordering::Relaxed) + 3;
        wait_until(Duration::from_secs(60), "the visitor goes on", async || {
            let now = count.load(Ordering::Relaxed);
            if now >= wanted { Ok(()) } else { Err(format!("{now} of {wanted}")) }
        })
        .await;
    };
    let changes = async {
        some_more().await;
        for (tier, masters) in [("gold", 2), ("silver", 1), ("gold", 2), ("bronze", 1)] {
            platform.cli(&["tenant", "update", "plain", "--tier", tier]).await.good();
            assert_eq!(own_masters(platform).await.len(), masters, "{tier}");
            some_more().await;
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(visits, changes);
    println!("{} requests while the tier changed four times", count.into_inner());
    platform.has_clean_inventory().await;
}
