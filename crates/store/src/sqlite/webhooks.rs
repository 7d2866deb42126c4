//! Webhooks.

use aipress_types::AccountId;
use aipress_types::WebhookId;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::records::PAGE_MAX;
use crate::records::Page;
use crate::records::PageRequest;
use crate::records::TimeCursor;
use crate::records::WebhookRecord;

reads! {
    /// The webhook of this id.
    webhook_fetch(id: WebhookId) -> Option<WebhookRecord>;
    /// Webhooks of these accounts (`None` for all), newest first.
    webhook_list(
        accounts: Option<&[AccountId]>,
        page: &PageRequest<TimeCursor>,
    ) -> Page<WebhookRecord, TimeCursor>;
    /// Webhooks that are not paused, [`PAGE_MAX`] at most.
    webhooks_active() -> Vec<WebhookRecord>;
    /// How many an account has, and how many there are.
    webhook_counts(account: AccountId) -> (u64, u64);
}

writes! {
    /// Makes a webhook, or writes all of one anew.
    webhook_put(webhook: &WebhookRecord) -> ();
    /// Removes a webhook with its deliveries. Whether it was there.
    webhook_delete(id: WebhookId) -> bool;
}

fn record(row: &SqliteRow) -> Result<WebhookRecord> {
    let columns = Columns::new("webhooks", row);
    Ok(WebhookRecord {
        id: columns.parsed("id")?,
        account: columns.parsed("account")?,
        url: columns.text("url")?,
        description: columns.text("description")?,
        kinds: columns.json("kinds")?,
        tenant: columns.parsed_or_none("tenant")?,
        shard: columns.shard_or_none("shard")?,
        platform: columns.flag("platform")?,
        active: columns.flag("active")?,
        message: columns.text_or_none("message")?,
        failing_since: columns.time_or_none("failing_since")?,
        position: columns.count("position")?,
        sealed_secret: columns.blob("sealed_secret")?,
        sealed_previous: columns.blob_or_none("sealed_previous")?,
        previous_until: columns.time_or_none("previous_until")?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
    })
}

async fn webhook_fetch(
    conn: &mut SqliteConnection,
    id: WebhookId,
) -> Result<Option<WebhookRecord>> {
    let row = sqlx::query("SELECT * FROM webhooks WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.as_ref().map(record).transpose()
}

async fn webhook_list(
    conn: &mut SqliteConnection,
    accounts: Option<&[AccountId]>,
    page: &PageRequest<TimeCursor>,
) -> Result<Page<WebhookRecord, TimeCursor>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM webhooks WHERE true");
    if let Some(accounts) = accounts {
        query.push(" AND account IN (");
        let mut list = query.separated(", ");
        for account in accounts {
            list.push_bind(account.to_string());
        }
        query.push(")");
    }
    if let Some(after) = &page.after {
        query.push(" AND (created_at, id) < (").push_bind(after.at_us);
        query.push(", ").push_bind(after.id.clone()).push(")");
    }
    let wanted = page.rows();
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(number(wanted as u64 + 1));
    let rows = query.build().fetch_all(conn).await.db()?;
    let items: Vec<WebhookRecord> = rows.iter().take(wanted).map(record).collect::<Result<_>>()?;
    let next = items
        .last()
        .filter(|_| rows.len() > wanted)
        .map(|last| TimeCursor { at_us: micros(last.created_at), id: last.id.to_string() });
    Ok(Page { items, next })
}

async fn webhooks_active(conn: &mut SqliteConnection) -> Result<Vec<WebhookRecord>> {
    let rows = sqlx::query("SELECT * FROM webhooks WHERE active ORDER BY created_at, id LIMIT ?")
        .bind(i64::from(PAGE_MAX))
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter().map(record).collect()
}

async fn webhook_counts(conn: &mut SqliteConnection, account: AccountId) -> Result<(u64, u64)> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE account = ?) AS own, count(*) AS total FROM webhooks",
    )
    .bind(account.to_string())
    .fetch_one(conn)
    .await
    .db()?;
    let columns = Columns::new("webhooks", &row);
    Ok((columns.count("own")?, columns.count("total")?))
}

async fn webhook_put(conn: &mut SqliteConnection, webhook: &WebhookRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO webhooks (id, account, url, description, kinds, tenant, shard, platform,
             active, message, failing_since, position, sealed_secret, sealed_previous,
             previous_until, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET url = excluded.url, description = excluded.description,
             kinds = excluded.kinds, tenant = excluded.tenant, shard = excluded.shard,
             active = excluded.active, message = excluded.message,
             failing_since = excluded.failing_since, position = excluded.position,
             sealed_secret = excluded.sealed_secret, sealed_previous = excluded.sealed_previous,
             previous_until = excluded.previous_until, updated_at = excluded.updated_at",
    )
    .bind(webhook.id.to_string())
    .bind(webhook.account.to_string())
    .bind(&webhook.url)
    .bind(&webhook.description)
    .bind(json_text(&webhook.kinds)?)
    .bind(webhook.tenant.map(|uid| uid.to_string()))
    .bind(webhook.shard.map(|shard| i64::from(shard.number())))
    .bind(webhook.platform)
    .bind(webhook.active)
    .bind(&webhook.message)
    .bind(webhook.failing_since.map(micros))
    .bind(number(webhook.position))
    .bind(&webhook.sealed_secret)
    .bind(&webhook.sealed_previous)
    .bind(webhook.previous_until.map(micros))
    .bind(micros(webhook.created_at))
    .bind(micros(webhook.updated_at))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn webhook_delete(conn: &mut SqliteConnection, id: WebhookId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM webhooks WHERE id = ?")
        .bind(id.to_string())
        .execute(conn)
        .await
        .db()?;
    Ok(done.rows_affected() > 0)
}
