//! The API against its own description: Schemathesis makes requests of all kinds from the OpenAPI
//! document, good and bad ones, and checks every answer.

use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use aipress_kit::tasks;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::net::UnixStream;

use super::harness::Meta;

/// The same requests each time.
const SEED: &str = "20261121";
/// Requests of each kind for an endpoint.
const EXAMPLES: &str = "15";

/// What a schema can't say is refused with these: an opaque cursor, a name that is reserved, a
/// field that is not available yet, an etag of another version, an export that is gone. What is
/// wrong may be refused by that, too, before it is looked at. Of 5xx there is none.
const SETTINGS: &str = r#"
hooks = "hooks.py"

[checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 405, 409, 410, 412, 422]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422]

# There is neither a directory of plugins nor a site behind a shard here, and that is said.
[[operations]]
include-operation-id = ["package_fetch", "export_data", "tenant_plugin_update", "tenant_theme_update"]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 405, 409, 410, 412, 422, 503]
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 503]

# It waits 20 s for the shard to begin.
[[operations]]
include-operation-id = "export_data"
checks.max_response_time = 30
"#;
/// A media type that Schemathesis does not know is sent as it is.
const HOOKS: &str = r#"
import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
schemathesis.serializer.alias("application/zip", "application/octet-stream")


# A header that nobody knows is no mistake (RFC 9110 section 5.1).
@schemathesis.hook
def filter_case(context, case):
    return "x-schemathesis-unknown-property" not in (case.headers or {})
"#;

/// Meta's public socket as a TCP port: Schemathesis knows no Unix sockets.
pub(super) async fn port_of(meta: &Meta) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = meta.folder.path().join("meta.sock");
    tasks::spawn("port", async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let Ok(mut to) = UnixStream::connect(&socket).await else { continue };
            tasks::spawn("connection", async move {
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    port
}

/// `make test` and `make test-api` run it, with the program's folder in a variable.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes, and needs Schemathesis: make test-api"]
async fn the_api_does_what_its_description_says() {
    let folder = std::env::var("AIPRESS_SCHEMATHESIS").expect("run it by `make test-api`");
    let meta = Meta::start(2).await;
    meta.made("bakery").await;
    let url = "http://127.0.0.1:9/hook";
    meta.post("/v1/webhooks", json!({ "url": url, "kinds": ["tenant.*"] })).await.is(201);
    let description = meta.folder.path().join("openapi.json");
    std::fs::write(&description, crate::openapi().to_json().unwrap()).unwrap();
    std::fs::write(meta.folder.path().join("schemathesis.toml"), SETTINGS).unwrap();
    std::fs::write(meta.folder.path().join("hooks.py"), HOOKS).unwrap();
    let mut schemathesis = Command::new(PathBuf::from(folder).join("bin/st"));
    schemathesis
        .current_dir(meta.folder.path())
        .args(["run", "openapi.json", "--checks", "all", "--seed", SEED])
        .args(["--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing,stateful"])
        .args([
            "--continue-on-failure",
            "--no-color",
            "--request-timeout",
            "40",
            "--request-retries",
            "2",
        ])
        .args(["--generation-database", "none", "--output-truncate", "false"])
        .arg("--url")
        .arg(format!("http://127.0.0.1:{}", port_of(&meta).await))
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", meta.admin))
        .stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || schemathesis.status()).await.unwrap().unwrap();
    assert!(ended.success(), "findings: see above");
}
