//! The client of the benchmarks: keep-alive connections over hyper, a closed loop for saturation,
//! an open loop for latency. It measures itself, so that a figure says what part of it is the
//! client's.

mod connection;
mod open_loop;
mod saturation;

pub(crate) use connection::Connection;
pub(crate) use connection::Target;
pub(crate) use open_loop::open_loop;
pub(crate) use saturation::saturate;
