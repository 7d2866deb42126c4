//! Whether a client prefers JSON to a page (RFC 9110 section 12.5.1). Pure.

use http::{HeaderMap, header};

/// Whether some JSON is wanted more than HTML. A client that does not say, or wants both the same,
/// is a browser.
pub fn prefers_json(headers: &HeaderMap) -> bool {
    let (mut json, mut html, mut any) = (0, None, None);
    for value in headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for item in value.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
            match kind.as_str() {
                "application/json" | "application/problem+json" => json = json.max(quality),
                "text/html" | "application/xhtml+xml" => html = html.max(Some(quality)),
                "text/*" | "*/*" => any = any.max(Some(quality)),
                _ => {}
            }
        }
    }
    json > html.or(any).unwrap_or(0)
        // `application/json, */*` of scripts: JSON is what they name.
        || html.is_none() && json > 0 && Some(json) == any
}

/// A quality of at most three decimals (RFC 9110 section 12.4.2) in thousandths; a bad one is 0.
fn thousandths(text: &str) -> u32 {
    match text.trim().parse::<f32>() {
        Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0).round() as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefers() {
        for (accept, json) in [
            ("", false),
            ("*/*", false),
            ("application/json", true),
            ("application/problem+json", true),
            ("application/json, text/plain, */*", true),
            ("application/json;q=0.5, */*", false),
            ("application/json, text/html", false),
            ("application/json;q=0.5, text/html;q=0.4", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("application/json;q=0", false),
            ("application/json;q=junk", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_json(&headers), json, "{accept}");
        }
    }
}
