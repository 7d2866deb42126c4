//! Every kind of event that there is: what `docs/events.md` has a table of. Whoever writes an event of
//! another kind is told so in a debug build.

/// A kind of event, in the words of its row.
#[derive(Debug, Clone, Copy)]
pub struct EventKind {
    /// Such as `tenant.create`.
    pub kind: &'static str,
    /// When it is told.
    pub when: &'static str,
    /// What its `data` has.
    pub data: &'static str,
}

const SITE: &str = "`name`, `state`, `desired`, `generation`";
const LIMIT: &str = "`name`, `generation`, `message`";
const OPERATION: &str = "`operation` (its id), `kind`, `name`, `state`, `error`, `url`, `actor`";
const WEBHOOK: &str = "`webhook` (its id), `url`, `active`";
const PACKAGE: &str = "`sha256`, `kind`, `name`, `version`, `size`";

/// A webhook that the platform paused.
pub(crate) const WEBHOOK_PAUSED: &str = "webhook.paused";

const fn of(kind: &'static str, when: &'static str, data: &'static str) -> EventKind {
    EventKind { kind, when, data }
}

/// All of them, by what they are about.
pub const EVENT_KINDS: &[EventKind] = &[
    of("tenant.create", "a site is asked for", SITE),
    of("tenant.clone", "a site is asked for as a copy of another", SITE),
    of("tenant.import", "a site is asked for from an archive", SITE),
    of("tenant.update", "another spec, labels or display name are asked for", SITE),
    of("tenant.suspend", "asked to be suspended", SITE),
    of("tenant.resume", "asked to be resumed", SITE),
    of("tenant.rotate_secrets", "new passwords or salts are asked for", SITE),
    of("tenant.delete", "asked to be deleted", SITE),
    of("tenant.undelete", "asked to be back", SITE),
    of("tenant.erase", "asked to be erased, or 7 days after it was deleted", SITE),
    of("tenant.export", "an archive of it is asked for", SITE),
    of("tenant.login_link", "a link to sign in was made", SITE),
    of("tenant.wp", "a `wp` command ran in it", SITE),
    of("tenant.mail_retry", "mail of it was sent again by hand", SITE),
    of("tenant.mail_delete", "mail of it was removed by hand", SITE),
    of(
        "tenant.mail.bounced",
        "a mail of it came back, or was given up after two days",
        "`name`, `generation`, `mail` (its id), `to` (five at most), `message` (the server's words)",
    ),
    of(
        "tenant.mail.limited",
        "mail is refused, for it has met its limit (once an hour)",
        "`name`, `generation`, `message`",
    ),
    of("tenant.inventory_refresh", "somebody had it looked at", SITE),
    of(
        "tenant.inventory",
        "WordPress, a plugin, a theme, updates, users or sizes are others",
        SITE,
    ),
    of("tenant.state", "its `state` changed", SITE),
    of("tenant.erased", "nothing of it is left", SITE),
    of(
        "tenant.package.rolledback",
        "a change of a plugin or theme broke the site and was taken back",
        "`name`, `generation`, `kind`, `package`, `message`",
    ),
    of("tenant.limit.met", "it met a limit of its tier, in words", LIMIT),
    of("tenant.limit.over", "it meets that limit no more", LIMIT),
    of("operation.created", "an operation began", OPERATION),
    of("operation.succeeded", "it ended well", OPERATION),
    of("operation.failed", "it ended badly", OPERATION),
    of("operation.superseded", "another change of the site overtook it", OPERATION),
    of("package.add", "an archive came into the mirror", PACKAGE),
    of("package.fetch", "the mirror fetched an archive", PACKAGE),
    of("package.delete", "an archive left the mirror", PACKAGE),
    of("webhook.create", "a webhook is there", WEBHOOK),
    of("webhook.update", "it was changed", WEBHOOK),
    of("webhook.delete", "it is gone", WEBHOOK),
    of("webhook.rotate_secret", "it has another secret", WEBHOOK),
    of(WEBHOOK_PAUSED, "the platform paused it", "`webhook` (its id), `url`, `message`"),
    of(
        "shard.health",
        "a shard does otherwise, or is silent (platform-admins only)",
        "`health`, `before`",
    ),
    of("shard.update", "cordoned or opened (platform-admins only)", "`schedulability`"),
];

/// Whether there is such a kind.
pub fn is_known(kind: &str) -> bool {
    EVENT_KINDS.iter().any(|known| known.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_listed_once() {
        for (at, known) in EVENT_KINDS.iter().enumerate() {
            assert!(EVENT_KINDS[..at].iter().all(|other| other.kind != known.kind), "{known:?}");
        }
        assert!(is_known(WEBHOOK_PAUSED) && !is_known("tenant"));
    }
}
