//! Every change of the API with `?dryRun=true`: it makes a plan, and nothing else. And the plans of
//! what changes no state by nature, applied.

use std::collections::BTreeMap;
use std::path::Path;

use aipress_archive::ArchiveWriter;
use aipress_archive::Manifest;
use aipress_packages::build::ZipBuilder;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use super::endpoint::Endpoint;
use super::harness::Answer;
use super::harness::Meta;
use super::harness::until;
use super::harness::with_json;

/// Something to send, under what the API's description calls it.
struct Case {
    method: &'static str,
    /// As described, such as `/v1/tenants/{id}`.
    route: &'static str,
    path: String,
    media_type: &'static str,
    body: Vec<u8>,
    action: &'static str,
    /// Whether the plan says that something changes.
    changes: bool,
    /// Whether the plan could be applied by its hash.
    whole: bool,
}

impl Case {
    fn new(method: &'static str, route: &'static str, ids: &[&str], action: &'static str) -> Self {
        let mut path = String::new();
        let mut ids = ids.iter();
        for part in route.split('/').skip(1) {
            path.push('/');
            path.push_str(if part.starts_with('{') { ids.next().unwrap() } else { part });
        }
        let (media_type, body) = ("application/json", Vec::new());
        Self { method, route, path, media_type, body, action, changes: true, whole: true }
    }

    fn with(mut self, body: Value) -> Self {
        self.body = body.to_string().into_bytes();
        self
    }

    fn bytes(mut self, media_type: &'static str, body: &[u8]) -> Self {
        (self.media_type, self.body, self.whole) = (media_type, body.to_vec(), false);
        self
    }

    fn nothing(mut self) -> Self {
        self.changes = false;
        self
    }

    async fn send(&self, meta: &Meta, query: &str) -> Answer {
        let mut request = meta.request(self.method, &format!("{}{query}", self.path));
        if !self.body.is_empty() {
            request = request.header("content-type", self.media_type);
        }
        if self.route.ends_with("/data") {
            request = request.header("upload-offset", "0");
        }
        meta.call(request.body(Bytes::from(self.body.clone())).unwrap()).await
    }
}

/// What is there for the cases to be about.
struct Ground {
    webhook: String,
    delivery: String,
    package: String,
    empty: String,
    filled: String,
    plan: String,
    _endpoint: Endpoint,
}

/// A small site in an archive.
fn archive() -> Vec<u8> {
    let manifest: Manifest = serde_json::from_value(json!({
        "formatVersion": 1, "platformVersion": "0", "createdAt": "2026-11-21T12:00:00Z",
        "tenant": { "name": "old", "uid": "" },
        "wordpress": { "version": "7.1", "home": "http://old.example", "siteurl": "http://old.example" },
        "database": { "tablePrefix": "wp_", "charset": "utf8mb4", "collation": "utf8mb4_general_ci",
            "tables": 4, "bytes": 1 },
        "files": { "count": 0, "bytes": 0 },
    }))
    .unwrap();
    let mut sql = String::new();
    for table in ["options", "posts", "users", "usermeta"] {
        sql.push_str(&format!("CREATE TABLE `wp_{table}` (`a` int);\n"));
    }
    sql.push_str(
        "INSERT INTO `wp_options` VALUES (1,'siteurl','http://old.example','yes'),\
         (2,'home','http://old.example','yes'),(3,'db_version','53496','yes');\n",
    );
    let mut writer = ArchiveWriter::new(Vec::new(), 1, &manifest, 0).unwrap();
    writer.document(b"spec: {}\n").unwrap();
    writer.database(sql.as_bytes()).unwrap();
    writer.finish().unwrap()
}

async fn prepare(meta: &Meta) -> Ground {
    // Told by meta itself some time after its start: not to be taken for what a dry run did.
    until("the shard's health", || async {
        let told = meta.get("/v1/events?kind=shard.health").await.is(200);
        told.body["items"].as_array().filter(|items| !items.is_empty()).map(|_| ())
    })
    .await;
    for name in ["bakery", "gone", "asleep"] {
        meta.made(name).await;
    }
    let has = json!({ "spec": {
        "plugins": [{ "name": "bread", "version": "1.0" }], "themes": [{ "name": "crust" }],
    } });
    let has = meta.patch("/v1/tenants/bakery", has).await.is(202);
    meta.ended(has.at("/operation/id")).await;
    meta.done("gone", "delete").await;
    meta.done("asleep", "suspend").await;
    let endpoint = Endpoint::start().await;
    let hook = meta.post("/v1/webhooks", json!({ "url": endpoint.url })).await.is(201);
    let webhook = hook.at("/webhook/id").to_owned();
    let tried = meta.post(&format!("/v1/webhooks/{webhook}/test"), json!({})).await.is(202);
    let delivery = tried.at("/id").to_owned();
    until("the delivery", || async {
        let all = meta.get(&format!("/v1/webhooks/{webhook}/deliveries")).await.is(200);
        let items = all.body["items"].as_array().unwrap().clone();
        items.iter().all(|item| item["state"] == "delivered").then_some(())
    })
    .await;
    let zip = ZipBuilder::plugin("bread", "1.2", "").bytes();
    let add = meta.request("POST", "/v1/packages").header("content-type", "application/zip");
    let added = meta.call(add.body(Bytes::from(zip)).unwrap()).await.is(201);
    let mut imports = Vec::new();
    for (name, data) in [("empty", Vec::new()), ("filled", archive())] {
        let made = meta.post("/v1/imports", json!({ "name": name })).await.is(201);
        let id = made.at("/id").to_owned();
        if !data.is_empty() {
            let path = format!("/v1/imports/{id}/data");
            let piece = meta.request("PATCH", &path).header("upload-offset", "0");
            let piece = piece.header("content-type", "application/offset+octet-stream");
            meta.call(piece.body(Bytes::from(data)).unwrap()).await.is(204);
        }
        imports.push(id);
    }
    let plan = meta.post("/v1/tenants/bakery/suspend?dryRun=true", json!({})).await.is(200);
    Ground {
        webhook,
        delivery,
        package: added.at("/sha256").to_owned(),
        filled: imports.pop().unwrap(),
        empty: imports.pop().unwrap(),
        plan: plan.at("/hash").to_owned(),
        _endpoint: endpoint,
    }
}

fn cases(ground: &Ground) -> Vec<Case> {
    [of_sites(), of_their_packages(), of_the_rest(ground), of_transfers(ground)]
        .into_iter()
        .flatten()
        .collect()
}

fn of_sites() -> Vec<Case> {
    let document = json!({ "apiVersion": "aipress.io/v1", "kind": "Tenant",
        "metadata": { "name": "bakery", "labels": { "a": "b" } }, "spec": { "tier": "gold" } });
    let silver = json!({ "spec": { "tier": "silver" } });
    vec![
        Case::new("POST", "/v1/tenants", &[], "tenant.create").with(json!({ "name": "new" })),
        Case::new("PUT", "/v1/tenants/{id}", &["bakery"], "tenant.update").with(document),
        Case::new("PATCH", "/v1/tenants/{id}", &["bakery"], "tenant.update").with(silver),
        Case::new("PATCH", "/v1/tenants/{id}", &["bakery"], "tenant.update")
            .with(json!({ "spec": {} }))
            .nothing(),
        Case::new("DELETE", "/v1/tenants/{id}", &["bakery"], "tenant.delete"),
        Case::new("POST", "/v1/tenants/{id}/suspend", &["bakery"], "tenant.suspend"),
        Case::new("POST", "/v1/tenants/{id}/resume", &["asleep"], "tenant.resume"),
        Case::new("POST", "/v1/tenants/{id}/rotate-secrets", &["bakery"], "tenant.rotate_secrets")
            .with(json!({ "only": ["salts"] })),
        Case::new("POST", "/v1/tenants/{id}/undelete", &["gone"], "tenant.undelete"),
        Case::new("POST", "/v1/tenants/{id}/erase", &["gone"], "tenant.erase"),
        Case::new("POST", "/v1/tenants/{id}/login-link", &["bakery"], "tenant.login_link")
            .with(json!({})),
        Case::new("POST", "/v1/tenants/{id}/wp", &["bakery"], "tenant.wp")
            .with(json!({ "args": ["user", "create", "anna", "--user_pass=tr0ub4dor"] })),
        Case::new("POST", "/v1/tenants/{id}/mail/retry", &["bakery"], "tenant.mail_retry")
            .with(json!({ "all": true })),
        Case::new("POST", "/v1/tenants/{id}/mail/delete", &["bakery"], "tenant.mail_delete")
            .with(json!({ "ids": ["m1"] })),
        Case::new(
            "POST",
            "/v1/tenants/{id}/inventory/refresh",
            &["bakery"],
            "tenant.inventory_refresh",
        ),
    ]
}

fn of_their_packages() -> Vec<Case> {
    vec![
        Case::new("POST", "/v1/tenants/{id}/plugins", &["bakery"], "tenant.update")
            .with(json!({ "name": "cakes" })),
        Case::new(
            "DELETE",
            "/v1/tenants/{id}/plugins/{name}",
            &["bakery", "bread"],
            "tenant.update",
        ),
        Case::new(
            "POST",
            "/v1/tenants/{id}/plugins/{name}/activate",
            &["bakery", "bread"],
            "tenant.update",
        )
        .nothing(),
        Case::new(
            "POST",
            "/v1/tenants/{id}/plugins/{name}/deactivate",
            &["bakery", "bread"],
            "tenant.update",
        ),
        Case::new(
            "POST",
            "/v1/tenants/{id}/plugins/{name}/update",
            &["bakery", "bread"],
            "tenant.update",
        )
        .with(json!({})),
        Case::new("POST", "/v1/tenants/{id}/themes", &["bakery"], "tenant.update")
            .with(json!({ "name": "crumb" })),
        Case::new(
            "DELETE",
            "/v1/tenants/{id}/themes/{name}",
            &["bakery", "crust"],
            "tenant.update",
        ),
        Case::new(
            "POST",
            "/v1/tenants/{id}/themes/{name}/activate",
            &["bakery", "crust"],
            "tenant.update",
        ),
        Case::new(
            "POST",
            "/v1/tenants/{id}/themes/{name}/update",
            &["bakery", "crust"],
            "tenant.update",
        )
        .with(json!({ "version": "2" })),
    ]
}

fn of_the_rest(ground: &Ground) -> Vec<Case> {
    let cordon = json!({ "schedulability": "cordoned" });
    let hook = ground.webhook.as_str();
    vec![
        Case::new("POST", "/v1/tenants/{id}/exports", &["bakery"], "tenant.export"),
        Case::new("POST", "/v1/tenants/{id}/clone", &["bakery"], "tenant.clone")
            .with(json!({ "name": "copy" })),
        Case::new("PATCH", "/v1/shards/{id}", &["aipress-shard-001"], "shard.update").with(cordon),
        Case::new("POST", "/v1/webhooks", &[], "webhook.create")
            .with(json!({ "url": "http://127.0.0.1:9/hook" })),
        Case::new("PATCH", "/v1/webhooks/{id}", &[hook], "webhook.update")
            .with(json!({ "state": "paused" })),
        Case::new("PATCH", "/v1/webhooks/{id}", &[hook], "webhook.update")
            .with(json!({}))
            .nothing(),
        Case::new("DELETE", "/v1/webhooks/{id}", &[hook], "webhook.delete"),
        Case::new("POST", "/v1/webhooks/{id}/test", &[hook], "webhook.test"),
        Case::new("POST", "/v1/webhooks/{id}/rotate-secret", &[hook], "webhook.rotate_secret")
            .with(json!({ "overlapHours": 2 })),
        Case::new(
            "POST",
            "/v1/webhooks/{id}/deliveries/{delivery}/replay",
            &[hook, &ground.delivery],
            "webhook.replay",
        ),
    ]
}

fn of_transfers(ground: &Ground) -> Vec<Case> {
    let fetch = json!({ "kind": "plugin", "name": "cakes" });
    let new = ZipBuilder::plugin("cakes", "2.0", "").bytes();
    let old = ZipBuilder::plugin("bread", "1.2", "").bytes();
    let (empty, filled) = (ground.empty.as_str(), ground.filled.as_str());
    vec![
        Case::new("POST", "/v1/packages", &[], "package.add").bytes("application/zip", &new),
        Case::new("POST", "/v1/packages", &[], "package.add")
            .bytes("application/zip", &old)
            .nothing(),
        Case::new("POST", "/v1/packages/fetch", &[], "package.fetch").with(fetch),
        Case::new("DELETE", "/v1/packages/{sha256}", &[&ground.package], "package.delete"),
        Case::new("POST", "/v1/imports", &[], "import.create").with(json!({ "name": "moved" })),
        Case::new("DELETE", "/v1/imports/{id}", &[empty], "import.delete"),
        Case::new("PATCH", "/v1/imports/{id}/data", &[empty], "import.data")
            .bytes("application/offset+octet-stream", b"a piece"),
        Case::new("POST", "/v1/imports/{id}/complete", &[filled], "import.check")
            .with(json!({ "checkOnly": true })),
        Case::new("POST", "/v1/imports/{id}/complete", &[filled], "tenant.import").with(json!({})),
        Case::new("POST", "/v1/plans", &[], "tenant.suspend")
            .with(json!({ "method": "POST", "path": "/v1/tenants/bakery/suspend" })),
        Case::new("POST", "/v1/plans/{hash}/apply", &[&ground.plan], "tenant.suspend"),
    ]
}

/// Every file below a folder, with its SHA-256.
fn files(folder: &Path, into: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            let sum = hex::encode(Sha256::digest(std::fs::read(&path).unwrap()));
            into.insert(path.display().to_string(), sum);
        }
    }
}

/// All that a change could have left: rows but those of plans, files, and what shards were told.
async fn everything(meta: &Meta) -> (Vec<String>, BTreeMap<String, String>, usize) {
    let store = meta.store().await;
    let rows = store.dump(&["plans"]).await.unwrap();
    store.close().await;
    let mut all = BTreeMap::new();
    for folder in ["packages", "imports"] {
        files(&meta.folder.path().join(folder), &mut all);
    }
    let shard = &meta.shards[0];
    (rows, all, {
        let told = shard.login_tokens().len() + shard.commands().len() + shard.mail_changes().len();
        told + shard.pushes() as usize
    })
}

#[tokio::test]
async fn every_mutation_of_the_api_has_a_plan_that_changes_nothing() {
    let meta = Meta::start(1).await;
    let ground = prepare(&meta).await;
    let cases = cases(&ground);
    let described = serde_json::to_value(crate::openapi()).unwrap();
    for (path, item) in described["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|method| *method != "get") {
            let here = |case: &Case| case.route == path && case.method.eq_ignore_ascii_case(method);
            assert!(cases.iter().any(here), "{method} {path}: add a case");
        }
    }
    let before = everything(&meta).await;
    for case in &cases {
        let what = format!("{} {}", case.method, case.path);
        let plan = case.send(&meta, "?dryRun=true").await;
        assert_eq!(plan.status, 200, "{what}: {}", plan.text);
        assert_eq!(plan.at("/items/0/action"), case.action, "{what}: {}", plan.text);
        assert_eq!(plan.body["changesNothing"], !case.changes, "{what}: {}", plan.text);
        for field in ["/hash", "/expiresAt", "/items/0/undo", "/items/0/summary"] {
            assert!(!plan.at(field).is_empty(), "{what}: {field}: {}", plan.text);
        }
        let steps = plan.body["items"][0]["steps"].as_array().unwrap();
        assert_eq!(steps.is_empty(), !case.changes, "{what}: {}", plan.text);
        assert_eq!(plan.body["items"][0].get("notKept").is_none(), case.whole, "{what}");
        let same = case.send(&meta, "?dryRun=true").await;
        assert_eq!(same.body["hash"], plan.body["hash"], "{what} is the same again");
        let path = format!("/v1/plans/{}", plan.at("/hash"));
        assert_eq!(meta.get(&path).await.is(200).body["items"], plan.body["items"], "{what}");
        let looked = meta.post(&format!("{path}/apply?dryRun=true"), json!({})).await;
        match case.whole {
            true => assert_eq!(looked.is(200).body["hash"], plan.body["hash"], "{what}"),
            false => looked.is_problem(422, "plan_not_whole"),
        }
        let now = everything(&meta).await;
        assert!(now == before, "{what} changed something: {:?}", changed(&before.0, &now.0));
    }
}

fn changed<'a>(before: &'a [String], now: &'a [String]) -> Vec<&'a String> {
    let gone = before.iter().filter(|row| !now.contains(row));
    gone.chain(now.iter().filter(|row| !before.contains(row))).collect()
}

#[tokio::test]
async fn a_planned_command_runs_once_it_is_applied_and_its_secrets_stay_sealed() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let body = json!({ "args": ["user", "create", "anna", "--user_pass=tr0ub4dor"] });
    let plan = meta.post("/v1/tenants/bakery/wp?dryRun=true", body.clone()).await.is(200);
    let run = &plan.body["items"][0]["runs"];
    assert_eq!(run["command"], json!(["user", "create", "anna", "--user_pass=…"]));
    assert_eq!((&run["timeLimitSeconds"], &run["slot"]), (&json!(60), &json!(1)));
    assert_eq!((&run["user"], &run["isNamespaced"]), (&json!(70_111), &json!(true)));
    assert!(meta.shards[0].commands().is_empty());

    let path = format!("/v1/plans/{}/apply", plan.at("/hash"));
    let keyed = || meta.request("POST", &path).header("idempotency-key", "once");
    let applied = meta.call(with_json(keyed(), &json!({}))).await.is(200);
    let lines = &applied.body["results"][0]["body"];
    assert_eq!(lines[0]["data"], "user create anna --user_pass=tr0ub4dor");
    assert_eq!(lines[1], json!({ "exit": 3 }));
    assert_eq!(meta.shards[0].commands().len(), 1);
    // A replay runs nothing, and does not have the output.
    let again = meta.call(with_json(keyed(), &json!({}))).await.is(200);
    assert_eq!(again.body["results"][0]["body"], json!([{ "exit": 3 }]));
    assert_eq!(meta.shards[0].commands().len(), 1);

    let store = meta.store().await;
    let rows = store.dump(&[]).await.unwrap();
    store.close().await;
    let audited: Vec<&String> = rows.iter().filter(|row| row.contains("tenant.wp")).collect();
    assert!(!audited.is_empty());
    assert!(rows.iter().all(|row| !row.contains("tr0ub4dor")), "a password is in the registry");
    let files = std::fs::read(meta.folder.path().join("registry.db")).unwrap();
    assert!(!files.windows(9).any(|bytes| bytes == b"tr0ub4dor"));
}

#[tokio::test]
async fn a_planned_link_is_shown_once() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let plan = meta.post("/v1/tenants/bakery/login-link?dryRun=true", json!({})).await.is(200);
    let path = format!("/v1/plans/{}/apply", plan.at("/hash"));
    let keyed = || meta.request("POST", &path).header("idempotency-key", "once");
    let applied = meta.call(with_json(keyed(), &json!({}))).await.is(200);
    let url = applied.at("/results/0/body/url").to_owned();
    assert!(url.starts_with("http://bakery.localhost:8080/?aipress_login="), "{url}");
    let again = meta.call(with_json(keyed(), &json!({}))).await.is(200);
    assert!(!again.at("/results/0/body/notice").is_empty(), "{}", again.text);
    assert_eq!(again.at("/results/0/body/url"), "");
    let token = url.split_once('=').unwrap().1;
    let store = meta.store().await;
    let rows = store.dump(&[]).await.unwrap();
    store.close().await;
    assert!(rows.iter().all(|row| !row.contains(token)));
}

#[tokio::test]
async fn plans_beside_sites_are_applied_while_they_fit() {
    let meta = Meta::start(1).await;
    let ground = prepare(&meta).await;
    let hook = format!("/v1/webhooks/{}", ground.webhook);
    let dry = |path: &str| format!("{path}?dryRun=true");
    let apply = |plan: &Answer| format!("/v1/plans/{}/apply", plan.at("/hash"));
    let rotate = meta.post(&dry(&format!("{hook}/rotate-secret")), json!({})).await.is(200);
    let paused = meta.patch(&dry(&hook), json!({ "state": "paused" })).await.is(200);
    let rotated = meta.post(&apply(&rotate), json!({})).await.is(200);
    assert!(rotated.at("/results/0/body/secret").starts_with("whsec_"), "{}", rotated.text);
    // The webhook is another one now: both plans were made of the one before.
    for stale in [&rotate, &paused] {
        let refused = meta.post(&apply(stale), json!({})).await;
        refused.is_problem(409, "plan_stale");
        assert_ne!(refused.body["plan"]["hash"], stale.body["hash"]);
    }
    let remove = format!("/v1/packages/{}", ground.package);
    let request = meta.request("DELETE", &dry(&remove)).body(Bytes::new()).unwrap();
    let gone = meta.call(request).await.is(200);
    meta.post(&apply(&gone), json!({})).await.is(200);
    let refused = meta.post(&apply(&gone), json!({})).await;
    refused.is_problem(409, "plan_stale");
    let made = dry(&format!("/v1/imports/{}/complete", ground.filled));
    let made = meta.post(&made, json!({})).await.is(200);
    let made = meta.post(&apply(&made), json!({})).await.is(202);
    assert_eq!(made.at("/results/0/body/operation/kind"), "tenant.import");
}
