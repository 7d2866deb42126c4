//! Everything that the edge answers by itself, with its status and its words. Pure.

use std::time::Duration;

use http::StatusCode;

/// Why a request does not get what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request itself is wrong; with the reason.
    BadRequest(&'static str),
    /// `CONNECT` and `TRACE`.
    Method,
    /// The visitor paused for too long within the body.
    RequestTimeout,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The target is longer than allowed.
    UriTooLong,
    /// `Expect` of anything but `100-continue`.
    Expectation,
    /// More or longer header fields than allowed.
    HeadersTooLarge,
    /// A transfer coding that is not `chunked`.
    TransferCoding,
    /// Nobody has this host.
    UnknownHost,
    /// The edge does not know yet who has this host.
    NoRoutes,
    /// The site is suspended.
    Suspended,
    /// The site is being made.
    Starting,
    /// The site is broken.
    Broken,
    /// Too many requests are under way.
    Overloaded,
    /// The gateway can't be reached.
    Unreachable,
    /// The gateway went away before it answered.
    Lost,
    /// The gateway's answer makes no sense.
    Nonsense,
    /// The gateway takes too long.
    TimedOut,
}

impl Refusal {
    /// The status. A suspended site is a 503 with a long `Retry-After`, as WordPress hosts do it:
    /// crawlers come back and keep the site in their index, which a 403, 404 or 410 would end.
    /// A gateway that can't be reached is a 503, for its supervisor is bringing it back.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::UnknownHost => StatusCode::NOT_FOUND,
            Self::NoRoutes
            | Self::Suspended
            | Self::Starting
            | Self::Overloaded
            | Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken | Self::Lost | Self::Nonsense => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Stable word for programs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::Method => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::Expectation => "expectation_failed",
            Self::HeadersTooLarge => "headers_too_large",
            Self::TransferCoding => "transfer_coding_unknown",
            Self::UnknownHost => "site_unknown",
            Self::NoRoutes => "edge_starting",
            Self::Suspended => "site_suspended",
            Self::Starting => "site_starting",
            Self::Broken => "site_broken",
            Self::Overloaded => "overloaded",
            Self::Unreachable => "upstream_unreachable",
            Self::Lost => "upstream_lost",
            Self::Nonsense => "upstream_nonsense",
            Self::TimedOut => "upstream_timeout",
        }
    }

    /// What it is, for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::BadRequest(_) => "This request can't be understood",
            Self::Method => "This method is not allowed",
            Self::RequestTimeout => "The request took too long",
            Self::BodyTooLarge => "This upload is too large",
            Self::UriTooLong => "This address is too long",
            Self::Expectation => "This expectation can't be met",
            Self::HeadersTooLarge => "The request's header is too large",
            Self::TransferCoding => "This transfer coding is not known here",
            Self::UnknownHost => "There is no site here",
            Self::NoRoutes => "Just a moment",
            Self::Suspended => "This site is suspended",
            Self::Starting => "This site is being set up",
            Self::Broken => "This site has a problem",
            Self::Overloaded => "Too many visitors at once",
            Self::Unreachable => "This site is not reachable right now",
            Self::Lost | Self::Nonsense => "This site did not answer",
            Self::TimedOut => "This site took too long to answer",
        }
    }

    /// What to do about it, for people.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::BadRequest(reason) => reason,
            Self::Method => "Use GET, POST or another method that sites know.",
            Self::RequestTimeout => "The connection paused for too long. Please try again.",
            Self::BodyTooLarge => {
                "Files of up to 100 MB can be uploaded. Please choose a smaller one."
            }
            Self::UriTooLong => "Please use a shorter address.",
            Self::Expectation => "Send the request without its Expect header field.",
            Self::HeadersTooLarge => "Deleting this site's cookies in your browser usually helps.",
            Self::TransferCoding => "Send the body as it is, or chunked.",
            Self::UnknownHost => {
                "No site has this address. Please check its spelling. If it is your site, check \
                 that it has not been deleted."
            }
            Self::NoRoutes => "The service is just starting. Please try again in a few seconds.",
            Self::Suspended => "If this is your site, please sign in to your account to resume it.",
            Self::Starting => "It will be ready in a moment; this page looks again by itself.",
            Self::Broken => "Its owner can see the reason in the account. Please try again later.",
            Self::Overloaded => "Please try again in a moment.",
            Self::Unreachable => {
                "It is probably coming back already. Please try again in a moment."
            }
            Self::Lost | Self::Nonsense => "Something went wrong on the way. Please try again.",
            Self::TimedOut => "Please try again later.",
        }
    }

    /// When to come back.
    pub(crate) fn retry_after(self) -> Option<Duration> {
        let seconds = match self {
            Self::NoRoutes | Self::Overloaded => 1,
            Self::Starting => 2,
            Self::Unreachable => 5,
            Self::Suspended => 3_600,
            _ => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Whether a browser that shows the page should look again by itself.
    pub(crate) fn looks_again(self) -> bool {
        matches!(self, Self::Starting)
    }

    /// Whether the visitor's connection must not be used further: what follows on it may be a
    /// body that nobody reads, or was never understood.
    pub(crate) fn closes(self) -> bool {
        matches!(
            self,
            Self::BadRequest(_) | Self::RequestTimeout | Self::BodyTooLarge | Self::TransferCoding
        )
    }
}
