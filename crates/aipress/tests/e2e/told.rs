//! Who is told of events is told of every one, in order, though meta is killed again and again:
//! `aipress events --follow`, and a webhook whose endpoint has a certificate of a private
//! authority. An endpoint that another authority vouches for is not believed, and its log says so.

mod endpoint;

use std::fs::File;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::end_process;
use aipress_testkit::wait_until;
use serde_json::Value;
use serde_json::json;

use crate::options;
use endpoint::Endpoint;

/// Everything has arrived within this.
const SOON: Duration = Duration::from_secs(60);
/// Kills of meta, and changes between two of them.
const ROUNDS: usize = 3;
const CHANGES: usize = 6;
const SHARD: &str = "aipress-shard-001";

/// `aipress events --follow` in a process of its own.
struct Follower {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Follower {
    fn start(platform: &Platform, name: &str, args: &[&str]) -> Self {
        let (out, err) = (platform.home().join(name), platform.home().join(format!("{name}.err")));
        let mut command = platform.command();
        command.args(["events", "--follow", "-o", "json"]).args(args);
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        Self { child: command.spawn().unwrap(), out, err }
    }

    /// What it has printed.
    fn events(&self) -> Vec<Value> {
        events(&std::fs::read_to_string(&self.out).unwrap())
    }

    /// Ends it as Ctrl-C does, and gives what it said then.
    fn interrupt(&mut self) -> String {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(self.child.wait().unwrap().success());
        std::fs::read_to_string(&self.err).unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whole lines; the last one may be half written.
fn events(text: &str) -> Vec<Value> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn followers_and_webhooks_miss_nothing_while_meta_is_killed() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let endpoint = Endpoint::start(&platform.home().join("ours.pem")).await;
    let stranger = Endpoint::start(&platform.home().join("theirs.pem")).await;
    platform.create("bakery").await;
    platform.down().await;
    allow(&platform, &platform.home().join("ours.pem"));
    platform.up().await.good();

    let newest = platform.cli(&["events", "--limit", "1", "-o", "json"]).await.good();
    let place = newest.json()["id"].as_str().unwrap().to_owned();
    let webhook = webhook(&platform, &endpoint).await;
    let unbelieved = self::webhook(&platform, &stranger).await;
    let of_kind = ["--since", &place, "--kind", "shard.update"];
    let of_shard = ["--since", &place, "--shard", SHARD];
    let of_tenant = ["--since", "oldest", "--tenant", "bakery"];
    let mut by_kind = Follower::start(&platform, "by-kind", &of_kind);
    let by_shard = Follower::start(&platform, "by-shard", &of_shard);
    let by_tenant = Follower::start(&platform, "by-tenant", &of_tenant);
    // Each answer takes a while, so that a kill meets a delivery that is under way.
    endpoint.answer_after(Duration::from_millis(150));

    for _ in 0..ROUNDS {
        for change in 0..CHANGES {
            let verb = if change % 2 == 0 { "cordon" } else { "uncordon" };
            platform.cli(&["shard", verb, SHARD]).await.good();
        }
        platform.cli(&["tenant", "suspend", "bakery", "--yes"]).await.good();
        let meta = platform.pid("meta").await;
        end_process(meta);
        platform.back("meta", meta).await;
        platform.cli(&["tenant", "resume", "bakery"]).await.good();
    }

    for (follower, args) in [(&by_kind, &of_kind), (&by_shard, &of_shard), (&by_tenant, &of_tenant)]
    {
        let told = platform.cli(&[&["events", "-o", "json"], &args[..]].concat()).await.good();
        let wanted = events(&told.out);
        assert!(wanted.len() >= ROUNDS * 2, "{wanted:?}");
        arrives("what is followed", &wanted, || follower.events()).await;
    }
    let uid = platform.tenant("bakery").await["uid"].clone();
    assert!(by_tenant.events().iter().all(|event| event["tenant"] == uid));
    assert!(by_shard.events().iter().all(|event| event["shard"] == SHARD));
    let wanted = by_kind.events();
    assert_eq!(wanted.len(), ROUNDS * CHANGES);
    assert!(wanted.iter().all(|event| event["kind"] == "shard.update"));
    let last = wanted.last().unwrap()["id"].as_str().unwrap();
    let said = by_kind.interrupt();
    assert!(said.contains("connecting again"), "{said}");
    assert!(said.contains("aipress events --follow --since "), "{said}");
    let (_, from) = said.trim_end().rsplit_once(' ').unwrap();
    assert!(from.parse::<u64>().unwrap() >= last.parse::<u64>().unwrap(), "{said}");

    // Each event in its place; one that was under way when meta was killed may come again, under
    // the same id.
    arrives("what is delivered", &wanted, || endpoint.told()).await;
    endpoint.each_id_is_of_one_event();
    is_refused_with_a_reason(&platform, &unbelieved).await;
    assert!(stranger.told().is_empty());
    redirects_are_not_followed(&platform, &endpoint, &webhook).await;
}

/// Lets webhooks go to this machine, whose certificate this authority made.
fn allow(platform: &Platform, authorities: &std::path::Path) {
    let path = platform.path("config.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    settings["webhooks"] = json!({ "allowPrivate": true, "authorities": authorities });
    std::fs::write(&path, settings.to_string()).unwrap();
}

async fn webhook(platform: &Platform, endpoint: &Endpoint) -> String {
    let args = ["webhook", "create", &endpoint.url, "--kind", "shard.update", "--platform"];
    let made = platform.cli(&[&args[..], &["-o", "json"]].concat()).await.good().json();
    made["webhook"]["id"].as_str().unwrap().to_owned()
}

async fn arrives(what: &str, wanted: &[Value], told: impl Fn() -> Vec<Value>) {
    wait_until(SOON, what, async || {
        let told = told();
        if told.len() >= wanted.len() { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
    assert_eq!(told(), wanted, "{what}");
}

/// The attempts of a webhook's oldest delivery, once there are any.
async fn attempts(platform: &Platform, webhook: &str, delivery: usize) -> Value {
    wait_until(SOON, "an attempt", async || {
        let args = ["webhook", "deliveries", webhook, "-o", "json"];
        let told = platform.cli(&args).await.good().json();
        let deliveries = told.as_array().or(told["items"].as_array()).unwrap().clone();
        let index = deliveries.len().checked_sub(delivery + 1).ok_or("none yet".to_owned())?;
        match &deliveries[index]["log"][0] {
            Value::Null => Err(format!("{deliveries:?}")),
            attempt => Ok(attempt.clone()),
        }
    })
    .await
}

async fn is_refused_with_a_reason(platform: &Platform, webhook: &str) {
    let attempt = attempts(platform, webhook, 0).await;
    let error = attempt["error"].as_str().unwrap();
    assert!(error.contains("localhost") && error.contains("certificate"), "{error}");
    assert_eq!(attempt.get("status"), None);
}

async fn redirects_are_not_followed(platform: &Platform, endpoint: &Endpoint, webhook: &str) {
    let before = endpoint.requests();
    endpoint.redirect_to("/elsewhere");
    let told = platform.cli(&["webhook", "test", webhook]).await;
    let said = format!("{}{}", told.out, told.err);
    assert!(said.contains("redirects are not followed"), "{said}");
    assert_eq!(endpoint.requests(), before + 1);
}
