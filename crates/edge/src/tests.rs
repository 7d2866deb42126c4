//! The edge in process, on port 0, between raw sockets, a fake meta and fake gateways.

mod support;

mod answers;
mod forwarding;
mod hostile;
mod lifecycle;
mod routing;
mod streaming;
