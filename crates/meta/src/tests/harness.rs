//! One meta under test, its shards, and callers.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use aipress_api::PROTOCOL;
use aipress_api::PROTOCOL_HEADER;
use aipress_api::ROLE_HEADER;
use aipress_kit::clock::Clock;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::Trust;
use aipress_kit::http::outgoing::any_address;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::bind_unix;
use aipress_kit::tasks;
use aipress_store::AccountRecord;
use aipress_store::Store;
use aipress_store::StoreOptions;
use aipress_store::UserRecord;
use aipress_types::AccountId;
use aipress_types::Secret;
use aipress_types::UserId;
use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::shard::FakeShard;
use crate::CheckpointConfig;
use crate::Federation;
use crate::MasterKey;
use crate::MetaConfig;
use crate::MetaError;
use crate::PackagesConfig;
use crate::SiteUrls;
use crate::StreamLimits;
use crate::WebhookConfig;
use crate::admin_token;

/// When every test begins.
pub(super) const START: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
/// Longest wait for something that happens by itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A running meta.
pub(super) struct Meta {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Clock,
    pub(super) admin: String,
    pub(super) shards: Vec<FakeShard>,
    /// Of the next start.
    pub(super) webhooks: WebhookConfig,
    /// Address of the directory of plugins.
    pub(super) directory: String,
    federation: u32,
    lifecycle: Lifecycle,
    task: Option<JoinHandle<Option<Result<(), MetaError>>>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Answer {
    /// The problem's code.
    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// A text of the body.
    pub(super) fn at(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// Checks that it is a whole problem of this status and code.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        for field in ["type", "title", "detail", "instance", "requestId"] {
            assert!(!self.body[field].as_str().unwrap_or("").is_empty(), "{field}: {}", self.text);
        }
        assert_eq!(self.header("x-request-id"), self.at("/requestId"));
    }

    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Meta {
    /// A meta with `shards` shards of 50 slots that do at once what they are asked.
    pub(super) async fn start(shards: u32) -> Self {
        let slots = vec![50; shards as usize];
        Self::start_with(&slots).await
    }

    /// The same, with the directory of plugins at another address.
    pub(super) async fn start_at(shards: u32, directory: &str) -> Self {
        Self::start_parts(&vec![50; shards as usize], directory, tempfile::tempdir().unwrap()).await
    }

    /// A meta whose shards have these numbers of slots.
    pub(super) async fn start_with(slots: &[u32]) -> Self {
        // Nobody listens there.
        Self::start_parts(slots, "http://127.0.0.1:9", tempfile::tempdir().unwrap()).await
    }

    /// A meta with a shard of so many slots, all of whose files are on this disk.
    pub(super) async fn start_on(disk: &Path, slots: u32) -> Self {
        let folder = tempfile::tempdir_in(disk).unwrap();
        Self::start_parts(&[slots], "http://127.0.0.1:9", folder).await
    }

    async fn start_parts(slots: &[u32], directory: &str, folder: tempfile::TempDir) -> Self {
        let federation = u32::try_from(slots.len()).unwrap();
        let mut roles = json!({ "edge": sha256(&token("edge")) });
        for number in 1..=federation {
            let role = format!("aipress-shard-{number:03}");
            roles[&role] = json!(sha256(&token(&role)));
        }
        std::fs::write(folder.path().join("roles.json"), roles.to_string()).unwrap();
        let mut meta = Self {
            clock: Clock::fixed(START),
            admin: String::new(),
            shards: Vec::new(),
            webhooks: WebhookConfig { allow_private: true, ..WebhookConfig::default() },
            directory: directory.to_owned(),
            federation,
            lifecycle: Lifecycle::manual(),
            task: None,
            folder,
        };
        meta.run();
        meta.read_admin_token().await;
        for (index, slots) in slots.iter().enumerate() {
            let number = u32::try_from(index + 1).unwrap();
            let shard = FakeShard::start(meta.folder.path(), number, *slots).await;
            shard.report(&[]).await.is(200);
            meta.shards.push(shard);
        }
        meta
    }

    fn run(&mut self) {
        self.lifecycle = Lifecycle::manual();
        let config = self.config();
        self.task = Some(tasks::spawn("meta", crate::run(config, self.lifecycle.clone())));
    }

    pub(super) fn config(&self) -> MetaConfig {
        let at = |name: &str| self.folder.path().join(name);
        MetaConfig {
            registry_path: at("registry.db"),
            master_key: MasterKey::File(at("master.key")),
            public: bind_unix(&at("meta.sock"), 0o600).unwrap(),
            internal: bind_unix(&at("internal.sock"), 0o600).unwrap(),
            role_tokens: at("roles.json"),
            own_token: Some(Secret::new(token("meta"))),
            federation: Federation { shards: self.federation },
            sites: SiteUrls {
                scheme: "http".into(),
                base_domain: "localhost".into(),
                public_port: 8080,
                console_host: "console.localhost".into(),
            },
            admin_token_file: at("admin-token"),
            php: Some("8.2".to_owned()),
            streams: StreamLimits::default(),
            webhooks: self.webhooks.clone(),
            packages: PackagesConfig {
                dir: at("packages"),
                directory: self.directory.clone(),
                inside: Outgoing::new(&Trust::File(at("no-authorities")), any_address),
                outside: Outgoing::new(&Trust::File(at("no-authorities")), any_address),
            },
            // Nothing is written while a test compares all rows of the registry; at the end it is.
            checkpoints: CheckpointConfig {
                path: at("checkpoints.jsonl"),
                interval: Duration::from_secs(3_600),
            },
            clock: self.clock.clone(),
        }
    }

    async fn read_admin_token(&mut self) {
        let path = self.folder.path().join("admin-token");
        self.admin = until("the admin token", || async {
            let text = std::fs::read_to_string(&path).ok()?;
            // Written before the listeners serve; wait for those, too.
            let answer = self.try_get("/v1/health").await?;
            (answer.status == 200).then(|| text.trim().to_owned())
        })
        .await;
    }

    async fn try_get(&self, path: &str) -> Option<Answer> {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        send(&self.folder.path().join("meta.sock"), request).await
    }

    /// Stops meta and starts it again on the same registry.
    pub(super) async fn restart(&mut self) {
        self.stop().await;
        self.run();
        self.read_admin_token().await;
    }

    /// Starts a stopped meta that can't go on: why, in all words.
    pub(super) async fn refuses_to_start(&mut self) -> String {
        self.run();
        let task = self.task.take().unwrap();
        let ended = tokio::time::timeout(PATIENCE, task).await.expect("it goes on");
        let error = ended.unwrap().unwrap().unwrap_err();
        let mut words = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            words = format!("{words}: {source}");
            next = source.source();
        }
        words
    }

    /// Asks meta to stop and waits for its end.
    pub(super) async fn stop(&mut self) {
        self.lifecycle.drain.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap().unwrap().unwrap();
        }
    }

    /// A second handle on the registry, to look behind the API.
    pub(super) async fn store(&self) -> Store {
        let path = self.folder.path().join("registry.db");
        Store::open(StoreOptions::new(path, Uuid::new_v4())).await.unwrap()
    }

    /// A new account with one member; the member's token.
    pub(super) async fn member(&self, login: &str) -> String {
        self.user(login, "member").await
    }

    /// A new account with a platform-admin; their token.
    pub(super) async fn administrator(&self, login: &str) -> String {
        self.user(login, "platform-admin").await
    }

    async fn user(&self, login: &str, role: &str) -> String {
        let store = self.store().await;
        let account = AccountRecord {
            id: AccountId(Uuid::new_v4()),
            name: login.to_owned(),
            created_at: START,
        };
        let user = UserRecord {
            id: UserId(Uuid::new_v4()),
            account: account.id,
            login: login.to_owned(),
            role: role.to_owned(),
            created_at: START,
            disabled_at: None,
        };
        let (secret, token) = admin_token::mint(user.id, "test", START).unwrap();
        let mut txn = store.begin().await.unwrap();
        txn.account_insert(&account).await.unwrap();
        txn.user_insert(&user).await.unwrap();
        txn.token_insert(&token).await.unwrap();
        txn.commit().await.unwrap();
        store.close().await;
        secret.expose().to_owned()
    }

    /// A request of the public API.
    pub(super) async fn call(&self, request: Request<Bytes>) -> Answer {
        send(&self.folder.path().join("meta.sock"), request).await.expect("meta answers")
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call(self.request("GET", path).body(Bytes::new()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(with_json(self.request("POST", path), &body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(with_json(self.request("PATCH", path), &body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(with_json(self.request("PUT", path), &body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.call(self.request("DELETE", path).body(Bytes::new()).unwrap()).await
    }

    /// A request of the administrator.
    pub(super) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        self.request_as(&self.admin, method, path)
    }

    pub(super) fn request_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
    ) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
    }

    /// Makes a site and waits until it is active.
    pub(super) async fn made(&self, name: &str) -> Answer {
        let made = self.post("/v1/tenants", json!({ "name": name })).await.is(202);
        self.ended(made.at("/operation/id")).await;
        made
    }

    /// Waits for the end of an operation.
    pub(super) async fn ended(&self, operation: &str) -> Answer {
        until("the end of an operation", || async {
            let answer = self.get(&format!("/v1/operations/{operation}")).await;
            let state = answer.at("/state").to_owned();
            (!["pending", "running"].contains(&state.as_str())).then_some(answer)
        })
        .await
    }

    /// Sends a verb and waits for the end of what it began.
    pub(super) async fn done(&self, name: &str, verb: &str) -> Answer {
        let path = format!("/v1/tenants/{name}");
        let answer = match verb {
            "delete" => self.delete(&path).await,
            verb => self.post(&format!("{path}/{verb}"), json!({})).await,
        }
        .is(202);
        self.ended(answer.at("/operation/id")).await
    }

    pub(super) async fn state(&self, name: &str) -> String {
        self.get(&format!("/v1/tenants/{name}")).await.at("/state").to_owned()
    }
}

impl Drop for Meta {
    fn drop(&mut self) {
        self.lifecycle.drain.cancel();
        self.lifecycle.cut.cancel();
    }
}

/// The token of a role.
pub(super) fn token(role: &str) -> String {
    format!("token-of-{role}")
}

pub(super) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

pub(super) fn with_json(builder: http::request::Builder, body: &Value) -> Request<Bytes> {
    builder.header("content-type", "application/json").body(Bytes::from(body.to_string())).unwrap()
}

/// A request of a role to the internal API.
pub(super) fn role_request(role: &str, method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", token(role)))
        .header(ROLE_HEADER, role)
        .header(PROTOCOL_HEADER, PROTOCOL)
}

/// Sends a request to a Unix socket; `None` when nobody answers.
pub(super) async fn send(socket: &Path, request: Request<Bytes>) -> Option<Answer> {
    let client = Client::new(Endpoint::Unix(PathBuf::from(socket)), PATIENCE);
    let answer = client.call(request).await.ok()?;
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    Some(Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    })
}

/// Looks again and again until `look` sees it.
pub(super) async fn until<T, F, Fut>(what: &str, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let seen = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, seen).await {
        Ok(seen) => seen,
        Err(_) => panic!("waited for {what} in vain"),
    }
}
