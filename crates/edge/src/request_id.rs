//! Ids of requests: unique, cheap (no system call), and telling nobody how many there were.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use aipress_kit::random::RandomError;
use bytes::Bytes;
use http::HeaderValue;

/// Where ids come from: a random number of this process and a scrambled counter.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Result<Self, RandomError> {
        let process = u64::from_ne_bytes(aipress_kit::random::bytes()?);
        let start = u64::from_ne_bytes(aipress_kit::random::bytes()?);
        Ok(Self { process, next: AtomicU64::new(start) })
    }

    /// The next one: 32 hex digits.
    pub(crate) fn next(&self) -> HeaderValue {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = Vec::with_capacity(32);
        push_hex(&mut text, self.process);
        push_hex(&mut text, scramble(count));
        // Hex digits are always a valid value; the empty one is never reached.
        HeaderValue::from_maybe_shared(Bytes::from(text))
            .unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// The finalizer of SplitMix64: a bijection, so that two counts never meet.
fn scramble(count: u64) -> u64 {
    let mut z = count.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn push_hex(text: &mut Vec<u8>, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in number.to_be_bytes() {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_their_form() {
        let ids = RequestIds::new().unwrap();
        let all: std::collections::HashSet<_> =
            (0..1_000).map(|_| ids.next().to_str().unwrap().to_owned()).collect();
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
