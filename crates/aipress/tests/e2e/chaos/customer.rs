//! One customer: makes sites and changes them, and remembers what was acknowledged. What is not
//! answered is sent again under its key until it is.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use aipress_testkit::Admin;
use aipress_testkit::PNG;
use aipress_testkit::Platform;
use serde_json::Value;
use serde_json::json;

use super::dice::Dice;
use super::expected::Life;
use super::expected::Site;

/// Longest that the API may give no answer that settles a request, whatever happens to it.
const ANSWERED: Duration = Duration::from_secs(180);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// Sites that one customer has at most.
const SITES: usize = 4;

/// What a customer may do next.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Create,
    Suspend,
    Resume,
    Delete,
    Undelete,
    Erase,
    Rename,
    Retier,
    /// Other passwords and salts.
    Rotate,
    Publish,
    Upload,
    /// Deletes it, and takes it back before that can be done.
    ChangeMind,
}

/// One customer.
pub(super) struct Customer {
    platform: Arc<Platform>,
    number: u64,
    dice: Dice,
    sites: Vec<(Site, Option<Admin>)>,
    requests: u32,
}

/// What the API said in the end.
enum Answer {
    Accepted(Value),
    /// Status and code: the state of things does not allow it.
    Refused(String),
}

impl Customer {
    pub(super) fn new(platform: Arc<Platform>, number: u64, dice: Dice) -> Self {
        Self { platform, number, dice, sites: Vec::new(), requests: 0 }
    }

    /// Does one thing after the other until `stop`, and gives what is expected then.
    pub(super) async fn live(mut self, stop: Arc<AtomicBool>) -> Vec<Site> {
        while !stop.load(Ordering::Relaxed) {
            let kept = self.sites.iter().filter(|(site, _)| site.life != Life::Erased).count();
            if kept == 0 || (kept < SITES && self.dice.below(5) == 0) {
                self.create().await;
                continue;
            }
            let mut at = self.dice.below(self.sites.len());
            while self.sites[at].0.life == Life::Erased {
                at = (at + 1) % self.sites.len();
            }
            let wish = self.wish(self.sites[at].0.life);
            self.fulfil(at, wish).await;
            tokio::time::sleep(PAUSE).await;
        }
        self.sites.into_iter().map(|(site, _)| site).collect()
    }

    fn wish(&mut self, life: Life) -> Wish {
        self.dice.one_of(match life {
            Life::Active => &[
                (30, Wish::Publish),
                (20, Wish::Upload),
                (10, Wish::Rename),
                (6, Wish::Retier),
                (6, Wish::Rotate),
                (10, Wish::Suspend),
                (8, Wish::Delete),
                (8, Wish::ChangeMind),
            ],
            Life::Suspended => &[(6, Wish::Resume), (2, Wish::Rename), (1, Wish::Delete)],
            Life::Deleted => &[(6, Wish::Undelete), (1, Wish::Erase)],
            Life::Erased => &[(1, Wish::Create)],
        })
    }

    async fn fulfil(&mut self, at: usize, wish: Wish) {
        let uid = self.sites[at].0.uid.clone();
        let path = |verb: &str| format!("/v1/tenants/{uid}/{verb}");
        match wish {
            Wish::Create => self.create().await,
            Wish::Suspend => self.becomes(at, "POST", &path("suspend"), Life::Suspended).await,
            Wish::Resume => self.becomes(at, "POST", &path("resume"), Life::Active).await,
            Wish::Undelete => self.becomes(at, "POST", &path("undelete"), Life::Active).await,
            Wish::Erase => self.becomes(at, "POST", &path("erase"), Life::Erased).await,
            Wish::Delete | Wish::ChangeMind => {
                let site = format!("/v1/tenants/{uid}");
                self.becomes(at, "DELETE", &site, Life::Deleted).await;
                if matches!(wish, Wish::ChangeMind) {
                    self.becomes(at, "POST", &path("undelete"), Life::Active).await;
                }
            }
            Wish::Rename => {
                let label = format!("Renamed {}", self.requests);
                let body = json!({"metadata": {"displayName": label}});
                if self.changes(at, &body).await {
                    self.sites[at].0.label = Some(label);
                }
            }
            Wish::Retier => {
                let tier = self.dice.one_of(&[(2, "bronze"), (2, "silver"), (1, "gold")]);
                if self.changes(at, &json!({"spec": {"tier": tier}})).await {
                    let site = &mut self.sites[at].0;
                    site.tier = Some(tier);
                    site.story.push(tier.to_owned());
                }
            }
            Wish::Rotate => match self.ask("POST", &path("rotate-secrets"), &json!({})).await {
                Answer::Accepted(_) => {
                    self.sites[at].0.story.push("other secrets".to_owned());
                    // Salts sign everybody out.
                    self.sites[at].1 = None;
                }
                Answer::Refused(why) => {
                    self.sites[at].0.story.push(format!("other secrets were refused: {why}"));
                }
            },
            Wish::Publish => self.publish(at).await,
            Wish::Upload => self.upload(at).await,
        }
    }

    async fn create(&mut self) {
        let name = format!("chaos-{}-{}", self.number, self.sites.len());
        match self.ask("POST", "/v1/tenants", &json!({"name": name})).await {
            Answer::Accepted(body) => {
                let uid = body["tenant"]["uid"].as_str().unwrap().to_owned();
                let story = vec!["creation".to_owned()];
                let (posts, files) = (Vec::new(), Vec::new());
                let life = Life::Active;
                let site = Site { name, uid, life, label: None, tier: None, posts, files, story };
                self.sites.push((site, None));
            }
            // No shard is well right now.
            Answer::Refused(why) if why.contains("no_capacity") => {
                tokio::time::sleep(PAUSE * 4).await;
            }
            Answer::Refused(why) => panic!("{name} is refused: {why}"),
        }
    }

    /// Whether a change of a site's document was accepted.
    async fn changes(&mut self, at: usize, body: &Value) -> bool {
        let site = format!("/v1/tenants/{}", self.sites[at].0.uid);
        match self.ask("PATCH", &site, body).await {
            Answer::Accepted(_) => true,
            Answer::Refused(why) => {
                self.sites[at].0.story.push(format!("{body} was refused: {why}"));
                false
            }
        }
    }

    async fn becomes(&mut self, at: usize, method: &str, path: &str, life: Life) {
        let answer = self.ask(method, path, &Value::Null).await;
        let site = &mut self.sites[at].0;
        match answer {
            Answer::Accepted(_) => {
                site.life = life;
                site.story.push(format!("{life:?}"));
            }
            Answer::Refused(why) => site.story.push(format!("{life:?} was refused: {why}")),
        }
    }

    /// Sends a request, under one key, until it is accepted or refused for good.
    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.requests += 1;
        let key = format!("chaos-{}-{}", self.number, self.requests);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let headers = if body.is_empty() { &headers[1..] } else { &headers[..] };
        let begun = Instant::now();
        loop {
            let answer = self.platform.api().send(method, path, headers, body.clone()).await;
            let why = match answer {
                Err(error) => error.to_string(),
                Ok(answer) if answer.status.is_success() => {
                    return Answer::Accepted(answer.as_json());
                }
                Ok(answer) => {
                    let text = answer.text();
                    let passes = answer.status.is_server_error()
                        || answer.status == 429
                        || text.contains("idempotency_in_flight");
                    if !passes {
                        return Answer::Refused(format!("{} {text}", answer.status));
                    }
                    format!("{} {text}", answer.status)
                }
            };
            assert!(begun.elapsed() < ANSWERED, "{method} {path}: no answer, lastly {why}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Somebody signed in to the site, if it lets anybody in right now.
    async fn admin(&mut self, at: usize) -> Option<Admin> {
        if let Some(admin) = self.sites[at].1.take() {
            return Some(admin);
        }
        let path = format!("/v1/tenants/{}/login-link", self.sites[at].0.uid);
        let headers = [("content-type", "application/json")];
        let answer = self.platform.api().send("POST", &path, &headers, "{}").await.ok()?;
        if !answer.status.is_success() {
            return None;
        }
        let link = answer.as_json()["url"].as_str()?.to_owned();
        Admin::try_sign_in(self.platform.visitor(&self.sites[at].0.name), &link).await
    }

    async fn publish(&mut self, at: usize) {
        let Some(mut admin) = self.admin(at).await else { return };
        let title = format!("Told in chaos {}", self.requests);
        self.requests += 1;
        let post = json!({"title": title, "content": "x".repeat(2_000), "status": "publish"});
        let answer = admin.try_rest("POST", "/wp/v2/posts", &post).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 201) {
            let link = answer.as_json()["link"].as_str().unwrap().to_owned();
            self.sites[at].0.posts.push((link, title));
            self.sites[at].1 = Some(admin);
        }
    }

    async fn upload(&mut self, at: usize) {
        let Some(mut admin) = self.admin(at).await else { return };
        let name = format!("chaos-{}.png", self.requests);
        self.requests += 1;
        // What follows the end of a PNG is kept.
        let content = [PNG, &vec![b'x'; 1 + self.dice.below(200_000)]].concat();
        let answer = admin.try_upload(&name, &content).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 201) {
            let link = answer.as_json()["source_url"].as_str().unwrap().to_owned();
            self.sites[at].0.files.push((link, content));
            self.sites[at].1 = Some(admin);
        }
    }
}
