//! Redirects (RFC 9110 section 15.4), for requests without a body only.

use bytes::Bytes;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::header;

use super::error::OutgoingError;

/// A copy of a request that may be sent again elsewhere: `GET` and `HEAD` only.
pub(super) fn repeatable(request: &Request<Bytes>) -> Option<Request<Bytes>> {
    let repeatable = matches!(*request.method(), Method::GET | Method::HEAD);
    repeatable.then(|| request.clone())
}

/// The request that `answer` asks for; `None` when it is no redirect.
///
/// # Errors
/// [`OutgoingError::RedirectedTo`] for a place that is not followed.
pub(super) fn next<B>(
    mut request: Request<Bytes>,
    answer: &Response<B>,
) -> Result<Option<Request<Bytes>>, OutgoingError> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = answer.headers().get(header::LOCATION) else { return Ok(None) };
    let text = String::from_utf8_lossy(location.as_bytes()).into_owned();
    let from = request.uri().clone();
    let to = resolve(&from, &text).ok_or_else(|| OutgoingError::RedirectedTo(text.clone()))?;
    // What was asked for over TLS must not be answered by whoever sits on the wire.
    if from.scheme_str() == Some("https") && to.scheme_str() != Some("https") {
        return Err(OutgoingError::RedirectedTo(text));
    }
    if from.authority() != to.authority() {
        for field in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
            request.headers_mut().remove(field);
        }
    }
    *request.uri_mut() = to;
    Ok(Some(request))
}

/// A reference against its base, in the forms that servers send: absolute, `//host/path`, `/path`
/// and a path beside the old one (RFC 3986 section 5.2, without `..`).
fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or("");
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let absolute = if reference.contains("://") {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    absolute.parse::<Uri>().ok().filter(|uri| uri.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_against_their_base() {
        let base: Uri = "https://a.example:444/x/y?z=1".parse().unwrap();
        for (reference, expected) in [
            ("https://b.example/q", "https://b.example/q"),
            ("//b.example/q", "https://b.example/q"),
            ("/q?r#s", "https://a.example:444/q?r"),
            ("q", "https://a.example:444/x/q"),
        ] {
            assert_eq!(resolve(&base, reference).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn credentials_stay_with_their_host_and_tls_is_not_given_up() {
        let answer = |to: &str| {
            Response::builder().status(302).header(header::LOCATION, to).body(()).unwrap()
        };
        let request = Request::get("https://a.example/")
            .header(header::AUTHORIZATION, "Bearer x")
            .body(Bytes::new())
            .unwrap();
        let same = next(request.clone(), &answer("/b")).unwrap().unwrap();
        assert!(same.headers().contains_key(header::AUTHORIZATION));
        let other = next(request.clone(), &answer("https://b.example/")).unwrap().unwrap();
        assert!(!other.headers().contains_key(header::AUTHORIZATION));
        assert!(next(request, &answer("http://a.example/")).is_err());
    }
}
