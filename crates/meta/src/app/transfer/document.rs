//! What of an archive's document becomes the new site's, and what its operator should know of that:
//! the document was written by whoever made the archive.

use aipress_archive::Finding;
use aipress_archive::Level;
use aipress_archive::document;
use aipress_types::TenantSpec;

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
    let findings = document::findings(&serde_json::to_value(&spec).unwrap_or_default());
    (spec, findings)
}

#[cfg(test)]
mod tests {
    use aipress_archive::document::WEAKER;
    use aipress_types::Tier;

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
