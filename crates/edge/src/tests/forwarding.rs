//! What a gateway is told, whatever the visitor claims.

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;

use super::support::UID;
use super::support::World;

/// Answers with the request's head as it came, one field in a line, sorted.
fn echo() -> Router {
    Router::new().fallback(async |request: Request| {
        let mut lines: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.insert(0, format!("{} {}", request.method(), request.uri()));
        let headers = [
            ("connection", "x-secret, keep-alive"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("aipress-internal", "1"),
            ("x-request-id", "the site's own"),
            ("x-kept", "1"),
        ];
        (headers, lines.join("\n")).into_response()
    })
}

#[tokio::test]
async fn a_site_is_told_who_asks() {
    let world = World::with_site(echo()).await;
    let reply = world
        .ask(
            "GET /p?q=%20 HTTP/1.1\r\nHost: A.localhost:8080\r\nX-Forwarded-For: 6.6.6.6\r\n\
             X_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n\
             X-Real-IP: 6.6.6.6\r\nAipress-Tenant: other\r\nProxy: http://evil\r\n\
             Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: gzip\r\nUpgrade: h2c\r\n\
             Accept: */*\r\n\r\n",
        )
        .await;
    let id = reply.header("x-request-id").unwrap();
    let expected = [
        "GET /p?q=%20",
        "accept: */*",
        &format!("aipress-request-id: {id}"),
        &format!("aipress-tenant: {UID}"),
        "host: A.localhost:8080",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: A.localhost:8080",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
        &format!("x-request-id: {id}"),
    ];
    assert_eq!(reply.text(), expected.join("\n"));
    assert_eq!(reply.head.matches("x-request-id").count(), 1);
    assert_eq!(reply.header("x-kept"), Some("1"));
    for gone in ["x-secret", "keep-alive", "aipress-internal", "connection"] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let world = World::with(echo(), |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let reply = world
        .ask(
            "GET / HTTP/1.1\r\nHost: a.localhost\r\nX-Forwarded-For: 1.1.1.1, 203.0.113.9\r\n\
             X-Forwarded-Proto: https\r\nAipress-Tenant: other\r\n\r\n",
        )
        .await;
    let text = reply.text();
    assert!(text.contains("x-forwarded-for: 203.0.113.9\n"), "{text}");
    assert!(text.contains("x-forwarded-proto: https"), "{text}");
    assert!(text.contains("x-forwarded-port: 443\n"), "{text}");
    assert!(text.contains(&format!("aipress-tenant: {UID}")), "{text}");
}

#[tokio::test]
async fn the_target_of_an_absolute_form_is_the_host() {
    let world = World::with_site(echo()).await;
    let reply =
        world.ask("GET http://a.localhost:81/x?y HTTP/1.1\r\nhost: evil.example\r\n\r\n").await;
    let text = reply.text();
    assert!(text.starts_with("GET /x?y\n") && text.contains("host: a.localhost:81\n"), "{text}");
    assert!(!text.contains("evil"), "{text}");
}

#[tokio::test]
async fn http_2_with_prior_knowledge_is_served() {
    let world = World::with_site(echo()).await;
    let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, http_body_util::Empty<bytes::Bytes>>(
            hyper_util::rt::TokioExecutor::new(),
            hyper_util::rt::TokioIo::new(stream),
        )
        .await
        .unwrap();
    let driver = aipress_kit::tasks::spawn("h2-client", connection);
    let request = http::Request::get("http://a.localhost:8080/two")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(http_body_util::Empty::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.starts_with("GET /two\n") && text.contains("cookie: a=1; b=2\n"), "{text}");
    assert!(text.contains("host: a.localhost:8080\n"), "{text}");
    driver.abort();
}
