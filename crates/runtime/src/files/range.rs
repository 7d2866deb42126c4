//! Ranges of bytes (RFC 9110 section 14). Pure.

use std::ops::Range;

use http::{HeaderMap, header};

/// More ranges than this are an attack on our patience, and are answered with the whole file
/// (RFC 9110 section 14.2 allows it).
pub const MAX_RANGES: usize = 8;

/// What a request asks of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// All of it: 200.
    Whole,
    /// Parts, none of them empty, in the client's order: 206.
    Parts(Vec<Range<u64>>),
    /// Nothing that it has: 416.
    Unsatisfiable,
}

/// Reads the `Range` of a GET for a file of `len` bytes. One that is not understood does not
/// count; nor do ranges that overlap, with which a file could be asked for many times over.
pub fn ranges(headers: &HeaderMap, len: u64) -> Ranges {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Ranges::Whole };
    let Some(set) = value.to_str().ok().and_then(|text| strip_unit(text)) else {
        return Ranges::Whole;
    };
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut specs = 0;
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        specs += 1;
        match parse_spec(spec, len) {
            Some(part) if part.is_empty() => {}
            Some(part) => parts.push(part),
            None => return Ranges::Whole,
        }
        if specs > MAX_RANGES {
            return Ranges::Whole;
        }
    }
    if specs == 0 {
        return Ranges::Whole;
    }
    if parts.is_empty() {
        return Ranges::Unsatisfiable;
    }
    let overlap = |(index, part): (usize, &Range<u64>)| {
        parts[..index].iter().any(|other| other.start < part.end && part.start < other.end)
    };
    if parts.iter().enumerate().any(overlap) {
        return Ranges::Whole;
    }
    Ranges::Parts(parts)
}

fn strip_unit(text: &str) -> Option<&str> {
    let (unit, set) = text.split_once('=')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(set)
}

/// One range; empty when the file does not reach it, `None` when it is no range at all.
fn parse_spec(spec: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(len.saturating_sub(suffix)..len);
    }
    let start = number(first)?;
    let end = if last.is_empty() { len } else { number(last)?.saturating_add(1) };
    if end <= start && !last.is_empty() {
        return None;
    }
    if start >= len { Some(0..0) } else { Some(start..end.min(len)) }
}

/// Digits and nothing else; what is too large for the file is as large as can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(value: &str, len: u64) -> Ranges {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, value.parse().unwrap());
        ranges(&headers, len)
    }

    #[test]
    fn understands() {
        let parts = |list: &[(u64, u64)]| {
            Ranges::Parts(list.iter().map(|&(start, end)| start..end).collect())
        };
        for (value, expected) in [
            ("bytes=0-0", parts(&[(0, 1)])),
            ("bytes=2-", parts(&[(2, 10)])),
            ("bytes=-3", parts(&[(7, 10)])),
            ("bytes=-99", parts(&[(0, 10)])),
            ("bytes=5-99999999999999999999", parts(&[(5, 10)])),
            ("Bytes = 0-1 , 4-5", parts(&[(0, 2), (4, 6)])),
            ("bytes=4-5,0-1", parts(&[(4, 6), (0, 2)])),
            ("bytes=0-1,50-60", parts(&[(0, 2)])),
            ("bytes=10-", Ranges::Unsatisfiable),
            ("bytes=-0", Ranges::Unsatisfiable),
            ("bytes=10-20,30-", Ranges::Unsatisfiable),
            ("bytes=0-5,3-8", Ranges::Whole),
            ("bytes=5-2", Ranges::Whole),
            ("bytes=", Ranges::Whole),
            ("bytes=-", Ranges::Whole),
            ("bytes=+1-2", Ranges::Whole),
            ("bytes=1-2x", Ranges::Whole),
            ("items=0-1", Ranges::Whole),
            ("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", Ranges::Whole),
        ] {
            assert_eq!(parsed(value, 10), expected, "{value}");
        }
        assert_eq!(parsed("bytes=0-", 0), Ranges::Unsatisfiable);
        assert_eq!(parsed("bytes=-5", 0), Ranges::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn parts_are_within_the_file(value in "bytes=([0-9]{0,3}-[0-9]{0,3},?){0,5}", len in 0u64..500) {
            if let Ranges::Parts(parts) = parsed(&value, len) {
                prop_assert!(!parts.is_empty() && parts.len() <= MAX_RANGES);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= len));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= len);
            }
        }
    }
}
