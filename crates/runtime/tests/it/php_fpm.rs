//! Real php-fpm: what PHP sees of a request, and what becomes of what it does.

use aipress_runtime::config::HELD_BACK_BYTES;
use http::{Request, StatusCode};
use serde_json::Value;

use crate::support::{full, php_fpm::PhpFpm, site::Served, until};

const SCRIPT: &str = r#"<?php
$what = $_GET['what'] ?? 'server';
$mib = str_repeat('x', 1048576);
switch ($what) {
case 'server':
    header('Content-Type: application/json');
    $server = $_SERVER;
    $server['pid'] = getmypid();
    echo json_encode(['server' => $server, 'get' => $_GET, 'post' => $_POST, 'env' => getenv()]);
    break;
case 'body':
    $body = file_get_contents('php://input');
    echo strlen($body), ' ', bin2hex(substr($body, -4));
    break;
case 'upload':
    $file = $_FILES['file'];
    echo $file['name'], ' ', $file['error'], ' ', filesize($file['tmp_name']);
    break;
case 'ignored': // answers without reading its input
    echo 'ignored';
    break;
case 'cookies':
    setcookie('a', '1'); setcookie('b', '2');
    header('X-Accel-Redirect: /secret');
    break;
case 'redirect':
    header('Location: /elsewhere');
    break;
case 'fatal':
    echo 'half a page';
    undefined_function();
case 'log':
    error_log('one line'); error_log('another line');
    echo 'ok';
    break;
case 'killed':
    echo 'half a page'; flush();
    exec('kill -9 ' . getmypid());
    sleep(10);
case 'killed-late':
    echo $mib, 'and a bit'; flush();
    exec('kill -9 ' . getmypid());
    sleep(10);
case 'large':
    for ($i = 0; $i < 20; $i++) echo $mib;
    break;
case 'finish':
    echo 'done';
    fastcgi_finish_request();
    var_dump(fastcgi_finish_request());
    file_put_contents($_GET['file'], 'after');
    error_log('said after the page');
    undefined_function();
case 'finish-nothing': // as WordPress's cron: headers, and no page
    header('X-Seen: yes');
    http_response_code(202);
    fastcgi_finish_request();
    echo 'nobody reads this';
    error_log('said after nothing');
    break;
case 'finish-long':
    echo $mib, $mib;
    fastcgi_finish_request();
    error_log('said after a long page');
    break;
case 'ini':
    echo ini_get('memory_limit'), ' ', ini_get('max_execution_time'), ' ',
        ini_set('max_execution_time', 1) === false ? 'fixed' : 'free';
    break;
}
"#;

async fn start(change: impl FnOnce(&mut aipress_runtime::Site)) -> (Served, PhpFpm) {
    let served = Served::start_with(|_| {}, change);
    served.write("core/index.php", SCRIPT);
    served.write("core/wp-login.php", "<?php echo 'login ', $_SERVER['SCRIPT_NAME'];");
    served.write("site/wp-content/plugins/x/a.php", "<?php echo 'plugin ', __FILE__;");
    let fpm = PhpFpm::start(served.dir.path(), &served.fpm_socket).await;
    (served, fpm)
}

#[tokio::test]
async fn what_php_sees() {
    let (served, _fpm) = start(|_| {}).await;
    let request = Request::post("/caf%C3%A9/?what=server&x=%2F")
        .header("host", "bakery.localhost:8080")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", "192.0.2.7")
        .header("x-forwarded-proto", "https")
        .header("proxy", "evil")
        .header("x_forwarded_proto", "evil")
        .header("authorization", "Basic dXNlcjpwYXNz")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let answer = served.send(request.body(full("title=Crumbs&tag[]=1&tag[]=2")).unwrap()).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let seen: Value = serde_json::from_slice(&answer.body).unwrap();
    let dir = served.dir.path().to_str().unwrap();
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/caf%C3%A9/?what=server&x=%2F"),
        ("PHP_SELF", "/index.php"),
        ("SCRIPT_NAME", "/index.php"),
        ("SCRIPT_FILENAME", &format!("{dir}/core/index.php")),
        ("DOCUMENT_ROOT", &format!("{dir}/core")),
        ("SERVER_SOFTWARE", "AIPress"),
        ("SERVER_NAME", "bakery.localhost"),
        ("SERVER_PORT", "8080"),
        ("HTTP_HOST", "bakery.localhost:8080"),
        ("HTTPS", "on"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("PHP_AUTH_USER", "user"),
        ("AIPRESS_TENANT_UID", "uid-1"),
        ("AIPRESS_SLOT_DIR", &format!("{dir}/slot")),
    ] {
        assert_eq!(seen["server"][name], value, "{name}");
    }
    assert_eq!(seen["server"]["HTTP_PROXY"], Value::Null);
    assert_eq!(seen["server"]["HTTP_X_FORWARDED_PROTO"], "https");
    assert_eq!((&seen["get"]["x"], &seen["post"]["title"]), (&"/".into(), &"Crumbs".into()));
    assert_eq!(seen["post"]["tag"], serde_json::json!(["1", "2"]));
    // Nothing of our own environment.
    assert_eq!(seen["env"]["PATH"], Value::Null);
    let answer = served.get("/index.php/2024/hello?what=server").await;
    let seen: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(seen["server"]["PATH_INFO"], "/2024/hello");
    assert_eq!(seen["server"]["SCRIPT_NAME"], "/index.php");
    assert_eq!(seen["server"]["PHP_SELF"], "/index.php/2024/hello");
}

#[tokio::test]
async fn scripts_of_core_and_plugins() {
    let (served, _fpm) = start(|_| {}).await;
    assert_eq!(served.get("/wp-login.php").await.text(), "login /wp-login.php");
    let plugin = served.get("/wp-content/plugins/x/a.php").await.text();
    let file = served.dir.path().join("site/wp-content/plugins/x/a.php");
    assert_eq!(plugin, format!("plugin {}", file.display()));
    let evil = "<?php echo 'evil';";
    served.write("site/wp-content/uploads/evil.php", evil);
    served.write("site/wp-content/uploads/evil.jpg", evil);
    for path in ["evil.php", "evil.jpg/x.php", "evil.jpg/.php", "evil.jpg%00.php"] {
        let answer = served.get(&format!("/wp-content/uploads/{path}")).await;
        assert!(answer.status.is_client_error(), "{path}");
        assert_ne!(answer.text(), "evil", "{path}");
    }
}

#[tokio::test]
async fn scripts_of_uploads_where_the_owner_wants_them() {
    let (served, _fpm) = start(|site| site.runs_uploads = true).await;
    served.write("site/wp-content/uploads/own.php", "<?php echo 'own';");
    served.write("site/wp-content/uploads/own.jpg", "<?php echo 'own';");
    assert_eq!(served.get("/wp-content/uploads/own.php").await.text(), "own");
    for path in ["own.jpg", "own.jpg/x.php", "own.jpg%00.php"] {
        let answer = served.get(&format!("/wp-content/uploads/{path}")).await;
        assert_ne!(answer.text(), "own", "{path}");
    }
}

#[tokio::test]
async fn bodies() {
    let (served, _fpm) = start(|_| {}).await;
    let body: Vec<u8> = (0..20_000_000_u32).map(|index| (index % 253) as u8).collect();
    let last = body[body.len() - 4..].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let ask = async |what: &str, kind: &str, body: Vec<u8>| {
        let request = Request::post(format!("/?what={what}")).header("content-type", kind);
        served.send(request.body(full(body)).unwrap()).await.text()
    };
    let binary = "application/octet-stream";
    assert_eq!(ask("body", binary, body.clone()).await, format!("20000000 {last}"));
    assert_eq!(ask("ignored", binary, body.clone()).await, "ignored");
    assert!(ask("body", binary, Vec::new()).await.starts_with("0 "));

    // 100 MB less its frame: as much as the platform takes (facts.md).
    let mut form =
        b"--frame\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\
                     Content-Type: video/mp4\r\n\r\n"
            .to_vec();
    let size = 100 * 1024 * 1024 - 1000;
    form.resize(form.len() + size, b'v');
    form.extend(b"\r\n--frame--\r\n");
    let told = ask("upload", "multipart/form-data; boundary=frame", form).await;
    assert_eq!(told, format!("a.mp4 0 {size}"));
}

#[tokio::test]
async fn answers() {
    let (served, _fpm) = start(|_| {}).await;
    let answer = served.get("/?what=cookies").await;
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    for header in ["x-powered-by", "x-accel-redirect"] {
        assert!(!answer.headers.contains_key(header), "{header}");
    }
    let answer = served.get("/?what=redirect").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::FOUND, "/elsewhere"));
    let answer = served.get("/?what=large").await;
    assert_eq!((answer.body.len(), answer.whole), (20 * 1024 * 1024, true));
    let answer = served.ask(Request::head("/?what=large")).await;
    assert_eq!((answer.status, answer.body.len(), answer.whole), (StatusCode::OK, 0, true));
}

#[tokio::test]
async fn workers_that_die() {
    let (served, fpm) = start(|_| {}).await;
    let answer = served.get("/?what=killed").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(!answer.text().contains("half"));
    let answer = served.get("/?what=killed-late").await;
    // How much of it arrived before the connection broke is nobody's promise.
    assert_eq!((answer.status, answer.whole), (StatusCode::OK, false));
    // A fatal error is no death: PHP ends the request, with its own status.
    let answer = served.get("/?what=fatal").await;
    assert!(answer.whole);
    fpm.ping().await.unwrap();
    let errors = served.records.errors.lock().unwrap();
    let text = String::from_utf8_lossy(&errors.last().unwrap().1).into_owned();
    assert!(text.contains("undefined_function"), "{text}");
}

#[tokio::test]
async fn errors_go_to_the_tenants_log() {
    let (served, _fpm) = start(|_| {}).await;
    assert_eq!(served.get("/?what=log").await.text(), "ok");
    let errors = served.records.errors.lock().unwrap();
    let expected = [b"one line".as_slice(), b"another line"]
        .map(|text| ("uid-1".to_owned(), text.to_vec(), false));
    assert_eq!(*errors, expected);
}

#[tokio::test]
async fn work_after_the_page() {
    let (served, _fpm) = start(|_| {}).await;
    let file = served.write("site/wp-content/uploads/after.txt", "");
    let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&file, anybody).unwrap();
    let answer = served.get(&format!("/?what=finish&file={}", file.display())).await;
    assert_eq!((answer.text().as_str(), answer.whole), ("done", true));
    until("php worked on", || std::fs::read(&file).unwrap() == b"after").await;
    said(&served, "said after the page").await;
    said(&served, "Call to undefined function").await;

    let answer = served.get("/?what=finish-nothing").await;
    assert_eq!((answer.text().as_str(), answer.whole), ("", true));
    assert_eq!((answer.status, answer.header("x-seen")), (StatusCode::ACCEPTED, "yes"));
    assert_eq!(answer.header("content-length"), "0");
    said(&served, "said after nothing").await;

    let answer = served.get("/?what=finish-long").await;
    assert_eq!((answer.body.len(), answer.whole), (2 * HELD_BACK_BYTES, true));
    said(&served, "said after a long page").await;
    let errors = served.records.errors.lock().unwrap();
    assert!(!errors.iter().any(|it| it.1.starts_with(b"aipress-finished")), "{errors:?}");
}

async fn said(served: &Served, words: &str) {
    until(words, || {
        let errors = served.records.errors.lock().unwrap();
        errors.iter().any(|it| String::from_utf8_lossy(&it.1).contains(words))
    })
    .await;
}

/// WordPress starts its cron by a request and leaves at once.
#[tokio::test]
async fn cron_is_heard_when_its_caller_has_left() {
    let (served, _fpm) = start(|_| {}).await;
    let begun = served.write("site/wp-content/uploads/begun.txt", "");
    let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&begun, anybody).unwrap();
    let script = "<?php ignore_user_abort(true); file_put_contents($_GET['file'], 'begun'); \
                  usleep(200000); echo 'x'; flush(); fastcgi_finish_request(); \
                  error_log('said by cron');";
    served.write("core/wp-cron.php", script);
    let path = format!("/wp-cron.php?file={}", begun.display());
    {
        let calling = served.get(&path);
        tokio::pin!(calling);
        let begins = until("it began", || std::fs::read(&begun).unwrap() == b"begun");
        tokio::select! {
            _ = &mut calling => panic!("it takes longer"),
            () = begins => {}
        }
    }
    said(&served, "said by cron").await;
}

#[tokio::test]
async fn settings_of_a_tenant() {
    let setting = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let (served, _fpm) = start(|site| {
        site.php_values = setting("memory_limit", "256M");
        site.php_admin_values = setting("max_execution_time", "77");
    })
    .await;
    assert_eq!(served.get("/?what=ini").await.text(), "256M 77 fixed");
}

#[tokio::test]
async fn pings() {
    let (served, fpm) = start(|_| {}).await;
    fpm.ping().await.unwrap();
    drop(fpm);
    let wait = std::time::Duration::from_millis(50);
    assert!(aipress_runtime::fpm_ping(&served.fpm_socket, "/fpm-ping", wait).await.is_err());
}

/// Of connections that come at once php-fpm hears one only, and one of its workers was idle.
#[tokio::test]
async fn each_of_many_requests_at_once_has_a_worker() {
    const AT_ONCE: usize = 5;
    let (served, fpm) = start(|site| site.max_workers = AT_ONCE).await;
    fpm.ping().await.unwrap();
    let held = notes(&served);
    let script = "<?php touch($_GET['in'] . '/' . getmypid()); \
                  while (!file_exists($_GET['in'] . '/go')) { usleep(5000); clearstatcache(); } \
                  echo getmypid();";
    served.write("core/wp-cron.php", script);
    let path = format!("/wp-cron.php?in={}", held.display());
    let all = futures_util::future::join_all((0..AT_ONCE).map(|_| served.get(&path)));
    let together = async {
        until("each has a worker", || std::fs::read_dir(&held).unwrap().count() == AT_ONCE + 1)
            .await;
        std::fs::write(held.join("go"), "").unwrap();
    };
    let (answers, ()) = tokio::join!(all, together);
    let mut workers: Vec<String> = answers.iter().map(|answer| answer.text()).collect();
    workers.sort();
    workers.dedup();
    assert_eq!(workers.len(), AT_ONCE, "{workers:?}");
}

/// A script that goes on though its caller has left keeps its worker, and the site has no more.
#[tokio::test]
async fn callers_who_leave_give_a_site_no_more_workers() {
    const WORKERS: usize = 2;
    let (served, _fpm) = start(|site| site.max_workers = WORKERS).await;
    let script = "<?php ignore_user_abort(true); $me = $_GET['in'] . '/' . getmypid(); \
                  touch(\"$me-works\"); \
                  while (!file_exists($_GET['in'] . '/go')) { echo 'x'; flush(); \
                  if (connection_aborted()) touch(\"$me-knows\"); usleep(5000); clearstatcache(); } \
                  unlink(\"$me-works\"); echo 'went on';";
    served.write("core/wp-login.php", script);
    let notes = notes(&served);
    let path = format!("/wp-login.php?in={}", notes.display());
    let count = |end: &str| {
        let all = std::fs::read_dir(&notes).unwrap().map(|it| it.unwrap().file_name());
        all.filter(|name| name.to_string_lossy().ends_with(end)).count()
    };
    // One has a body that PHP does not take, and that no socket holds.
    for (at, body) in [Vec::new(), vec![b'x'; 4 * 1024 * 1024]].into_iter().enumerate() {
        let calling = served.send(Request::put(&path).body(full(body)).unwrap());
        tokio::select! {
            answer = calling => panic!("it takes longer: {answer:?}"),
            () = until("it began", || count("-works") == at + 1) => {}
        }
    }
    until("they know that nobody listens", || count("-knows") == WORKERS).await;
    let load = || {
        let site = &served.table.load()[0];
        (site.1, site.2)
    };
    let next = served.get(&path);
    tokio::pin!(next);
    tokio::select! {
        answer = &mut next => panic!("no worker is free: {answer:?}"),
        () = until("the next one waits", || load() == (WORKERS, 1)) => {}
    }
    assert_eq!(count("-works"), WORKERS);
    std::fs::write(notes.join("go"), "").unwrap();
    let answer = next.await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "went on"));
    until("all are free", || load() == (0, 0)).await;
    assert_eq!(count("-works"), 0);
}

#[tokio::test]
async fn a_page_ends_when_its_visitor_has_left() {
    let (served, _fpm) = start(|_| {}).await;
    let script = "<?php touch($_GET['in'] . '/begun'); \
                  register_shutdown_function(fn() => touch($_GET['in'] . '/ended')); \
                  while (true) { echo 'x'; flush(); usleep(5000); }";
    served.write("core/wp-login.php", script);
    let notes = notes(&served);
    let path = format!("/wp-login.php?in={}", notes.display());
    tokio::select! {
        answer = served.get(&path) => panic!("it has no end: {answer:?}"),
        () = until("it began", || notes.join("begun").exists()) => {}
    }
    until("it ended", || notes.join("ended").exists()).await;
    until("its worker is free", || served.table.load()[0].1 == 0).await;
}

/// A folder in which scripts leave notes.
fn notes(served: &Served) -> std::path::PathBuf {
    let file = served.write("site/wp-content/uploads/notes/none", "");
    let folder = file.parent().unwrap().to_owned();
    let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&folder, anybody).unwrap();
    folder
}
