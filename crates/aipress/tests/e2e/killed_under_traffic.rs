//! Each process killed under traffic is back by itself; sites not concerned never fail; nothing
//! that was acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use aipress_testkit::Admin;
use aipress_testkit::Platform;
use aipress_testkit::end_process;
use aipress_testkit::hold_process;
use aipress_testkit::release_process;
use aipress_testkit::wait_until;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::options;

/// Between two requests to one site.
const PACE: Duration = Duration::from_millis(150);
/// What a killed edge may cost (the figure).
const EDGE_BACK: Duration = Duration::from_secs(1);

/// One request and what came of it.
#[derive(Debug, Clone)]
struct Hit {
    site: String,
    begun: Instant,
    ended: Instant,
    outcome: Result<u16, String>,
}

impl Hit {
    fn is_good(&self) -> bool {
        self.outcome == Ok(200)
    }
}

/// Steady visitors, an author and a customer who makes sites, until stopped.
struct Traffic {
    platform: Arc<Platform>,
    hits: Arc<Mutex<Vec<Hit>>>,
    stop: Arc<AtomicBool>,
    visitors: Vec<JoinHandle<()>>,
    author: JoinHandle<Vec<(String, String)>>,
    customer: JoinHandle<Vec<String>>,
}

impl Traffic {
    fn start(platform: Arc<Platform>, sites: &[&str], author: Admin) -> Self {
        let (hits, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let visitors = sites
            .iter()
            .map(|site| {
                let (hits, stop) = (Arc::clone(&hits), Arc::clone(&stop));
                tokio::spawn(visit(Arc::clone(&platform), (*site).to_owned(), hits, stop))
            })
            .collect();
        Self {
            author: tokio::spawn(write(author, Arc::clone(&stop))),
            customer: tokio::spawn(make_sites(Arc::clone(&platform), Arc::clone(&stop))),
            platform,
            hits,
            stop,
            visitors,
        }
    }

    /// Kills a unit, waits until it is back and every site answers, and gives the moment and the
    /// requests that were not answered before it.
    async fn strike(&self, unit: &str) -> (Instant, Vec<Hit>) {
        let pid = self.platform.pid(unit).await;
        let killed = Instant::now();
        end_process(pid);
        self.platform.back(unit, pid).await;
        let came_back = Instant::now();
        self.all_answer(unit, came_back).await;
        let hits = self.since(killed);
        let failed = hits.iter().filter(|hit| !hit.is_good()).count();
        println!(
            "{unit}: back after {} ms; {failed} of {} requests failed",
            (came_back - killed).as_millis(),
            hits.len()
        );
        (killed, hits)
    }

    /// Every site gives pages that were asked for after `moment`.
    async fn all_answer(&self, unit: &str, moment: Instant) {
        let what = format!("all sites answer after {unit}");
        wait_until(Duration::from_secs(60), &what, async || {
            let hits = self.hits.lock().unwrap();
            let mut good = BTreeMap::from_iter(hits.iter().map(|hit| (hit.site.clone(), 0)));
            for hit in hits.iter().filter(|hit| hit.begun > moment) {
                *good.entry(hit.site.clone()).or_insert(0) += u32::from(hit.is_good());
            }
            if good.len() == self.visitors.len() && good.values().all(|count| *count > 1) {
                Ok(())
            } else {
                Err(format!("{good:?}"))
            }
        })
        .await;
    }

    fn since(&self, moment: Instant) -> Vec<Hit> {
        let hits = self.hits.lock().unwrap();
        hits.iter().filter(|hit| hit.ended >= moment).cloned().collect()
    }

    /// Ends everybody: the posts (address, title) and sites that were acknowledged.
    async fn end(self) -> (Vec<(String, String)>, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        for visitor in self.visitors {
            visitor.await.unwrap();
        }
        (self.author.await.unwrap(), self.customer.await.unwrap())
    }
}

async fn visit(
    platform: Arc<Platform>,
    site: String,
    hits: Arc<Mutex<Vec<Hit>>>,
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let answer = platform.visitor(&site).send("GET", "/", &[], "").await;
        let outcome =
            answer.map(|answer| answer.status.as_u16()).map_err(|error| error.to_string());
        let hit = Hit { site: site.clone(), begun, ended: Instant::now(), outcome };
        hits.lock().unwrap().push(hit);
        tokio::time::sleep(PACE).await;
    }
}

/// Publishes posts; those that were acknowledged are remembered.
async fn write(mut author: Admin, stop: Arc<AtomicBool>) -> Vec<(String, String)> {
    let mut posts = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let title = format!("Written under fire {number}");
        let post = json!({"title": title, "content": "x", "status": "publish"});
        if let Some(answer) = author.try_rest("POST", "/wp/v2/posts", &post).await
            && answer.status == 201
        {
            posts.push((answer.as_json()["link"].as_str().unwrap().to_owned(), title));
        }
        tokio::time::sleep(PACE * 3).await;
    }
    posts
}

/// Asks for sites; those that were acknowledged are remembered. The same key goes with each try.
async fn make_sites(platform: Arc<Platform>, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut names = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let name = format!("made-{}", names.len());
        let body = json!({"name": name}).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", name.as_str())];
        let answer = platform.api().send("POST", "/v1/tenants", &headers, body).await;
        if answer.is_ok_and(|answer| answer.status == 202) {
            names.push(name);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        tokio::time::sleep(PACE).await;
    }
    names
}

/// Three sites: two on one shard, one on the other. Gives the shard of the two.
async fn settle(platform: &Platform) -> (String, [String; 3]) {
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0.. {
        let name = format!("site-{number}");
        let told = platform.cli(&["route", &name, "--shards", "2", "-o", "json"]).await.good();
        let shard =
            if told.out.contains("shard-001") { "aipress-shard-001" } else { "aipress-shard-002" };
        shards.entry(shard.to_owned()).or_default().push(name);
        if shards.len() == 2 && shards.values().any(|names| names.len() > 1) {
            break;
        }
    }
    let (two, one): (Vec<_>, Vec<_>) = shards.into_iter().partition(|(_, names)| names.len() > 1);
    let sites = [two[0].1[0].clone(), two[0].1[1].clone(), one[0].1[0].clone()];
    for (site, shard) in sites.iter().zip([&two[0].0, &two[0].0, &one[0].0]) {
        platform.create(site).await;
        assert_eq!(platform.tenant(site).await["shard"], shard.as_str(), "{site}");
    }
    (two[0].0.clone(), sites)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_is_back_by_itself_and_sites_not_concerned_never_fail() {
    let platform = Arc::new(Platform::start(options()).await);
    let (shard, sites) = settle(&platform).await;
    let [first, second, elsewhere] = sites.each_ref().map(String::as_str);
    let mut author = platform.admin(first).await;
    let before = author.publish("Written in peace").await;
    // One of the two has a php-fpm of its own.
    platform.cli(&["tenant", "update", second, "--tier", "gold"]).await.good();
    let traffic = Traffic::start(Arc::clone(&platform), &[first, second, elsewhere], author);

    // Nobody needs these for a page.
    for unit in [format!("{shard}-redis"), shard.clone(), "meta".to_owned()] {
        let (_, hits) = traffic.strike(&unit).await;
        let failed: Vec<&Hit> = hits.iter().filter(|hit| !hit.is_good()).collect();
        assert!(failed.is_empty(), "{unit}: {failed:#?}");
    }
    // These are one shard's: the other one's sites don't notice.
    for unit in ["mariadb", "php-fpm", "gateway"] {
        let (_, hits) = traffic.strike(&format!("{shard}-{unit}")).await;
        let failed = |hit: &&Hit| hit.site == elsewhere && !hit.is_good();
        let failed: Vec<&Hit> = hits.iter().filter(failed).collect();
        assert!(failed.is_empty(), "{unit}: {failed:#?}");
    }
    // And one is one site's.
    let own = own_php(&platform).await;
    let (_, hits) = traffic.strike(&own).await;
    let failed = hits.iter().filter(|hit| hit.site != second && !hit.is_good());
    assert_eq!(failed.count(), 0, "{own}: {hits:#?}");
    nobody_is_refused_by_a_killed_edge(&platform, &traffic).await;
    the_data_plane_outlives_the_control_plane(&platform, &traffic, &shard).await;
    sites_outlive_the_supervisor(&platform, &traffic).await;

    let (posts, names) = traffic.end().await;
    println!("{} posts and {} sites were acknowledged", posts.len(), names.len());
    assert!(posts.len() > 3 && names.len() > 1, "{posts:?} {names:?}");
    let mut reader = platform.visitor(first);
    reader.get(&before).await.with_status(200);
    for (link, title) in &posts {
        assert!(reader.get(link).await.with_status(200).title().contains(title), "{title}");
    }
    for name in &names {
        platform.reaches(name, "active").await;
        assert_eq!(platform.visitor(name).get("/").await.with_status(200).title(), *name);
    }
    platform.has_clean_inventory().await;
}

/// The php-fpm of the only gold site.
async fn own_php(platform: &Platform) -> String {
    let units = platform.units().await;
    let mut own = units.into_iter().filter(|u| u.name.contains("php-fpm-slot") && u.pid.is_some());
    own.next().unwrap().name
}

/// Everybody is served while nobody supervises; the next supervisor takes over, and all is as
/// before.
async fn sites_outlive_the_supervisor(platform: &Platform, traffic: &Traffic) {
    let status = platform.cli(&["status", "-o", "json"]).await.good().json();
    let killed = Instant::now();
    end_process(i32::try_from(status["pid"].as_i64().unwrap()).unwrap());
    wait_until(Duration::from_secs(60), "the supervisor is gone", async || {
        if platform.cli(&["status"]).await.code == 1 { Ok(()) } else { Err("it answers".into()) }
    })
    .await;
    traffic.all_answer("the supervisor's end", Instant::now()).await;
    let failed: Vec<Hit> = traffic.since(killed).into_iter().filter(|h| !h.is_good()).collect();
    assert!(failed.is_empty(), "without a supervisor: {failed:#?}");
    platform.up().await.good();
    traffic.all_answer("the next supervisor", Instant::now()).await;
}

/// A connection made after the kill waits in the backlog and is answered. Of several tries the
/// best counts for the time: the machine is busy with much else.
async fn nobody_is_refused_by_a_killed_edge(platform: &Platform, traffic: &Traffic) {
    let site = traffic.platform.visitor("console").host().to_owned();
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let pid = platform.pid("edge").await;
        let killed = Instant::now();
        end_process(pid);
        // The API's health needs no PHP: it shows the edge's time, not a page's.
        let answer = platform.api().send("GET", "/v1/health", &[], "").await;
        let took = killed.elapsed();
        assert_eq!(answer.unwrap_or_else(|e| panic!("{site}: {e}")).status, 200);
        best = best.min(took);
        platform.back("edge", pid).await;
    }
    println!("edge: answers {} ms after it was killed", best.as_millis());
    assert!(best <= EDGE_BACK, "answered {best:?} after the kill");
    let (killed, hits) = traffic.strike("edge").await;
    // Only what was under way in the dying process may be cut off.
    let failed: Vec<&Hit> = hits.iter().filter(|h| h.begun > killed && !h.is_good()).collect();
    assert!(failed.is_empty(), "refused: {failed:#?}");
}

/// With meta and the shard's control plane standing still, a new edge and a new gateway serve from
/// what is on disk.
async fn the_data_plane_outlives_the_control_plane(
    platform: &Platform,
    traffic: &Traffic,
    shard: &str,
) {
    let control = [platform.pid("meta").await, platform.pid(shard).await];
    control.into_iter().for_each(hold_process);
    for unit in ["edge", &format!("{shard}-gateway")] {
        let (killed, hits) = traffic.strike(unit).await;
        let failed: Vec<&Hit> = hits.iter().filter(|h| h.begun > killed && !h.is_good()).collect();
        assert!(failed.is_empty(), "{unit} without control planes: {failed:#?}");
    }
    control.into_iter().for_each(release_process);
}
