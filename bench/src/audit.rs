//! A look at a million rows of the audit log: every row hashed and compared with its link, by the
//! registry's own code on a file as large as a platform of 50,000 sites has after some years.

use std::time::Instant;

use aipress_store::AuditInsert;
use aipress_store::Store;
use aipress_store::StoreOptions;
use aipress_types::AccountId;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::args::Options;
use crate::cores::Cores;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Stats;

/// Rows, of so many accounts.
const ROWS: usize = 1_000_000;
const ACCOUNTS: usize = 1_000;
/// Rows of one transaction while the log is filled.
const BATCH: usize = 10_000;
/// Looks.
const LOOKS: usize = 5;
/// Seconds for a million rows.
const FLOOR: f64 = 10.0;

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "audit")?;
    let mut run = Run::begin("audit", options, Cores::shared(), scratch.path())?;
    let rows = options.samples(ROWS, 20_000);
    eprintln!("  writing {rows} rows");
    let path = scratch.path().join("registry.db");
    let store = Store::open(StoreOptions::new(path, Uuid::new_v4())).await?;
    fill(&store, rows).await?;
    let anchors = store.audit_heads().await?;
    run.method(format!(
        "{rows} audit rows of {ACCOUNTS} accounts in a registry on disk, each with a state of 250 bytes \
         before and after; looked at {LOOKS} times by one caller, and compared with a checkpoint of \
         each chain; times are of a million rows"
    ));
    let mut seconds = Vec::new();
    for _ in 0..LOOKS {
        let begin = Instant::now();
        let seen = store.audit_verify(None, &anchors).await?;
        anyhow::ensure!(
            (seen.rows, seen.faults) == (rows as u64, 0),
            "{} of {rows} rows, {} faults",
            seen.rows,
            seen.faults
        );
        seconds.push(begin.elapsed().as_secs_f64() * ROWS as f64 / rows as f64);
    }
    store.close().await;
    let title = "look at a million audit rows";
    let row = Row::new("audit-verify", title, "s", Better::Lower, Stats::of(&seconds));
    run.rows.push(row.bounds(FLOOR, None));
    Ok(run)
}

async fn fill(store: &Store, rows: usize) -> anyhow::Result<()> {
    let begin = OffsetDateTime::from_unix_timestamp(1_790_000_000)?;
    let state = json!({
        "uid": "0b7d3cb3-56d5-4f2b-9c9f-0c3f2f6b7a10", "name": "bakery", "state": "active",
        "desired": "active", "tier": "silver", "title": "Crumbs Bakery", "labels": { "team": "shops" },
        "url": "http://bakery.localhost:8080", "generation": 7, "wordpress": "7.1.4",
    });
    for batch in 0..rows.div_ceil(BATCH) {
        let mut txn = store.begin().await?;
        for number in batch * BATCH..rows.min((batch + 1) * BATCH) {
            let account = Uuid::from_u128((number % ACCOUNTS) as u128 + 1);
            txn.audit_append(&AuditInsert {
                at: begin + time::Duration::seconds(i64::try_from(number)?),
                actor: format!("user:{account}"),
                on_behalf_of: None,
                action: "tenant.update".to_owned(),
                resource_kind: "tenant".to_owned(),
                resource_id: Uuid::from_u128(number as u128 / 20).to_string(),
                resource_name: Some("bakery".to_owned()),
                account: Some(AccountId(account)),
                request_id: Some(Uuid::from_u128(number as u128).to_string()),
                plan: None,
                before: Some(state.clone()),
                after: Some(state.clone()),
                reason: None,
                outcome: "allowed".to_owned(),
            })
            .await?;
        }
        txn.commit().await?;
    }
    Ok(())
}
