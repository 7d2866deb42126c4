//! Users of Redis and their rights, as rules of `ACL SETUSER`. Passwords appear as SHA-256 only.

use sha2::Digest;
use sha2::Sha256;

use aipress_types::Secret;

use crate::cache::CacheUser;
use crate::cache::TENANT_COMMANDS;

/// Name of the platform's administrator in Redis.
pub(crate) const ADMIN_USER: &str = "aipress_admin";

/// SHA-256 of a password, as Redis keeps it.
pub(crate) fn password_hash(password: &Secret) -> String {
    hex::encode(Sha256::digest(password.expose().as_bytes()))
}

/// The rules of a tenant's user; the first clears whatever it had.
pub(crate) fn rules(user: &CacheUser) -> Vec<String> {
    let mut rules = vec!["reset".to_owned(), "on".to_owned()];
    rules.extend(user.passwords.iter().map(|password| format!("#{}", password_hash(password))));
    rules.push(format!("~{}*", user.prefix()));
    rules.push("resetchannels".to_owned());
    rules.push("-@all".to_owned());
    rules.extend(TENANT_COMMANDS.iter().map(|command| format!("+{command}")));
    rules
}

/// An access list with the administrator and with `default` off; other users stay as they are.
/// A damaged line goes: Redis would not start with it, and the reconciler makes users again.
pub(crate) fn with_administrator(text: &str, password: &Secret) -> String {
    let mut out = format!(
        "user default off resetchannels -@all\n\
         user {ADMIN_USER} on #{} ~* &* +@all\n",
        password_hash(password)
    );
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let is_user = words.next() == Some("user");
        let name = words.next().unwrap_or_default();
        let complete = words.any(|word| word == "-@all");
        if is_user && complete && name != "default" && name != ADMIN_USER {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Name of a user that exists for a moment and cannot sign in: Redis says by it how it writes the
/// tenants' commands (it merges commands to categories, each version in its own way).
pub(crate) const PROBE_USER: &str = "aipress_probe";

/// The rules of the probe.
pub(crate) fn probe_rules() -> Vec<String> {
    let commands = TENANT_COMMANDS.iter().map(|command| format!("+{command}"));
    ["reset", "off", "resetchannels", "-@all"]
        .map(str::to_owned)
        .into_iter()
        .chain(commands)
        .collect()
}

/// The commands of a line of `ACL LIST` (`user NAME …`).
pub(crate) fn commands_of(line: &str) -> Vec<String> {
    line.split_ascii_whitespace()
        .filter(|word| word.starts_with(['+', '-']))
        .map(str::to_owned)
        .collect()
}

/// Whether the line of `ACL LIST` for a user says what the rules say. `commands` is how this Redis
/// writes them. Order and what goes without saying are its own.
pub(crate) fn matches(line: &str, user: &CacheUser, commands: &[String]) -> bool {
    let mut have: Vec<&str> = line
        .split_ascii_whitespace()
        .skip(2)
        .filter(|word| !matches!(*word, "sanitize-payload" | "resetchannels"))
        .collect();
    let mut own = vec!["on".to_owned(), format!("~{}*", user.prefix())];
    own.extend(user.passwords.iter().map(|password| format!("#{}", password_hash(password))));
    let mut want: Vec<&str> = own.iter().chain(commands).map(String::as_str).collect();
    have.sort_unstable();
    want.sort_unstable();
    have == want
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_administrator_is_renewed_and_tenants_stay() {
        let old = "user default on nopass ~* +@all\nuser aipress_admin on #00 +@all\n\
                   user t_1 on #ab ~t_1:* resetchannels -@all +get\nuser half on\ngarbage\n";
        let text = with_administrator(old, &Secret::new("pw"));
        assert!(text.starts_with("user default off"));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("user t_1 on #ab ~t_1:* resetchannels -@all +get\n"));
        assert!(!text.contains("nopass") && !text.contains("half"));
        let again = with_administrator(&text, &Secret::new("pw"));
        assert_eq!(again, text);
    }
}
