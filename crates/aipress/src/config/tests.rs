//! What may be in the file, and who may read it.

use super::*;

fn wrong(text: &str) -> String {
    Config::parse(text).unwrap_err()
}

#[test]
fn a_file_is_understood_and_written_back() {
    let text = "currentContext: prod\noutput: wide\ncontexts:\n  prod:\n    server: https://console.example.org\n    tokenFile: /etc/aipress/prod.token\n";
    let config = Config::parse(text).unwrap();
    assert_eq!(config.current_context.as_deref(), Some("prod"));
    assert_eq!(serde_yaml_ng::to_string(&config).unwrap(), text);
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

#[test]
fn unknown_keys_are_errors_that_name_what_was_meant() {
    assert!(wrong("currentcontext: x").contains("did you mean `currentContext`?"));
    let sever = wrong("contexts: {prod: {sever: 'http://a'}}");
    assert!(
        sever.contains("`contexts.prod.sever`: did you mean `contexts.prod.server`?"),
        "{sever}"
    );
    assert!(wrong("zzz: 1").contains("there are currentContext, output"));
    assert!(wrong("- a").contains("keys and values"));
    assert!(wrong("output: tabel").contains("table, wide, json, yaml, name"));
    assert!(wrong("contexts: {prod: {server: 'console.example.org'}}").contains("is no address"));
    assert!(wrong("contexts: {prod: {}}").contains("server"));
    assert!(wrong("contexts: {local: {server: 'http://a'}}").contains("take another name"));
}

#[test]
fn a_file_with_a_token_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    let with_token = "contexts: {prod: {server: 'http://a', token: aip_secret}}";
    fs::write(&path, with_token).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let failure = Config::read(&path).unwrap_err().to_string();
    assert!(failure.contains("chmod 600") && !failure.contains("aip_secret"), "{failure}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::read(&path).unwrap();
    assert!(!format!("{config:?}").contains("aip_secret"));
    fs::write(&path, "contexts: {prod: {server: 'http://a'}}").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    Config::read(&path).unwrap();
}

#[test]
fn keys_are_got_set_and_unset() {
    let mut config = Config::parse("contexts: {prod: {server: 'http://a', token: t}}").unwrap();
    let value = |config: &Config, key: &str| get(config, key).unwrap();
    assert_eq!(value(&config, "currentContext").as_deref(), Some("local"));
    assert_eq!(value(&config, "contexts.prod.token").as_deref(), Some("(not shown)"));
    set(&mut config, "currentContext", "prod").unwrap();
    set(&mut config, "contexts.prod.server", "https://b").unwrap();
    set(&mut config, "output", "json").unwrap();
    assert_eq!(value(&config, "contexts.prod.server").as_deref(), Some("https://b"));
    unset(&mut config, "output").unwrap();
    assert_eq!(value(&config, "output"), None);
    for (key, with, says) in [
        ("outptu", "json", "did you mean `output`?"),
        ("output", "xml", "is none of"),
        ("currentContext", "prd", "did you mean `prod`?"),
        ("contexts.prod", "x", "contexts.prod.server"),
        ("contexts.prod.token", "x", "--token-stdin"),
        ("contexts.prod.server", "b", "is no address"),
        ("contexts.none.server", "http://b", "there is no context `none`"),
    ] {
        let failure = set(&mut config.clone(), key, with).unwrap_err().to_string();
        assert!(failure.contains(says), "{key}: {failure}");
    }
}
