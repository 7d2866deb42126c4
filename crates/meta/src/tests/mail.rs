//! A site's mail by the API: sent again, removed, written down; and what a shard tells of it.

use aipress_api::internal::MailNews;
use aipress_api::internal::MailNewsKind;
use aipress_api::internal::MailVerb;
use aipress_api::internal::ShardTallies;
use aipress_types::TenantUid;
use serde_json::json;

use super::harness::Meta;
use super::harness::with_json;
use super::shard::Behaviour;

const RETRY: &str = "/v1/tenants/bakery/mail/retry";
const DELETE: &str = "/v1/tenants/bakery/mail/delete";

#[tokio::test]
async fn mail_is_sent_again_and_removed_once_and_written_down() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let keyed = || meta.request("POST", RETRY).header("idempotency-key", "once");
    let wanted = json!({ "ids": ["m1", "m2"] });
    let done = meta.call(with_json(keyed(), &wanted)).await.is(200);
    assert_eq!(done.body["items"], json!(["m1"]));
    assert_eq!(done.body["skipped"], json!([{ "id": "m2", "reason": "unknown" }]));
    let again = meta.call(with_json(keyed(), &wanted)).await.is(200);
    assert_eq!(again.body, done.body);
    meta.post(DELETE, json!({ "all": true })).await.is(200);
    let asked = meta.shards[0].mail_changes();
    assert_eq!(
        asked.iter().map(|it| it.verb).collect::<Vec<_>>(),
        [MailVerb::Retry, MailVerb::Delete]
    );
    assert!(!asked[0].all && asked[1].all && asked[1].ids.is_empty());
    for action in ["tenant.mail_retry", "tenant.mail_delete"] {
        let audit = meta.get(&format!("/v1/audit?action={action}")).await.is(200);
        assert_eq!(audit.body["items"][0]["after"]["mail"], json!(["m1"]), "{}", audit.text);
        let events = meta.get(&format!("/v1/events?kind={action}")).await.is(200);
        assert_eq!(events.body["items"].as_array().unwrap().len(), 1, "{}", events.text);
    }
}

#[tokio::test]
async fn what_can_not_be_done_with_mail_is_told() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    for bad in [
        json!({}),
        json!({ "ids": [] }),
        json!({ "ids": ["m1"], "all": true }),
        json!({ "ids": ["../m1"] }),
        json!({ "ids": [""] }),
        json!({ "id": "m1" }),
        json!({ "ids": vec!["m1"; 1001] }),
    ] {
        for path in [RETRY, DELETE] {
            assert_eq!(meta.post(path, bad.clone()).await.status, 422, "{bad}");
        }
    }
    meta.post(DELETE, json!({ "ids": ["m2"] })).await.is_problem(404, "not_found");
    meta.shards[0].behave(Behaviour::Full);
    let refused = meta.post(RETRY, json!({ "all": true })).await;
    refused.is_problem(409, "invalid_state");
    assert!(refused.at("/detail").contains("no mail server"), "{}", refused.text);
    meta.shards[0].behave(Behaviour::Refuse);
    meta.post(RETRY, json!({ "all": true })).await.is_problem(503, "shard_unavailable");
    let asked = meta.shards[0].mail_changes();
    assert!(asked.iter().all(|it| it.verb == MailVerb::Delete), "{asked:?}");
    let audit = meta.get("/v1/audit?action=tenant.mail_retry").await.is(200);
    assert_eq!(audit.body["items"], json!([]));
}

#[tokio::test]
async fn what_a_shard_tells_of_mail_is_an_event_of_its_own_sites_and_counted() {
    let meta = Meta::start(2).await;
    let uid: TenantUid = meta.made("bakery").await.at("/tenant/uid").parse().unwrap();
    let intents = |at: usize| meta.shards[at].intents();
    let (own, other) = if intents(0).is_empty() { (1, 0) } else { (0, 1) };
    let news = |kind| MailNews {
        uid,
        kind,
        mail: Some("m1".to_owned()),
        to: vec!["ann@example.org".to_owned()],
        message: "550 no such user".to_owned(),
    };
    let mut tallies = ShardTallies::default();
    meta.shards[own].report_with(&[], Vec::new(), tallies).await.is(200);
    (tallies.mail.sent, tallies.cron.wakes) = (3, 2);
    let all = vec![news(MailNewsKind::Bounced), news(MailNewsKind::Limited)];
    meta.shards[other].report_with(&[], all.clone(), ShardTallies::default()).await.is(200);
    meta.shards[own].report_with(&[], all, tallies).await.is(200);
    let bounced = meta.get("/v1/events?kind=tenant.mail.bounced").await.is(200);
    assert_eq!(bounced.body["items"].as_array().unwrap().len(), 1, "{}", bounced.text);
    let data = &bounced.body["items"][0]["data"];
    assert_eq!((&data["mail"], &data["name"]), (&json!("m1"), &json!("bakery")));
    assert_eq!(
        (&data["to"][0], &data["message"]),
        (&json!("ann@example.org"), &json!("550 no such user"))
    );
    let limited = meta.get("/v1/events?kind=tenant.mail.limited").await.is(200);
    assert_eq!(limited.body["items"].as_array().unwrap().len(), 1, "{}", limited.text);
    let metrics = meta.get("/v1/metrics").await.is(200).text;
    for line in ["aipress_meta_mails_total{state=\"sent\"} 3", "aipress_meta_cron_wakes_total 2"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}
