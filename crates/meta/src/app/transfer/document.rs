//! What of an archive's document becomes the new site's, and what its operator should know of that:
//! the document was written by whoever made the archive.

use aipress_archive::Finding;
use aipress_archive::Level;
use aipress_types::SecuritySpec;
use aipress_types::TenantSpec;
use aipress_types::Tier;
use serde_json::Value;

/// Failed sign-ins that pass by default.
const ATTEMPTS: u32 = 5;

/// Words of a document by which a measure that every site has does not hold.
const WEAKER: &[(&str, &str)] = &[
    ("xmlrpc", "full"),
    ("userEnumeration", "true"),
    ("fileEditing", "true"),
    ("unfilteredHtml", "editors"),
    ("headers", "false"),
    ("applicationPasswords", "always"),
];

/// What the document asks for, as far as it can be had by another site.
pub(super) fn spec_of(document: Option<&[u8]>) -> (TenantSpec, Vec<Finding>) {
    #[derive(serde::Deserialize)]
    struct Document {
        spec: TenantSpec,
    }
    let text = document.map(String::from_utf8_lossy).unwrap_or_default();
    let mut spec =
        serde_yaml_ng::from_str::<Document>(&text).map(|found| found.spec).unwrap_or_default();
    spec.domains.clear();
    // Packages are in the archive itself; what is declared would be fetched again.
    spec.plugins.clear();
    spec.themes.clear();
    // The core follows from the archive, and can be changed afterwards.
    spec.wordpress.version = None;
    if let Some(error) = spec.check("/spec").first() {
        let why = format!(
            "its document is not taken, and the site is made with defaults: {}: {}",
            error.pointer, error.detail
        );
        return (TenantSpec::default(), vec![Finding::new(Level::Warning, "document", why)]);
    }
    let findings = findings(&spec);
    (spec, findings)
}

fn findings(spec: &TenantSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    let weaker = weaker(&spec.security);
    if !weaker.is_empty() {
        found.push(Finding::new(
            Level::Warning,
            "document_security",
            format!(
                "its document makes the site weaker than others are: {}; `tenant update` changes it",
                weaker.join(", ")
            ),
        ));
    }
    let taken = taken(spec);
    if !taken.is_empty() {
        found.push(Finding::new(
            Level::Note,
            "document",
            format!("taken from its document: {}", taken.join("; ")),
        ));
    }
    found
}

/// Measures that hold for every site, and not for this one.
fn weaker(security: &SecuritySpec) -> Vec<String> {
    let asked = serde_json::to_value(security).unwrap_or_default();
    let mut weaker: Vec<String> = WEAKER
        .iter()
        .filter(|(key, word)| asked.get(key).is_some_and(|value| said(value) == *word))
        .map(|(key, word)| format!("security.{key} {word}"))
        .collect();
    if let Some(attempts) = security.login_attempts.filter(|count| *count == 0 || *count > ATTEMPTS)
    {
        weaker.push(format!("security.loginAttempts {attempts}"));
    }
    weaker
}

/// A word of a document as its author wrote it.
fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What is otherwise than in a site that asks for nothing. Values of variables may be secrets,
/// whatever they ought to be: their names are told.
fn taken(spec: &TenantSpec) -> Vec<String> {
    let mut taken = Vec::new();
    if spec.tier != Tier::default() {
        taken.push(format!("tier {}", spec.tier.as_str()));
    }
    if !spec.env.is_empty() {
        let names: Vec<&str> = spec.env.keys().map(String::as_str).collect();
        taken.push(format!("env {}", names.join(", ")));
    }
    if let Ok(Value::Object(all)) = serde_json::to_value(spec) {
        let told = ["tier", "env", "security", "wordpress"];
        let mut rest: Vec<String> = all
            .into_iter()
            .filter(|(key, _)| !told.contains(&&**key))
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key} {text}"),
                _ => key,
            })
            .collect();
        rest.sort();
        taken.append(&mut rest);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_is_told_before_it_is_the_sites() {
        let document = "kind: Tenant\nspec:\n  tier: gold\n  region: europe-west1\n  env:\n    TOKEN: hidden\n    \
                        B: 1\n  security:\n    xmlrpc: full\n    fileEditing: true\n    \
                        loginAttempts: 0\n    headers: true\n  php:\n    settings:\n      \
                        memory_limit: 128M\n";
        let (spec, found) = spec_of(Some(document.as_bytes()));
        assert_eq!(spec.tier, Tier::Gold);
        for (key, word) in WEAKER {
            let document = format!("spec:\n  security:\n    {key}: {word}\n");
            let (_, found) = spec_of(Some(document.as_bytes()));
            assert!(found[0].message.contains(&format!("security.{key} {word};")), "{found:?}");
        }
        let told: Vec<(&str, &str)> =
            found.iter().map(|finding| (&*finding.code, &*finding.message)).collect();
        assert_eq!(
            told,
            [
                (
                    "document_security",
                    "its document makes the site weaker than others are: security.xmlrpc full, \
                     security.fileEditing true, security.loginAttempts 0; `tenant update` changes it"
                ),
                (
                    "document",
                    "taken from its document: tier gold; env B, TOKEN; php; region europe-west1"
                ),
            ]
        );
    }

    #[test]
    fn what_is_as_everywhere_is_not_told() {
        for document in [
            "kind: Tenant\n",
            "spec:\n  wordpress:\n    title: Bakery\n",
            "spec:\n  security:\n    loginAttempts: 3\n    xmlrpc: disabled\n",
        ] {
            assert_eq!(spec_of(Some(document.as_bytes())).1, [], "{document}");
        }
        assert_eq!(spec_of(None), (TenantSpec::default(), Vec::new()));
        let wrong = "spec:\n  tier: gold\n  security:\n    loginAttempts: 101\n";
        let (spec, found) = spec_of(Some(wrong.as_bytes()));
        assert_eq!(spec, TenantSpec::default());
        assert!(found[0].message.contains("loginAttempts: 101 is too many"), "{found:?}");
    }
}
