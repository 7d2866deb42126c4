//! Texts in quotes, as MariaDB writes and reads them (without `NO_BACKSLASH_ESCAPES`).

use std::borrow::Cow;

/// Bytes that are looked at together: what compilers compare at once.
const LANE: usize = 32;

/// Writes bytes as a text in single quotes.
pub fn escape_into(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'\'');
    let mut rest = text;
    while let Some((at, escaped)) = first_escaped(rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(escaped);
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'\'');
}

/// The first byte that can't stand as it is, and what stands for it.
fn first_escaped(text: &[u8]) -> Option<(usize, &'static [u8])> {
    // Most of a site is text without any: compared in lanes, whose bytes are not told apart.
    let lanes = text.chunks_exact(LANE);
    let clean = lanes.take_while(|lane| lane.iter().fold(0, |found, byte| found | odd(*byte)) == 0);
    let from = clean.count() * LANE;
    let rest = text.get(from..).unwrap_or_default();
    rest.iter().enumerate().find_map(|(at, byte)| {
        let escaped: &[u8] = match byte {
            b'\'' => b"\\'",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            0 => b"\\0",
            0x1a => b"\\Z",
            _ => return None,
        };
        Some((from + at, escaped))
    })
}

/// 1 for a byte that is escaped, without a branch.
fn odd(byte: u8) -> u8 {
    let is = |other: u8| u8::from(byte == other);
    is(b'\'') | is(b'\\') | is(b'\n') | is(b'\r') | is(0) | is(0x1a)
}

/// Bytes as a text in single quotes.
pub fn escape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    escape_into(&mut out, text);
    out
}

/// What a text in quotes means.
pub(super) fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let quote = raw.first().copied().unwrap_or(b'\'');
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr2(quote, b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        at += 1;
        match (*byte, inner.get(at)) {
            (b'\\', Some(next)) => {
                at += 1;
                match next {
                    b'0' => out.push(0),
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'b' => out.push(8),
                    b'Z' => out.push(0x1a),
                    // These two stay escaped, for patterns.
                    b'%' | b'_' => out.extend_from_slice(&[b'\\', *next]),
                    other => out.push(*other),
                }
            }
            (byte, Some(next)) if byte == quote && *next == quote => {
                at += 1;
                out.push(quote);
            }
            (byte, _) => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// Text of Windows code page 1252, which is what MySQL calls latin1.
pub(super) fn from_latin1(text: &[u8]) -> Vec<u8> {
    /// 0x80 to 0x9f; the five that are not used stand for themselves.
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for byte in text {
        match byte {
            0x80..=0x9f => out.push(HIGH.get(usize::from(byte - 0x80)).copied().unwrap_or('?')),
            other => out.push(char::from(*other)),
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(*unescape(&escape(&all)), *all);
        // Wherever it stands among what is looked at together.
        for at in 0..3 * LANE {
            for byte in [b'\'', b'\\', b'\n', b'\r', 0, 0x1a] {
                let mut text = vec![b'a'; 3 * LANE + 5];
                text[at] = byte;
                let escaped = escape(&text);
                assert_eq!(escaped.len(), text.len() + 3, "{byte} at {at}");
                assert_eq!(*unescape(&escaped), *text, "{byte} at {at}");
            }
        }
        for (raw, text) in [
            (r"'a''b'", "a'b"),
            (r#""a""b'c""#, r#"a"b'c"#),
            (r"'a\'b\\\n'", "a'b\\\n"),
            (r"'100\%\_\x'", r"100\%\_x"),
            ("''", ""),
        ] {
            assert_eq!(*unescape(raw.as_bytes()), *text.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn latin1_is_windows_1252() {
        assert_eq!(from_latin1(b"caf\xe9 \x80"), "café €".as_bytes());
    }
}
