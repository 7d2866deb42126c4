//! Shards: how they are seen, and whether they take new tenants.

use aipress_api::ShardView;
use aipress_store::ShardRecord;
use aipress_store::ShardStanding;
use aipress_types::ShardHealth;
use aipress_types::ShardId;
use aipress_types::ShardSchedulability;
use time::Duration;
use time::OffsetDateTime;

use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::change::Change;
use crate::change::Note;
use crate::policy::Action;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// A shard that has not reported for this long is unknown, whatever it said last. Shards report
/// every 5 s.
pub(crate) const SILENT_AFTER: Duration = Duration::seconds(15);

/// What to believe of a shard that said `health` at `reported_at`.
pub(crate) fn believed_health(
    health: ShardHealth,
    reported_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> ShardHealth {
    match reported_at {
        Some(at) if now - at <= SILENT_AFTER => health,
        _ => ShardHealth::Unknown,
    }
}

/// A standing whose health is what to believe of it.
pub(crate) fn believed(mut standing: ShardStanding, now: OffsetDateTime) -> ShardStanding {
    standing.facts.health = believed_health(standing.facts.health, standing.reported_at, now);
    standing
}

/// A shard on the wire.
pub(crate) fn view(shard: &ShardRecord, now: OffsetDateTime) -> ShardView {
    let health = believed_health(shard.health, shard.reported_at, now);
    let message = match (health, shard.health, shard.reported_at) {
        (ShardHealth::Unknown, said, Some(at)) if said != ShardHealth::Unknown => {
            Some(format!("no report for {} s", (now - at).whole_seconds()))
        }
        _ => shard.message.clone(),
    };
    ShardView {
        id: shard.id.to_string(),
        project: shard.project.to_string(),
        region: shard.region.clone(),
        health,
        schedulability: shard.schedulability,
        slots: shard.slots,
        taken: shard.taken,
        message,
        reported_at: shard.reported_at,
    }
}

/// Lets a shard take new tenants, or not.
pub(crate) async fn set_schedulability(
    scope: &Scope,
    id: ShardId,
    to: ShardSchedulability,
) -> Result<Answer, ApiError> {
    let text = id.to_string();
    authorize(&scope.caller, Action::ShardUpdate, Resource::Shard)
        .map_err(|denied| denied.into_error("shard", &text))?;
    let mut change = Change::begin(&scope.plane).await?;
    let now = change.now;
    let Some(before) = change.txn.shard_fetch(id).await? else {
        return Err(ApiError::not_found("shard", &text));
    };
    let after = change.txn.shard_set_schedulability(id, to, now).await?;
    let word = |schedulability: ShardSchedulability| {
        Some(serde_json::json!({ "schedulability": schedulability }))
    };
    let note = Note {
        action: "shard.update",
        before: word(before.schedulability),
        after: word(after.schedulability),
    };
    change.note_shard(&scope.origin, id, note).await?;
    let answer = Answer {
        status: 200,
        body: serde_json::to_value(view(&after, now))
            .map_err(|error| ApiError::internal("encode shard", &error))?,
        shown_once: None,
        tenant: None,
        operation: None,
    };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_shard_is_unknown() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let believe =
            |s| believed_health(ShardHealth::Healthy, Some(at), at + Duration::seconds(s));
        assert_eq!(believe(15), ShardHealth::Healthy);
        assert_eq!(believe(16), ShardHealth::Unknown);
        assert_eq!(believed_health(ShardHealth::Healthy, None, at), ShardHealth::Unknown);
    }
}
