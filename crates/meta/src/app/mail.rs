//! A site's mail, which its shard keeps: sent again or removed by people; and what the shard tells
//! of it, as events.

use std::time::Duration;

use aipress_api::internal::MailChange;
use aipress_api::internal::MailNews;
use aipress_api::internal::MailNewsKind;
use aipress_api::internal::MailVerb;
use aipress_api::mail::MailChangedView;
use aipress_api::mail::MailSelection;
use aipress_api::mail::MailSkipReason;
use aipress_api::paths;
use aipress_store::StoreError;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::ShardId;
use aipress_types::TenantState;
use http::Method;

use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::policy::Action;
use crate::problem::ApiError;

/// Longest id of a message.
const ID_MAX: usize = 40;
/// Most that are named in one request: as many as a site has.
const IDS_MAX: usize = 1000;
/// Most ids that are written down.
const AUDITED: usize = 32;
/// Longest wait for the shard, which writes up to a thousand small files.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Most news of one report, and of their words in characters.
const NEWS_MAX: usize = 50;
/// See [`NEWS_MAX`].
const WORDS_MAX: usize = 500;

/// Whether it has the form of a message's id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Does something with the mail of the tenant that `id` means.
pub(crate) async fn change(
    scope: &Scope,
    id: &str,
    verb: MailVerb,
    wanted: MailSelection,
) -> Result<Answer, ApiError> {
    let (action, kind) = match verb {
        MailVerb::Retry => (Action::TenantMailRetry, "tenant.mail_retry"),
        MailVerb::Delete => (Action::TenantMailDelete, "tenant.mail_delete"),
    };
    let plane = &scope.plane;
    let found = tenant::find(plane, &scope.caller, action, id).await?;
    check(&wanted)?;
    scope.check_etag(&found.etag)?;
    let is_rehearsal = scope.dry_run.is_some();
    let asked = MailChange { verb, ids: wanted.ids, all: wanted.all, is_rehearsal };
    // Before the transaction, which must not wait for anybody. What is repeated finds it done.
    let done = ask(scope, &found, &asked).await?;
    if done.items.is_empty() {
        refuse_nothing(&found, &done)?;
    }

    let mut change = Change::begin(plane).await?;
    let current = tenant::find_in(&mut change, &scope.caller, action, id).await?;
    if current.uid != found.uid {
        return Err(ApiError::not_found("tenant", id));
    }
    let named: Vec<&String> = done.items.iter().take(AUDITED).collect();
    let after = serde_json::json!({ "mail": named, "count": done.items.len() });
    let note = Note { action: kind, before: None, after: Some(after.clone()) };
    change.note_tenant(&scope.origin, &current, note).await?;
    if let Some(noted) = change.noted.last_mut() {
        noted.after = (!done.items.is_empty()).then_some(after);
        noted.made_from = tenant::made_from(&current);
    }
    let answer = Answer {
        status: 200,
        body: serde_json::to_value(&done)
            .map_err(|error| ApiError::internal("encode what was done", &error))?,
        shown_once: None,
        tenant: Some(current.uid),
        operation: None,
    };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

fn check(wanted: &MailSelection) -> Result<(), ApiError> {
    if wanted.all != wanted.ids.is_empty() {
        return Err(ApiError::field("/ids", "name some mail in `ids`, or say `\"all\": true`"));
    }
    if wanted.ids.len() > IDS_MAX {
        return Err(ApiError::field("/ids", format!("{IDS_MAX} at most")));
    }
    match wanted.ids.iter().position(|id| !is_id(id)) {
        Some(at) => Err(ApiError::field(&format!("/ids/{at}"), "is no id of a mail")),
        None => Ok(()),
    }
}

async fn ask(
    scope: &Scope,
    tenant: &TenantRecord,
    asked: &MailChange,
) -> Result<MailChangedView, ApiError> {
    let plane = &scope.plane;
    let shard = match tenant.shard {
        Some(id) => plane.store.shard_fetch(id).await?,
        None => None,
    };
    let gone = || {
        let detail = format!("`{}` is {}: its shard has no mail of it", tenant.name, tenant.state);
        ApiError::new(&codes::INVALID_STATE, detail)
    };
    let Some(shard) = shard else { return Err(gone()) };
    let path = format!("{}/{}/mail", paths::SHARD_TENANTS, tenant.uid);
    let answer = shard_call::ask(plane, &shard.address, Method::POST, &path, asked, TIMEOUT).await;
    answer.map_err(|error| match error {
        ShardCallError::Refused { status: 404, .. } => gone(),
        ShardCallError::Refused { status: 409, detail } => {
            ApiError::new(&codes::INVALID_STATE, detail)
        }
        error => {
            tracing::warn!(tenant.uid = %tenant.uid, %error, "a shard was asked in vain");
            let detail = format!("the mail of `{}` can't be had now: try again", tenant.name);
            ApiError::new(&codes::SHARD_UNAVAILABLE, detail)
                .with_header(http::header::RETRY_AFTER, "2")
        }
    })
}

/// Some were named, and it could be done with none: that is no success.
fn refuse_nothing(tenant: &TenantRecord, done: &MailChangedView) -> Result<(), ApiError> {
    let Some(first) = done.skipped.first() else { return Ok(()) };
    if done.skipped.iter().all(|one| one.reason == MailSkipReason::Unknown) {
        let detail = format!("`{}` has no such mail", tenant.name);
        return Err(ApiError::new(&codes::NOT_FOUND, detail));
    }
    let detail = format!("mail {}: {}", first.id, first.reason.as_str());
    Err(ApiError::new(&codes::INVALID_STATE, detail))
}

/// Writes what a shard tells as events. What is of no tenant of the shard is dropped.
pub(crate) async fn tell(
    change: &mut Change<'_>,
    shard: ShardId,
    news: Vec<MailNews>,
) -> Result<(), StoreError> {
    for one in news.into_iter().take(NEWS_MAX) {
        let found = change.txn.tenant_fetch(&TenantRef::Uid(one.uid)).await?;
        let is_here =
            |it: &TenantRecord| it.shard == Some(shard) && it.state != TenantState::Erased;
        let Some(tenant) = found.filter(is_here) else { continue };
        let message: String = one.message.chars().take(WORDS_MAX).collect();
        let (kind, data) = match one.kind {
            MailNewsKind::Bounced => (
                "tenant.mail.bounced",
                serde_json::json!({
                    "name": tenant.name,
                    "generation": tenant.generation,
                    "mail": one.mail,
                    "to": one.to,
                    "message": message,
                }),
            ),
            MailNewsKind::Limited => (
                "tenant.mail.limited",
                serde_json::json!({
                    "name": tenant.name,
                    "generation": tenant.generation,
                    "message": message,
                }),
            ),
        };
        change.tell_of(&tenant, kind, data).await?;
    }
    Ok(())
}
