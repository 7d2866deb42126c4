//! Plans: what a change would do. The change itself runs, with all its checks, and is rolled back;
//! what it noted for the audit log is what the planner ([`planner`], pure) makes words of. A plan
//! is applied by planning again: only when the same content comes out is the request itself sent.

pub(crate) mod apply;
pub(crate) mod create;
pub(crate) mod describe;
pub(crate) mod planner;

use aipress_api::PlanItem;
use aipress_api::PlanView;
use aipress_store::PlanRecord;
use aipress_types::AccountId;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;

use crate::change::Change;
use crate::plane::Plane;
use crate::problem::ApiError;

/// How long a plan can be applied: long enough to read it, short enough that nobody forgot it.
pub(crate) const LIFE: Duration = Duration::minutes(15);
/// Changes of one plan at most.
pub(crate) const ITEMS_MAX: usize = 100;

/// The plan of these changes as `actor` asked for it; sealed, since requests may have secrets.
pub(crate) fn record(
    plane: &Plane,
    actor: &str,
    account: AccountId,
    items: &[PlanItem],
    now: OffsetDateTime,
) -> Result<PlanRecord, ApiError> {
    let body =
        serde_json::to_value(items).map_err(|error| ApiError::internal("encode plan", &error))?;
    let mut hashed = items.to_vec();
    // It changes with any write, also with one that the plan does not care for.
    hashed.iter_mut().for_each(|item| item.etag = None);
    let hashed =
        serde_json::to_value(&hashed).map_err(|error| ApiError::internal("encode plan", &error))?;
    let id = hash(actor, &hashed);
    let sealed = plane
        .sealer
        .seal(&place(&id), body.to_string().as_bytes())
        .map_err(|error| ApiError::internal("seal plan", &error))?;
    Ok(PlanRecord {
        id,
        account: Some(account),
        actor: actor.to_owned(),
        body: Value::String(BASE64_STANDARD.encode(sealed)),
        created_at: now,
        expires_at: now + LIFE,
    })
}

/// Keeps a plan.
pub(crate) async fn keep(change: &mut Change<'_>, plan: &PlanRecord) -> Result<(), ApiError> {
    change.txn.plan_insert(plan).await.map_err(ApiError::from)
}

/// A plan on the wire.
pub(crate) fn view(plane: &Plane, plan: &PlanRecord) -> Result<PlanView, ApiError> {
    let sealed = BASE64_STANDARD
        .decode(plan.body.as_str().unwrap_or_default())
        .map_err(|error| ApiError::internal("decode plan", &error))?;
    let body = plane
        .sealer
        .open(&place(&plan.id), &sealed)
        .map_err(|error| ApiError::internal("open plan", &error))?;
    let items: Vec<PlanItem> =
        serde_json::from_slice(&body).map_err(|error| ApiError::internal("decode plan", &error))?;
    Ok(PlanView {
        hash: plan.id.clone(),
        changes_nothing: items.iter().all(|item| item.changes.is_empty() && item.runs.is_none()),
        items,
        created_at: plan.created_at,
        expires_at: plan.expires_at,
    })
}

/// What a sealed plan is bound to.
fn place(id: &str) -> String {
    format!("plans/{id}")
}

/// SHA-256 over the canonical form: no spaces, names sorted. Whose plan it is belongs to it, so
/// that nobody's plan is another's.
pub(crate) fn hash(actor: &str, items: &Value) -> String {
    let mut canonical = String::new();
    write(&json!({ "actor": actor, "items": items }), &mut canonical);
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            out.push('{');
            for (index, name) in names.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write(fields.get(name).unwrap_or(&Value::Null), out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_the_content_and_not_of_its_order() {
        let one: Value = serde_json::from_str(r#"[{"a":1,"b":{"c":[1,2],"d":"x"}}]"#).unwrap();
        let same: Value = serde_json::from_str(r#"[{"b":{"d":"x","c":[1,2]},"a":1}]"#).unwrap();
        let other: Value = serde_json::from_str(r#"[{"a":1,"b":{"c":[2,1],"d":"x"}}]"#).unwrap();
        assert_eq!(hash("user:1", &one), hash("user:1", &same));
        assert_ne!(hash("user:1", &one), hash("user:1", &other));
        assert_ne!(hash("user:1", &one), hash("user:2", &one));
        assert_eq!(hash("", &one).len(), 64);
    }
}
