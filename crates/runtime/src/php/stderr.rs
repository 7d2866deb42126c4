//! What one request writes to standard error, cut into its messages and handed on as each ends.

use std::sync::Arc;

use crate::access::{Asked, ErrorSink};

/// What php-fpm puts before the first message of a request.
const FIRST: &[u8] = b"PHP message: ";
/// What it puts between two messages. A message may hold it, too: then it is told as two.
const BETWEEN: &[u8] = b"; PHP message: ";

/// What `php/functions.php` writes when the answer is whole and the script goes on.
const FINISHED: &[u8] = b"aipress-finished";
/// What it adds when the answer's one byte is there for the headers' sake.
const PADDED: &[u8] = b" padded";

/// The answer is whole, though the script goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Its body is one byte that stands for none.
    pub(crate) is_padded: bool,
}

/// Collects for one request; what is left is reported when it is dropped.
pub(crate) struct StderrLog {
    sink: Arc<dyn ErrorSink>,
    asked: Asked,
    /// The message that has not ended, up to its bound.
    text: Vec<u8>,
    /// What may be the beginning of [`BETWEEN`].
    open: Vec<u8>,
    max_bytes: usize,
    truncated: bool,
}

impl StderrLog {
    pub(crate) fn new(sink: Arc<dyn ErrorSink>, asked: Asked, max_bytes: usize) -> Self {
        Self { sink, asked, text: Vec::new(), open: Vec::new(), max_bytes, truncated: false }
    }

    pub(crate) fn push(&mut self, part: &[u8]) {
        let mut bytes = std::mem::take(&mut self.open);
        bytes.extend_from_slice(part);
        let mut rest = bytes.as_slice();
        while let Some(at) = find(rest) {
            self.keep(&rest[..at]);
            self.report();
            rest = &rest[at + BETWEEN.len()..];
        }
        let settled = rest.len().saturating_sub(BETWEEN.len() - 1);
        self.keep(&rest[..settled]);
        self.open = rest[settled..].to_vec();
    }

    /// Whether the last that was said is that the answer is whole. It is told once, and in no log.
    pub(crate) fn take_finished(&mut self) -> Option<Finished> {
        let said: Vec<u8> = self.text.iter().chain(&self.open).copied().collect();
        let rest = said.strip_prefix(FIRST).unwrap_or(&said).strip_prefix(FINISHED)?;
        if !rest.is_empty() && rest != PADDED {
            return None;
        }
        self.text.clear();
        self.open.clear();
        Some(Finished { is_padded: !rest.is_empty() })
    }

    /// Why there is no whole answer. What PHP said before stands before it.
    pub(crate) fn failed(&mut self, reason: &(dyn std::error::Error + 'static)) {
        self.end();
        self.sink.failed(&self.asked, reason);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(self.max_bytes - self.text.len());
        self.text.extend_from_slice(&bytes[..taken]);
        self.truncated |= taken < bytes.len();
    }

    fn report(&mut self) {
        let text = self.text.strip_prefix(FIRST).unwrap_or(&self.text);
        if !text.is_empty() {
            self.sink.message(&self.asked, text, self.truncated);
        }
        self.text.clear();
        self.truncated = false;
    }

    fn end(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.keep(&open);
        self.report();
    }
}

/// Where [`BETWEEN`] begins.
fn find(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == BETWEEN[0]) {
        if bytes[from + at..].starts_with(BETWEEN) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

impl Drop for StderrLog {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for StderrLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StderrLog").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, bool)>>);

    impl ErrorSink for Kept {
        fn message(&self, _: &Asked, text: &[u8], truncated: bool) {
            let text = String::from_utf8_lossy(text).into_owned();
            self.0.lock().unwrap().push((text, truncated));
        }

        fn failed(&self, _: &Asked, reason: &(dyn std::error::Error + 'static)) {
            self.0.lock().unwrap().push((format!("failed: {reason}"), false));
        }
    }

    fn messages(written: &str, piece: usize) -> Vec<(String, bool)> {
        let kept = Arc::new(Kept::default());
        let asked = Asked { uid: "a".into(), request_id: None };
        let mut log = StderrLog::new(Arc::clone(&kept) as _, asked, 40);
        for part in written.as_bytes().chunks(piece) {
            log.push(part);
        }
        drop(log);
        kept.0.lock().unwrap().clone()
    }

    #[test]
    fn messages_are_told_apart_however_they_arrive() {
        let written = "PHP message: one\nof two lines; PHP message: two; or three; PHP message: \
                       PHP Warning:  ; PHP mess; PHP message: a text that is too long to be kept as a whole";
        for piece in [1, 2, 7, 16, 1000] {
            let found = messages(written, piece);
            let expected = [
                ("one\nof two lines", false),
                ("two; or three", false),
                ("PHP Warning:  ; PHP mess", false),
                ("a text that is too long to be kept as a ", true),
            ];
            let expected = expected.map(|(text, truncated)| (text.to_owned(), truncated));
            assert_eq!(found, expected, "{piece}");
        }
        assert!(messages("", 1).is_empty());
        assert_eq!(messages("raw", 1), [("raw".to_owned(), false)]);
    }

    #[test]
    fn the_end_of_the_answer_is_told_once_and_logged_never() {
        let kept = Arc::new(Kept::default());
        let asked = Asked { uid: "a".into(), request_id: None };
        let mut log = StderrLog::new(Arc::clone(&kept) as _, asked, 80);
        log.push(b"PHP message: aipress-finished ");
        assert_eq!(log.take_finished(), None, "it goes on");
        log.push(b"by a plugin; PHP message: aipress-");
        assert_eq!(log.take_finished(), None);
        log.push(b"finished padded");
        assert_eq!(log.take_finished(), Some(Finished { is_padded: true }));
        assert_eq!(log.take_finished(), None);
        log.push(b"; PHP message: later");
        drop(log);
        let kept: Vec<String> = kept.0.lock().unwrap().iter().map(|it| it.0.clone()).collect();
        assert_eq!(kept, ["aipress-finished by a plugin", "later"]);
    }

    #[test]
    fn what_was_said_stands_before_the_failure() {
        let kept = Arc::new(Kept::default());
        let asked = Asked { uid: "a".into(), request_id: None };
        let mut log = StderrLog::new(Arc::clone(&kept) as _, asked, 40);
        log.push(b"PHP message: last words");
        log.failed(&std::io::Error::other("gone"));
        drop(log);
        let kept: Vec<String> = kept.0.lock().unwrap().iter().map(|it| it.0.clone()).collect();
        assert_eq!(kept, ["last words", "failed: gone"]);
    }
}
