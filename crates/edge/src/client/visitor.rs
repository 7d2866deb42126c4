//! What all requests of one connection share, and what its patience looks at.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use http::HeaderValue;

use super::patience::Seen;
use crate::network::Network;

/// A connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// The other end's address, in its shortest form.
    pub(crate) address: IpAddr,
    /// The same as a header value.
    pub(crate) address_value: HeaderValue,
    /// Whether it is a proxy that is believed.
    pub(crate) is_trusted: bool,
    /// Requests begun.
    begun: AtomicU32,
    /// Requests under way.
    busy: AtomicU32,
    /// Whether bytes came since the last request began.
    has_bytes: AtomicBool,
    /// Whether a body was left unread in the socket.
    lingers: AtomicBool,
}

impl Visitor {
    /// One who came from `peer`; none for a Unix socket, which is this machine.
    pub(crate) fn new(peer: Option<SocketAddr>, trusted: &[Network]) -> Self {
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |it| it.ip().to_canonical());
        let address_value = HeaderValue::from_str(&address.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("0.0.0.0"));
        Self {
            address,
            address_value,
            is_trusted: trusted.iter().any(|network| network.contains(address)),
            begun: AtomicU32::new(0),
            busy: AtomicU32::new(0),
            has_bytes: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
        }
    }

    /// A request's head is whole.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.has_bytes.store(false, Ordering::Relaxed);
    }

    /// A request's answer is handed over, or given up.
    pub(crate) fn end(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Bytes came in.
    pub(crate) fn read_some(&self) {
        if self.busy.load(Ordering::Relaxed) == 0 {
            self.has_bytes.store(true, Ordering::Relaxed);
        }
    }

    /// Sets whether closing must wait for what the visitor is still sending.
    pub(crate) fn lingers(&self, lingers: bool) {
        self.lingers.store(lingers, Ordering::Relaxed);
    }

    pub(crate) fn is_lingering(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    /// How it is now.
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            begun: self.begun.load(Ordering::Relaxed),
            is_busy: self.busy.load(Ordering::Relaxed) > 0,
            has_bytes: self.has_bytes.load(Ordering::Relaxed),
        }
    }
}
