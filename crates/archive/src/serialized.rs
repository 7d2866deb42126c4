//! PHP's serialization as text: strings in it are changed together with their lengths, and
//! nothing is ever unserialized: no object is made, no class needs to be known.

use std::borrow::Cow;

/// Deepest nesting that is followed, of arrays and of serializations within strings. What is
/// deeper is treated as plain text.
const DEPTH_MAX: usize = 128;

/// Changes strings: gives the new text, or `None` to leave it.
pub type Change<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;

/// `text` with `change` applied: to each string when it is a serialization (also one within
/// another's string), to all of it otherwise. `None` when nothing changed.
pub fn rewrite(text: &[u8], change: &Change<'_>) -> Option<Vec<u8>> {
    rewrite_at(text, change, 0)
}

fn rewrite_at(text: &[u8], change: &Change<'_>, depth: usize) -> Option<Vec<u8>> {
    if depth < DEPTH_MAX && looks_serialized(text) {
        let mut pass = Pass { text, at: 0, out: Vec::new(), copied: 0, change, changed: false };
        // White space around it is what `maybe_unserialize()` trims away.
        if pass.value(depth).is_some() && pass.rest_is_blank() {
            return pass.changed.then(|| pass.finish());
        }
    }
    change(text)
}

/// A cheap look, so that most texts need no try.
fn looks_serialized(text: &[u8]) -> bool {
    match text {
        [b'a' | b'O' | b's' | b'C' | b'E', b':', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    }
}

struct Pass<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// Up to where the text is in `out`.
    copied: usize,
    change: &'a Change<'a>,
    changed: bool,
}

impl<'a> Pass<'a> {
    /// Reads one value. `None` when there is none, or a broken one.
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth >= DEPTH_MAX {
            return None;
        }
        match (self.next()?, depth) {
            (b'N', _) => self.expect(b";"),
            (b'b' | b'i' | b'd' | b'r' | b'R', _) => {
                self.expect(b":")?;
                self.until(b';')
            }
            (b's', _) => self.string(depth),
            (b'a', _) => {
                self.expect(b":")?;
                let count = self.number()?;
                self.expect(b":{")?;
                self.pairs(count, depth)
            }
            (b'O', _) => {
                self.name()?;
                self.expect(b":")?;
                let count = self.number()?;
                self.expect(b":{")?;
                self.pairs(count, depth)
            }
            (b'C', _) => {
                // What a class wrote for itself: its own affair, left as it is.
                self.name()?;
                self.expect(b":")?;
                let length = self.number()?;
                self.expect(b":{")?;
                self.skip(length)?;
                self.expect(b"}")
            }
            (b'E', _) => {
                self.name()?;
                self.expect(b";")
            }
            _ => None,
        }
    }

    fn pairs(&mut self, count: usize, depth: usize) -> Option<()> {
        for _ in 0..count {
            // Keys stay: other code finds its values by them.
            match self.next()? {
                b'i' => {
                    self.expect(b":")?;
                    self.until(b';')?;
                }
                b's' => {
                    self.name()?;
                    self.expect(b";")?;
                }
                _ => return None,
            }
            self.value(depth + 1)?;
        }
        self.expect(b"}")
    }

    fn string(&mut self, depth: usize) -> Option<()> {
        let begin = self.at;
        let content = self.name()?;
        let end = self.at;
        self.expect(b";")?;
        if let Some(new) = rewrite_at(content, self.change, depth + 1) {
            self.out.extend_from_slice(self.text.get(self.copied..begin)?);
            self.out.extend_from_slice(format!(":{}:\"", new.len()).as_bytes());
            self.out.extend_from_slice(&new);
            self.out.push(b'"');
            self.copied = end;
            self.changed = true;
        }
        Some(())
    }

    /// `:LENGTH:"BYTES"`.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.expect(b":")?;
        let length = self.number()?;
        self.expect(b":\"")?;
        let begin = self.at;
        self.skip(length)?;
        self.expect(b"\"")?;
        self.text.get(begin..begin + length)
    }

    fn number(&mut self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
        self.at += length;
        digits.parse().ok()
    }

    fn until(&mut self, end: u8) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        // A number, a reference: short, and without quotes or braces.
        let length = rest.iter().take(64).position(|byte| *byte == end)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        if length == 0 || !rest.get(..length)?.iter().all(plain) {
            return None;
        }
        self.at += length + 1;
        Some(())
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.text.len())?;
        self.at = end;
        Some(())
    }

    fn expect(&mut self, wanted: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(wanted).then(|| self.at += wanted.len())
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn rest_is_blank(&self) -> bool {
        self.text.get(self.at..).unwrap_or_default().iter().all(u8::is_ascii_whitespace)
    }

    fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(self.text.get(self.copied..).unwrap_or_default());
        self.out
    }
}

/// The same for a text that need not be changed: borrowed then.
pub fn rewritten<'t>(text: &'t [u8], change: &Change<'_>) -> Cow<'t, [u8]> {
    rewrite(text, change).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests;
