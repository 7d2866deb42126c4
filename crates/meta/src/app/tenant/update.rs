//! A change of a tenant's spec and metadata by JSON merge patches (RFC 7396).

use aipress_api::TenantPatch;
use aipress_store::TenantIntentUpdate;
use aipress_store::TenantRecord;
use aipress_types::DesiredState;
use aipress_types::FieldError;
use aipress_types::TenantMetadata;
use aipress_types::TenantSpec;
use aipress_types::intent::PackageRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// What a tenant is to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) spec: TenantSpec,
    pub(crate) metadata: TenantMetadata,
    /// Plugins and themes that go although the spec did not bring them.
    pub(crate) removals: Vec<PackageRef>,
}

/// Changes fields of the tenant that `id` means.
pub(crate) async fn update(
    scope: &Scope,
    id: &str,
    patch: TenantPatch,
) -> Result<Answer, ApiError> {
    if patch.spec.is_none() && patch.metadata.is_none() {
        return Err(ApiError::field("", "nothing to change: give `spec` or `metadata`"));
    }
    for (pointer, patch) in [("/spec", &patch.spec), ("/metadata", &patch.metadata)] {
        if patch.as_ref().is_some_and(|patch| !patch.is_object()) {
            return Err(ApiError::field(pointer, "must be an object with the fields to change"));
        }
    }
    let mut change = Change::begin(&scope.plane).await?;
    let before = tenant::find_in(&mut change, &scope.caller, Action::TenantUpdate, id).await?;
    scope.check_etag(&before.etag)?;
    let wanted = patched(&Wanted::of(&before), &patch)?;
    apply(scope, change, &before, wanted).await
}

/// Makes a tenant what is wanted, all checked. A change of nothing is answered 200 with an
/// operation that has ended, the same generation and the same etag, and overtakes nobody; one of
/// metadata alone likewise, with a new etag, for nothing of it reaches the site.
pub(crate) async fn apply(
    scope: &Scope,
    mut change: Change<'_>,
    before: &TenantRecord,
    wanted: Wanted,
) -> Result<Answer, ApiError> {
    if matches!(before.desired, DesiredState::Deleted | DesiredState::Erased) {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!("`{}` is deleted: undelete it first", before.name),
        ));
    }
    let errors = tenant::check_installed(&scope.plane, &wanted.spec);
    if !errors.is_empty() {
        return Err(ApiError::fields(errors));
    }
    let mut after = before.clone();
    if wanted.metadata != before.metadata {
        after = change.txn.tenant_set_metadata(before.uid, &wanted.metadata, change.now).await?;
    }
    let asks = wanted.spec != before.spec || !wanted.removals.is_empty();
    if asks {
        let mut intent = TenantIntentUpdate::new(before.uid, change.now);
        intent.spec = Some(wanted.spec);
        after = change.txn.tenant_update_intent(&intent).await?;
        for package in &wanted.removals {
            change.txn.package_removal_put(after.uid, package, after.generation).await?;
        }
        change.route(&after).await?;
        change.push(after.uid);
    }
    let operation = if asks {
        operation::begin(&mut change, &scope.origin, KIND, &after).await?
    } else {
        operation::begin_ended(&mut change, &scope.origin, KIND, &after).await?
    };
    let changed = after.etag != before.etag;
    let seen = |tenant: &TenantRecord| {
        changed.then(|| tenant::audited(tenant, &scope.plane.sites)).flatten()
    };
    let mut after_seen = seen(&after);
    if let (Some(Value::Object(after_seen)), false) = (&mut after_seen, wanted.removals.is_empty())
    {
        // No field of the spec tells of them.
        let names = wanted.removals.iter().map(ToString::to_string).collect::<Vec<_>>();
        after_seen.insert("removed".to_owned(), names.into());
    }
    let note = Note { action: KIND, before: seen(before), after: after_seen };
    change.note_tenant(&scope.origin, &after, note).await?;
    let status = if asks { 202 } else { 200 };
    let answer = tenant::answer(&mut change, status, &after, operation).await?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

impl Wanted {
    pub(crate) fn of(tenant: &TenantRecord) -> Self {
        Self { spec: tenant.spec.clone(), metadata: tenant.metadata.clone(), removals: Vec::new() }
    }
}

/// What is wanted after the patch, if it may follow. Pure.
fn patched(before: &Wanted, patch: &TenantPatch) -> Result<Wanted, ApiError> {
    let spec: TenantSpec = merged(&before.spec, patch.spec.as_ref(), "/spec")?;
    let metadata: TenantMetadata = merged(&before.metadata, patch.metadata.as_ref(), "/metadata")?;
    let mut errors = metadata.check("/metadata");
    errors.extend(spec.check("/spec"));
    errors.extend(fixed(&before.spec, &spec));
    if errors.is_empty() {
        Ok(Wanted { spec, metadata, removals: Vec::new() })
    } else {
        Err(ApiError::fields(errors))
    }
}

fn merged<T: Serialize + DeserializeOwned>(
    before: &T,
    patch: Option<&Value>,
    base: &str,
) -> Result<T, ApiError> {
    let mut whole = serde_json::to_value(before)
        .map_err(|error| ApiError::internal("encode tenant", &error))?;
    if let Some(patch) = patch {
        merge(&mut whole, patch);
    }
    json::from_value(whole, base)
}

/// Complaints about changes that are not possible.
pub(crate) fn fixed(before: &TenantSpec, after: &TenantSpec) -> Vec<FieldError> {
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

    fn spec_patched(before: &TenantSpec, patch: Value) -> Result<TenantSpec, ApiError> {
        let before = Wanted {
            spec: before.clone(),
            metadata: TenantMetadata::default(),
            removals: Vec::new(),
        };
        let patch = TenantPatch { spec: Some(patch), metadata: None };
        patched(&before, &patch).map(|wanted| wanted.spec)
    }

    #[test]
    fn a_tier_changes_and_null_takes_it_back() {
        let before = TenantSpec { tier: Tier::Gold, ..TenantSpec::default() };
        let tier = |patch| spec_patched(&before, patch).unwrap().tier;
        assert_eq!(tier(json!({"tier":"silver"})), Tier::Silver);
        assert_eq!(tier(json!({"tier":null})), Tier::Bronze);
        assert_eq!(spec_patched(&before, json!({})).unwrap(), before);
    }

    #[test]
    fn labels_are_merged_one_by_one() {
        let metadata = TenantMetadata {
            display_name: Some("Shop".to_owned()),
            labels: [("a", "1"), ("b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        };
        let before = Wanted { spec: TenantSpec::default(), metadata, removals: Vec::new() };
        let patch = |metadata| TenantPatch { spec: None, metadata: Some(metadata) };
        let after = patched(&before, &patch(json!({"labels":{"a":null,"c":"3"}}))).unwrap();
        assert_eq!(after.metadata.display_name.as_deref(), Some("Shop"));
        let labels: Vec<&str> = after.metadata.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, ["b", "c"]);
        let error = patched(&before, &patch(json!({"labels":{"a b":"x"}}))).unwrap_err();
        assert!(error.pointers().any(|pointer| pointer == "/metadata/labels/a b"), "{error:?}");
        let error = patched(&before, &patch(json!({"name":"x"}))).unwrap_err();
        assert!(error.pointers().any(|pointer| pointer == "/metadata/name"), "{error:?}");
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
            let error = spec_patched(&TenantSpec::default(), patch.clone()).unwrap_err();
            assert!(error.pointers().any(|p| p == pointer), "{patch}: {error:?}");
        }
    }
}
