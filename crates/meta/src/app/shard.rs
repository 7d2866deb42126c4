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

/// When reports are looked at, and since when somebody was there to hear them: that this control
/// plane was away says nothing about a shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) now: OffsetDateTime,
    pub(crate) since: OffsetDateTime,
}

impl Heard {
    /// What to believe of a shard that said `health` at `reported_at`.
    fn believe(self, health: ShardHealth, reported_at: Option<OffsetDateTime>) -> ShardHealth {
        // A clock that was put back makes what was, or was begun, a thing of the future.
        let since = Some(self.since).filter(|since| *since <= self.now);
        match reported_at.map(|at| self.now - since.map_or(at, |since| at.max(since))) {
            Some(age) if age.abs() <= SILENT_AFTER => health,
            _ => ShardHealth::Unknown,
        }
    }
}

/// A standing whose health is what to believe of it.
pub(crate) fn believed(mut standing: ShardStanding, heard: Heard) -> ShardStanding {
    standing.facts.health = heard.believe(standing.facts.health, standing.reported_at);
    standing
}

/// A shard on the wire.
pub(crate) fn view(shard: &ShardRecord, heard: Heard) -> ShardView {
    let health = heard.believe(shard.health, shard.reported_at);
    let message = match (health, shard.health, shard.reported_at) {
        (ShardHealth::Unknown, said, Some(at)) if said != ShardHealth::Unknown => {
            Some(format!("no report for {} s", (heard.now - at).whole_seconds()))
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
        body: serde_json::to_value(view(&after, scope.plane.heard()))
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
        let heard = |now, since| Heard {
            now: at + Duration::seconds(now),
            since: at + Duration::seconds(since),
        };
        let believe = |heard: Heard| heard.believe(ShardHealth::Healthy, Some(at));
        assert_eq!(believe(heard(15, 0)), ShardHealth::Healthy);
        assert_eq!(believe(heard(16, 0)), ShardHealth::Unknown);
        // Nobody was there to hear it.
        assert_eq!(believe(heard(3_615, 3_600)), ShardHealth::Healthy);
        assert_eq!(believe(heard(3_616, 3_600)), ShardHealth::Unknown);
        assert_eq!(heard(0, 0).believe(ShardHealth::Healthy, None), ShardHealth::Unknown);
        // The clock was put back by an hour: its word is not believed for an hour, and the next one is.
        assert_eq!(believe(heard(-3_600, -3_700)), ShardHealth::Unknown);
        assert_eq!(believe(heard(-3_600, 0)), ShardHealth::Unknown);
        assert_eq!(believe(heard(2, 3_600)), ShardHealth::Healthy);
    }
}
