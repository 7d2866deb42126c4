//! Who asks, for which host, by which scheme: what the edge says of the client.
//!
//! The edge removes `Aipress-*` and `X-Forwarded-*` of clients and writes its own, and only the
//! edge can reach the listener, so they are believed here. Of a list of addresses the last counts:
//! it is the one that our own edge saw.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderMap, Uri, header};

/// The header by which the edge names the tenant.
pub const TENANT_HEADER: &str = "aipress-tenant";
/// The header by which the shard says that it runs the site's scheduled events: PHP is told, and
/// answers when they are done.
pub const CRON_HEADER: &str = "aipress-cron";

/// The client of a request, and how it addressed the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client's address; `0.0.0.0` when nobody told.
    pub addr: IpAddr,
    /// The client's port; 0 when nobody told.
    pub port: u16,
    /// Whether the client spoke TLS.
    pub https: bool,
    /// The host as the client wrote it, with a port if it wrote one; empty when there is none.
    pub host: String,
}

/// The host is no host: it holds something else than names, addresses and ports have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host holds a character that no host has")]
pub struct BadHost;

impl Client {
    /// Reads the client from a request's headers.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, BadHost> {
        let (addr, port) = last_item(headers, "x-forwarded-for")
            .and_then(parse_addr)
            .unwrap_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
        let https = last_item(headers, "x-forwarded-proto")
            .is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let host = match last_item(headers, "x-forwarded-host") {
            Some(host) => host,
            None => match headers.get(header::HOST) {
                Some(host) => host.to_str().map_err(|_| BadHost)?,
                None => uri.authority().map_or("", http::uri::Authority::as_str),
            },
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.len() > 260 || !host.bytes().all(allowed) {
            return Err(BadHost);
        }
        Ok(Self { addr, port, https, host: host.to_owned() })
    }

    /// The host without its port.
    pub fn server_name(&self) -> &str {
        without_port(&self.host)
    }

    /// The port that the client addressed.
    pub fn server_port(&self) -> &str {
        match self.host[self.server_name().len()..].strip_prefix(':') {
            Some(port) if !port.is_empty() => port,
            _ if self.https => "443",
            _ => "80",
        }
    }
}

/// A host without the port behind it. The brackets of an IPv6 address stay.
pub fn without_port(host: &str) -> &str {
    let names = host.rfind(']').map_or(0, |bracket| bracket + 1);
    host[names..].find(':').map_or(host, |colon| &host[..names + colon])
}

fn last_item<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim).filter(|item| !item.is_empty())
}

fn parse_addr(item: &str) -> Option<(IpAddr, u16)> {
    if let Ok(socket) = item.parse::<SocketAddr>() {
        return Some((socket.ip(), socket.port()));
    }
    let bare = item.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(item);
    bare.parse().ok().map(|addr| (addr, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(headers: &[(&'static str, &str)]) -> Result<Client, BadHost> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Client::of(&Uri::from_static("/"), &map)
    }

    #[test]
    fn believes_the_nearest_address() {
        let it = client(&[("x-forwarded-for", "6.6.6.6, 10.0.0.9"), ("host", "a.b:8080")]).unwrap();
        assert_eq!(it.addr.to_string(), "10.0.0.9");
        assert_eq!((it.server_name(), it.server_port(), it.https), ("a.b", "8080", false));
        let it =
            client(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "[::1]:99")]).unwrap();
        assert_eq!((it.addr.to_string().as_str(), it.port), ("::1", 99));
        assert_eq!(client(&[("x-forwarded-for", "junk")]).unwrap().addr.to_string(), "0.0.0.0");
    }

    #[test]
    fn knows_scheme_and_port() {
        let it = client(&[("x-forwarded-proto", "https"), ("x-forwarded-host", "a.b")]).unwrap();
        assert_eq!((it.server_name(), it.server_port(), it.https), ("a.b", "443", true));
        assert_eq!(client(&[("host", "a.b")]).unwrap().server_port(), "80");
        assert_eq!(client(&[("host", "a.b:")]).unwrap().server_port(), "80");
        let it = client(&[("host", "[::1]:80")]).unwrap();
        assert_eq!((it.server_name(), it.server_port()), ("[::1]", "80"));
    }

    #[test]
    fn refuses_what_is_no_host() {
        for host in ["a b", "a/b", "a\"b", "a<b>", "a@b"] {
            assert_eq!(client(&[("host", host)]), Err(BadHost), "{host}");
        }
    }
}
