//! What a site is told of the visitor, and what a visitor can't tell it. Pure.
//!
//! Fields of ours are taken away from what comes in and written anew, so that a site can believe
//! them. A field with `_` in its name is dropped whatever it is (as nginx does): CGI makes
//! `X_Forwarded_For` and `X-Forwarded-For` the same variable.

use std::net::IpAddr;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::config::Scheme;
use crate::host::Host;
use crate::network::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const TENANT: HeaderName = HeaderName::from_static("aipress-tenant");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("aipress-request-id");

/// Who asks, and for what.
pub(crate) struct Facts<'a> {
    /// The address at the other end of the connection.
    pub(crate) peer: IpAddr,
    /// The same as a header value, made once for the connection.
    pub(crate) peer_value: &'a HeaderValue,
    /// Whether the peer is a proxy that is believed.
    pub(crate) is_trusted: bool,
    pub(crate) trusted_proxies: &'a [Network],
    pub(crate) scheme: Scheme,
    pub(crate) host: &'a Host,
    /// The tenant; none for the console.
    pub(crate) tenant: Option<&'a HeaderValue>,
    pub(crate) request_id: &'a HeaderValue,
}

/// Takes away what a visitor must not say and says what is so.
pub(crate) fn rewrite(headers: &mut HeaderMap, facts: &Facts<'_>) {
    let told = if facts.is_trusted { Told::by(headers, facts) } else { Told::default() };
    let ours: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    let scheme = told.scheme.unwrap_or(facts.scheme);
    let port = match facts.host.port() {
        Some(port) => HeaderValue::from_str(port)
            .unwrap_or_else(|_| HeaderValue::from_static(scheme.default_port())),
        None => HeaderValue::from_static(scheme.default_port()),
    };
    let client = told.client.unwrap_or_else(|| facts.peer_value.clone());
    headers.insert(FORWARDED_FOR, client);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme.as_str()));
    headers.insert(FORWARDED_HOST, told.host.unwrap_or_else(|| facts.host.sent.clone()));
    headers.insert(FORWARDED_PORT, told.port.unwrap_or(port));
    headers.insert(REQUEST_ID, facts.request_id.clone());
    // For the site's own use: the same that its visitor gets. What a visitor sent is no id of ours.
    headers.insert(X_REQUEST_ID, facts.request_id.clone());
    if let Some(tenant) = facts.tenant {
        headers.insert(TENANT, tenant.clone());
    }
    headers.insert(header::HOST, facts.host.sent.clone());
}

/// What a proxy in front told.
#[derive(Default)]
struct Told {
    client: Option<HeaderValue>,
    scheme: Option<Scheme>,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
}

impl Told {
    fn by(headers: &HeaderMap, facts: &Facts<'_>) -> Self {
        let only = |name: &HeaderName| {
            let mut all = headers.get_all(name).iter();
            all.next().filter(|_| all.next().is_none())
        };
        let scheme = only(&FORWARDED_PROTO).and_then(|it| match it.as_bytes() {
            b"https" => Some(Scheme::Https),
            b"http" => Some(Scheme::Http),
            _ => None,
        });
        Self {
            client: client(headers, facts),
            scheme,
            host: only(&FORWARDED_HOST)
                .cloned()
                .and_then(|it| Host::parse(it).ok())
                .map(|host| host.sent),
            port: only(&FORWARDED_PORT)
                .filter(|it| it.to_str().is_ok_and(|text| text.parse::<u16>().is_ok()))
                .cloned(),
        }
    }
}

/// The client's address: from the nearest hop outwards the first that is no proxy of ours. What
/// stands before it in the list is what the client itself claims.
fn client(headers: &HeaderMap, facts: &Facts<'_>) -> Option<HeaderValue> {
    let lists: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or("")).collect();
    let mut nearest = facts.peer;
    for item in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        // Nobody before an address that is none can be told.
        let Ok(address) = item.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !facts.trusted_proxies.iter().any(|network| network.contains(nearest)) {
            break;
        }
    }
    HeaderValue::from_str(&nearest.to_string()).ok()
}

/// Whether a field is one that only the edge writes.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("aipress-")
        || name.starts_with("x-forwarded")
        || matches!(name, "forwarded" | "x-real-ip" | "proxy" | "x-original-url" | "x-rewrite-url")
        // What other networks' proxies call the visitor's address: plugins believe them.
        || matches!(
            name,
            "client-ip" | "x-client-ip" | "x-cluster-client-ip" | "true-client-ip"
                | "cf-connecting-ip" | "fastly-client-ip"
        )
        || name.contains('_')
}

/// Takes fields between gateway and edge out of an answer.
pub(crate) fn strip_internal(headers: &mut HeaderMap) {
    let is_internal = |name: &&HeaderName| name.as_str().starts_with("aipress-");
    let internal: Vec<HeaderName> = headers.keys().filter(is_internal).cloned().collect();
    for name in internal {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
