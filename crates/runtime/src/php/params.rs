//! What PHP is told about a request: the CGI variables (RFC 3875 section 4.1). Pure.
//!
//! No secret is among them: they show in `$_SERVER`.

use std::os::unix::ffi::OsStrExt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts};

use crate::{
    client::{CRON_HEADER, Client},
    fastcgi::params::put_pair,
    site::Site,
};

/// WordPress's trigger of its cron.
pub(super) const CRON: &[u8] = b"wp-cron.php";

/// A script and how it was addressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script<'a> {
    /// The folder that it is beneath.
    pub(crate) root: &'a std::path::Path,
    /// Its path beneath the folder, which is its path beneath the site, too.
    pub(crate) file: &'a [u8],
    /// `PATH_INFO`.
    pub(crate) path_info: Option<&'a [u8]>,
}

/// Headers that are not told as `HTTP_…`: they have a variable of their own, concern only the
/// connection (RFC 9110 section 7.6.1), or, `Proxy`, would become `HTTP_PROXY`, which many
/// programs take for the address of a proxy to use (CVE-2016-5385, "httpoxy").
const NOT_TOLD: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy"),
];

/// The variables that are the same for every request of a site, encoded.
pub(crate) fn constant(site: &Site, server_addr: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    put_pair(&mut out, b"GATEWAY_INTERFACE", b"CGI/1.1");
    put_pair(&mut out, b"SERVER_SOFTWARE", b"AIPress");
    put_pair(&mut out, b"SERVER_ADDR", server_addr.as_bytes());
    put_pair(&mut out, b"REDIRECT_STATUS", b"200");
    put_pair(&mut out, b"DOCUMENT_ROOT", site.core_dir.as_os_str().as_bytes());
    put_pair(&mut out, b"AIPRESS_TENANT_UID", site.uid.as_bytes());
    put_pair(&mut out, b"AIPRESS_SLOT_DIR", site.slot_dir.as_os_str().as_bytes());
    if let Some(php_dir) = &site.php_dir {
        put_pair(&mut out, b"AIPRESS_PHP_DIR", php_dir.as_os_str().as_bytes());
    }
    for (name, value) in &site.told {
        put_pair(&mut out, name.as_bytes(), value.as_bytes());
    }
    for (name, values) in
        [("PHP_VALUE", &site.php_values), ("PHP_ADMIN_VALUE", &site.php_admin_values)]
    {
        let ini = php_ini(site, values);
        if !ini.is_empty() {
            put_pair(&mut out, name.as_bytes(), ini.as_bytes());
        }
    }
    out
}

/// Appends the variables of one request. `content_length` is that of the body as it is.
pub(crate) fn put_request(
    out: &mut Vec<u8>,
    parts: &Parts,
    client: &Client,
    script: Script<'_>,
    content_length: u64,
) {
    let uri = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    put_pair(out, b"REQUEST_METHOD", parts.method.as_str().as_bytes());
    put_pair(out, b"REQUEST_URI", uri.as_bytes());
    put_pair(out, b"QUERY_STRING", parts.uri.query().unwrap_or_default().as_bytes());
    put_pair(out, b"SERVER_PROTOCOL", protocol(parts.version));
    let name = [b"/", script.file].concat();
    put_pair(out, b"SCRIPT_NAME", &name);
    let file_name = [script.root.as_os_str().as_bytes(), &name].concat();
    put_pair(out, b"SCRIPT_FILENAME", &file_name);
    if let Some(path_info) = script.path_info {
        put_pair(out, b"PATH_INFO", path_info);
    }
    put_pair(out, b"REMOTE_ADDR", client.addr.to_string().as_bytes());
    put_pair(out, b"REMOTE_PORT", client.port.to_string().as_bytes());
    put_pair(out, b"SERVER_NAME", client.server_name().as_bytes());
    put_pair(out, b"SERVER_PORT", client.server_port().as_bytes());
    if client.https {
        put_pair(out, b"REQUEST_SCHEME", b"https");
        put_pair(out, b"HTTPS", b"on");
    } else {
        put_pair(out, b"REQUEST_SCHEME", b"http");
    }
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
        put_pair(out, b"CONTENT_TYPE", kind.as_bytes());
    }
    let sends = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if content_length > 0 || sends {
        put_pair(out, b"CONTENT_LENGTH", content_length.to_string().as_bytes());
    }
    if script.file == CRON && parts.headers.contains_key(CRON_HEADER) {
        put_pair(out, b"AIPRESS_CRON", b"1");
    }
    put_pair(out, b"HTTP_HOST", client.host.as_bytes());
    put_headers(out, &parts.headers);
}

fn put_headers(out: &mut Vec<u8>, headers: &HeaderMap) {
    let mut cgi_name = Vec::new();
    for name in headers.keys() {
        if !is_told(name) {
            continue;
        }
        cgi_name.clear();
        cgi_name.extend_from_slice(b"HTTP_");
        cgi_name.extend(name.as_str().bytes().map(|byte| match byte {
            b'-' => b'_',
            other => other.to_ascii_uppercase(),
        }));
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(HeaderValue::as_bytes).unwrap_or_default();
        let Some(second) = values.next() else {
            put_pair(out, &cgi_name, first);
            continue;
        };
        // One variable for each name (RFC 3875 section 4.1.18); cookies are joined their own way
        // (RFC 9113 section 8.2.3).
        let between: &[u8] = if *name == header::COOKIE { b"; " } else { b", " };
        let mut joined = first.to_vec();
        for value in std::iter::once(second).chain(values) {
            joined.extend_from_slice(between);
            joined.extend_from_slice(value.as_bytes());
        }
        put_pair(out, &cgi_name, &joined);
    }
}

/// Whether a header is told to PHP.
///
/// A name may hold letters, digits and dashes only. A dash becomes an underscore in CGI, and PHP
/// makes one of a dot and a space, so that `X_Forwarded_For` or `x.forwarded.for` of a client
/// would overwrite the edge's `X-Forwarded-For`.
fn is_told(name: &HeaderName) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    name.as_str().bytes().all(plain)
        && !name.as_str().starts_with("aipress-")
        && !NOT_TOLD.contains(name)
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        _ => b"HTTP/1.1",
    }
}

/// Settings as lines of an ini file, as php-fpm reads them. What could be something else than one
/// setting with one value (a line break, a quote, `$` for an environment variable) is left out.
fn php_ini(site: &Site, values: &[(String, String)]) -> String {
    let mut ini = String::new();
    for (key, value) in values {
        let good_key = !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let bad_value = value.chars().any(|it| it.is_control() || matches!(it, '"' | '$' | '\\'));
        if !good_key || bad_value {
            tracing::warn!(tenant.uid = %site.uid, php.setting = %key, "php setting left out");
            continue;
        }
        ini.push_str(&format!("{key}=\"{value}\"\n"));
    }
    ini
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, path::Path};

    use http::Request;

    use super::*;
    use crate::fastcgi::params::decode_pairs;

    fn told(request: http::request::Builder, path_info: Option<&[u8]>) -> HashMap<String, String> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let client = Client::of(&parts.uri, &parts.headers).unwrap();
        let script = Script { root: Path::new("/core"), file: b"index.php", path_info };
        let mut out = Vec::new();
        put_request(&mut out, &parts, &client, script, 0);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let pairs = decode_pairs(&out).unwrap();
        let count = pairs.len();
        let map: HashMap<_, _> = pairs.into_iter().map(|(k, v)| (text(k), text(v))).collect();
        assert_eq!(map.len(), count, "a variable is told twice");
        map
    }

    #[test]
    fn tells_what_cgi_has() {
        let request = Request::get("/a%20b/?q=1&r=%2F")
            .header("host", "bakery.localhost:8080")
            .header("x-forwarded-for", "192.0.2.7:1234")
            .header("x-forwarded-proto", "https")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("accept", "a/b")
            .header("accept", "c/d")
            .header("content-type", "x/y")
            .header("authorization", "Basic eA==");
        let it = told(request, Some(b"/a b/"));
        for (name, value) in [
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", "/a%20b/?q=1&r=%2F"),
            ("QUERY_STRING", "q=1&r=%2F"),
            ("SCRIPT_NAME", "/index.php"),
            ("SCRIPT_FILENAME", "/core/index.php"),
            ("PATH_INFO", "/a b/"),
            ("SERVER_NAME", "bakery.localhost"),
            ("SERVER_PORT", "8080"),
            ("REMOTE_ADDR", "192.0.2.7"),
            ("REMOTE_PORT", "1234"),
            ("REQUEST_SCHEME", "https"),
            ("HTTPS", "on"),
            ("CONTENT_TYPE", "x/y"),
            ("HTTP_HOST", "bakery.localhost:8080"),
            ("HTTP_COOKIE", "a=1; b=2"),
            ("HTTP_ACCEPT", "a/b, c/d"),
            ("HTTP_AUTHORIZATION", "Basic eA=="),
        ] {
            assert_eq!(it.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!it.contains_key("CONTENT_LENGTH"));
        assert!(!it.contains_key("HTTP_CONTENT_TYPE"));
    }

    #[test]
    fn keeps_quiet_about_tricks() {
        let request = Request::post("/")
            .header("host", "a.b")
            .header("proxy", "http://evil")
            .header("aipress-tenant", "x")
            .header("aipress-token", "x")
            .header("x-forwarded-for", "192.0.2.7")
            .header("x_forwarded_for", "6.6.6.6")
            .header("x.forwarded.for", "6.6.6.6")
            .header("connection", "close")
            .header("transfer-encoding", "chunked");
        let it = told(request, None);
        assert_eq!(it["HTTP_X_FORWARDED_FOR"], "192.0.2.7");
        assert_eq!(it["CONTENT_LENGTH"], "0");
        let http: Vec<_> = it.keys().filter(|name| name.starts_with("HTTP_")).collect();
        assert_eq!(http.len(), 2, "{http:?}");
        assert!(!it.contains_key("HTTPS") && !it.contains_key("PATH_INFO"));
    }

    #[test]
    fn settings_cannot_bring_others_along() {
        let values = [("memory_limit", "256M"), ("a", "1\nb=2"), ("c\nd", "1"), ("e", "${HOME}")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let ini = php_ini(&Site::new("u", "n", 1), &values);
        assert_eq!(ini, "memory_limit=\"256M\"\n");
    }
}
