//! Changes of what a tenant is asked to be as a whole: suspend, resume, delete, undelete, erase.
//! A change while another is under way overtakes it: the later intent counts.

use aipress_store::TenantIntentUpdate;
use aipress_store::TenantRecord;
use aipress_types::DesiredState;
use aipress_types::TenantState;

use crate::app::operation;
use crate::app::placement;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::change::Origin;
use crate::codes;
use crate::policy::Action;
use crate::problem::ApiError;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Suspend,
    Resume,
    Delete,
    Undelete,
    Erase,
}

impl Verb {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 5] =
        [Self::Suspend, Self::Resume, Self::Delete, Self::Undelete, Self::Erase];

    fn action(self) -> Action {
        match self {
            Self::Suspend => Action::TenantSuspend,
            Self::Resume => Action::TenantResume,
            Self::Delete => Action::TenantDelete,
            Self::Undelete => Action::TenantUndelete,
            Self::Erase => Action::TenantErase,
        }
    }

    /// Kind of the operation, and word in audit and events.
    fn kind(self) -> &'static str {
        match self {
            Self::Suspend => "tenant.suspend",
            Self::Resume => "tenant.resume",
            Self::Delete => "tenant.delete",
            Self::Undelete => "tenant.undelete",
            Self::Erase => "tenant.erase",
        }
    }

    fn target(self) -> DesiredState {
        match self {
            Self::Suspend => DesiredState::Suspended,
            Self::Resume | Self::Undelete => DesiredState::Active,
            Self::Delete => DesiredState::Deleted,
            Self::Erase => DesiredState::Erased,
        }
    }

    /// Whether a tenant that is `state` and was asked to be `desired` takes the verb; if not,
    /// why, and what would help. Pure.
    pub(crate) fn check(self, desired: DesiredState, state: TenantState) -> Result<(), String> {
        use DesiredState::Active;
        use DesiredState::Deleted;
        use DesiredState::Erased;
        use DesiredState::Suspended;
        if state == TenantState::Erased || desired == Erased {
            return Err("it is erased, or being erased, which is final".to_owned());
        }
        let refused = match (self, desired) {
            (Self::Suspend, Active) | (Self::Resume, Suspended) => None,
            (Self::Delete, Active | Suspended) | (Self::Undelete, Deleted) => None,
            // Trying again is what helps once its cause is mended.
            (Self::Resume, Active) if state == TenantState::Failed => None,
            (Self::Suspend, Suspended) => Some("it is suspended already, or on its way"),
            (Self::Resume, Active) => Some("it is not suspended: there is nothing to resume"),
            (Self::Suspend | Self::Resume, _) => Some("it is deleted: undelete it first"),
            (Self::Delete, _) => Some("it is deleted already, or on its way"),
            (Self::Undelete, _) => Some("it is not deleted: there is nothing to undelete"),
            (Self::Erase, Deleted) if state == TenantState::Deleted => None,
            (Self::Erase, Deleted) => {
                Some("it is still being deleted: erase it once that operation has ended")
            }
            (Self::Erase, _) => Some("it is not deleted: delete it first, then erase it"),
        };
        refused.map_or(Ok(()), |why| Err(why.to_owned()))
    }
}

/// Does what `verb` asks on the tenant that `id` means.
pub(crate) async fn transition(scope: &Scope, id: &str, verb: Verb) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let before = tenant::find_in(&mut change, &scope.caller, verb.action(), id).await?;
    scope.check_etag(&before.etag)?;
    verb.check(before.desired, before.state)
        .map_err(|why| ApiError::new(&codes::INVALID_STATE, format!("`{}`: {why}", before.name)))?;
    // A tenant whose deletion is still under way holds its slot yet.
    if verb == Verb::Undelete
        && before.state == TenantState::Deleted
        && let Some(shard) = before.shard
    {
        placement::room_on(&mut change, shard).await?;
    }
    let (after, operation) = apply(&mut change, &scope.origin, &before, verb).await?;
    let answer = tenant::answer(&mut change, 202, &after, operation).await?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Writes a permitted transition, all but the commit.
pub(crate) async fn apply(
    change: &mut Change<'_>,
    origin: &Origin,
    before: &TenantRecord,
    verb: Verb,
) -> Result<(TenantRecord, aipress_types::OperationId), aipress_store::StoreError> {
    let mut update = TenantIntentUpdate::new(before.uid, change.now);
    update.desired = Some(verb.target());
    let after = change.txn.tenant_update_intent(&update).await?;
    change.route(&after).await?;
    let operation = operation::begin(change, origin, verb.kind(), &after).await?;
    let note = Note {
        action: verb.kind(),
        before: tenant::audited(before, &change.plane.sites),
        after: tenant::audited(&after, &change.plane.sites),
    };
    change.note_tenant(origin, &after, note).await?;
    change.push(after.uid);
    Ok((after, operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every verb in every standing that can be: which are taken.
    #[test]
    fn the_table_of_verbs() {
        use DesiredState as D;
        use TenantState as S;
        let standings = [
            (D::Active, S::Creating, "SD"),
            (D::Active, S::Active, "SD"),
            (D::Active, S::Suspended, "SD"),
            (D::Active, S::Failed, "SRD"),
            (D::Active, S::Deleted, "SD"),
            (D::Suspended, S::Creating, "RD"),
            (D::Suspended, S::Active, "RD"),
            (D::Suspended, S::Suspended, "RD"),
            (D::Suspended, S::Failed, "RD"),
            (D::Deleted, S::Creating, "U"),
            (D::Deleted, S::Active, "U"),
            (D::Deleted, S::Failed, "U"),
            (D::Deleted, S::Deleted, "UE"),
            (D::Erased, S::Deleted, ""),
            (D::Erased, S::Erased, ""),
        ];
        for (desired, state, taken) in standings {
            for verb in Verb::ALL {
                let letter = format!("{verb:?}").chars().next().unwrap();
                let result = verb.check(desired, state);
                assert_eq!(
                    result.is_ok(),
                    taken.contains(letter),
                    "{verb:?} on {state} asked to be {desired:?}: {result:?}"
                );
            }
        }
    }
}
