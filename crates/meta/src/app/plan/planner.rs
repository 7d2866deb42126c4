//! From a request and what it noted to one item of a plan. Pure: no clock, no registry.

use aipress_api::PlanChange;
use aipress_api::PlanItem;
use aipress_api::PlanRun;
use serde_json::Map;
use serde_json::Value;

use crate::app::plan::describe;

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What a change noted for the audit log, or for its plan alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Noted {
    /// Such as `tenant.update`.
    pub(crate) action: String,
    /// Such as `tenant`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    /// What it was made from, where `before` does not say it.
    pub(crate) made_from: Option<Value>,
    /// What it would run in a site.
    pub(crate) runs: Option<PlanRun>,
    /// What of the request a plan does not keep.
    pub(crate) not_kept: Option<String>,
}

/// Fields that say where something is on its way, not what it is asked to be; and those that are
/// new for each try.
const VOLATILE: &[&str] = &[
    "createdAt",
    "deletedAt",
    "etag",
    "expiresAt",
    "failingSince",
    "generation",
    "id",
    "message",
    "observedGeneration",
    "placementEpoch",
    "previousSecretUntil",
    "slot",
    "uid",
    "updatedAt",
    "wordpressVersion",
];
/// The same of a tenant: where it is, and how far.
const OBSERVED: &[&str] = &["shard", "state"];
/// Fields that tell one state from another.
const STATE: &[&str] = &[
    "uid",
    "id",
    "sha256",
    "generation",
    "desired",
    "state",
    "metadata",
    "schedulability",
    "url",
    "kinds",
    "description",
    "previousSecretUntil",
    "bytes",
    "holders",
];

/// One item of a plan; `None` when what was noted can't be described.
pub(crate) fn item(request: Request, noted: &Noted) -> Option<PlanItem> {
    let mut changes = Vec::new();
    let (before, after) =
        (settled(noted, noted.before.as_ref()), settled(noted, noted.after.as_ref()));
    differences(before.as_ref(), after.as_ref(), String::new(), &mut changes);
    let words = describe::words(noted, &changes)?;
    Some(PlanItem {
        method: request.method,
        path: request.path,
        body: request.body,
        subject: format!("{} {}", noted.kind, noted.name),
        action: noted.action.clone(),
        summary: words.summary,
        steps: words.steps,
        changes,
        may_break: words.may_break,
        undo: words.undo,
        runs: noted.runs.clone(),
        not_kept: noted.not_kept.clone(),
        etag: noted
            .before
            .as_ref()
            .and_then(|before| Some(before.get("etag")?.as_str()?.to_owned())),
        made_from: noted.made_from.clone().unwrap_or_else(|| made_from(noted.before.as_ref())),
    })
}

/// Without what is volatile.
fn settled(noted: &Noted, seen: Option<&Value>) -> Option<Value> {
    let fields = seen?.as_object()?;
    let is_volatile = |name: &str| {
        VOLATILE.contains(&name) || (noted.kind == "tenant" && OBSERVED.contains(&name))
    };
    let kept = fields.iter().filter(|(name, _)| !is_volatile(name));
    Some(Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

fn made_from(before: Option<&Value>) -> Value {
    before.map_or(Value::Null, state_of)
}

/// What of a view tells one state from another.
pub(crate) fn state_of(view: &Value) -> Value {
    let Some(fields) = view.as_object() else { return Value::Null };
    let kept =
        STATE.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
    Value::Object(kept.collect())
}

/// Every leaf that differs. A list is a leaf.
fn differences(
    before: Option<&Value>,
    after: Option<&Value>,
    at: String,
    into: &mut Vec<PlanChange>,
) {
    // What is null is not there: a plan that was kept has no other form for it.
    let there = |value: &&Value| !value.is_null();
    let (before, after) = (before.filter(there), after.filter(there));
    if before == after {
        return;
    }
    let none = Map::new();
    let branch = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if branch(before) && branch(after) {
        let fields = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
        let (old, new) = (fields(before).unwrap_or(none.clone()), fields(after).unwrap_or(none));
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            differences(old.get(name), new.get(name), format!("{at}/{escaped}"), into);
        }
        return;
    }
    into.push(PlanChange { pointer: at, before: before.cloned(), after: after.cloned() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noted(action: &str, before: Value, after: Value) -> Noted {
        Noted {
            action: action.to_owned(),
            kind: "tenant",
            name: "bakery".to_owned(),
            before: Some(before).filter(|value| !value.is_null()),
            after: Some(after).filter(|value| !value.is_null()),
            ..Noted::default()
        }
    }

    fn request() -> Request {
        Request { method: "PATCH".into(), path: "/v1/tenants/bakery".into(), body: Value::Null }
    }

    #[test]
    fn changes_are_leaves_and_say_nothing_of_the_way() {
        let before = json!({ "uid": "u", "etag": "1", "generation": 1, "state": "active",
            "spec": { "tier": "gold", "wordpress": { "title": "x" } }, "metadata": { "labels": { "a/b": "1" } } });
        let after = json!({ "uid": "u", "etag": "2", "generation": 2, "state": "active",
            "spec": { "tier": "bronze", "wordpress": { "title": "x" }, "domains": ["a"] }, "metadata": {} });
        let item = item(request(), &noted("tenant.update", before, after)).unwrap();
        let seen: Vec<(&str, Option<&Value>, Option<&Value>)> = item
            .changes
            .iter()
            .map(|c| (c.pointer.as_str(), c.before.as_ref(), c.after.as_ref()))
            .collect();
        assert_eq!(
            seen,
            [
                ("/metadata/labels/a~1b", Some(&json!("1")), None),
                ("/spec/domains", None, Some(&json!(["a"]))),
                ("/spec/tier", Some(&json!("gold")), Some(&json!("bronze"))),
            ]
        );
        assert_eq!(item.made_from["generation"], 1);
        assert!(item.may_break.iter().any(|words| words.contains("PHP workers")), "{item:?}");
        assert!(item.undo.contains("gold"), "{}", item.undo);
    }

    #[test]
    fn what_is_made_is_shown_whole_and_made_from_nothing() {
        let after = json!({ "uid": "u", "name": "bakery", "spec": { "tier": "bronze" } });
        let item = item(request(), &noted("tenant.create", Value::Null, after)).unwrap();
        let pointers: Vec<&str> = item.changes.iter().map(|c| c.pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "/spec/tier"]);
        assert_eq!(item.made_from, Value::Null);
        assert!(item.undo.contains("tenant delete bakery"), "{}", item.undo);
    }

    #[test]
    fn what_can_not_be_described_has_no_plan() {
        assert_eq!(item(request(), &noted("tenant.dance", Value::Null, json!({}))), None);
    }
}
