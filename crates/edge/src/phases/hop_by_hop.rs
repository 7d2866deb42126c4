//! Header fields that are of one connection only and go no further (RFC 9110 section 7.6.1). Pure.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

/// Fields that are never passed on, whether `Connection` names them or not.
const ALWAYS: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
];

/// Removes what is of this connection only. `Upgrade` goes, too; who passes an upgrade on adds it
/// again.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named(headers) {
            headers.remove(name);
        }
    }
    for name in &ALWAYS {
        headers.remove(name);
    }
    headers.remove(header::UPGRADE);
}

/// The fields that `Connection` names. Not `close` and `keep-alive`, which are no fields; and not
/// what frames the body, which hyper has taken in already and sets anew.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|token| !token.eq_ignore_ascii_case("close"))
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
        .collect()
}

/// Whether the sender takes trailers.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// The protocol that the sender wants to switch to, if it is one that is passed on: WebSockets.
/// Not `h2c`, which would let a visitor speak past the edge.
pub(crate) fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_asked = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let wanted = headers.get(header::UPGRADE).filter(|_| is_asked)?;
    wanted.as_bytes().eq_ignore_ascii_case(b"websocket").then(|| wanted.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_is_of_the_connection_goes_no_further() {
        let mut headers = map(&[
            ("connection", "close, X-One"),
            ("connection", "x-two,keep-alive"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
            ("cookie", "a=b"),
        ]);
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "cookie"]);
    }

    #[test]
    fn connection_does_not_take_away_what_frames_or_routes() {
        let mut headers =
            map(&[("connection", "host, content-length"), ("host", "a"), ("content-length", "3")]);
        strip(&mut headers);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn only_websockets_are_passed_on() {
        let wanted = |connection, upgrade| {
            wanted_upgrade(&map(&[("connection", connection), ("upgrade", upgrade)])).is_some()
        };
        assert!(wanted("keep-alive, Upgrade", "WebSocket"));
        assert!(!wanted("keep-alive", "websocket"));
        assert!(!wanted("upgrade, http2-settings", "h2c"));
        assert!(!wanted("upgrade", "h2c, websocket"));
    }

    #[test]
    fn trailers_are_for_who_asks() {
        assert!(takes_trailers(&map(&[("te", "gzip;q=0.5, Trailers")])));
        assert!(!takes_trailers(&map(&[("te", "gzip")])));
    }
}
