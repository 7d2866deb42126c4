//! Each way to tamper with the audit log, as somebody does who may write to the registry's file.

use aipress_types::AccountId;
use serde_json::json;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::records::AuditInsert;

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

fn entry(account: Option<Uuid>, place: i64) -> AuditInsert {
    AuditInsert {
        at: datetime!(2026-11-22 12:00 UTC) + time::Duration::seconds(place),
        actor: "user:1".to_owned(),
        on_behalf_of: Some("user:2".to_owned()),
        action: "tenant.update".to_owned(),
        resource_kind: "tenant".to_owned(),
        resource_id: format!("t{place}"),
        resource_name: Some("bakery".to_owned()),
        account: account.map(AccountId),
        request_id: Some(format!("r{place}")),
        plan: Some("p".to_owned()),
        before: Some(json!({ "title": "Crumbs" })),
        after: Some(json!({ "title": format!("Crumbs {place}") })),
        reason: Some("they asked".to_owned()),
        outcome: "allowed".to_owned(),
    }
}

/// Six rows of one account, four of another, three of the platform, in turns.
async fn furnished() -> Store {
    let store = Store::temporary().await.unwrap();
    let mut txn = store.begin().await.unwrap();
    for place in 1..=6 {
        for (account, length) in [(Some(ONE), 6), (Some(TWO), 4), (None, 3)] {
            if place <= length {
                txn.audit_append(&entry(account, place)).await.unwrap();
            }
        }
    }
    txn.commit().await.unwrap();
    store
}

async fn tamper(store: &Store, statements: &[&'static str]) {
    let mut txn = store.begin().await.unwrap();
    for statement in statements {
        let conn = txn.enter().unwrap();
        let done = sqlx::query(*statement).execute(conn).await.db();
        assert!(txn.leave(done).unwrap().rows_affected() > 0, "{statement}");
    }
    txn.commit().await.unwrap();
}

/// Everything that is found, without chains that are as they should be.
async fn found(store: &Store, anchors: &[AuditHead]) -> Vec<(AuditFault, u64, u64)> {
    let seen = store.audit_verify(None, anchors).await.unwrap();
    assert_eq!(seen.faults, seen.findings.len() as u64);
    seen.findings.iter().map(|it| (it.fault, it.seq, it.until)).collect()
}

const OF_ONE: &str = "account = '00000000-0000-0000-0000-000000000001'";

#[tokio::test]
async fn an_untouched_log_is_whole() {
    let store = furnished().await;
    let seen = store.audit_verify(None, &[]).await.unwrap();
    assert_eq!((seen.rows, seen.faults, seen.erased), (13, 0, 0), "{:?}", seen.findings);
    let ends: Vec<(String, u64)> =
        seen.heads.iter().map(|head| (head.chain.clone(), head.seq)).collect();
    assert_eq!(ends, [(ONE.to_string(), 6), (TWO.to_string(), 4), ("platform".to_owned(), 3)]);
    assert_eq!(store.audit_heads().await.unwrap(), seen.heads);
    let again = store.audit_verify(None, &seen.heads).await.unwrap();
    assert_eq!((again.faults, again.anchors), (0, 3));
    let two = store.audit_verify(Some(&[TWO.to_string()]), &seen.heads).await.unwrap();
    assert_eq!((two.rows, two.anchors), (4, 1));
}

#[tokio::test]
async fn a_change_of_any_column_is_found() {
    for set in [
        "at = at + 1",
        "actor = 'user:9'",
        "on_behalf_of = NULL",
        "action = 'tenant.suspend'",
        "resource_kind = 'shard'",
        "resource_id = 't9'",
        "resource_name = 'other'",
        "request_id = 'r9'",
        "plan = NULL",
        "\"before\" = NULL",
        "\"after\" = '{}'",
        "reason = ''",
        "outcome = 'denied'",
        "salt = x'00'",
        "payload_sha256 = x'00'",
    ] {
        let store = furnished().await;
        let mut txn = store.begin().await.unwrap();
        let conn = txn.enter().unwrap();
        let text = format!("UPDATE audit SET {set} WHERE {OF_ONE} AND seq = 3");
        let done = sqlx::query(sqlx::AssertSqlSafe(text)).execute(conn).await.db();
        txn.leave(done).unwrap();
        txn.commit().await.unwrap();
        assert_eq!(found(&store, &[]).await, [(AuditFault::Changed, 3, 3)], "{set}");
    }
}

#[tokio::test]
async fn a_changed_link_is_found_at_the_row_and_the_one_behind_it() {
    let store = furnished().await;
    tamper(&store, &["UPDATE audit SET link = zeroblob(32) WHERE account IS NULL AND seq = 2"])
        .await;
    let changed = [(AuditFault::Changed, 2, 2), (AuditFault::Changed, 3, 3)];
    assert_eq!(found(&store, &[]).await, changed);
}

#[tokio::test]
async fn another_order_is_found() {
    let store = furnished().await;
    tamper(&store, &["UPDATE audit SET id = 0 WHERE account IS NULL AND seq = 3"]).await;
    assert_eq!(found(&store, &[]).await, [(AuditFault::Changed, 3, 3)]);
}

#[tokio::test]
async fn missing_rows_are_found() {
    let store = furnished().await;
    tamper(&store, &["DELETE FROM audit WHERE account IS NULL AND seq = 1"]).await;
    tamper(&store, &["DELETE FROM audit WHERE account LIKE '%1' AND seq BETWEEN 3 AND 4"]).await;
    assert_eq!(
        found(&store, &[]).await,
        [(AuditFault::Missing, 3, 4), (AuditFault::Missing, 1, 1)]
    );
}

#[tokio::test]
async fn a_cut_off_end_is_found() {
    let store = furnished().await;
    let heads = store.audit_heads().await.unwrap();
    tamper(&store, &["DELETE FROM audit WHERE account LIKE '%1' AND seq > 4"]).await;
    assert_eq!(found(&store, &[]).await, [(AuditFault::CutOff, 5, 6)]);
    // Who cuts the chain's end as well is found by what was kept elsewhere, and only so.
    let cut = "UPDATE audit_heads SET seq = 4, link = (SELECT link FROM audit
               WHERE account = chain AND audit.seq = 4) WHERE chain LIKE '%1'";
    tamper(&store, &[cut]).await;
    assert_eq!(found(&store, &[]).await, []);
    assert_eq!(found(&store, &heads).await, [(AuditFault::CutOff, 5, 6)]);
}

#[tokio::test]
async fn a_chain_that_is_gone_is_found_by_what_was_kept_elsewhere() {
    let store = furnished().await;
    let heads = store.audit_heads().await.unwrap();
    tamper(&store, &["DELETE FROM audit WHERE account LIKE '%2'"]).await;
    assert_eq!(found(&store, &[]).await, [(AuditFault::CutOff, 1, 4)]);
    tamper(&store, &["DELETE FROM audit_heads WHERE chain LIKE '%2'"]).await;
    assert_eq!(found(&store, &[]).await, []);
    assert_eq!(found(&store, &heads).await, [(AuditFault::CutOff, 1, 4)]);
}

/// All columns but number, place and account, for copies.
macro_rules! copy {
    ($seq:literal, $account:literal) => {
        concat!(
            r#"INSERT INTO audit (at, actor, on_behalf_of, action, resource_kind, resource_id,
                   resource_name, request_id, plan, "before", "after", reason, outcome, salt,
                   payload_sha256, link, seq, account)
               SELECT at, actor, on_behalf_of, action, resource_kind, resource_id, resource_name,
                   request_id, plan, "before", "after", reason, outcome, salt, payload_sha256,
                   link, "#,
            $seq,
            ", ",
            $account,
            " FROM audit WHERE account LIKE '%1' AND audit.seq = 2"
        )
    };
}

#[tokio::test]
async fn added_rows_are_found() {
    for (statement, at) in [
        (copy!("2", "account"), (2, 0)),
        (copy!("0", "account"), (0, 0)),
        (copy!("-5", "account"), (0, 0)),
        (copy!("2", "NULL"), (2, 0)),
    ] {
        let store = furnished().await;
        tamper(&store, &[statement]).await;
        assert_eq!(found(&store, &[]).await, [(AuditFault::Added, at.0, at.1)], "{statement}");
    }
    // Behind the end, and in a chain that never was.
    let store = furnished().await;
    tamper(&store, &[copy!("7", "account")]).await;
    let behind = [(AuditFault::Changed, 7, 7), (AuditFault::Added, 7, 7)];
    assert_eq!(found(&store, &[]).await, behind);
    let store = furnished().await;
    tamper(&store, &[copy!("1", "'nobody'")]).await;
    let alone = [(AuditFault::Changed, 1, 1), (AuditFault::Added, 1, 1)];
    assert_eq!(found(&store, &[]).await, alone);
}

#[tokio::test]
async fn a_row_that_was_moved_to_another_chain_is_found() {
    let store = furnished().await;
    tamper(&store, &["UPDATE audit SET account = NULL WHERE account LIKE '%1' AND seq = 2"]).await;
    // Of two rows at one place the one that was written first is taken for the right one.
    let wanted = [
        (AuditFault::Missing, 2, 2),
        (AuditFault::Changed, 2, 2),
        (AuditFault::Added, 2, 0),
        (AuditFault::Changed, 3, 3),
    ];
    assert_eq!(found(&store, &[]).await, wanted);
}

/// Somebody who knows how links are made leaves a log that is whole in itself.
#[tokio::test]
async fn a_rewritten_chain_is_found_by_what_was_kept_elsewhere() {
    let store = furnished().await;
    let early = store.audit_heads().await.unwrap();
    let mut txn = store.begin().await.unwrap();
    txn.audit_append(&entry(Some(ONE), 7)).await.unwrap();
    txn.commit().await.unwrap();
    tamper(
        &store,
        &[
            "UPDATE audit SET actor = 'user:9' WHERE account LIKE '%1' AND seq = 4",
            "DELETE FROM audit_heads",
        ],
    )
    .await;
    let mut txn = store.begin().await.unwrap();
    let done = audit_chain::link_all(txn.enter().unwrap()).await;
    txn.leave(done).unwrap();
    txn.commit().await.unwrap();
    assert_eq!(found(&store, &[]).await, []);
    // Salts are new, too, so that every chain is another one.
    let rewritten = [6, 4, 3].map(|seq| (AuditFault::Rewritten, seq, seq));
    assert_eq!(found(&store, &early).await, rewritten);
}

#[tokio::test]
async fn a_payload_may_go_with_what_was_erased_and_not_otherwise() {
    let store = furnished().await;
    let erase = r#"UPDATE audit SET resource_name = NULL, "before" = NULL, "after" = NULL,
                   reason = NULL, salt = NULL WHERE account IS NULL AND seq = 2"#;
    tamper(&store, &[erase]).await;
    assert_eq!(found(&store, &[]).await, [(AuditFault::Erased, 2, 2)]);
    // Nor may anything be said in its place.
    tamper(&store, &["UPDATE audit SET reason = 'other' WHERE account IS NULL AND seq = 2"]).await;
    let both = [(AuditFault::Changed, 2, 2), (AuditFault::Erased, 2, 2)];
    assert_eq!(found(&store, &[]).await, both);
}

#[tokio::test]
async fn more_rows_than_one_read_takes_are_looked_at() {
    let store = Store::temporary().await.unwrap();
    let mut txn = store.begin().await.unwrap();
    let many = BATCH + 3;
    for place in 1..=many {
        txn.audit_append(&entry(None, place)).await.unwrap();
    }
    txn.commit().await.unwrap();
    let seen = store.audit_verify(None, &[]).await.unwrap();
    assert_eq!((seen.rows, seen.faults), (many as u64, 0));
    tamper(&store, &["UPDATE audit SET actor = 'user:9' WHERE seq = 4098"]).await;
    assert_eq!(found(&store, &[]).await, [(AuditFault::Changed, 4_098, 4_098)]);
}

#[tokio::test]
async fn findings_are_bounded_and_counted() {
    let store = Store::temporary().await.unwrap();
    let mut txn = store.begin().await.unwrap();
    for place in 1..=150 {
        txn.audit_append(&entry(None, place)).await.unwrap();
    }
    txn.commit().await.unwrap();
    tamper(&store, &["UPDATE audit SET actor = 'user:9'"]).await;
    let seen = store.audit_verify(None, &[]).await.unwrap();
    assert_eq!((seen.findings.len(), seen.faults), (AUDIT_FINDINGS_MAX, 150));
}
