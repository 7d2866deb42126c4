//! What every role needs: lifecycle, named tasks, telemetry, clock, sockets, HTTP server and
//! client builders, sealing of secrets. Knows nothing of tenants.

pub mod clock;
pub mod durable;
pub mod faults;
pub mod http;
pub mod lifecycle;
pub mod listen;
pub mod project_quota;
pub mod random;
pub mod sandbox;
pub mod seal;
pub mod smtp;
pub mod tasks;
pub mod telemetry;
