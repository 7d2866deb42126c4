//! Records to start from, and a clock that stands where it is put.

use aipress_store::*;
use aipress_types::*;
use serde_json::Value;
use serde_json::json;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Some seconds after the suite's own beginning of time.
pub(crate) fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap() + Duration::seconds(seconds)
}

pub(crate) fn shard(number: u32) -> ShardId {
    ShardId::from_number(number).unwrap()
}

pub(crate) fn name(text: &str) -> TenantName {
    text.parse().unwrap()
}

pub(crate) fn account(title: &str) -> AccountRecord {
    AccountRecord { id: AccountId(Uuid::new_v4()), name: title.to_owned(), created_at: at(0) }
}

pub(crate) fn user(account: AccountId, login: &str) -> UserRecord {
    UserRecord {
        id: UserId(Uuid::new_v4()),
        account,
        login: login.to_owned(),
        role: "platform-admin".to_owned(),
        created_at: at(0),
        disabled_at: None,
    }
}

pub(crate) fn token(user: UserId, secret_sha256: [u8; 32]) -> TokenInsert {
    TokenInsert {
        token: TokenRecord {
            id: TokenId(Uuid::new_v4()),
            user,
            label: "laptop".to_owned(),
            prefix: "aip_12".to_owned(),
            scope: Value::Null,
            created_at: at(0),
            expires_at: Some(at(3_600)),
            last_used_at: None,
            revoked_at: None,
        },
        secret_sha256,
    }
}

pub(crate) fn shard_upsert(number: u32, region: &str) -> ShardUpsert {
    ShardUpsert {
        id: shard(number),
        project: ProjectId::of_shard(shard(number)),
        region: region.to_owned(),
        address: format!("unix:/run/{number}/control.sock"),
        gateway: format!("unix:/run/{number}/gateway.sock"),
        slots: 50,
        protocol: 1,
        now: at(0),
    }
}

pub(crate) fn project(number: u32) -> ProjectRecord {
    ProjectRecord {
        id: ProjectId::of_shard(shard(number)),
        kind: "shard".to_owned(),
        region: None,
        created_at: at(0),
    }
}

pub(crate) fn tenant(account: AccountId, called: &str) -> TenantInsert {
    TenantInsert {
        uid: TenantUid(Uuid::new_v4()),
        name: name(called),
        account,
        metadata: TenantMetadata::default(),
        spec: TenantSpec { tier: Tier::Silver, ..TenantSpec::default() },
        desired: DesiredState::Active,
        state: TenantState::Creating,
        shard: Some(shard(1)),
        sealed_secrets: vec![1, 2, 3],
        now: at(0),
    }
}

pub(crate) fn observed(of: &TenantRecord, phase: ObservedPhase) -> TenantObserved {
    TenantObserved {
        uid: of.uid,
        generation: of.generation,
        placement_epoch: of.placement_epoch,
        phase,
        desired: of.desired,
        slot: Some(7),
        wordpress_version: Some("7.1".to_owned()),
        steps: vec![ObservedStep {
            name: "database".to_owned(),
            state: StepState::Succeeded,
            duration_ms: 46,
            message: None,
        }],
        serving: false,
        rolled_back: Vec::new(),
        limits: Vec::new(),
        message: None,
    }
}

pub(crate) fn operation(of: &TenantRecord, kind: &str, seconds: i64) -> OperationInsert {
    OperationInsert {
        id: OperationId(Uuid::new_v4()),
        kind: kind.to_owned(),
        tenant: Some(of.uid),
        tenant_name: Some(of.name.clone()),
        account: Some(of.account),
        actor: "user:somebody".to_owned(),
        generation: of.generation,
        workflow_version: 1,
        steps: vec![
            ("slot".to_owned(), "Take a slot".to_owned()),
            ("database".to_owned(), "Make the database".to_owned()),
        ],
        now: at(seconds),
    }
}

pub(crate) fn event(kind: &str) -> EventInsert {
    EventInsert {
        at: at(0),
        kind: kind.to_owned(),
        tenant: None,
        shard: None,
        account: None,
        data: json!({ "kind": kind }),
    }
}

pub(crate) fn audit(action: &str, resource_id: &str, seconds: i64) -> AuditInsert {
    AuditInsert {
        at: at(seconds),
        actor: "user:somebody".to_owned(),
        on_behalf_of: None,
        action: action.to_owned(),
        resource_kind: "tenant".to_owned(),
        resource_id: resource_id.to_owned(),
        resource_name: Some("bakery".to_owned()),
        account: None,
        request_id: Some("r1".to_owned()),
        plan: None,
        before: None,
        after: Some(json!({ "title": "Crumbs" })),
        reason: None,
        outcome: "allowed".to_owned(),
    }
}

/// An account and shards 1 (us-central1) and 2 (europe-west1).
pub(crate) async fn furnish(store: &Store) -> AccountId {
    let account = account("Crumbs & Co.");
    let mut txn = store.begin().await.unwrap();
    txn.account_insert(&account).await.unwrap();
    for (number, region) in [(1, "us-central1"), (2, "europe-west1")] {
        txn.project_upsert(&project(number)).await.unwrap();
        txn.shard_upsert(&shard_upsert(number, region)).await.unwrap();
    }
    txn.commit().await.unwrap();
    account.id
}

/// Commits one tenant.
pub(crate) async fn insert(store: &Store, tenant: &TenantInsert) -> TenantRecord {
    let mut txn = store.begin().await.unwrap();
    let record = txn.tenant_insert(tenant).await.unwrap();
    txn.commit().await.unwrap();
    record
}

/// Commits a state.
pub(crate) async fn set_state(
    store: &Store,
    uid: TenantUid,
    states: &[TenantState],
    now: OffsetDateTime,
) -> TenantRecord {
    let mut txn = store.begin().await.unwrap();
    for state in states {
        txn.tenant_set_state(uid, *state, None, now).await.unwrap();
    }
    let record = txn.tenant_fetch(&uid.into()).await.unwrap().unwrap();
    txn.commit().await.unwrap();
    record
}
