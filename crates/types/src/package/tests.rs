//! What a spec may ask for of plugins and themes.

use super::*;

fn spec(name: &str) -> PackageSpec {
    PackageSpec { name: name.to_owned(), version: None, source: None, active: None }
}

#[test]
fn sources_are_what_they_say() {
    let digits = "0f".repeat(32);
    assert_eq!(PackageSource::parse(None), Ok(PackageSource::Any));
    assert_eq!(PackageSource::parse(Some("mirror")), Ok(PackageSource::Mirror));
    assert_eq!(PackageSource::parse(Some("wordpress.org")), Ok(PackageSource::Directory));
    assert_eq!(
        PackageSource::parse(Some(&format!("sha256:{}", digits.to_uppercase()))),
        Ok(PackageSource::Sha256(digits.clone()))
    );
    assert_eq!(
        PackageSource::parse(Some(&format!("https://example.org/a.zip?b=c#sha256={digits}"))),
        Ok(PackageSource::Url {
            url: "https://example.org/a.zip?b=c".to_owned(),
            sha256: digits.clone()
        })
    );
    for bad in [
        "".to_owned(),
        "Mirror".to_owned(),
        "sha256:12".to_owned(),
        "https://example.org/a.zip".to_owned(),
        format!("http://example.org/a.zip#sha256={digits}"),
        format!("https://#sha256={digits}"),
        format!("https://me@example.org/a.zip#sha256={digits}"),
        format!("https://example.org/a b.zip#sha256={digits}"),
        format!("https://example.org/{}#sha256={digits}", "x".repeat(SOURCE_MAX)),
    ] {
        assert!(PackageSource::parse(Some(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn names_and_versions() {
    for good in ["akismet", "a", "My_Plugin.2", "wp-2fa"] {
        assert!(is_package_name(good), "{good}");
    }
    let long = "x".repeat(NAME_MAX + 1);
    for bad in ["", ".", "..", ".git", "-x", "a/b", "a b", "ä", "x.", "index.php", &long] {
        assert!(!is_package_name(bad), "{bad}");
    }
    for good in ["1", "1.2.3", "2024.1-beta2", "v1.0", "1.0+b"] {
        assert!(is_package_version(good), "{good}");
    }
    for bad in ["", "latest", "1 2", "1/2", "../1"] {
        assert!(!is_package_version(bad), "{bad}");
    }
}

#[test]
fn each_complaint_points_to_its_entry() {
    let active = |name: &str| PackageSpec { active: Some(true), ..spec(name) };
    let pointers = |kind, packages: &[PackageSpec]| -> Vec<String> {
        check(kind, packages, "/spec/x").into_iter().map(|error| error.pointer).collect()
    };
    let plugins = [
        spec("akismet"),
        spec("../x"),
        PackageSpec { version: Some("latest".into()), ..spec("b") },
        PackageSpec { source: Some("ftp".into()), ..spec("c") },
        spec("Akismet"),
        spec("litespeed-cache"),
        active("d"),
        active("e"),
    ];
    assert_eq!(
        pointers(PackageKind::Plugin, &plugins),
        [
            "/spec/x/1/name",
            "/spec/x/2/version",
            "/spec/x/3/source",
            "/spec/x/4/name",
            "/spec/x/5/name"
        ]
    );
    assert_eq!(pointers(PackageKind::Theme, &[active("a"), active("b")]), ["/spec/x/1/active"]);
    let many: Vec<PackageSpec> = (0..=PACKAGES_MAX).map(|n| spec(&format!("p{n}"))).collect();
    assert_eq!(pointers(PackageKind::Plugin, &many), ["/spec/x"]);
    assert_eq!(pointers(PackageKind::Plugin, &many[1..]), Vec::<String>::new());
}

#[test]
fn advice_is_for_plugins_that_fight_the_platform() {
    assert!(advice(PackageKind::Plugin, "akismet").is_none());
    assert!(!advice(PackageKind::Plugin, "Wordfence").unwrap().unsupported);
    assert!(advice(PackageKind::Plugin, "litespeed-cache").unwrap().unsupported);
    assert!(advice(PackageKind::Theme, "wordfence").is_none());
}
