//! Exports and imports: uploads that break and go on, archives that are refused, sites that can't be
//! made, and what a failed export says.

use std::time::Duration;

use aipress_archive::ArchiveWriter;
use aipress_archive::Manifest;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::harness::Answer;
use super::harness::Meta;
use super::harness::START;
use super::harness::role_request;
use super::harness::send;
use super::harness::until;
use super::shard::Behaviour;
use super::shard::observed;

/// A small whole archive of a site.
pub(crate) fn archive() -> Vec<u8> {
    let manifest: Manifest = serde_json::from_value(json!({
        "formatVersion": 1, "platformVersion": "0", "createdAt": "",
        "tenant": { "name": "bakery", "uid": "" },
        "wordpress": { "home": "http://bakery.localhost", "siteurl": "http://bakery.localhost" },
        "database": { "tablePrefix": "wp_", "charset": "utf8mb4", "collation": "", "tables": 4,
                      "bytes": 0 },
        "files": { "count": 0, "bytes": 0 },
    }))
    .unwrap();
    let mut writer = ArchiveWriter::new(Vec::new(), 1, &manifest, 0).unwrap();
    writer.document(b"kind: Tenant\n").unwrap();
    let tables = ["options", "posts", "users", "usermeta"];
    let sql: String = tables.map(|name| format!("CREATE TABLE wp_{name} (a int);\n")).concat();
    writer.database(sql.as_bytes()).unwrap();
    writer.file(b"uploads/noise", 50_000, 0).unwrap();
    // Nothing in it shrinks: the archive is as long.
    let mut state = 7_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    writer.data(&noise.take(50_000).collect::<Vec<u8>>()).unwrap();
    writer.end_file().unwrap();
    writer.finish().unwrap()
}

async fn announced(meta: &Meta, name: &str) -> String {
    meta.post("/v1/imports", json!({ "name": name })).await.is(201).at("/id").to_owned()
}

async fn append(meta: &Meta, id: &str, offset: usize, piece: &[u8]) -> Answer {
    let request = meta
        .request("PATCH", &format!("/v1/imports/{id}/data"))
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", offset)
        .body(Bytes::copy_from_slice(piece))
        .unwrap();
    meta.call(request).await
}

/// Sends a part of a piece, and breaks the connection.
async fn broken_append(meta: &Meta, id: &str, offset: usize, part: &[u8]) {
    let mut stream = UnixStream::connect(meta.folder.path().join("meta.sock")).await.unwrap();
    let head = format!(
        "PATCH /v1/imports/{id}/data HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n\
         Content-Length: {}\r\n\r\n",
        meta.admin,
        part.len() + 1_000
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(part).await.unwrap();
    stream.shutdown().await.unwrap();
    let _ =
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut Vec::new())).await;
}

async fn offset(meta: &Meta, id: &str) -> usize {
    let view = meta.get(&format!("/v1/imports/{id}")).await.is(200);
    usize::try_from(view.body["offset"].as_u64().unwrap()).unwrap()
}

async fn complete(meta: &Meta, id: &str, body: Value) -> Answer {
    meta.post(&format!("/v1/imports/{id}/complete"), body).await
}

#[tokio::test]
async fn an_upload_goes_on_where_it_broke_also_after_a_restart() {
    let mut meta = Meta::start(1).await;
    let archive = archive();
    let id = announced(&meta, "bakery").await;
    append(&meta, &id, 0, &archive[..10_000]).await.is(204);
    let wrong = append(&meta, &id, 5_000, &archive[5_000..]).await;
    wrong.is_problem(409, "invalid_state");
    assert_eq!(wrong.header("upload-offset"), "10000");
    broken_append(&meta, &id, 10_000, &archive[10_000..17_000]).await;
    let kept = until("what arrived", || async {
        let at = offset(&meta, &id).await;
        (at == 17_000).then_some(at)
    })
    .await;
    meta.restart().await;
    assert_eq!(offset(&meta, &id).await, kept);
    append(&meta, &id, kept, &archive[kept..]).await.is(204);

    let bad = complete(&meta, &id, json!({ "sha256": "0".repeat(64) })).await;
    assert_eq!((bad.status, bad.at("/errors/0/pointer")), (422, "/sha256"), "{}", bad.text);
    let looked = complete(&meta, &id, json!({ "checkOnly": true })).await.is(200);
    assert_eq!(looked.body["report"]["tables"], 4, "{}", looked.text);
    let sha256 = hex::encode(Sha256::digest(&archive));
    meta.shards[0].behave(Behaviour::Hold);
    let made = complete(&meta, &id, json!({ "sha256": sha256 })).await.is(202);
    let intent = meta.shards[0].intent("bakery", 1).await;
    assert_eq!(intent.content.unwrap().import.to_string(), id);
    // The shard gets what was uploaded, byte by byte.
    let path = format!("/internal/v1/imports/{id}/data");
    let mut stream = UnixStream::connect(meta.folder.path().join("internal.sock")).await.unwrap();
    let request = role_request(made.at("/tenant/shard"), "GET", &path).body(()).unwrap();
    let mut head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    assert!(told.ends_with(&archive), "{}", String::from_utf8_lossy(&told[..200]));
    let stranger = role_request("aipress-shard-099", "GET", &path).body(Bytes::new()).unwrap();
    let socket = meta.folder.path().join("internal.sock");
    assert!(send(&socket, stranger).await.unwrap().status >= 400);
    append(&meta, &id, archive.len(), b"more").await.is_problem(409, "invalid_state");
}

#[tokio::test]
async fn an_archive_that_is_not_whole_makes_nothing_and_says_why() {
    let meta = Meta::start(1).await;
    let archive = archive();
    let mut changed = archive.clone();
    let middle = archive.len() / 2;
    changed[middle] ^= 1;
    for (name, bytes, why) in [
        ("cut", &archive[..middle], "incomplete"),
        ("changed", &changed, "damaged"),
        ("none", b"no archive".as_slice(), "no archive"),
        ("longer", &[&archive[..], b"tail"].concat(), "damaged"),
    ] {
        let id = announced(&meta, name).await;
        append(&meta, &id, 0, bytes).await.is(204);
        // Looked at twice: what was begun early, and all of it.
        for _ in 0..2 {
            let refused = complete(&meta, &id, json!({})).await;
            assert_eq!(refused.status, 422, "{name}: {}", refused.text);
            assert!(refused.text.contains(why), "{name}: {}", refused.text);
        }
        assert_eq!(meta.get(&format!("/v1/tenants/{name}")).await.status, 404);
        meta.delete(&format!("/v1/imports/{id}")).await.is(200);
    }
    let empty = announced(&meta, "empty").await;
    assert!(complete(&meta, &empty, json!({})).await.text.contains("nothing was uploaded"));
}

#[tokio::test]
async fn a_site_that_cannot_be_made_leaves_nothing() {
    let meta = Meta::start(1).await;
    let id = announced(&meta, "bakery").await;
    append(&meta, &id, 0, &archive()).await.is(204);
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let accepted = complete(&meta, &id, json!({})).await.is(202);
    let intent = shard.intent("bakery", 1).await;
    let failed = observed(&intent, ObservedPhase::Failed, Some("a statement is not taken"));
    shard.report(&[failed]).await;
    let erased = until("its removal", || async {
        shard.intents().into_iter().find(|intent| intent.desired == DesiredState::Erased)
    })
    .await;
    shard.converge(&erased).await;
    let ended = meta.ended(accepted.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "failed");
    let detail = ended.at("/error/detail");
    assert!(detail.contains("a statement is not taken") && detail.contains("nothing was made"));
    assert_eq!(meta.get("/v1/tenants/bakery").await.status, 404);
    assert_eq!(meta.get(&format!("/v1/imports/{id}")).await.at("/state"), "failed");
}

#[tokio::test]
async fn a_failed_export_tells_its_reason() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    // This shard refuses without a word.
    meta.shards[0].behave(Behaviour::Full);
    let accepted = meta.post("/v1/tenants/bakery/exports", json!({})).await.is(202);
    let ended = meta.ended(accepted.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "failed");
    assert!(ended.at("/error/detail").contains("status 507"), "{}", ended.text);
    let id = accepted.at("/export/id");
    let export = meta.get(&format!("/v1/exports/{id}")).await.is(200);
    assert!(export.at("/message").contains("status 507"), "{}", export.text);
    let data = meta.get(&format!("/v1/exports/{id}/data")).await;
    assert!(data.status == 410 && data.text.contains("status 507"), "{}", data.text);
}

#[tokio::test]
async fn an_export_waits_for_its_shard_but_not_for_ever() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Refuse);
    let accepted = meta.post("/v1/tenants/bakery/exports", json!({})).await.is(202);
    let id = accepted.at("/export/id");
    let export = async || meta.get(&format!("/v1/exports/{id}")).await.is(200);
    let asked = async |times: u32| {
        let from = shard.exports_asked();
        until("questions", || async { (shard.exports_asked() >= from + times).then_some(()) })
            .await;
    };
    asked(3).await;
    assert_eq!(export().await.at("/state"), "running");
    // It answers again: what was before does not count.
    meta.clock.set(START + time::Duration::minutes(10));
    shard.behave(Behaviour::Hold);
    asked(2).await;
    shard.behave(Behaviour::Refuse);
    asked(2).await;
    meta.clock.set(START + time::Duration::minutes(20));
    asked(3).await;
    assert_eq!(export().await.at("/state"), "running");
    meta.clock.set(START + time::Duration::minutes(30));
    let ended = meta.ended(accepted.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "failed");
    let detail = ended.at("/error/detail");
    assert!(detail.contains("15 minutes") && detail.contains("status 503"), "{detail}");
}

#[tokio::test]
async fn uploads_that_were_left_lock_nobody_out() {
    let meta = Meta::start(1).await;
    let archive = archive();
    let mut ids = Vec::new();
    for index in 0..8 {
        ids.push(announced(&meta, &format!("site-{index}")).await);
    }
    let ninth = async || meta.post("/v1/imports", json!({ "name": "ninth" })).await;
    let refused = ninth().await;
    refused.is_problem(409, "invalid_state");
    assert!(refused.text.contains(&ids[3]) && refused.text.contains("site-3"), "{}", refused.text);

    // Of those that paused for ten minutes the oldest makes room, not one that goes on.
    meta.clock.set(START + time::Duration::minutes(9));
    append(&meta, &ids[0], 0, &archive[..1_000]).await.is(204);
    meta.clock.set(START + time::Duration::minutes(11));
    let look = async |id: &str| meta.get(&format!("/v1/imports/{id}")).await.status;
    let planned = meta.post("/v1/imports?dryRun=true", json!({ "name": "ninth" })).await;
    assert!(planned.status < 300, "{}", planned.text);
    for id in &ids {
        assert_eq!(look(id).await, 200, "a plan removes nothing");
    }
    ninth().await.is(201);
    assert_eq!(look(&ids[0]).await, 200);
    let left: Vec<u16> = {
        let mut left = Vec::new();
        for id in &ids {
            left.push(look(id).await);
        }
        left
    };
    assert_eq!(left.iter().filter(|status| **status == 404).count(), 1, "{left:?}");

    // One that goes on is not removed with the hour, but has its day in all.
    let ends = async || {
        let view = meta.get(&format!("/v1/imports/{}", ids[0])).await.is(200);
        view.at("/expiresAt").to_owned()
    };
    assert_eq!(ends().await, "2026-11-21T13:09:00Z");
    meta.clock.set(START + time::Duration::minutes(23 * 60 + 30));
    append(&meta, &ids[0], 1_000, &archive[1_000..2_000]).await.is(204);
    assert_eq!(ends().await, "2026-11-22T12:00:00Z");
}
