//! Mutations that are sent twice and happen once: what is kept of a request by its
//! `Idempotency-Key`.
//!
//! A key is claimed before the work ([`crate::Store::idempotency_begin`]) and finished on the
//! [`crate::Txn`] of the change itself, so that "done" and the change are one commit: a process
//! that is killed in between has done nothing, and its mark, which carries the random id of that
//! process, counts as absent for the next one.

use aipress_types::OperationId;
use aipress_types::TenantUid;
use serde_json::Value;
use time::OffsetDateTime;

/// A mark that is still in flight after this many seconds counts as abandoned, even of a process
/// that lives (a handler that was cancelled): far longer than any request may take.
pub const IDEMPOTENCY_IN_FLIGHT_MAX_S: i64 = 600;

/// A request that carries an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRequest {
    /// Who sent it; keys of two callers never meet.
    pub caller: String,
    /// The key.
    pub key: String,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
}

/// The right to do the work of one key and to finish or release it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// Who sent the request.
    pub caller: String,
    /// Its key.
    pub key: String,
    /// Number of this claim; a later claim on the same key makes this one worthless.
    pub claim: u64,
}

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum IdempotencyOutcome {
    /// Not seen yet (or expired, or its process is dead): do the work.
    New(IdempotencyClaim),
    /// The same request is being worked on.
    InFlight,
    /// The key was used for another method, path or body.
    Mismatch,
    /// Done before: answer this again.
    Replay(IdempotencyRecord),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct IdempotencyRecord {
    /// HTTP status.
    pub status: u16,
    /// Body, free of secrets.
    pub body: Value,
    /// Whether the first answer showed a secret, which a replay cannot.
    pub showed_secret: bool,
    /// The tenant that it was about.
    pub tenant: Option<TenantUid>,
    /// The operation that it began.
    pub operation: Option<OperationId>,
    /// Until when it is kept.
    pub expires_at: OffsetDateTime,
}

/// What is kept of the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct IdempotencyFinish {
    /// HTTP status.
    pub status: u16,
    /// Body, with every secret taken out.
    pub body: Value,
    /// Whether the answer shows a secret.
    pub showed_secret: bool,
    /// The tenant that it is about.
    pub tenant: Option<TenantUid>,
    /// The operation that it began.
    pub operation: Option<OperationId>,
}
