//! Two platforms and one person: contexts say which one is meant, and what one exports the other imports.

use std::fs;
use std::process::Output;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use crate::options;

/// A person at a machine of his own: no data folder, only contexts.
struct Person<'a> {
    here: &'a Platform,
    home: tempfile::TempDir,
}

impl Person<'_> {
    async fn run(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.here.command());
        command
            .args(args)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path().join(".config"))
            .env_remove("AIPRESS_DATA")
            .kill_on_drop(true);
        command.output().await.unwrap()
    }

    async fn types(&self, line: &str) -> String {
        let output = self.run(&line.split(' ').collect::<Vec<_>>()).await;
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "aipress {line}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// Adds a platform by its address and a token, as from another machine.
    async fn knows(&self, name: &str, platform: &Platform) {
        let token = self.home.path().join(format!("{name}.token"));
        fs::copy(platform.path("meta/admin-token"), &token).unwrap();
        let server = format!("http://console.localhost:{}", platform.address().port());
        let token = token.display();
        self.types(&format!("context add {name} --server {server} --token-file {token}")).await;
    }
}

#[tokio::test]
async fn a_site_goes_from_one_platform_to_another() {
    let one_shard = || PlatformOptions { shards: 1, ..options() };
    let old = Platform::start(one_shard()).await;
    let new = Platform::start(one_shard()).await;
    let person = Person { here: &old, home: tempfile::tempdir().unwrap() };
    person.knows("old", &old).await;
    person.knows("new", &new).await;

    person.types("context use old").await;
    person.types("tenant create bakery --title Crumbs").await;
    person.types("tenant wp bakery -- option update blogdescription Bread").await;
    assert_eq!(person.types("tenant list -o name").await, "bakery\n");
    assert_eq!(person.types("tenant list -o name --context new").await, "");
    person.types("tenant export bakery --file bakery.aip").await;

    person.types("context use new").await;
    assert_eq!(person.types("config get currentContext").await, "new\n");
    person.types("tenant import bakery.aip --name bakery").await;
    // Of one name, on both; each with the address of its platform.
    for platform in [&old, &new] {
        let page = platform.visitor("bakery").get("/").await.with_status(200);
        let port = platform.address().port();
        assert!(page.title().contains("Crumbs"), "{}", page.text());
        assert!(page.text().contains(&format!("http://bakery.localhost:{port}/")), "{port}");
        let other = if port == old.address().port() { &new } else { &old };
        let foreign = format!("bakery.localhost:{}", other.address().port());
        assert!(!page.text().contains(&foreign), "{port} tells of {foreign}");
    }
    let said = person.types("tenant wp bakery -- option get blogdescription").await;
    assert_eq!(said, "Bread\n");

    // What is done on one is not done on the other.
    person.types("tenant delete bakery --yes").await;
    assert_eq!(person.types("tenant list -o name --state active").await, "");
    assert_eq!(person.types("tenant list -o name --state active --context old").await, "bakery\n");
    old.has_clean_inventory().await;
    new.has_clean_inventory().await;
}
