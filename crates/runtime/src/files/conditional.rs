//! Validators of a file, and what a request's conditions make of them (RFC 9110 sections 8.8 and
//! 13). Pure.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

/// How long after its last change a file's tag is weak: two changes within one tick of the file
/// system's clock leave the same times, and one of them may be yet to come (RFC 9110 section
/// 8.8.1). The same holds for `Last-Modified`, whose tick is a second.
const SETTLED: Duration = Duration::from_secs(2);

/// The entity tag and date of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    /// The tag with its quotes, and `W/` before them when it is weak.
    pub etag: String,
    /// When the file was changed, in whole seconds.
    pub modified: SystemTime,
    strong: bool,
}

/// What the conditions of a request lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Send the file.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl Validators {
    /// The validators of a file of `len` bytes, at the time `now`. Both times are in the tag:
    /// `modified` can be set back by its owner, `changed` (ctime) cannot.
    pub fn of(len: u64, modified: SystemTime, changed: SystemTime, now: SystemTime) -> Self {
        let since = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
        };
        let settled = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age >= SETTLED);
        let strong = settled(modified) && settled(changed);
        let weak = if strong { "" } else { "W/" };
        let etag = format!("{weak}\"{:x}-{len:x}-{:x}\"", since(modified), since(changed));
        let whole = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(whole);
        Self { etag, modified, strong }
    }

    /// The preconditions of a GET or HEAD in the order of RFC 9110 section 13.2.2.
    pub fn evaluate(&self, headers: &HeaderMap) -> Condition {
        if headers.contains_key(header::IF_MATCH) {
            if !self.matches(headers, &header::IF_MATCH, true) {
                return Condition::Failed;
            }
        } else if let Some(date) = date(headers, &header::IF_UNMODIFIED_SINCE)
            && self.modified > date
        {
            return Condition::Failed;
        }
        if headers.contains_key(header::IF_NONE_MATCH) {
            if self.matches(headers, &header::IF_NONE_MATCH, false) {
                return Condition::NotModified;
            }
        } else if let Some(date) = date(headers, &header::IF_MODIFIED_SINCE)
            && self.modified <= date
        {
            return Condition::NotModified;
        }
        Condition::Proceed
    }

    /// Whether a `Range` counts: always without `If-Range`, else only when the client's copy is
    /// surely of the same bytes (RFC 9110 section 13.1.5).
    pub fn range_allowed(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::IF_RANGE) else { return true };
        let Ok(value) = value.to_str() else { return false };
        if value.contains('"') {
            return self.strong && value == self.etag;
        }
        self.strong && httpdate::parse_http_date(value).is_ok_and(|date| date == self.modified)
    }

    /// Whether a list of tags names this one, compared strongly or weakly (RFC 9110 section
    /// 8.8.3.2).
    fn matches(&self, headers: &HeaderMap, name: &HeaderName, strongly: bool) -> bool {
        let opaque = self.etag.trim_start_matches("W/");
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
            // Our tags hold no comma, so that cutting at commas finds every one of ours.
            value.trim() == "*"
                || value.split(',').map(str::trim).any(|tag| {
                    if strongly {
                        self.strong && tag == self.etag
                    } else {
                        tag.trim_start_matches("W/") == opaque
                    }
                })
        })
    }
}

/// A date of a header; a bad one counts as none (RFC 9110 section 13.1.3).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn validators(age: u64) -> Validators {
        let modified = at(1_000_000_000) + Duration::from_millis(1);
        Validators::of(5, modified, modified, at(1_000_000_000 + age))
    }

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_fresh_file_has_a_weak_tag() {
        assert!(validators(1).etag.starts_with("W/\""));
        assert!(validators(3).etag.starts_with('"'));
        let later = Validators::of(5, at(10), at(20), at(100));
        assert_ne!(later.etag, Validators::of(5, at(10), at(21), at(100)).etag);
        assert_ne!(later.etag, Validators::of(6, at(10), at(20), at(100)).etag);
    }

    #[test]
    fn conditions() {
        use Condition::{Failed, NotModified, Proceed};
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

        let it = validators(100);
        let tag = it.etag.as_str();
        let weak = format!("\"x\", W/{tag}");
        let (same, before) = ("Sun, 09 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 01:46:39 GMT");
        let table: &[(&[(HeaderName, &str)], Condition)] = &[
            (&[], Proceed),
            (&[(IF_NONE_MATCH, tag)], NotModified),
            (&[(IF_NONE_MATCH, &weak)], NotModified),
            (&[(IF_NONE_MATCH, "*")], NotModified),
            (&[(IF_NONE_MATCH, "\"x\"")], Proceed),
            (&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, same)], Proceed),
            (&[(IF_MODIFIED_SINCE, same)], NotModified),
            (&[(IF_MODIFIED_SINCE, before)], Proceed),
            (&[(IF_MODIFIED_SINCE, "junk")], Proceed),
            (&[(IF_MATCH, tag)], Proceed),
            (&[(IF_MATCH, "*")], Proceed),
            (&[(IF_MATCH, "\"x\"")], Failed),
            (&[(IF_MATCH, &weak)], Failed),
            (&[(IF_MATCH, tag), (IF_UNMODIFIED_SINCE, before)], Proceed),
            (&[(IF_UNMODIFIED_SINCE, same)], Proceed),
            (&[(IF_UNMODIFIED_SINCE, before)], Failed),
        ];
        for (list, expected) in table {
            assert_eq!(it.evaluate(&headers(list)), *expected, "{list:?}");
        }
    }

    #[test]
    fn ranges_need_a_strong_validator() {
        let (old, fresh) = (validators(100), validators(1));
        let if_range = |value: &str| headers(&[(header::IF_RANGE, value)]);
        let date = "Sun, 09 Sep 2001 01:46:40 GMT";
        assert!(old.range_allowed(&HeaderMap::new()));
        assert!(old.range_allowed(&if_range(&old.etag)));
        assert!(old.range_allowed(&if_range(date)));
        assert!(!old.range_allowed(&if_range(&format!("W/{}", old.etag))));
        assert!(!old.range_allowed(&if_range("Sun, 09 Sep 2001 01:46:41 GMT")));
        assert!(!fresh.range_allowed(&if_range(&fresh.etag)));
        assert!(!fresh.range_allowed(&if_range(date)));
    }
}
