//! Whether a client would rather have JSON than HTML (RFC 9110 section 12.5.1). Pure.

use http::HeaderValue;

/// Whether `accept` prefers JSON. When it prefers neither, `by_default` decides.
pub(super) fn prefers_json<'a>(
    accept: impl Iterator<Item = &'a HeaderValue>,
    by_default: bool,
) -> bool {
    let (mut json, mut html) = (None::<u16>, None::<u16>);
    for range in accept.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        if kind == "application/json"
            || (kind.starts_with("application/") && kind.ends_with("+json"))
        {
            json = json.max(Some(quality));
        } else if kind == "text/html" || kind == "application/xhtml+xml" || kind == "text/*" {
            html = html.max(Some(quality));
        }
    }
    match (json.unwrap_or(0), html.unwrap_or(0)) {
        (json, html) if json == html => by_default,
        (json, html) => json > html,
    }
}

/// A quality value in thousandths; one that is none counts as 0.
fn thousandths(text: &str) -> u16 {
    match text.parse::<f32>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1000"
        )]
        Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1_000.0) as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_preference() {
        let prefers = |accept: &str, by_default| {
            prefers_json([HeaderValue::from_str(accept).unwrap()].iter(), by_default)
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(!prefers(browser, true));
        assert!(prefers("application/json", false));
        assert!(prefers("application/problem+json, text/html;q=0.5", false));
        assert!(!prefers("application/json;q=0.1, text/html", true));
        assert!(!prefers("application/json;q=x, text/html;q=0.2", true));
        for neither in ["*/*", "", "image/png"] {
            assert!(!prefers(neither, false) && prefers(neither, true), "{neither}");
        }
        assert!(prefers_json([].iter(), true));
    }
}
