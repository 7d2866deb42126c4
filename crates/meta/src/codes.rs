//! The stable codes of problems (RFC 9457): what programs compare. A code has one status and one
//! title for ever; new ones are added here, none is renamed.

/// One kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    /// The HTTP status that it always comes with.
    pub(crate) status: u16,
    /// The stable word.
    pub(crate) code: &'static str,
    /// What kind of problem it is, for people.
    pub(crate) title: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $title:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: Code =
            Code { status: $status, code: $code, title: $title };)*

        /// Every code, for documents and tests.
        pub(crate) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// The request is not HTTP or JSON as it should be.
    BAD_REQUEST = 400 "bad_request" "the request is malformed";
    /// The body is no JSON.
    INVALID_JSON = 400 "invalid_json" "the body is no JSON";
    /// A query parameter is unknown or has a wrong value.
    INVALID_QUERY = 400 "invalid_query" "a query parameter is wrong";
    /// The cursor is damaged or of a list with another filter or order.
    INVALID_CURSOR = 400 "invalid_cursor" "the cursor does not belong to this list";
    /// `Idempotency-Key` is empty, too long or not visible ASCII.
    INVALID_IDEMPOTENCY_KEY = 400 "invalid_idempotency_key" "the idempotency key is malformed";
    /// No token, or one that is wrong, revoked or over (RFC 9110 section 15.5.2).
    UNAUTHENTICATED = 401 "unauthenticated" "sign in first";
    /// The caller is known and may not do this.
    FORBIDDEN = 403 "forbidden" "not allowed";
    /// Does not exist, or is not the caller's to see: the two are never told apart.
    NOT_FOUND = 404 "not_found" "not found";
    /// It was never looked at; the detail says how to have it looked at.
    NOT_OBSERVED_YET = 404 "not_observed_yet" "not looked at yet";
    /// The path is there, the method is not; `Allow` says which are.
    METHOD_NOT_ALLOWED = 405 "method_not_allowed" "this path does not take that method";
    /// A tenant that is not erased has the name.
    NAME_TAKEN = 409 "name_taken" "the name is taken";
    /// The tenant's state does not allow it; the detail says what would.
    INVALID_STATE = 409 "invalid_state" "not in this state";
    /// No shard can take another site. 409 and not 503: the API is well, and it is the state of
    /// the federation that the request conflicts with; somebody must free a slot, open a shard or
    /// add one. A 503 would make clients and proxies repeat it blindly and count as an outage.
    NO_CAPACITY = 409 "no_capacity" "no room for another site";
    /// The same `Idempotency-Key` is being worked on.
    IDEMPOTENCY_IN_FLIGHT = 409 "idempotency_in_flight" "the same request is still under way";
    /// The plan is over; `plan` has a new one.
    PLAN_EXPIRED = 409 "plan_expired" "the plan is over";
    /// What the plan was made from has changed; `plan` has a new one where one can be made.
    PLAN_STALE = 409 "plan_stale" "the plan does not fit any more";
    /// A role speaks another version of the protocol.
    PROTOCOL_MISMATCH = 409 "protocol_mismatch" "roles of different versions";
    /// It was there, and will not be again.
    GONE = 410 "gone" "it is gone";
    /// The account, or the platform, has as many webhooks as it may.
    TOO_MANY_WEBHOOKS = 409 "too_many_webhooks" "no room for another webhook";
    /// `If-Match` names another version of the resource than the current one, or `If-None-Match: *`
    /// was sent and it exists.
    ETAG_MISMATCH = 412 "etag_mismatch" "it was changed meanwhile";
    /// Events behind the cursor are not kept any more.
    CURSOR_EXPIRED = 410 "cursor_expired" "the cursor is too old";
    /// The plan does not keep all of its request.
    PLAN_NOT_WHOLE = 422 "plan_not_whole" "the plan does not keep the whole request";
    /// The change can't be planned.
    NO_DRY_RUN = 422 "no_dry_run" "nobody can say what it would do";
    /// The mirror has another archive of that version for the same people.
    PACKAGE_CONFLICT = 409 "package_conflict" "the mirror has another one of that version";
    /// The spec of a site names the archive.
    PACKAGE_IN_USE = 409 "package_in_use" "a site uses it";
    /// The body is larger than the API takes.
    BODY_TOO_LARGE = 413 "body_too_large" "the body is too large";
    /// The body is not `application/json`.
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type" "the body must be JSON";
    /// The body is not `application/zip`.
    NOT_A_ZIP = 415 "not_a_zip" "the body must be a zip archive";
    /// The archive is damaged, hostile, or neither plugin nor theme; the detail says which.
    PACKAGE_REFUSED = 422 "package_refused" "the archive is not taken";
    /// The account has as many bytes of archives as it may.
    PACKAGE_QUOTA = 422 "package_quota" "too many archives";
    /// Well-formed, but fields are wrong; `errors` says which.
    INVALID_FIELDS = 422 "invalid_fields" "some fields are wrong";
    /// The `Idempotency-Key` was used for another method, path or body.
    IDEMPOTENCY_MISMATCH = 422 "idempotency_mismatch" "the idempotency key was used differently";
    /// As many commands of the site or its shard run as may at once.
    TOO_MANY_COMMANDS = 429 "too_many_commands" "too many commands at once";
    /// Too many event streams at once.
    TOO_MANY_STREAMS = 429 "too_many_streams" "too many event streams";
    /// A fault of ours; the request id finds it in the log.
    INTERNAL = 500 "internal" "something went wrong on our side";
    /// The directory or address does not give the archive right now.
    PACKAGE_UNAVAILABLE = 503 "package_unavailable" "the archive can't be had right now";
    /// The shard that is needed does not answer.
    SHARD_UNAVAILABLE = 503 "shard_unavailable" "the site's shard does not answer";
    /// The registry is damaged; whoever runs the platform brings it back from a copy.
    REGISTRY_DAMAGED = 500 "registry_damaged" "the registry is damaged";
    /// The registry can't be read or written at the moment.
    REGISTRY_UNAVAILABLE = 503 "registry_unavailable" "the registry does not work right now";
}

/// In an operation's `error`: the shard could not do it. Never the status of a request.
pub(crate) const OPERATION_FAILED: Code =
    Code { status: 500, code: "operation_failed", title: "the shard could not do it" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_listed_once_and_is_a_word_for_programs() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.code != code.code), "{}", code.code);
            assert!(code.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!((400..600).contains(&code.status));
        }
    }
}
