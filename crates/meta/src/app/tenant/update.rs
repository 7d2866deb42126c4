//! A change of a tenant's spec by JSON merge patch (RFC 7396).

use aipress_api::TenantPatch;
use aipress_store::TenantIntentUpdate;
use aipress_types::DesiredState;
use aipress_types::FieldError;
use aipress_types::TenantSpec;
use serde_json::Map;
use serde_json::Value;

use crate::app::operation;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::http::json;
use crate::policy::Action;
use crate::problem::ApiError;

/// Kind of the operation, and word in audit and events.
const KIND: &str = "tenant.update";

/// Changes the spec of the tenant that `id` means. One that changes nothing is answered 200 with
/// an operation that has ended, the same generation and the same etag, and overtakes nobody.
pub(crate) async fn update(
    scope: &Scope,
    id: &str,
    patch: TenantPatch,
) -> Result<Answer, ApiError> {
    if !patch.spec.is_object() {
        return Err(ApiError::field("/spec", "must be an object with the fields to change"));
    }
    let mut change = Change::begin(&scope.plane).await?;
    let before = tenant::find_in(&mut change, &scope.caller, Action::TenantUpdate, id).await?;
    scope.check_etag(&before.etag)?;
    if matches!(before.desired, DesiredState::Deleted | DesiredState::Erased) {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!("`{}` is deleted: undelete it first", before.name),
        ));
    }
    let spec = patched(&before.spec, &patch.spec)?;
    if spec == before.spec {
        let operation = operation::begin_ended(&mut change, &scope.origin, KIND, &before).await?;
        let note = Note { action: KIND, before: None, after: None };
        change.note_tenant(&scope.origin, &before, note).await?;
        let answer = tenant::answer(&mut change, 200, &before, operation).await?;
        scope.commit(change, &answer).await?;
        return Ok(answer);
    }
    let mut intent = TenantIntentUpdate::new(before.uid, change.now);
    intent.spec = Some(spec);
    let after = change.txn.tenant_update_intent(&intent).await?;
    change.route(&after).await?;
    let operation = operation::begin(&mut change, &scope.origin, KIND, &after).await?;
    let note = Note {
        action: KIND,
        before: tenant::audited(&before, &scope.plane.sites),
        after: tenant::audited(&after, &scope.plane.sites),
    };
    change.note_tenant(&scope.origin, &after, note).await?;
    change.push(after.uid);
    let answer = tenant::answer(&mut change, 202, &after, operation).await?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// The spec after the patch, if it is one that may follow. Pure.
fn patched(before: &TenantSpec, patch: &Value) -> Result<TenantSpec, ApiError> {
    let mut whole =
        serde_json::to_value(before).map_err(|error| ApiError::internal("encode spec", &error))?;
    merge(&mut whole, patch);
    let after: TenantSpec = json::from_value(whole, "/spec")?;
    let mut errors = after.check("/spec");
    errors.extend(fixed(before, &after));
    if errors.is_empty() { Ok(after) } else { Err(ApiError::fields(errors)) }
}

/// Complaints about changes that are not possible.
fn fixed(before: &TenantSpec, after: &TenantSpec) -> Vec<FieldError> {
    const ONCE: &str = "is set once, at creation; it belongs to WordPress now: change it in \
                        wp-admin under Settings";
    const MOVE: &str = "can't be changed yet: it would move the site to another shard";
    let (old, new) = (&before.wordpress, &after.wordpress);
    [
        ("/spec/wordpress/title", old.title != new.title, ONCE),
        ("/spec/wordpress/adminEmail", old.admin_email != new.admin_email, ONCE),
        ("/spec/wordpress/locale", old.locale != new.locale, ONCE),
        ("/spec/region", before.region != after.region, MOVE),
        ("/spec/residency", before.residency != after.residency, MOVE),
    ]
    .into_iter()
    .filter(|(_, changed, _)| *changed)
    .map(|(pointer, _, why)| FieldError::new(pointer, why))
    .collect()
}

/// `MergePatch(Target, Patch)` of RFC 7396 section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_types::Tier;
    use serde_json::json;

    #[test]
    fn merging_follows_the_examples_of_rfc_7396() {
        // Appendix A.
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, result, "{target} with {patch}");
        }
    }

    #[test]
    fn a_tier_changes_and_null_takes_it_back() {
        let before = TenantSpec { tier: Tier::Gold, ..TenantSpec::default() };
        assert_eq!(patched(&before, &json!({"tier":"silver"})).unwrap().tier, Tier::Silver);
        assert_eq!(patched(&before, &json!({"tier":null})).unwrap().tier, Tier::Bronze);
        assert_eq!(patched(&before, &json!({})).unwrap(), before);
    }

    #[test]
    fn what_is_fixed_is_refused_with_its_pointer() {
        for (patch, pointer) in [
            (json!({"wordpress":{"title":"x"}}), "/spec/wordpress/title"),
            (json!({"wordpress":{"adminEmail":"a@b.c"}}), "/spec/wordpress/adminEmail"),
            (json!({"region":"europe-west1"}), "/spec/region"),
            (json!({"residency":"europe-west1"}), "/spec/residency"),
            (json!({"teir":"gold"}), "/spec/teir"),
            (json!({"tier":5}), "/spec/tier"),
            (json!({"wordpress":[]}), "/spec/wordpress"),
        ] {
            let error = patched(&TenantSpec::default(), &patch).unwrap_err();
            assert!(error.pointers().any(|p| p == pointer), "{patch}: {error:?}");
        }
    }
}
