//! The words for what is beside the sites themselves: webhooks, the mirror, archives, and what is run
//! in a site. Pure.

use aipress_api::PlanChange;
use serde_json::Value;

use super::Words;
use super::undo;
use crate::app::plan::planner::Noted;
use crate::operations::ACCEPT;
use crate::operations::title;

/// What leaves nothing to take back.
const NOTHING: &str = "nothing to undo";

/// The words for what was noted; `None` for an action that nobody described.
pub(super) fn words(noted: &Noted, changes: &[PlanChange]) -> Option<Words> {
    match noted.action.split('.').next()? {
        "webhook" => webhook(noted, changes),
        "package" => package(noted, changes),
        "import" => import(noted),
        _ => site(noted),
    }
}

fn of(summary: String, steps: &[&str], may_break: &[&str], undo: impl Into<String>) -> Words {
    let all = |words: &[&str]| words.iter().map(|words| (*words).to_owned()).collect();
    Words { summary, steps: all(steps), may_break: all(may_break), undo: undo.into() }
}

fn record() -> &'static str {
    title("", ACCEPT)
}

fn webhook(noted: &Noted, changes: &[PlanChange]) -> Option<Words> {
    let name = &noted.name;
    Some(match noted.action.as_str() {
        "webhook.create" => of(
            format!("tell {name} of events, from now on"),
            &[record(), "show its secret, this once"],
            &[],
            "`aipress webhook delete ID`, with the id that it gets",
        ),
        "webhook.update" if changes.is_empty() => {
            of(format!("webhook {name} is so already: nothing changes"), &[], &[], NOTHING)
        }
        "webhook.update" => {
            let mut words = of(format!("change webhook {name}"), &[record()], &[], undo(changes));
            for change in changes {
                let risk = match change.pointer.as_str() {
                    "/state" if change.after == Some(Value::from("paused")) => {
                        "nothing is sent to it while it is paused"
                    }
                    "/url" => "deliveries that wait go to the new address",
                    _ => continue,
                };
                words.may_break.push(risk.to_owned());
            }
            words
        }
        "webhook.delete" => of(
            format!("remove webhook {name}"),
            &[record(), "drop its deliveries and their log"],
            &["deliveries that wait are not sent"],
            "it can't be undone: make another one, which gets a secret of its own",
        ),
        "webhook.rotate_secret" => of(
            format!("give webhook {name} a new secret"),
            &[record(), "show the new secret, this once"],
            &["a receiver that does not know the new secret in time refuses what is sent"],
            "it can't be undone: rotate again",
        ),
        "webhook.test" => of(
            format!("send a test to webhook {name}"),
            &[record(), "send it"],
            &[],
            "what was sent can't be taken back",
        ),
        "webhook.replay" => of(
            format!("send a delivery of webhook {name} again"),
            &[record(), "send it, under its old id"],
            &["a receiver that does not look at ids takes the event for a new one"],
            "what was sent can't be taken back",
        ),
        _ => return None,
    })
}

fn package(noted: &Noted, changes: &[PlanChange]) -> Option<Words> {
    let name = &noted.name;
    Some(match noted.action.as_str() {
        "package.add" | "package.fetch" if changes.is_empty() => {
            of(format!("{name} is in the mirror already: nothing changes"), &[], &[], NOTHING)
        }
        "package.add" => of(
            format!("take {name} into the mirror"),
            &["check the archive", record()],
            &[],
            "`aipress package delete SHA256`",
        ),
        "package.fetch" => of(
            format!("get {name} into the mirror"),
            &["download the archive", "check it", record()],
            &[],
            "`aipress package delete SHA256`, with the checksum that it has",
        ),
        "package.delete" => of(
            format!("remove {name} from the mirror"),
            &[record(), "remove the archive when nobody else holds it"],
            &["sites can't install it any more; those that have it keep it"],
            "upload or fetch it again",
        ),
        _ => return None,
    })
}

fn import(noted: &Noted) -> Option<Words> {
    let name = &noted.name;
    Some(match noted.action.as_str() {
        "import.create" => of(
            format!("announce an archive that becomes the site `{name}`"),
            &[record(), "wait for the archive, for 24 hours"],
            &[],
            "DELETE /v1/imports/ID, with the id that it gets",
        ),
        "import.data" => of(
            format!("add a piece to the archive of the import {name}"),
            &["write it to disk"],
            &[],
            "DELETE the import, and begin anew",
        ),
        "import.check" => of(
            format!("look at the archive of the import {name}, and make nothing of it"),
            &["read the archive", "keep the report"],
            &[],
            NOTHING,
        ),
        "import.delete" => of(
            format!("give up the import {name}"),
            &[record(), "remove what was uploaded"],
            &[],
            "it can't be undone: upload the archive again",
        ),
        _ => return None,
    })
}

fn site(noted: &Noted) -> Option<Words> {
    let name = &noted.name;
    Some(match noted.action.as_str() {
        "tenant.export" => of(
            format!("write an archive of `{name}`"),
            &[record(), title("tenant.export", "write"), "keep it for 24 hours"],
            &["database and files are read; visitors may wait a little longer"],
            "nothing to undo: the archive goes by itself",
        ),
        "tenant.login_link" => of(
            format!("make a link that signs in to `{name}` once, within 15 minutes"),
            &["tell the site's shard the checksum of the link", record(), "show it, this once"],
            &["whoever has the link is that user of the site"],
            "it can't be taken back: it ends by itself after 15 minutes, or once it was used",
        ),
        "tenant.wp" => of(
            format!("run a command in `{name}`"),
            &[record(), "run the command in the site's sandbox", "pass its output on"],
            &["what a command does to its site is known only once it ran"],
            "nobody knows before: export the site first to have a copy",
        ),
        "tenant.mail_retry" => of(
            format!("send mail of `{name}` again"),
            &["put it back into the spool, to be sent now", record()],
            &["whoever got it already in another way gets it twice"],
            "`aipress tenant mail delete` removes it as long as it waits; what was sent is sent",
        ),
        "tenant.mail_delete" => of(
            format!("remove mail of `{name}`"),
            &["remove it from the spool", record()],
            &["what waits to be sent is not sent"],
            "it can't be undone",
        ),
        "tenant.inventory_refresh" => of(
            format!("look what `{name}` has"),
            &["ask the site's WordPress, in its sandbox", "keep what was found"],
            &[],
            NOTHING,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_its_words_and_says_how_it_is_undone() {
        let change = PlanChange { pointer: "/x".into(), before: None, after: Some(1.into()) };
        for action in [
            "webhook.create",
            "webhook.update",
            "webhook.delete",
            "webhook.rotate_secret",
            "webhook.test",
            "webhook.replay",
            "package.add",
            "package.fetch",
            "package.delete",
            "import.create",
            "import.data",
            "import.check",
            "import.delete",
            "tenant.export",
            "tenant.login_link",
            "tenant.wp",
            "tenant.mail_retry",
            "tenant.mail_delete",
            "tenant.inventory_refresh",
        ] {
            let noted = Noted { action: action.to_owned(), name: "it".into(), ..Noted::default() };
            for changes in [&[][..], std::slice::from_ref(&change)] {
                let words = words(&noted, changes).unwrap();
                assert!(!words.undo.is_empty() && words.summary.contains("it"), "{action}");
            }
            assert!(
                !words(&noted, std::slice::from_ref(&change)).unwrap().steps.is_empty(),
                "{action}"
            );
        }
        assert_eq!(words(&Noted { action: "webhook.dance".into(), ..Noted::default() }, &[]), None);
    }
}
