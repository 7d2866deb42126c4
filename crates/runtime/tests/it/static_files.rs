//! Static files over HTTP: types, caching, conditions, ranges, and what nobody gets.

use std::os::unix::fs::symlink;

use crate::support::{fake_fpm::serve, full, site::Served, until};
use aipress_runtime::{SiteState, Source};
use http::{Method, Request, StatusCode};

const PHOTO: &str = "site/wp-content/uploads/photo.JPG";
const PHOTO_URL: &str = "/wp-content/uploads/photo.JPG";

/// A file that was last changed long ago, so that its tag is strong. The change time cannot be set
/// back, so this waits for it.
async fn old_file(served: &Served, path: &str, content: &[u8]) {
    use std::os::unix::fs::MetadataExt;

    let path = served.write(path, content);
    let changed = std::fs::metadata(&path).unwrap().ctime();
    until("the file is old", || {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
            > changed + 3
    })
    .await;
}

#[tokio::test]
async fn sends_files() {
    let served = Served::start();
    served.write(PHOTO, "jpeg");
    served.write("core/wp-includes/js/a.js", "core");
    served.write("core/wp-content/themes/t/style.css", "core's");
    served.write("core/wp-content/themes/u/style.css", "core's");
    served.write("site/wp-content/themes/u/style.css", "mine");
    served.write("php/mu-plugins/aipress/a.css", "ours");
    served.write("site/well-known/security.txt", "mail us");
    let table = [
        (PHOTO_URL, "jpeg", "image/jpeg"),
        ("/wp-includes/js/a.js", "core", "text/javascript; charset=utf-8"),
        ("/wp-content/themes/t/style.css", "core's", "text/css; charset=utf-8"),
        ("/wp-content/themes/u/style.css", "mine", "text/css; charset=utf-8"),
        ("/wp-content/mu-plugins/aipress/a.css", "ours", "text/css; charset=utf-8"),
        ("/.well-known/security.txt", "mail us", "text/plain; charset=utf-8"),
    ];
    for (path, body, kind) in table {
        let answer = served.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, body), "{path}");
        assert_eq!(answer.header("content-type"), kind);
        assert_eq!(answer.header("cache-control"), "public, max-age=604800");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert!(httpdate::parse_http_date(answer.header("last-modified")).is_ok());
    }
    let answer = served.get(&format!("{PHOTO_URL}?ver=6.4")).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    let record = served.records.access.lock().unwrap()[0].clone();
    assert_eq!((record.bytes, record.source, record.complete), (4, Source::Static, true));
}

#[tokio::test]
async fn only_get_and_head() {
    let served = Served::start();
    served.write(PHOTO, "jpeg");
    let answer = served.ask(Request::head(PHOTO_URL)).await;
    assert_eq!((answer.header("content-length"), answer.body.len()), ("4", 0));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let answer = served.ask(Request::builder().method(method).uri(PHOTO_URL)).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn conditions_and_ranges() {
    let served = Served::start();
    let content: Vec<u8> = (0..200_000_u32).map(|index| (index % 251) as u8).collect();
    served.write("site/wp-content/uploads/empty.txt", "");
    old_file(&served, PHOTO, &content).await;
    let whole = served.get(PHOTO_URL).await;
    assert_eq!((&whole.body[..], whole.whole), (&content[..], true));
    let (tag, date) = (whole.header("etag"), whole.header("last-modified"));
    assert!(tag.starts_with('"'), "{tag}");

    let ask = async |list: &[(&str, &str)]| {
        let builder =
            list.iter().fold(Request::get(PHOTO_URL), |it, (name, value)| it.header(*name, *value));
        served.ask(builder).await
    };
    for (name, value) in [("if-none-match", tag), ("if-modified-since", date)] {
        let answer = ask(&[(name, value)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(answer.header("etag"), tag);
    }
    assert_eq!(ask(&[("if-match", "\"x\"")]).await.status, StatusCode::PRECONDITION_FAILED);

    let answer = ask(&[("range", "bytes=100-149999"), ("if-range", tag)]).await;
    assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.header("content-range"), "bytes 100-149999/200000");
    assert_eq!(
        (&answer.body[..], answer.header("content-length")),
        (&content[100..150_000], "149900")
    );
    let answer = ask(&[("range", "bytes=100-"), ("if-range", "\"old\"")]).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 200_000));
    let answer = ask(&[("range", "bytes=200000-")]).await;
    assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(answer.header("content-range"), "bytes */200000");

    let answer = ask(&[("range", "bytes=0-1,100000-199999,5-5")]).await;
    let kind = answer.header("content-type").to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut expected = Vec::new();
    for (start, end) in [(0, 2), (100_000, 200_000), (5, 6)] {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: image/jpeg\r\nContent-Range: bytes {start}-{}/200000\r\n\r\n",
            end - 1
        );
        expected.extend(head.into_bytes());
        expected.extend(&content[start..end]);
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::PARTIAL_CONTENT, &expected[..]));

    let empty = served.get("/wp-content/uploads/empty.txt").await;
    assert_eq!((empty.status, empty.header("content-length")), (StatusCode::OK, "0"));
}

#[tokio::test]
async fn what_nobody_gets() {
    let served = Served::start();
    let secret = served.write("neighbour/secret.txt", "secret");
    let uploads = served.dir.path().join("site/wp-content/uploads");
    symlink(&secret, uploads.join("link.txt")).unwrap();
    symlink(served.dir.path().join("neighbour"), uploads.join("folder")).unwrap();
    for path in [
        "site/wp-content/uploads/shell.php",
        "site/wp-content/debug.log",
        "site/wp-content/dump.sql",
        "site/wp-content/plugins/x/.env",
        "site/private/login/token.json",
        "core/wp-config.php",
        "core/readme.html",
        "core/wp-includes/version.php",
    ] {
        served.write(path, "<?php secret");
    }
    for path in [
        "/wp-content/uploads/link.txt",
        "/wp-content/uploads/folder/secret.txt",
        "/wp-content/uploads/../../private/login/token.json",
        "/wp-content/uploads/%2e%2e/%2e%2e/private/login/token.json",
        "/wp-content/../private/login/token.json",
        "/wp-content/uploads/shell.php",
        "/wp-content/uploads/shell.php%00.jpg",
        "/wp-content/debug.log",
        "/wp-content/dump.sql",
        "/wp-content/plugins/x/.env",
        "/wp-config.php",
        "/readme.html",
        "/wp-includes/version.php",
        "/wp-content/uploads/",
        "/wp-content/uploads",
        "/wp-content/missing.jpg",
    ] {
        let answer = served.get(path).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("secret"), "{path}");
        assert!(!answer.text().contains(served.dir.path().to_str().unwrap()), "{path}");
    }
}

/// A neighbour's file, linked hard into the uploads: refused by its owner. With the guard taken
/// away (the owner counted as the site's), the same request reads it.
#[tokio::test]
async fn a_neighbours_file_by_a_hard_link() {
    let served = Served::start();
    let secret = served.write("neighbour/secret.txt", "secret");
    let me = rustix::process::geteuid();
    let neighbour = if me.is_root() {
        let uid = rustix::process::Uid::from_raw(me.as_raw() + 4711);
        rustix::fs::chown(&secret, Some(uid), None).unwrap();
        uid.as_raw()
    } else {
        served.change(|site| site.owner_uid = me.as_raw() + 4711);
        me.as_raw()
    };
    std::fs::hard_link(&secret, served.dir.path().join("site/wp-content/uploads/h.txt")).unwrap();
    let answer = served.get("/wp-content/uploads/h.txt").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    served.change(|site| site.owner_uid = neighbour);
    assert_eq!(served.get("/wp-content/uploads/h.txt").await.text(), "secret");
}

#[tokio::test]
async fn scripts_and_redirects() {
    let served = Served::start();
    served.write("core/wp-admin/post.php", "<?php");
    served.write("core/wp-login.php", "<?php");
    served.write("site/wp-content/plugins/x/ajax.php", "<?php");
    served.write("core/wp-content/themes/t/ajax.php", "<?php");
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        let told = |name: &str| it.params.get(name).cloned().unwrap_or_default();
        let text = format!("{} {}", told("SCRIPT_FILENAME"), told("PATH_INFO"));
        it.stdout(format!("Content-Type: text/plain\r\n\r\n{text}")).await;
        it.end().await;
    });
    let dir = served.dir.path().to_str().unwrap().to_owned();
    for (path, script) in [
        ("/", "core/index.php "),
        ("/any/thing", "core/index.php "),
        ("/index.php/2024/x", "core/index.php /2024/x"),
        ("/.well-known/unknown", "core/index.php "),
        ("/wp-login.php", "core/wp-login.php "),
        ("/wp-admin/post.php?post=1", "core/wp-admin/post.php "),
        ("/wp-content/plugins/x/ajax.php", "site/wp-content/plugins/x/ajax.php "),
        ("/wp-content/themes/t/ajax.php", "core/wp-content/themes/t/ajax.php "),
    ] {
        assert_eq!(served.get(path).await.text(), format!("{dir}/{script}"), "{path}");
    }
    for path in ["/wp-admin/none.php", "/wp-content/plugins/x/none.php", "/xmlrpc.php"] {
        assert_eq!(served.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = served.get("/wp-admin?a=b").await;
    assert_eq!(answer.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(answer.header("location"), "/wp-admin/?a=b");
    assert_eq!(served.get("//wp-admin").await.header("location"), "/wp-admin/");
}

#[tokio::test]
async fn sites_and_their_states() {
    let served = Served::start();
    served.write(PHOTO, "jpeg");
    let status = async |request: http::request::Builder| {
        let answer = served.ask(request).await;
        (answer.status.as_u16(), answer.header("aipress-notice").to_owned())
    };
    let get = || Request::get(PHOTO_URL);
    let unknown = (404, "unknown_site".to_owned());
    assert_eq!(status(get().header("host", "other.localhost")).await, unknown);
    assert_eq!(status(get().header("aipress-tenant", "uid-2")).await, unknown);
    assert_eq!(status(get().header("host", "a b")).await, (400, "bad_request".to_owned()));
    for host in ["BAKERY.localhost", "bakery.localhost:9"] {
        assert_eq!(status(get().header("host", host)).await.0, 200);
    }
    let by_uid = get().header("host", "other.localhost").header("aipress-tenant", "uid-1");
    assert_eq!(status(by_uid).await.0, 200);
    for (state, notice) in [
        (SiteState::Starting, "site_starting"),
        (SiteState::Suspended, "site_suspended"),
        (SiteState::Broken("/secret/reason".to_owned()), "site_broken"),
    ] {
        served.change(|site| site.state = state);
        let answer = served.ask(get().header("accept", "application/json")).await;
        assert_eq!((answer.status.as_u16(), answer.header("aipress-notice")), (503, notice));
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(!answer.text().contains("secret"));
        assert!(!answer.header("retry-after").is_empty());
    }
}

/// The gateway may be spoken to by HTTP/2, too.
#[tokio::test]
async fn http2() {
    let served = Served::start();
    served.write(PHOTO, vec![7; 300_000]);
    let stream = tokio::net::UnixStream::connect(&served.socket).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://bakery.localhost:8080{PHOTO_URL}");
    let response = sender.send_request(Request::get(uri).body(full("")).unwrap()).await.unwrap();
    let answer = crate::support::finish(response).await;
    assert_eq!((answer.status, answer.body.len(), answer.whole), (StatusCode::OK, 300_000, true));
}
