//! The order of flags, variables, contexts and the data folder; and which token goes where.

use super::*;
use crate::args::Sources;
use crate::config::Context;

struct Folder {
    data: tempfile::TempDir,
    config: Config,
}

fn folder() -> Folder {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("meta")).unwrap();
    std::fs::write(data.path().join("meta/admin-token"), "aip_local\n").unwrap();
    let context = |server: &str, token: &str| Context {
        server: server.to_owned(),
        token: Some(Secret::new(token)),
        ..Context::default()
    };
    let mut config = Config::default();
    config.contexts.insert("prod".to_owned(), context("https://prod.example.org", "aip_prod"));
    config.contexts.insert("test".to_owned(), context("http://test.localhost:81", "aip_test"));
    Folder { data, config }
}

/// Which server and token come of it.
fn decided(folder: &Folder, connect: &Connect, variables: &Variables) -> (String, String) {
    let target =
        Target::decide(Some(folder.data.path()), connect, &folder.config, variables).unwrap();
    let token = target.token.map_or_else(String::new, |token| token.expose().to_owned());
    (target.server, token)
}

fn flag_server(server: &str) -> Connect {
    let sources = Sources { server: true, ..Sources::default() };
    Connect { server: Some(server.to_owned()), sources, ..Connect::default() }
}

fn variable_server(server: &str) -> Connect {
    Connect { server: Some(server.to_owned()), ..Connect::default() }
}

fn pair(server: &str, token: &str) -> (String, String) {
    (server.to_owned(), token.to_owned())
}

#[test]
fn flags_go_over_variables_and_these_over_the_context_and_that_over_the_data_folder() {
    let mut folder = folder();
    let none = Variables::default();
    let local = pair("http://console.localhost:8080", "aip_local");
    assert_eq!(decided(&folder, &Connect::default(), &none), local);

    folder.config.current_context = Some("test".to_owned());
    let test = pair("http://test.localhost:81", "aip_test");
    assert_eq!(decided(&folder, &Connect::default(), &none), test);

    let by_variable = Variables { context: Some("prod".to_owned()), token: None };
    let prod = pair("https://prod.example.org", "aip_prod");
    assert_eq!(decided(&folder, &Connect::default(), &by_variable), prod);

    let other = variable_server("http://other");
    assert_eq!(decided(&folder, &other, &by_variable), pair("http://other", ""));

    let by_flag = Connect { context: Some("test".to_owned()), ..variable_server("http://other") };
    assert_eq!(decided(&folder, &by_flag, &by_variable), test);
    let back = Connect { context: Some("local".to_owned()), ..Connect::default() };
    assert_eq!(decided(&folder, &back, &by_variable), local);
    assert_eq!(
        decided(&folder, &flag_server("http://flag"), &by_variable),
        pair("http://flag", "")
    );
}

#[test]
fn both_a_server_and_a_context_is_a_contradiction() {
    let folder = folder();
    let both = Connect { context: Some("prod".to_owned()), ..flag_server("http://flag") };
    let failure =
        Target::decide(Some(folder.data.path()), &both, &folder.config, &Variables::default());
    assert!(failure.unwrap_err().to_string().contains("give one of them"));
}

#[test]
fn a_token_goes_to_its_own_platform_only() {
    let folder = folder();
    let none = Variables::default();
    // Neither the local administrator's nor a context's token goes to a stranger.
    assert_eq!(decided(&folder, &flag_server("http://stranger"), &none).1, "");
    // The data folder's own platform, by its address.
    let own = flag_server("http://console.localhost:8080/");
    assert_eq!(decided(&folder, &own, &none), pair("http://console.localhost:8080", "aip_local"));
    // What was given goes where it was told to.
    let given = Variables { token: Some("aip_given".to_owned()), ..Variables::default() };
    assert_eq!(decided(&folder, &flag_server("http://stranger"), &given).1, "aip_given");
    assert_eq!(decided(&folder, &Connect::default(), &given).1, "aip_given");
    // A context chosen by a flag is stronger than a variable.
    let prod = Connect { context: Some("prod".to_owned()), ..Connect::default() };
    assert_eq!(decided(&folder, &prod, &given).1, "aip_prod");
}

#[test]
fn a_token_file_goes_over_all_tokens_when_a_flag_names_it() {
    let folder = folder();
    let path = folder.data.path().join("token");
    std::fs::write(&path, "aip_file\n").unwrap();
    let given = Variables { token: Some("aip_given".to_owned()), ..Variables::default() };
    let by_variable = Connect { token_file: Some(path.clone()), ..Connect::default() };
    assert_eq!(decided(&folder, &by_variable, &given).1, "aip_file");
    let sources = Sources { token_file: true, ..Sources::default() };
    let by_flag = Connect { context: Some("prod".to_owned()), sources, ..by_variable.clone() };
    assert_eq!(decided(&folder, &by_flag, &given).1, "aip_file");
    std::fs::write(&path, "two words\n").unwrap();
    let failure = Target::decide(None, &by_flag, &folder.config, &given).unwrap_err();
    assert!(failure.to_string().contains("one token is wanted"), "{failure}");
}

#[test]
fn names_under_localhost_are_this_machine() {
    let folder = folder();
    let connect = Connect { context: Some("test".to_owned()), ..Connect::default() };
    let target = Target::decide(None, &connect, &folder.config, &Variables::default()).unwrap();
    assert_eq!(target.dial.as_deref(), Some("127.0.0.1:81"));
    assert_eq!(target.host(), "test.localhost:81");
    assert_eq!(target.origin.to_string(), "context `test`, chosen by --context");
}
