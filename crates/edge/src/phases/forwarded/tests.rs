//! Spoofed and honest forwarded fields.

use super::*;

fn rewritten(peer: &str, trusted: &[&str], fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    let trusted: Vec<Network> = trusted.iter().map(|it| it.parse().unwrap()).collect();
    let peer: IpAddr = peer.parse().unwrap();
    let host = Host::parse(HeaderValue::from_static("Bakery.localhost:8080")).unwrap();
    rewrite(
        &mut headers,
        &Facts {
            peer,
            peer_value: &HeaderValue::from_str(&peer.to_string()).unwrap(),
            is_trusted: trusted.iter().any(|it| it.contains(peer)),
            trusted_proxies: &trusted,
            scheme: Scheme::Http,
            host: &host,
            tenant: Some(&HeaderValue::from_static("uid")),
            request_id: &HeaderValue::from_static("id"),
        },
    );
    headers
}

fn all<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|it| it.to_str().unwrap()).collect()
}

#[test]
fn a_visitor_can_claim_nothing() {
    let headers = rewritten(
        "203.0.113.9",
        &[],
        &[
            ("host", "bakery.localhost:8080"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-server", "x"),
            ("x-forwarded", "x"),
            ("forwarded", "for=127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x_forwarded_for", "127.0.0.1"),
            ("aipress-tenant", "other"),
            ("aipress-anything", "x"),
            ("aipress-request-id", "x"),
            ("proxy", "http://evil"),
            ("accept", "*/*"),
        ],
    );
    assert_eq!(all(&headers, "x-forwarded-for"), ["203.0.113.9"]);
    assert_eq!(all(&headers, "x-forwarded-proto"), ["http"]);
    assert_eq!(all(&headers, "x-forwarded-host"), ["Bakery.localhost:8080"]);
    assert_eq!(all(&headers, "x-forwarded-port"), ["8080"]);
    assert_eq!(all(&headers, "aipress-tenant"), ["uid"]);
    assert_eq!(all(&headers, "aipress-request-id"), ["id"]);
    assert_eq!(all(&headers, "host"), ["Bakery.localhost:8080"]);
    assert_eq!(all(&headers, "x-request-id"), ["id"]);
    assert_eq!(headers.len(), 9, "{headers:?}");
}

#[test]
fn a_trusted_proxy_is_believed_as_far_as_it_can_know() {
    let headers = rewritten(
        "10.0.0.1",
        &["10.0.0.0/8"],
        &[
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
        ],
    );
    assert_eq!(all(&headers, "x-forwarded-for"), ["203.0.113.9"]);
    assert_eq!(all(&headers, "x-forwarded-proto"), ["https"]);
    assert_eq!(all(&headers, "x-forwarded-host"), ["shop.example"]);
}

#[test]
fn nonsense_of_a_trusted_proxy_is_left_out() {
    let headers = rewritten(
        "10.0.0.1",
        &["10.0.0.0/8"],
        &[
            ("x-forwarded-for", "9.9.9.9, junk, 10.0.0.2"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-port", "http"),
        ],
    );
    assert_eq!(all(&headers, "x-forwarded-for"), ["10.0.0.2"]);
    assert_eq!(all(&headers, "x-forwarded-proto"), ["http"]);
    assert_eq!(all(&headers, "x-forwarded-host"), ["Bakery.localhost:8080"]);
    assert_eq!(all(&headers, "x-forwarded-port"), ["8080"]);
}

#[test]
fn internal_fields_of_an_answer_stay_inside() {
    let mut headers = HeaderMap::new();
    headers.insert("aipress-tags", HeaderValue::from_static("post-1"));
    headers.insert("content-type", HeaderValue::from_static("text/html"));
    strip_internal(&mut headers);
    assert_eq!(headers.len(), 1);
}
