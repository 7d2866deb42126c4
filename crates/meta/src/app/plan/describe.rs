//! The words of a plan: what is done, what may break, how it is undone. Pure. An action that is not
//! here has no plan.

mod beside;

use aipress_api::PlanChange;
use serde_json::Value;

use crate::app::plan::planner::Noted;
use crate::operations::ACCEPT;
use crate::operations::ROUTE;
use crate::operations::title;

/// What a plan says of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) summary: String,
    pub(crate) steps: Vec<String>,
    pub(crate) may_break: Vec<String>,
    pub(crate) undo: String,
}

/// Steps of the shard towards a site that is served, as `aipress-shard` takes them.
const SERVED: &[&str] = &["slot", "core", "database", "cache", "files", "serving"];
/// Towards one that is suspended.
const SUSPENDED: &[&str] = &["slot", "core", "database", "cache", "files", "suspend"];
/// Towards one that is not there.
const REMOVED: &[&str] = &["unroute", "workers", "files", "database", "cache", "slot"];

/// Towards one that has other secrets.
const ROTATED: &[&str] =
    &["slot", "core", "secrets", "database", "cache", "files", "serving", "secrets-end"];
/// Towards a site that is made of an archive.
const UNPACKED: &[&str] = &["slot", "core", "cache", "files", "database", "serving"];
/// Towards one that is made of another.
const COPIED: &[&str] = &["write", "slot", "core", "cache", "files", "database", "serving"];

/// The words for what was noted.
pub(crate) fn words(noted: &Noted, changes: &[PlanChange]) -> Option<Words> {
    let (action, name) = (noted.action.as_str(), noted.name.as_str());
    let made = |summary: String, steps: &[&str], may_break: &[&str], undo: String| {
        let titles = [ACCEPT].iter().chain(steps).chain(&[ROUTE]);
        Some(Words {
            summary,
            steps: titles.map(|step| title(action, step).to_owned()).collect(),
            may_break: may_break.iter().map(|words| (*words).to_owned()).collect(),
            undo,
        })
    };
    match action {
        "tenant.create" => made(
            format!("make the site `{name}`"),
            SERVED,
            &[],
            format!("`aipress tenant delete {name}`, then `aipress tenant erase {name}`"),
        ),
        "tenant.update" => Some(update(name, changes)),
        "tenant.suspend" => made(
            format!("stop serving `{name}`"),
            SUSPENDED,
            &[
                "visitors get a page that says that the site is suspended",
                "requests under way end early",
            ],
            format!("`aipress tenant resume {name}`"),
        ),
        "tenant.resume" => made(
            format!("serve `{name}` again"),
            SERVED,
            &[],
            format!("`aipress tenant suspend {name}`"),
        ),
        "tenant.rotate_secrets" => Some(rotate(name, &rotated(noted))),
        "tenant.delete" => made(
            format!("delete `{name}`: its slot is freed, its files and database are kept aside"),
            REMOVED,
            &["visitors get a page that says that there is no such site", "logins end"],
            format!(
                "within 7 days: `aipress tenant undelete {name}`, if its shard has a free slot"
            ),
        ),
        "tenant.undelete" => made(
            format!("bring `{name}` back as it was when it was deleted"),
            SERVED,
            &[],
            format!("`aipress tenant delete {name}`"),
        ),
        "tenant.erase" => made(
            format!("erase `{name}` for good: files, database and secrets"),
            REMOVED,
            &["everything of the site is gone", "its name is free for others"],
            "it can't be undone".to_owned(),
        ),
        "tenant.clone" => made(
            format!("make the site `{name}` of a copy of another"),
            COPIED,
            &["the site that is copied is read; its visitors may wait a little longer"],
            format!("`aipress tenant delete {name}`, then `aipress tenant erase {name}`"),
        ),
        "tenant.import" => made(
            format!("make the site `{name}` of the archive"),
            UNPACKED,
            &[],
            format!("`aipress tenant delete {name}`, then `aipress tenant erase {name}`"),
        ),
        "shard.update" => Some(shard(name, changes)),
        _ => beside::words(noted, changes),
    }
}

fn rotate(name: &str, kinds: &[&str]) -> Words {
    let mut may_break = Vec::new();
    if kinds.contains(&"salts") {
        may_break.push("whoever is signed in to wp-admin is signed out");
    }
    if kinds.iter().any(|kind| *kind != "salts") {
        may_break.extend([
            "PHP's workers of the site are replaced, each after the request that it is at",
            "what was made to sign in with the old passwords can no longer",
        ]);
    }
    let titles = [ACCEPT].iter().chain(ROTATED).chain(&[ROUTE]);
    Words {
        summary: format!("give `{name}` new secrets: {}", kinds.join(", ")),
        steps: titles.map(|step| title("tenant.rotate_secrets", step).to_owned()).collect(),
        may_break: may_break.into_iter().map(str::to_owned).collect(),
        undo: "it can't be undone: rotate again".to_owned(),
    }
}

/// Which secrets are other ones.
fn rotated(noted: &Noted) -> Vec<&str> {
    let kinds = noted.after.as_ref().and_then(|after| after.get("rotated")?.as_array());
    kinds.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn update(name: &str, changes: &[PlanChange]) -> Words {
    let asks = changes.iter().any(|change| change.pointer.starts_with("/spec"));
    let mut may_break = Vec::new();
    for change in changes {
        may_break.extend(risk(change));
    }
    let fields: Vec<&str> = changes.iter().map(|change| change.pointer.as_str()).collect();
    let titles = |steps: &[&str]| -> Vec<String> {
        steps.iter().map(|step| title("tenant.update", step).to_owned()).collect()
    };
    let steps = match (changes.is_empty(), asks) {
        (true, _) => Vec::new(),
        (false, false) => titles(&[ACCEPT]),
        (false, true) => {
            let all: Vec<&str> = [ACCEPT].iter().chain(SERVED).chain(&[ROUTE]).copied().collect();
            titles(&all)
        }
    };
    Words {
        summary: match changes.len() {
            0 => format!("`{name}` is so already: nothing changes"),
            1..=3 => format!("change {} of `{name}`", fields.join(", ")),
            many => format!("change {many} fields of `{name}`"),
        },
        steps,
        may_break,
        undo: if changes.is_empty() { "nothing to undo".to_owned() } else { undo(changes) },
    }
}

/// What a changed field may break.
fn risk(change: &PlanChange) -> Option<String> {
    let text = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "the default".to_owned(),
    };
    let (before, after) = (text(&change.before), text(&change.after));
    match change.pointer.as_str() {
        "/spec/tier" => Some(format!(
            "from {before} to {after} the number of PHP workers changes, and with gold its own PHP \
             begins or ends; no request fails"
        )),
        "/spec/wordpress/version" => Some(format!(
            "WordPress goes from {before} to {after}: plugins and themes may not be made for it"
        )),
        "/spec/runtime/maxInstances" => Some(
            "with fewer PHP workers visitors wait for each other, and get a 503 when too many wait"
                .to_owned(),
        ),
        "/spec/runtime/minInstances" => {
            Some("with no worker kept warm the first visitor waits for one".to_owned())
        }
        pointer if pointer.starts_with("/spec/php/settings") => Some(
            "PHP's workers of the site are replaced, each after the request that it is at"
                .to_owned(),
        ),
        pointer if pointer.starts_with("/spec/plugins") || pointer.starts_with("/spec/themes") => {
            Some("a plugin or theme may break the site's pages".to_owned())
        }
        pointer if pointer.starts_with("/spec/env") => {
            Some("plugins that read the variable see its new value at once".to_owned())
        }
        pointer if pointer.starts_with("/spec/security") => Some(
            "apps and plugins that need what a measure takes away stop working; the site's next \
             request has it"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The change back, in words.
pub(super) fn undo(changes: &[PlanChange]) -> String {
    let back: Vec<String> = changes
        .iter()
        .map(|change| match &change.before {
            Some(before) => format!("{} to {before}", change.pointer),
            None => format!("{} away", change.pointer),
        })
        .collect();
    format!("set {}", back.join(", "))
}

fn shard(name: &str, changes: &[PlanChange]) -> Words {
    let after = changes.first().and_then(|change| change.after.as_ref()).and_then(Value::as_str);
    let (summary, may_break, undo) = match after {
        None => {
            (format!("{name} is so already: nothing changes"), None, "nothing to undo".to_owned())
        }
        Some("open") => {
            (format!("let {name} take new sites"), None, format!("`aipress shard cordon {name}`"))
        }
        Some(_) => (
            format!("let {name} take no new sites"),
            Some("new sites may find no room".to_owned()),
            format!("`aipress shard uncordon {name}`"),
        ),
    };
    Words {
        summary,
        steps: vec![title("shard.update", ACCEPT).to_owned()],
        may_break: may_break.into_iter().collect(),
        undo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_says_how_it_is_undone() {
        for action in [
            "tenant.create",
            "tenant.update",
            "tenant.suspend",
            "tenant.resume",
            "tenant.rotate_secrets",
            "tenant.delete",
            "tenant.undelete",
            "tenant.erase",
            "tenant.clone",
            "tenant.import",
            "shard.update",
        ] {
            let noted =
                Noted { action: action.to_owned(), name: "bakery".to_owned(), ..Noted::default() };
            let words = words(&noted, &[]).unwrap();
            assert!(!words.undo.is_empty() && !words.summary.is_empty(), "{action}");
        }
    }

    #[test]
    fn labels_alone_ask_nothing_of_a_shard() {
        let change = PlanChange {
            pointer: "/metadata/labels/a".into(),
            before: None,
            after: Some("1".into()),
        };
        let noted = Noted { action: "tenant.update".to_owned(), ..Noted::default() };
        let words = words(&noted, &[change]).unwrap();
        assert_eq!(words.steps.len(), 1);
        assert_eq!(words.undo, "set /metadata/labels/a away");
    }
}
