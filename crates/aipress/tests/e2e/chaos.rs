//! Chaos: customers make, change, suspend, change their mind, delete, undelete and erase sites, publish
//! posts and upload files, while processes die, stand still and the disk fills. In the end the API,
//! the machine and everything that was acknowledged agree.
//!
//! `AIPRESS_CHAOS_SECONDS` says for how long (60), `AIPRESS_CHAOS_SEED` which run: who does what in
//! which order comes from the seed alone, when it meets what is the machine's.

mod customer;
mod dice;
mod expected;
mod points;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;

use crate::options;
use customer::Customer;
use dice::Dice;
use trouble::Trouble;

/// Customers at once; each has sites of its own.
const CUSTOMERS: u64 = 3;
/// Of the platform's disk: room for two shards' servers and the sites of one run.
const DISK_MIB: u64 = 6_144;
/// Longest until all is as it was acknowledged to be, once the trouble is over.
const HEALED: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make test-chaos"]
async fn whatever_dies_or_fills_nothing_acknowledged_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("AIPRESS_CHAOS_SEED").unwrap_or_else(dice::any_seed);
    let seconds = number("AIPRESS_CHAOS_SECONDS").unwrap_or(60);
    println!("again with: make test-chaos SEED={seed} SECONDS={seconds}");
    let options = PlatformOptions { disk: Some(DISK_MIB), ..options() };
    let platform = Arc::new(Platform::start(options).await);
    let stop = Arc::new(AtomicBool::new(false));

    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| Customer::new(Arc::clone(&platform), number, Dice::of(seed, number)))
        .map(|customer| tokio::spawn(customer.live(Arc::clone(&stop))))
        .collect();
    let mut trouble = Trouble::new(Arc::clone(&platform), Dice::of(seed, CUSTOMERS));
    let made = trouble.make(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut sites = Vec::new();
    for customer in customers {
        sites.extend(customer.await.unwrap());
    }
    println!("trouble: {made:?}");

    let (mut posts, mut files) = (0, 0);
    for site in &sites {
        wait_until(HEALED, &format!("seed {seed}: {site}"), async || site.is_so(&platform).await)
            .await;
        posts += site.posts();
        files += site.files();
    }
    println!(
        "{} sites, {posts} posts and {files} files were acknowledged, and are so",
        sites.len()
    );
    wait_until(HEALED, &format!("seed {seed}: operations"), async || ended(&platform).await).await;
    platform.has_clean_inventory().await;
    assert!(made.values().sum::<u32>() > 0 && sites.len() > 2, "nothing happened: {made:?}");
}

/// No operation is under way.
async fn ended(platform: &Platform) -> Result<(), String> {
    for state in ["pending", "running"] {
        let path = format!("/v1/operations?state={state}");
        let answer = platform.api().send("GET", &path, &[], "").await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(answer.text());
        }
        let items = answer.as_json()["items"].clone();
        if items.as_array().is_none_or(|items| !items.is_empty()) {
            return Err(format!("{state}: {items}"));
        }
    }
    Ok(())
}
