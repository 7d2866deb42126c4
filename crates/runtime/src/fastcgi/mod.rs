//! A FastCGI client: codec without I/O, one exchange over one short connection, and a small call
//! on top of it.
//!
//! After the FastCGI Specification 1.0 (Open Market, 1996). One request for each connection and no
//! `FCGI_KEEP_CONN`: php-fpm multiplexes nothing, and a kept connection pins a worker. Request id
//! is therefore always 1. Deliberately absent: the roles Authorizer and Filter, management records
//! (`FCGI_GET_VALUES`), which php-fpm answers but nobody needs here.

pub mod begin_request;
pub mod call;
pub mod decode;
pub mod end_request;
pub mod exchange;
pub mod head;
mod nudge;
pub mod params;
pub mod ping;
pub mod record;
pub mod stdin;

#[cfg(test)]
mod tests;
