//! A writer is killed (`SIGKILL`) between any two of its statements: what it was told is committed
//! is there, and of what it was not told, either all or nothing.
//!
//! The writer is this test binary, started again as [`writer`]. It stops before each statement,
//! says its name, and goes on when it gets a line, so that the kill comes exactly there.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use aipress_store::*;
use aipress_types::*;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const FILE: &str = "AIPRESS_STORE_CRASH_FILE";
const MARK: &str = "crash-point ";

fn pause(point: &str) {
    println!("{MARK}{point}");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Not a test: the process that is killed. Two transactions, a stop before each statement.
#[tokio::test]
#[ignore = "started by the test of this file, as a process of its own"]
async fn writer() {
    let Ok(path) = std::env::var(FILE) else { return };
    let store = Store::open(StoreOptions::new(path, Uuid::new_v4())).await.unwrap();
    for called in ["first", "second"] {
        pause("begin");
        let mut txn = store.begin().await.unwrap();
        pause("tenant");
        let tenant = txn.tenant_insert(&tenant(&store, called).await).await.unwrap();
        pause("operation");
        let operation = operation(&tenant);
        txn.operation_insert(&operation).await.unwrap();
        pause("event");
        txn.event_append(&event(&tenant)).await.unwrap();
        pause("audit");
        txn.audit_append(&audit(&tenant)).await.unwrap();
        pause("route");
        txn.route_put(&route(&tenant)).await.unwrap();
        pause("commit");
        txn.commit().await.unwrap();
        pause(&format!("committed {called}"));
    }
}

async fn tenant(store: &Store, called: &str) -> TenantInsert {
    TenantInsert {
        uid: TenantUid(Uuid::new_v4()),
        name: called.parse().unwrap(),
        account: store.account_list().await.unwrap()[0].id,
        metadata: TenantMetadata::default(),
        spec: TenantSpec::default(),
        desired: DesiredState::Active,
        state: TenantState::Creating,
        shard: ShardId::from_number(1),
        sealed_secrets: vec![1],
        now: NOW,
    }
}

fn operation(tenant: &TenantRecord) -> OperationInsert {
    OperationInsert {
        id: OperationId(Uuid::new_v4()),
        kind: "tenant.create".to_owned(),
        tenant: Some(tenant.uid),
        tenant_name: Some(tenant.name.clone()),
        account: Some(tenant.account),
        actor: "user:1".to_owned(),
        generation: 1,
        workflow_version: 1,
        steps: vec![("slot".to_owned(), "Take a slot".to_owned())],
        now: NOW,
    }
}

fn event(tenant: &TenantRecord) -> EventInsert {
    EventInsert {
        at: NOW,
        kind: "tenant.created".to_owned(),
        tenant: Some(tenant.uid),
        shard: None,
        account: None,
        data: json!({}),
    }
}

fn audit(tenant: &TenantRecord) -> AuditInsert {
    AuditInsert {
        at: NOW,
        actor: "user:1".to_owned(),
        on_behalf_of: None,
        action: "tenant.create".to_owned(),
        resource_kind: "tenant".to_owned(),
        resource_id: tenant.uid.to_string(),
        resource_name: None,
        account: None,
        request_id: None,
        plan: None,
        before: None,
        after: None,
        reason: None,
        outcome: "allowed".to_owned(),
    }
}

fn route(tenant: &TenantRecord) -> RoutePut {
    RoutePut {
        host: format!("{}.localhost", tenant.name),
        tenant: tenant.uid,
        shard: tenant.shard.unwrap(),
        state: RouteState::Starting,
        generation: 1,
        now: NOW,
    }
}

async fn furnish(path: &Path) {
    let store = Store::open(StoreOptions::new(path, Uuid::new_v4())).await.unwrap();
    let shard = ShardId::from_number(1).unwrap();
    let mut txn = store.begin().await.unwrap();
    let id = AccountId(Uuid::new_v4());
    let account = AccountRecord { id, name: "Crumbs".to_owned(), created_at: NOW };
    txn.account_insert(&account).await.unwrap();
    let project = ProjectRecord {
        id: ProjectId::of_shard(shard),
        kind: "shard".to_owned(),
        region: None,
        created_at: NOW,
    };
    txn.project_upsert(&project).await.unwrap();
    let upsert = ShardUpsert {
        id: shard,
        project: project.id,
        region: "us-central1".to_owned(),
        address: "unix:/a".to_owned(),
        gateway: "unix:/b".to_owned(),
        slots: 50,
        protocol: 1,
        now: NOW,
    };
    txn.shard_upsert(&upsert).await.unwrap();
    txn.commit().await.unwrap();
    store.close().await;
}

/// Lets the writer pass `points` stops and kills it at the next. What it was told is committed,
/// and whether there was a next stop at all.
fn run_and_kill(path: &Path, points: usize) -> (Vec<String>, bool) {
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--ignored", "--nocapture"])
        .env(FILE, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut passed, mut committed, mut stopped) = (0, Vec::new(), false);
    for line in lines {
        let line = line.unwrap();
        // The test runner may have written its own words on the same line.
        let Some((_, point)) = line.split_once(MARK) else { continue };
        if let Some(called) = point.strip_prefix("committed ") {
            committed.push(called.to_owned());
        }
        if passed == points {
            stopped = true;
            break;
        }
        passed += 1;
        stdin.write_all(b"\n").unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (committed, stopped)
}

/// What is there, each tenant with all that was written with it.
async fn whole(path: &Path) -> Vec<String> {
    let store = Store::open(StoreOptions::new(path, Uuid::new_v4())).await.unwrap();
    assert_eq!(store.integrity_check().await.unwrap(), [""; 0]);
    let sort = TenantSort::default();
    let page = PageRequest::first(10);
    let tenants = store.tenant_list(&TenantFilter::default(), sort, &page).await.unwrap().items;
    let count = tenants.len();
    for tenant in &tenants {
        let operations = store.operations_unfinished_of(tenant.uid).await.unwrap();
        assert_eq!((operations.len(), operations[0].steps.len()), (1, 1));
        let filter = EventFilter { tenant: Some(tenant.uid), ..EventFilter::default() };
        assert_eq!(store.events_after(0, &filter, 10).await.unwrap().len(), 1);
        assert_eq!(store.routes_of_tenant(tenant.uid).await.unwrap().len(), 1);
    }
    let audit = store.audit_list(&AuditFilter::default(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(audit.items.len(), count);
    let all = u64::try_from(count).unwrap();
    assert_eq!(store.events_last_id().await.unwrap(), all);
    assert_eq!(store.routes_snapshot().await.unwrap().seq, all);
    assert_eq!(store.operations_unfinished(10).await.unwrap().len(), count);
    // And it can be written again at once.
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("alive", &Value::Bool(true), NOW).await.unwrap();
    txn.commit().await.unwrap();
    tenants.iter().map(|tenant| tenant.name.to_string()).collect()
}

#[tokio::test]
async fn killed_between_statements_it_is_whole_or_nothing() {
    let mut points = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry.db");
        furnish(&path).await;
        let (committed, stopped) = run_and_kill(&path, points);
        if !stopped {
            assert_eq!(committed, ["first", "second"]);
            break;
        }
        assert_eq!(whole(&path).await, committed, "killed at stop {points}");
        points += 1;
    }
    assert_eq!(points, 16, "8 stops in each of 2 transactions");
}
