//! The registry of the benchmark: tenants of all states, tiers, shards and labels, written by the
//! store as meta writes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use aipress_kit::random;
use aipress_store::AccountRecord;
use aipress_store::ShardUpsert;
use aipress_store::Store;
use aipress_store::StoreOptions;
use aipress_store::TenantInsert;
use aipress_store::TenantObservation;
use aipress_store::TokenInsert;
use aipress_store::TokenRecord;
use aipress_store::UserRecord;
use aipress_types::AccountId;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::ProjectId;
use aipress_types::ShardId;
use aipress_types::TenantMetadata;
use aipress_types::TenantObserved;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use aipress_types::Tier;
use aipress_types::TokenId;
use aipress_types::UserId;
use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::stats::Seeded;

const REGIONS: [&str; 5] =
    ["us-central1", "europe-west1", "asia-east1", "us-east1", "australia-southeast1"];
/// Tenants of one shard.
const SLOTS: usize = 50;
/// Rows of one transaction.
const BATCH: usize = 1_000;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Callers {
    /// Token of a platform-admin.
    pub(super) admin: String,
    pub(super) members: Vec<Member>,
}

/// A member of an account.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) account: String,
    pub(super) token: String,
}

/// The registry's file.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("registry.db")
}

/// Fills a new one.
pub(super) async fn fill(
    dir: &Path,
    tenants: usize,
    accounts: usize,
    seed: u64,
) -> anyhow::Result<Callers> {
    let store = Store::open(StoreOptions::new(path(dir), Uuid::new_v4())).await?;
    let begun = OffsetDateTime::now_utc().replace_nanosecond(0)? - Duration::days(365);
    let (_, admin) = person(&store, "operator", "platform-admin", begun).await?;
    let mut members = Vec::new();
    let mut ids = Vec::new();
    for number in 0..accounts {
        let (account, token) = person(&store, &format!("member-{number}"), "member", begun).await?;
        members.push(Member { account: account.to_string(), token });
        ids.push(account);
    }
    shards(&store, tenants.div_ceil(SLOTS), begun).await?;
    let mut seeded = Seeded::new(seed);
    for batch in (0..tenants).collect::<Vec<_>>().chunks(BATCH) {
        let mut txn = store.begin().await?;
        for number in batch {
            let tenant = tenant(*number, &ids, &mut seeded, begun)?;
            let written = txn.tenant_insert(&tenant).await?;
            // A shard has said of each that it is so: meta has nothing to run after.
            let observed = TenantObserved {
                limits: Vec::new(),
                uid: written.uid,
                generation: written.generation,
                placement_epoch: written.placement_epoch,
                phase: ObservedPhase::Converged,
                desired: tenant.desired,
                slot: None,
                wordpress_version: Some("7.1.4".to_owned()),
                steps: Vec::new(),
                message: None,
                serving: true,
                rolled_back: Vec::new(),
            };
            let now = begun + Duration::seconds(i64::try_from(seeded.next() % 31_000_000)?);
            let observation = TenantObservation { observed, state: None, message: None, now };
            txn.tenant_record_observed(&observation).await?;
        }
        txn.commit().await?;
    }
    store.close().await;
    Ok(Callers { admin, members })
}

async fn person(
    store: &Store,
    login: &str,
    role: &str,
    now: OffsetDateTime,
) -> anyhow::Result<(AccountId, String)> {
    let account =
        AccountRecord { id: AccountId(Uuid::new_v4()), name: login.to_owned(), created_at: now };
    let user = UserRecord {
        id: UserId(Uuid::new_v4()),
        account: account.id,
        login: login.to_owned(),
        role: role.to_owned(),
        created_at: now,
        disabled_at: None,
    };
    let secret = format!("aip_{}", random::alphanumeric(43)?);
    let token = TokenRecord {
        id: TokenId(Uuid::new_v4()),
        user: user.id,
        label: "bench".to_owned(),
        prefix: secret.chars().take(8).collect(),
        scope: serde_json::Value::Null,
        created_at: now,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let secret_sha256 = Sha256::digest(secret.as_bytes()).into();
    let mut txn = store.begin().await?;
    txn.account_insert(&account).await?;
    txn.user_insert(&user).await?;
    txn.token_insert(&TokenInsert { token, secret_sha256 }).await?;
    txn.commit().await?;
    Ok((account.id, secret))
}

async fn shards(store: &Store, count: usize, now: OffsetDateTime) -> anyhow::Result<()> {
    let mut txn = store.begin().await?;
    for number in 0..count {
        let id = shard(number)?;
        let project = ProjectId::of_shard(id);
        txn.project_upsert(&aipress_store::ProjectRecord {
            id: project.clone(),
            kind: "shard".to_owned(),
            region: Some(REGIONS[number % REGIONS.len()].to_owned()),
            created_at: now,
        })
        .await?;
        txn.shard_upsert(&ShardUpsert {
            id,
            project,
            region: REGIONS[number % REGIONS.len()].to_owned(),
            address: format!("unix:/nowhere/{number}/control.sock"),
            gateway: format!("unix:/nowhere/{number}/gateway.sock"),
            slots: u32::try_from(SLOTS)?,
            protocol: 1,
            now,
        })
        .await?;
    }
    txn.commit().await?;
    Ok(())
}

fn shard(number: usize) -> anyhow::Result<ShardId> {
    ShardId::from_number(u32::try_from(number)? + 1).context("a number of a shard")
}

fn tenant(
    number: usize,
    accounts: &[AccountId],
    seeded: &mut Seeded,
    begun: OffsetDateTime,
) -> anyhow::Result<TenantInsert> {
    let dice = seeded.next();
    let (state, desired) = match dice % 12 {
        0..=7 => (TenantState::Active, DesiredState::Active),
        8 => (TenantState::Suspended, DesiredState::Suspended),
        9 => (TenantState::Deleted, DesiredState::Deleted),
        10 => (TenantState::Erased, DesiredState::Erased),
        _ => (TenantState::Failed, DesiredState::Active),
    };
    let tier = match (dice >> 8) % 10 {
        0 => Tier::Gold,
        1..=3 => Tier::Silver,
        _ => Tier::Bronze,
    };
    let mut labels = BTreeMap::new();
    labels.insert("team".to_owned(), ["one", "two", "ten"][(dice >> 16) as usize % 3].to_owned());
    if (dice >> 24).is_multiple_of(500) {
        labels.insert("rare".to_owned(), "yes".to_owned());
    }
    Ok(TenantInsert {
        uid: TenantUid(Uuid::new_v4()),
        name: seeded.name("shop").parse()?,
        // The first account is a reseller's: half of all sites.
        account: accounts[if dice & (1 << 40) == 0 { 0 } else { number % accounts.len() }],
        metadata: TenantMetadata { display_name: Some(format!("Shop {number}")), labels },
        spec: TenantSpec { tier, ..TenantSpec::default() },
        desired,
        state,
        shard: Some(shard(number / SLOTS)?),
        sealed_secrets: vec![7; 1_500],
        now: begun + Duration::seconds(i64::try_from(number)? * 600),
    })
}
