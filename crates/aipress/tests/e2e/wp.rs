//! `aipress tenant wp` with a wp-cli archive: verified, run in the slot's sandbox as its user, streamed,
//! ended with whoever asked for it. The archive is a phar of the test's own, made by PHP, that begins
//! as wp-cli's does (reads `$argv`, loads WordPress from `--path` or the working folder): wp-cli itself
//! is in none of the registries that a machine of this project reaches.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::Value;
use serde_json::json;

use crate::options;

/// What the archive does: `--path`, `--require` and `--exec` as wp-cli has them, `eval` and
/// `option get`.
const MAIN: &str = r#"<?php
$words = [];
foreach (array_slice($argv, 1) as $arg) {
    if (preg_match('/^--(path|require|exec)=(.*)$/s', $arg, $m)) { $flags[$m[1]] = $m[2]; }
    else { $words[] = $arg; }
}
if (isset($flags['require'])) { require $flags['require']; }
if (isset($flags['exec'])) { eval($flags['exec']); }
if ($words[0] === 'eval') { eval($words[1]); exit(0); }
require (($flags['path'] ?? getcwd()) . '/wp-load.php');
if ($words[0] === 'option') { echo get_option($words[2]), "\n"; exit(0); }
fwrite(STDERR, "Error: '$words[0]' is not a registered wp command.\n");
exit(1);
"#;

fn phar(dir: &std::path::Path) -> Vec<u8> {
    std::fs::write(dir.join("main.php"), MAIN).unwrap();
    let make = "$p = new Phar('wp.phar'); $p->addFile('main.php'); \
                $p->setStub(\"<?php Phar::mapPhar('wp.phar'); require 'phar://wp.phar/main.php'; \
                __HALT_COMPILER();\");";
    let made = Command::new("php")
        .args(["-d", "phar.readonly=0", "-r", make])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::read(dir.join("wp.phar")).unwrap()
}

/// Serves `bytes` to one caller; its address.
fn serve(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/wp-cli.phar", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(socket);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        let mut socket = lines.into_inner();
        write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len()).unwrap();
        socket.write_all(&bytes).unwrap();
    });
    url
}

#[tokio::test]
async fn a_wp_cli_archive_runs_in_the_sandbox_and_ends_with_its_caller() {
    let dir = tempfile::tempdir().unwrap();
    let phar = phar(dir.path());
    let sum = Command::new("sha256sum").arg(dir.path().join("wp.phar")).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap()[..64].to_owned();
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;
    platform.down().await;
    let file = platform.path("config.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    settings["wpCli"] = json!({ "archive": serve(phar), "sha256": sum });
    std::fs::write(&file, settings.to_string()).unwrap();
    platform.up().await.good();
    platform.reaches("bakery", "active").await;

    commands_are_passed_on(&platform).await;
    tricks_lead_nowhere(&platform).await;
    what_runs_ends_with_its_caller(&platform).await;
    what_ran_is_in_the_audit_log(&platform).await;
    platform.has_clean_inventory().await;
}

async fn wp(platform: &Platform, args: &[&str]) -> aipress_testkit::Told {
    platform.cli(&[["tenant", "wp", "bakery", "--"].as_slice(), args].concat()).await
}

async fn commands_are_passed_on(platform: &Platform) {
    let told = wp(platform, &["option", "get", "blogname"]).await.good();
    assert_eq!(told.out, "Title of bakery\n");
    wp(platform, &["eval", "fwrite(STDERR, 'no'); exit(9);"]).await.ended(9);
    let unknown = wp(platform, &["dance"]).await.ended(1);
    assert!(unknown.err.contains("not a registered wp command"), "{}", unknown.err);
    let limited = ["tenant", "wp", "bakery", "--time-limit", "1", "--", "eval", "sleep(60);"];
    let over = platform.cli(&limited).await.ended(124);
    assert!(over.err.contains("time limit"), "{}", over.err);
    let planned = ["tenant", "wp", "bakery", "--dry-run", "--", "option", "get", "home"];
    let planned = platform.cli(&planned).await.good().out;
    assert!(planned.contains("by: wp-cli, in slot"), "{planned}");
}

async fn tricks_lead_nowhere(platform: &Platform) {
    let get = ["option", "get", "blogname"];
    for trick in ["--require=/etc/passwd", "--exec=readfile('/etc/passwd');", "--path=/etc"] {
        let told = wp(platform, &[[trick].as_slice(), &get].concat()).await;
        assert!(!told.out.contains("root:"), "{trick}: {}", told.out);
    }
    for elsewhere in ["--ssh=root@127.0.0.1", "--http=127.0.0.1"] {
        let refused = wp(platform, &[&get, [elsewhere].as_slice()].concat()).await.ended(4);
        assert!(refused.err.contains("sandbox"), "{}", refused.err);
    }
    let who = wp(platform, &["eval", "echo posix_geteuid();"]).await.good().out;
    assert_ne!(who, "0", "never root");
    let bomb = "foreach (['pcntl_fork', 'proc_open', 'exec', 'popen', 'shell_exec', 'system'] as $f) \
                { echo function_exists($f) ? $f : '-'; }";
    let bomb = wp(platform, &["eval", bomb]).await.good().out;
    assert_eq!(bomb, "------", "nothing that starts processes is there");
    // A call of the kernel that no site needs, by PHP's own function; and the same, as a user as
    // small as a slot's, where nobody refuses it.
    let namespace = "echo @pcntl_unshare(0x10000000) ? 'made' : 'errno ' . pcntl_get_last_error();";
    let inside = wp(platform, &["eval", namespace]).await.good().out;
    assert_eq!(inside, "errno 1", "a user namespace, in which one is root");
    let small = ["--reuid=65001", "--regid=65001", "--clear-groups", "php", "-r", namespace];
    let outside = Command::new("setpriv").args(small).output().unwrap();
    if outside.stdout != b"made" {
        eprintln!("not proved that it is the filter: this machine gives no user namespaces");
    }
}

/// Processes that run the archive: their folders in `/proc`, and command lines.
fn running() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(MARK) && line.contains("/wp-cli/") {
            found.push((entry.path(), line));
        }
    }
    found
}

/// In the command line of what is to be ended.
const MARK: &str = "sleep(301)";

async fn what_runs_ends_with_its_caller(platform: &Platform) {
    let code = format!("echo 'begun', PHP_EOL; {MARK};");
    let mut command = platform.command();
    command.args(["tenant", "wp", "bakery", "--", "eval", &code]);
    let mut caller = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    // It comes while the command still runs.
    BufReader::new(caller.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    // Native code that gets around PHP's list could not start many either.
    let running_now = running();
    let php = running_now.iter().find(|(_, line)| line.split(' ').next().unwrap().contains("php"));
    let limits = std::fs::read_to_string(php.expect("it runs").0.join("limits")).unwrap();
    let most = limits.lines().find(|line| line.starts_with("Max processes")).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    assert!(!is_root || most.split_whitespace().nth(2) == Some("96"), "{most}");
    caller.kill().unwrap();
    caller.wait().unwrap();
    wait_until(Duration::from_secs(60), "the end of the command", async || {
        let left = running();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

async fn what_ran_is_in_the_audit_log(platform: &Platform) {
    let args = ["user", "create", "anna", "--user_pass=tr0ub4dor"];
    wp(platform, &args).await.ended(1);
    wp(platform, &["option", "update", "smtp_password", "tr0ub4dor"]).await;
    let audit = platform.api().get("/v1/audit?action=tenant.wp").await.with_status(200);
    let text = audit.text();
    assert!(!text.contains("tr0ub4dor"), "{text}");
    let items = audit.as_json()["items"].as_array().unwrap().clone();
    assert!(items.iter().any(|item| item["after"]["args"][3] == "--user_pass=…"), "{text}");
}
