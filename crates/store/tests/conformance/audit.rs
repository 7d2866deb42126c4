//! The audit log.

use aipress_store::*;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(rows_are_read_back_newest_first, filters_fit);

async fn furnished(store: &Store) -> Vec<AuditInsert> {
    let entries: Vec<AuditInsert> = (0..5)
        .map(|turn| AuditInsert {
            actor: format!("user:{}", turn % 2),
            ..audit("tenant.update", &format!("t{}", turn / 2), turn)
        })
        .collect();
    let mut txn = store.begin().await.unwrap();
    for entry in &entries {
        txn.audit_append(entry).await.unwrap();
    }
    txn.commit().await.unwrap();
    entries
}

async fn rows_are_read_back_newest_first(registry: &Registry) {
    let store = registry.open().await;
    let mut entries = furnished(&store).await;
    entries.reverse();
    let mut seen = Vec::new();
    let mut page = PageRequest::first(2);
    loop {
        let got = store.audit_list(&AuditFilter::default(), &page).await.unwrap();
        seen.extend(got.items.into_iter().map(|record| record.entry));
        // A row that comes meanwhile is newer than the page: it neither repeats nor hides one.
        let mut txn = store.begin().await.unwrap();
        txn.audit_append(&audit("later", "t9", 99)).await.unwrap();
        txn.commit().await.unwrap();
        let Some(next) = got.next else { break };
        page = PageRequest::after(2, next);
    }
    assert_eq!(seen, entries);
}

async fn filters_fit(registry: &Registry) {
    let store = registry.open().await;
    furnished(&store).await;
    let count = async |filter: AuditFilter| {
        store.audit_list(&filter, &PageRequest::first(100)).await.unwrap().items.len()
    };
    let all = AuditFilter::default;
    assert_eq!(count(AuditFilter { actor: Some("user:0".into()), ..all() }).await, 3);
    assert_eq!(count(AuditFilter { resource_id: Some("t1".into()), ..all() }).await, 2);
    assert_eq!(count(AuditFilter { resource_kind: Some("shard".into()), ..all() }).await, 0);
    assert_eq!(count(AuditFilter { action: Some("tenant.update".into()), ..all() }).await, 5);
    let some = AuditFilter { since: Some(at(1)), until: Some(at(3)), ..all() };
    assert_eq!(count(some).await, 2);
    assert_eq!(count(AuditFilter { accounts: Some(vec![]), ..all() }).await, 0);
    assert_eq!(count(AuditFilter { request_id: Some("r1".into()), ..all() }).await, 5);
    assert_eq!(count(AuditFilter { request_id: Some("r2".into()), ..all() }).await, 0);
    for (text, wanted) in [("CRUMBS", 5), ("bake", 5), ("title", 5), ("%", 0), ("user:", 0)] {
        assert_eq!(count(AuditFilter { text: Some(text.into()), ..all() }).await, wanted, "{text}");
    }
    let narrow = AuditFilter { text: Some("crumbs".into()), actor: Some("user:0".into()), ..all() };
    assert_eq!(count(narrow).await, 3);
}
