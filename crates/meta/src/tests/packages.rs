//! The mirror: what comes in, who sees it, which archive a spec means, and what the directory gives.

use std::sync::Arc;
use std::sync::Mutex;

use aipress_kit::tasks;
use aipress_packages::build::ZipBuilder;
use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use super::harness::Answer;
use super::harness::Meta;
use super::harness::role_request;
use super::harness::send;
use super::harness::with_json;
use aipress_mirror::ARCHIVE_MAX;

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn add_as(meta: &Meta, token: &str, bytes: &[u8]) -> Answer {
    let request = meta
        .request_as(token, "POST", "/v1/packages")
        .header("content-type", "application/zip")
        .body(Bytes::copy_from_slice(bytes))
        .unwrap();
    meta.call(request).await
}

async fn add(meta: &Meta, bytes: &[u8]) -> Answer {
    add_as(meta, &meta.admin, bytes).await
}

async fn get_as(meta: &Meta, token: &str, path: &str) -> Answer {
    meta.call(meta.request_as(token, "GET", path).body(Bytes::new()).unwrap()).await
}

/// Asks as the shard that the site sits on.
async fn resolve(meta: &Meta, tenant: &Answer, body: Value) -> Answer {
    let mut body = body;
    body["tenant"] = json!(tenant.at("/tenant/uid"));
    let request = role_request(tenant.at("/tenant/shard"), "POST", "/internal/v1/packages/resolve");
    send(&meta.folder.path().join("internal.sock"), with_json(request, &body)).await.unwrap()
}

/// The same until it is no longer on its way.
async fn resolved(meta: &Meta, tenant: &Answer, body: Value) -> Answer {
    super::harness::until("an archive", || async {
        let answer = resolve(meta, tenant, body.clone()).await.is(200);
        (answer.at("/state") != "fetching").then_some(answer)
    })
    .await
}

#[tokio::test]
async fn an_archive_comes_is_seen_and_goes() {
    let meta = Meta::start(1).await;
    let bytes = ZipBuilder::plugin("bread", "1.2", "").bytes();
    let sha256 = digest(&bytes);
    let added = add(&meta, &bytes).await.is(201);
    assert_eq!(added.at("/sha256"), sha256);
    assert_eq!(
        (added.at("/kind"), added.at("/name"), added.at("/version")),
        ("plugin", "bread", "1.2")
    );
    assert_eq!((added.at("/requiresPhp"), added.at("/tested")), ("8.0", "7.1"));
    assert_eq!(added.at("/holders/0/origin"), "upload");
    let file = meta.folder.path().join(format!("packages/{sha256}.zip"));
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    add(&meta, &bytes).await.is(200);
    add(&meta, &ZipBuilder::theme("crust", "2", "").bytes()).await.is(201);
    let list = meta.get("/v1/packages?limit=1").await.is(200);
    assert_eq!(list.at("/items/0/name"), "bread");
    let next = format!("/v1/packages?limit=1&cursor={}", list.at("/nextCursor"));
    assert_eq!(meta.get(&next).await.is(200).at("/items/0/name"), "crust");
    let themes = meta.get("/v1/packages?kind=theme").await.is(200);
    assert_eq!(themes.body["items"].as_array().unwrap().len(), 1);
    meta.get("/v1/packages?kind=cake").await.is_problem(400, "invalid_query");
    meta.get(&format!("/v1/packages/{sha256}")).await.is(200);
    meta.delete(&format!("/v1/packages/{sha256}")).await.is(200);
    meta.get(&format!("/v1/packages/{sha256}")).await.is_problem(404, "not_found");
    assert!(!file.exists());
    let audit = meta.get("/v1/audit?action=package.delete").await.is(200);
    assert_eq!(audit.at("/items/0/resource"), format!("package:{sha256}"));
}

#[tokio::test]
async fn an_upload_happens_once_for_its_key() {
    let meta = Meta::start(1).await;
    let upload = |bytes: Vec<u8>| {
        meta.request("POST", "/v1/packages")
            .header("content-type", "application/zip")
            .header("idempotency-key", "once")
            .body(Bytes::from(bytes))
            .unwrap()
    };
    let bytes = ZipBuilder::plugin("bread", "1.2", "").bytes();
    meta.call(upload(bytes.clone())).await.is(201);
    let again = meta.call(upload(bytes)).await.is(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = ZipBuilder::plugin("bread", "1.3", "").bytes();
    meta.call(upload(other)).await.is_problem(422, "idempotency_mismatch");
}

#[tokio::test]
async fn what_is_hostile_or_something_else_is_refused_and_leaves_nothing() {
    let meta = Meta::start(1).await;
    for (bytes, word) in [
        (b"<html>".to_vec(), "no whole zip"),
        (ZipBuilder::plugin("x", "1", "").file("../../evil.php", b"").bytes(), "elsewhere"),
        (ZipBuilder::plugin("x", "1", "").entry(b"x/l", b"/", 0o120_777, false).bytes(), "link"),
        (ZipBuilder::plugin("x", "1", "").file("x/z", &vec![0; 16 << 20]).bytes(), "ratio"),
        (ZipBuilder::new().file("x/readme.txt", b"").bytes(), "neither plugin nor theme"),
    ] {
        let answer = add(&meta, &bytes).await;
        answer.is_problem(422, "package_refused");
        assert!(answer.at("/detail").contains(word), "{}", answer.text);
    }
    let json = meta.post("/v1/packages", json!({})).await;
    json.is_problem(415, "not_a_zip");
    let large = vec![0; usize::try_from(ARCHIVE_MAX).unwrap() + 1];
    add(&meta, &large).await.is_problem(413, "body_too_large");
    add_as(&meta, "aip_wrong", b"").await.is_problem(401, "unauthenticated");
    let left: Vec<_> = std::fs::read_dir(meta.folder.path().join("packages")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_accounts_upload_is_its_own_and_an_admins_is_everybodys() {
    let meta = Meta::start(1).await;
    let (anna, berta) = (meta.member("anna").await, meta.member("berta").await);
    let private = ZipBuilder::plugin("secret-sauce", "1", "").bytes();
    let path = format!("/v1/packages/{}", digest(&private));
    add_as(&meta, &anna, &private).await.is(201);
    get_as(&meta, &anna, &path).await.is(200);
    get_as(&meta, &berta, &path).await.is_problem(404, "not_found");
    let list = get_as(&meta, &berta, "/v1/packages").await.is(200);
    assert!(list.body["items"].as_array().unwrap().is_empty(), "{}", list.text);
    // Who has the same bytes has them for himself, and learns of nobody.
    let own = add_as(&meta, &berta, &private).await.is(201);
    assert_eq!(own.body["holders"].as_array().unwrap().len(), 1);
    let delete = |token: &str| meta.request_as(token, "DELETE", &path).body(Bytes::new()).unwrap();
    meta.call(delete(&anna)).await.is(200);
    get_as(&meta, &anna, &path).await.is_problem(404, "not_found");
    get_as(&meta, &berta, &path).await.is(200);
    assert!(meta.folder.path().join(format!("packages/{}.zip", digest(&private))).exists());
    let public = ZipBuilder::plugin("salt", "1", "").bytes();
    add(&meta, &public).await.is(201);
    let path = format!("/v1/packages/{}", digest(&public));
    get_as(&meta, &anna, &path).await.is(200);
    let taken = meta.request_as(&anna, "DELETE", &path).body(Bytes::new()).unwrap();
    meta.call(taken).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn two_archives_of_one_version_are_a_conflict() {
    let meta = Meta::start(1).await;
    let member = meta.member("anna").await;
    add(&meta, &ZipBuilder::plugin("bread", "1", "// a").bytes()).await.is(201);
    let other = ZipBuilder::plugin("bread", "1", "// b").bytes();
    add(&meta, &other).await.is_problem(409, "package_conflict");
    // An account may have its own variant; its sites get that one.
    add_as(&meta, &member, &other).await.is(201);
}

#[tokio::test]
async fn a_shard_learns_which_archive_a_spec_means() {
    let meta = Meta::start(2).await;
    let site = meta.made("bakery").await;
    let (old, new) = (
        ZipBuilder::plugin("bread", "1.9", "").bytes(),
        ZipBuilder::plugin("bread", "1.10", "").bytes(),
    );
    add(&meta, &old).await.is(201);
    add(&meta, &new).await.is(201);
    let ask = |body: Value| resolve(&meta, &site, body);
    let newest = ask(json!({"kind": "plugin", "name": "bread"})).await.is(200);
    assert_eq!((newest.at("/state"), newest.at("/sha256")), ("ready", digest(&new).as_str()));
    let pinned = ask(json!({"kind": "plugin", "name": "bread", "version": "1.9"})).await;
    assert_eq!(pinned.at("/sha256"), digest(&old));
    let source = format!("sha256:{}", digest(&old));
    let by_hash = ask(json!({"kind": "plugin", "name": "bread", "source": source})).await;
    assert_eq!(by_hash.at("/version"), "1.9");
    for (body, word) in [
        (json!({"kind": "plugin", "name": "cake", "source": source}), "holds plugin `bread` 1.9"),
        (json!({"kind": "theme", "name": "bread", "source": "mirror"}), "mirror has no theme"),
        (
            json!({"kind": "plugin", "name": "bread", "version": "2", "source": "mirror"}),
            "bread` 2",
        ),
        (
            json!({"kind": "plugin", "name": "x", "source": format!("sha256:{}", "0".repeat(64))}),
            "no archive",
        ),
    ] {
        let refused = ask(body).await.is(200);
        assert_eq!(refused.at("/state"), "refused");
        assert!(refused.at("/detail").contains(word), "{}", refused.text);
    }
    let archive = |role: &str| {
        let path =
            format!("/internal/v1/packages/{}?tenant={}", digest(&old), site.at("/tenant/uid"));
        role_request(role, "GET", &path).body(Bytes::new()).unwrap()
    };
    let socket = meta.folder.path().join("internal.sock");
    let own = site.at("/tenant/shard");
    let whole = send(&socket, archive(own)).await.unwrap().is(200);
    assert_eq!(whole.header("content-length"), old.len().to_string());
    let other = if own == "aipress-shard-001" { "aipress-shard-002" } else { "aipress-shard-001" };
    send(&socket, archive(other)).await.unwrap().is_problem(403, "forbidden");
}

#[tokio::test]
async fn another_accounts_archive_is_never_meant() {
    let meta = Meta::start(1).await;
    let site = meta.made("bakery").await;
    let member = meta.member("anna").await;
    let bytes = ZipBuilder::plugin("secret-sauce", "1", "").bytes();
    add_as(&meta, &member, &bytes).await.is(201);
    let source = format!("sha256:{}", digest(&bytes));
    for source in ["mirror", &source] {
        let body = json!({"kind": "plugin", "name": "secret-sauce", "source": source});
        assert_eq!(resolve(&meta, &site, body).await.at("/state"), "refused", "{source}");
    }
    let path =
        format!("/internal/v1/packages/{}?tenant={}", digest(&bytes), site.at("/tenant/uid"));
    let request = role_request("aipress-shard-001", "GET", &path).body(Bytes::new()).unwrap();
    let socket = meta.folder.path().join("internal.sock");
    send(&socket, request).await.unwrap().is_problem(404, "not_found");
}

#[tokio::test]
async fn what_a_spec_names_is_not_deleted() {
    let meta = Meta::start(1).await;
    let made = meta.made("bakery").await;
    let bytes = ZipBuilder::plugin("bread", "1.2", "").bytes();
    add(&meta, &bytes).await.is(201);
    let store = meta.store().await;
    let uid: aipress_types::TenantUid = made.at("/tenant/uid").parse().unwrap();
    let name = |plugins: Value| {
        let mut update = aipress_store::TenantIntentUpdate::new(uid, super::harness::START);
        let plugins = serde_json::from_value(plugins).unwrap();
        update.spec = Some(aipress_types::TenantSpec { plugins, ..Default::default() });
        async {
            let mut txn = store.begin().await.unwrap();
            txn.tenant_update_intent(&{ update }).await.unwrap();
            txn.commit().await.unwrap();
        }
    };
    let path = format!("/v1/packages/{}", digest(&bytes));
    for plugins in [
        json!([{"name": "bread"}]),
        json!([{"name": "bread", "version": "1.2"}]),
        json!([{"name": "bread", "source": format!("sha256:{}", digest(&bytes))}]),
    ] {
        name(plugins).await;
        let refused = meta.delete(&path).await;
        refused.is_problem(409, "package_in_use");
        assert!(refused.at("/detail").contains("bakery"));
    }
    name(json!([{"name": "bread", "version": "1.1"}])).await;
    meta.delete(&path).await.is(200);
}

/// A directory of the shape of WordPress.org's: what it answers by path.
#[derive(Clone, Default)]
struct FakeDirectory {
    files: Arc<Mutex<std::collections::BTreeMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeDirectory {
    /// Serves until the test's runtime ends; its address.
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(get(Self::answer)).with_state(self.clone());
        tasks::spawn("fake-directory", async move {
            let _ = axum::serve(listener, router).await;
        });
        address
    }

    async fn answer(State(own): State<Self>, uri: Uri) -> impl IntoResponse {
        own.asked.lock().unwrap().push(uri.to_string());
        let slug = uri.query().and_then(|query| {
            query.split('&').find_map(|pair| pair.strip_prefix("request%5Bslug%5D="))
        });
        let path = match slug {
            Some(slug) => format!("{}{slug}", uri.path()),
            None => uri.path().to_owned(),
        };
        match own.files.lock().unwrap().get(&path) {
            Some(bytes) => (StatusCode::OK, Body::from(bytes.clone())),
            None => (StatusCode::NOT_FOUND, Body::from_static(b"{\"error\":\"not found\"}")),
        }
    }

    fn put(&self, path: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().insert(path.to_owned(), bytes);
    }

    fn plugin(&self, base: &str, name: &str, newest: &str, versions: &[(&str, &[u8])]) {
        let mut links = serde_json::Map::new();
        for (version, bytes) in versions {
            let path = format!("/plugin/{name}.{version}.zip");
            self.put(&path, bytes.to_vec());
            links.insert((*version).to_owned(), json!(format!("{base}{path}")));
        }
        let information = json!({
            "name": name, "slug": name, "version": newest, "versions": links,
            "download_link": format!("{base}/plugin/{name}.{newest}.zip"),
        });
        self.put(&format!("/plugins/info/1.2/{name}"), information.to_string().into_bytes());
    }
}

#[tokio::test]
async fn the_directory_fills_the_mirror_and_may_not_change_its_mind() {
    let directory = FakeDirectory::default();
    let base = directory.serve().await;
    let meta = Meta::start_at(1, &base).await;
    let site = meta.made("bakery").await;
    let (old, new) = (
        ZipBuilder::plugin("akismet", "5.2", "").bytes(),
        ZipBuilder::plugin("akismet", "5.3", "").bytes(),
    );
    directory.plugin(&base, "akismet", "5.3", &[("5.2", &old), ("5.3", &new)]);
    let wanted = json!({"kind": "plugin", "name": "akismet"});
    let newest = resolved(&meta, &site, wanted.clone()).await;
    assert_eq!((newest.at("/state"), newest.at("/version")), ("ready", "5.3"), "{}", newest.text);
    let view = meta.get(&format!("/v1/packages/{}", newest.at("/sha256"))).await.is(200);
    assert_eq!(view.at("/holders/0/origin"), "wordpress.org");
    // From now on the mirror answers, whatever becomes of the directory.
    let asked = directory.asked.lock().unwrap().len();
    resolved(&meta, &site, wanted).await;
    assert_eq!(directory.asked.lock().unwrap().len(), asked);
    let old_version = json!({"kind": "plugin", "name": "akismet", "version": "5.2"});
    assert_eq!(resolved(&meta, &site, old_version.clone()).await.at("/sha256"), digest(&old));
    // What was seen once is remembered although the mirror has it no longer.
    meta.delete(&format!("/v1/packages/{}", digest(&old))).await.is(200);
    let evil = ZipBuilder::plugin("akismet", "5.2", "evil();").bytes();
    directory.plugin(&base, "akismet", "5.3", &[("5.2", &evil), ("5.3", &new)]);
    let refused = resolved(&meta, &site, old_version).await;
    assert_eq!((refused.at("/state"), &refused.body["later"]), ("refused", &json!(false)));
    assert!(refused.at("/detail").contains("other contents"), "{}", refused.text);
    for (body, word) in [
        (json!({"kind": "plugin", "name": "nobody"}), "has no plugin `nobody`"),
        (json!({"kind": "theme", "name": "akismet"}), "has no theme"),
        (json!({"kind": "plugin", "name": "akismet", "version": "9"}), "no version 9"),
    ] {
        let refused = resolved(&meta, &site, body).await;
        assert!(refused.at("/detail").contains(word), "{}", refused.text);
    }
}

#[tokio::test]
async fn the_directory_is_checked_like_anybody() {
    let directory = FakeDirectory::default();
    let base = directory.serve().await;
    let meta = Meta::start_at(1, &base).await;
    for (name, bytes, word) in [
        ("page", b"<html>".to_vec(), "no whole zip"),
        ("slip", ZipBuilder::plugin("slip", "1", "").file("../x", b"").bytes(), "elsewhere"),
        ("other", ZipBuilder::plugin("else", "1", "").bytes(), "gave `else` 1"),
        ("older", ZipBuilder::plugin("older", "0.9", "").bytes(), "gave `older` 0.9"),
    ] {
        directory.plugin(&base, name, "1", &[("1", &bytes)]);
        let body = json!({"kind": "plugin", "name": name});
        let answer = meta.post("/v1/packages/fetch", body).await;
        answer.is_problem(422, "package_refused");
        assert!(answer.at("/detail").contains(word), "{}", answer.text);
    }
    let good = ZipBuilder::plugin("good", "1", "").bytes();
    directory.plugin(&base, "good", "1", &[("1", &good)]);
    let member = meta.member("anna").await;
    let request = meta.request_as(&member, "POST", "/v1/packages/fetch");
    let body = json!({"kind": "plugin", "name": "good"});
    assert_eq!(meta.call(with_json(request, &body)).await.is(200).at("/sha256"), digest(&good));
    for body in [
        json!({"kind": "plugin", "name": "../x"}),
        json!({"kind": "plugin", "name": "x", "source": "mirror"}),
        json!({"kind": "plugin", "name": "x", "source": "ftp://x"}),
    ] {
        meta.post("/v1/packages/fetch", body).await.is_problem(422, "invalid_fields");
    }
}

#[tokio::test]
async fn a_directory_that_is_away_is_said_to_be_and_the_mirror_goes_on() {
    let meta = Meta::start(1).await;
    let site = meta.made("bakery").await;
    let away = resolved(&meta, &site, json!({"kind": "plugin", "name": "akismet"})).await;
    assert_eq!((away.at("/state"), &away.body["later"]), ("refused", &json!(true)));
    assert!(away.at("/detail").contains("can't be reached"), "{}", away.text);
    assert!(away.at("/detail").contains("aipress package add"), "{}", away.text);
    add(&meta, &ZipBuilder::plugin("akismet", "5.3", "").bytes()).await.is(201);
    let here = resolved(&meta, &site, json!({"kind": "plugin", "name": "akismet"})).await;
    assert_eq!(here.at("/state"), "ready");
    meta.post("/v1/packages/fetch", json!({"kind": "plugin", "name": "x"}))
        .await
        .is_problem(503, "package_unavailable");
}

#[tokio::test]
async fn an_address_gives_what_its_checksum_says_or_nothing() {
    let directory = FakeDirectory::default();
    let base = directory.serve().await;
    let meta = Meta::start(1).await;
    let store = meta.store().await;
    let plane = super::plane::over(store.clone(), &meta).await;
    let bytes = ZipBuilder::plugin("bread", "1.2", "").bytes();
    directory.put("/bread.zip", bytes.clone());
    let job = |sha256: String| aipress_mirror::Job::Url {
        url: format!("{base}/bread.zip"),
        sha256,
        account: None,
    };
    let wrong = crate::app::package::fetch::run(&plane, &job("0".repeat(64))).await.unwrap_err();
    assert!(wrong.detail.contains("tampered") && !wrong.later, "{wrong:?}");
    assert_eq!(store.package_fetch(&digest(&bytes)).await.unwrap(), None);
    let right = crate::app::package::fetch::run(&plane, &job(digest(&bytes))).await;
    assert_eq!(right, Ok(digest(&bytes)));
    assert!(store.package_fetch(&digest(&bytes)).await.unwrap().is_some());
}
