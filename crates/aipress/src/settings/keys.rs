//! Every setting by its key, such as `webhooks.allowPrivate`: what it means, and what it is when
//! nothing is said. `aipress settings` and `docs/settings.md` are made from this table.

use serde_json::Map;
use serde_json::Value;

use crate::words;

/// A setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Its place in `config.json`, with dots.
    pub(crate) name: &'static str,
    /// What it is when nothing is said, in words; with its unit.
    pub(crate) default: &'static str,
    /// What it does, as Markdown.
    pub(crate) about: &'static str,
    /// Whether it may change once the platform has data.
    pub(crate) is_fixed: bool,
}

const fn key(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { name, default, about, is_fixed: false }
}

/// All of them, in the order of the alphabet.
pub(crate) const KEYS: [Key; 27] = [
    key("accessLog", "true", "a line for each request in the logs of edge and gateways"),
    key(
        "audit.checkpoints",
        "`audit/checkpoints.jsonl`",
        "file of the audit log's checkpoints, best on another disk; its folder is made, for the user \
         of meta, unless it is there",
    ),
    Key {
        is_fixed: true,
        ..key(
            "baseDomain",
            "localhost",
            "sites are at `NAME.<baseDomain>`; sites that are there would keep their old hosts",
        )
    },
    key("bufferPoolMib", "32 MiB", "InnoDB's buffer pool of each shard"),
    key("consoleHost", "console.localhost", "host of the API"),
    key(
        "directory",
        "https://api.wordpress.org",
        "directory that plugins and themes are fetched from",
    ),
    key("limits.cpuMillis", "the tier's", "CPU of each site, in thousandths of a core"),
    key("limits.databaseMb", "the tier's", "database of each site, in MB"),
    key("limits.memoryMib", "the tier's", "memory of all PHP of each site, in MiB"),
    key("limits.storageMb", "the tier's", "files of each site, in MB"),
    key("listen", "127.0.0.1:8080", "address that the edge listens on (`up --listen`)"),
    key(
        "mail.authorities",
        "the system's",
        "file of the certificate authorities (PEM) that vouch for `mail.server`, and no others",
    ),
    key(
        "mail.domain",
        "`baseDomain`",
        "domain of the addresses that bounces go to, `site-UID@<mail.domain>`",
    ),
    key("mail.passwordFile", "none", "file of the password of `mail.user`, read for each message"),
    key(
        "mail.server",
        "none",
        "where sites' mail goes: `smtp://HOST[:587]` (STARTTLS, but on this machine) or \
         `smtps://HOST[:465]`; without one it stays in the platform (`aipress tenant mail list`)",
    ),
    key("mail.user", "none", "who signs in at `mail.server`"),
    key(
        "outgoing.allow",
        "none",
        "TCP ports of private networks and of this machine that every site may connect to, with \
         commas between: `10.0.0.5:25`, `10.1.0.0/16:3306`, `[fd00::5]:587`; 64 at most, no names",
    ),
    key("region", "us-central1", "region of all shards of this machine"),
    key("shards", "2", "shards, 50 sites each: 1 to 50, may grow (`up --shards`)"),
    key("streams.perUser", "512", "event streams of one user at once: 1 to `streams.total`"),
    key(
        "streams.total",
        "2048",
        "event streams at once, of events and of operations: 1 to 3584, some 20 KiB each; one more \
         is 429 `too_many_streams`",
    ),
    Key {
        is_fixed: true,
        ..key(
            "uidBase",
            "70000",
            "first Unix id (`up --uid-base`); those up to `uidBase` + 100 · (shards + 1) must be \
             nobody else's",
        )
    },
    key(
        "webhooks.allowPrivate",
        "false",
        "whether webhooks may go to private addresses and by plain `http`; whoever makes one then \
         calls what only this machine reaches",
    ),
    key(
        "webhooks.authorities",
        "the system's",
        "file of the certificate authorities (PEM) that vouch for webhooks' endpoints, and no \
         others: for receivers with certificates of an authority of one's own",
    ),
    key("wordpress", "chosen at the first start", "WordPress core of new sites (`up --wordpress`)"),
    key("wpCli.archive", "none", "path of a `wp-cli.phar`: all of wp-cli runs in sites"),
    key("wpCli.sha256", "none", "its SHA-256, 64 hex digits; both or neither"),
];

/// The setting of this name.
///
/// # Errors
/// When there is none, with the one that was probably meant.
pub(crate) fn find(name: &str) -> Result<Key, String> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Ok(*key);
    }
    let whole = KEYS
        .iter()
        .find(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    let meant = whole.map(|key| key.name);
    Err(match meant.or_else(|| words::closest(name, KEYS.iter().map(|key| key.name))) {
        Some(meant) => format!("there is no setting `{name}`: did you mean `{meant}`?"),
        None => format!("there is no setting `{name}`: `aipress settings list` shows all"),
    })
}

/// The value at a key; null when there is none.
pub(crate) fn value<'a>(settings: &'a Value, name: &str) -> &'a Value {
    settings.pointer(&format!("/{}", name.replace('.', "/"))).unwrap_or(&Value::Null)
}

/// Puts a value at a key, or takes it away; a group of which nothing is left goes, too.
pub(crate) fn put(settings: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    let Some((group, field)) = name.split_once('.') else {
        match value {
            Some(value) => settings.insert(name.to_owned(), value),
            None => settings.remove(name),
        };
        return;
    };
    let mut fields = match settings.remove(group) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    put(&mut fields, field, value);
    if !fields.is_empty() {
        settings.insert(group.to_owned(), Value::Object(fields));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::settings::AuditSettings;
    use crate::settings::LimitSettings;
    use crate::settings::MailSettings;
    use crate::settings::OutgoingSettings;
    use crate::settings::Settings;
    use crate::settings::WebhookSettings;
    use crate::settings::WpCli;

    /// Names of all values that are no groups.
    fn leaves(value: &Value, before: &str, found: &mut BTreeSet<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let name = format!("{before}{name}");
            match value {
                Value::Object(_) => leaves(value, &format!("{name}."), found),
                _ => drop(found.insert(name)),
            }
        }
    }

    #[test]
    fn every_field_has_a_key_and_every_key_a_field_and_its_default() {
        let wp_cli = WpCli { archive: "/a".into(), sha256: "b".to_owned() };
        let webhooks =
            WebhookSettings { authorities: Some("/a".into()), ..WebhookSettings::default() };
        let limits = LimitSettings {
            storage_mb: Some(1),
            database_mb: Some(1),
            memory_mib: Some(1),
            cpu_millis: Some(1),
        };
        let mail = MailSettings {
            server: Some("smtp://a".to_owned()),
            user: Some("a".to_owned()),
            password_file: Some("/a".into()),
            authorities: Some("/a".into()),
            domain: Some("a".to_owned()),
        };
        let outgoing = OutgoingSettings { allow: vec!["10.0.0.5:25".parse().unwrap()] };
        let audit = AuditSettings { checkpoints: Some("/a/b".into()) };
        let all = Settings {
            audit,
            wp_cli: Some(wp_cli),
            mail,
            outgoing,
            webhooks,
            limits,
            ..Settings::default()
        };
        let mut found = BTreeSet::new();
        leaves(&serde_json::to_value(all).unwrap(), "", &mut found);
        let keys: BTreeSet<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        assert_eq!(found, keys);
        let defaults = serde_json::to_value(Settings::default()).unwrap();
        for key in KEYS {
            match value(&defaults, key.name) {
                Value::Null => {}
                Value::String(text) => assert_eq!(key.default, text, "{}", key.name),
                other => assert_eq!(key.default, other.to_string(), "{}", key.name),
            }
        }
    }

    #[test]
    fn what_was_probably_meant_is_named() {
        assert!(find("listen").is_ok());
        assert!(find("lisen").unwrap_err().contains("`listen`"));
        assert!(find("webhooks").unwrap_err().contains("`webhooks.allowPrivate`"));
        assert!(find("zzz").unwrap_err().contains("settings list"));
    }

    #[test]
    fn a_value_is_put_and_taken_away_with_its_group() {
        let mut settings = Map::new();
        put(&mut settings, "wpCli.archive", Some(json!("/a")));
        put(&mut settings, "shards", Some(json!(3)));
        assert_eq!(Value::from(settings.clone()), json!({"shards": 3, "wpCli": {"archive": "/a"}}));
        put(&mut settings, "wpCli.archive", None);
        assert_eq!(Value::from(settings), json!({"shards": 3}));
    }
}
