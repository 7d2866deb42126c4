//! Cuts a dump into statements, as the command line client would, but for its own commands: those
//! (`\!`, `source`, `system`, …) are nothing special here, and refused later like any other text.

use std::io;
use std::io::Read;

use memchr::memchr;
use memchr::memchr2;
use memchr::memmem;

use super::STATEMENT_MAX;
use crate::error::ArchiveError;

/// What is read at once.
const PIECE: usize = 256 * 1024;

/// One statement without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text, with the comments before it; not always UTF-8.
    pub text: Vec<u8>,
    /// The line that it begins in, from 1.
    pub line: u64,
}

/// Where the scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Quoted(u8),
    LineComment,
    BlockComment,
}

/// Statements of a stream.
pub struct Splitter<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the current statement begins, and how far it was scanned.
    begin: usize,
    scan: usize,
    state: State,
    delimiter: Vec<u8>,
    line: u64,
    ended: bool,
}

impl<R: Read> Splitter<R> {
    /// The statements of `input`.
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            begin: 0,
            scan: 0,
            state: State::Plain,
            delimiter: b";".to_vec(),
            line: 1,
            ended: false,
        }
    }

    /// Goes on with another stream (the next chunk of the same dump).
    pub fn continue_with<N: Read>(self, input: N) -> Splitter<N> {
        let Self { buffer, begin, scan, state, delimiter, line, .. } = self;
        Splitter { input, buffer, begin, scan, state, delimiter, line, ended: false }
    }

    /// The next statement; `None` at the end. White space and comments alone are none.
    ///
    /// # Errors
    /// `Sql` for a statement that is too large or not ended, `Io` from the stream.
    pub fn next_statement(&mut self) -> Result<Option<Statement>, ArchiveError> {
        loop {
            if self.take_delimiter()? {
                continue;
            }
            match self.end_of_statement()? {
                Some(end) => {
                    let statement = self.cut(end, self.delimiter.len());
                    if !is_blank(&statement.text) {
                        return Ok(Some(statement));
                    }
                }
                None => {
                    if self.state != State::Plain && self.state != State::LineComment {
                        return Err(self.wrong("it ends in the middle of a text or comment"));
                    }
                    let statement = self.cut(self.buffer.len(), 0);
                    return Ok((!is_blank(&statement.text)).then_some(statement));
                }
            }
        }
    }

    fn wrong(&self, reason: &str) -> ArchiveError {
        ArchiveError::Sql { line: self.line, reason: reason.to_owned() }
    }

    fn cut(&mut self, end: usize, delimiter: usize) -> Statement {
        let text = self.buffer.get(self.begin..end).unwrap_or_default();
        let blank = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let skipped = text.get(..blank).unwrap_or_default();
        let line = self.line + count_lines(skipped);
        self.line += count_lines(text);
        let text = text.get(blank..).unwrap_or_default().to_vec();
        self.begin = (end + delimiter).min(self.buffer.len());
        self.scan = self.begin;
        self.state = State::Plain;
        Statement { text, line }
    }

    /// Makes the scan's place one that has data, or says that there is none.
    fn fill(&mut self) -> Result<bool, ArchiveError> {
        if self.ended {
            return Ok(false);
        }
        if self.begin > 0 {
            self.buffer.drain(..self.begin);
            self.scan -= self.begin;
            self.begin = 0;
        }
        if self.buffer.len() > STATEMENT_MAX {
            let most = STATEMENT_MAX / 1024 / 1024;
            return Err(self.wrong(&format!("a statement has more than {most} MiB")));
        }
        let length = self.buffer.len();
        self.buffer.resize(length + PIECE, 0);
        loop {
            match self.input.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Ok(count) => {
                    self.buffer.truncate(length + count);
                    self.ended = count == 0;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(length);
                    return Err(error.into());
                }
            }
        }
    }

    /// Takes a line `DELIMITER x` at the beginning of a statement.
    fn take_delimiter(&mut self) -> Result<bool, ArchiveError> {
        const WORD: &[u8] = b"DELIMITER";
        loop {
            let rest = self.buffer.get(self.begin..).unwrap_or_default();
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = rest.get(blank..).unwrap_or_default();
            let known = rest.len().min(WORD.len() + 1);
            let begun = rest.get(..known.min(WORD.len())).unwrap_or_default();
            if !begun.eq_ignore_ascii_case(WORD.get(..begun.len()).unwrap_or_default()) {
                return Ok(false);
            }
            let whole = known > WORD.len() && rest.contains(&b'\n');
            if !whole && self.fill()? {
                continue;
            }
            if known <= WORD.len() || !rest_at(&self.buffer, self.begin + blank + WORD.len()) {
                return Ok(false);
            }
            let begin = self.begin + blank;
            let line = self.buffer.get(begin..).unwrap_or_default();
            let end = memchr(b'\n', line).unwrap_or(line.len());
            let word = line.get(WORD.len()..end).unwrap_or_default().trim_ascii().to_vec();
            if word.is_empty() || word.len() > 16 {
                return Err(self.wrong("a DELIMITER that can't be"));
            }
            self.delimiter = word;
            self.cut(begin + end, 0);
            return Ok(true);
        }
    }

    /// Where the statement ends, in the buffer; `None` when the stream ended before.
    fn end_of_statement(&mut self) -> Result<Option<usize>, ArchiveError> {
        loop {
            if let Some(end) = self.scan_on() {
                return Ok(Some(end));
            }
            if !self.fill()? {
                // Nothing more can change what the last bytes mean.
                return Ok(self.scan_on());
            }
        }
    }

    /// Scans what is there. Leaves the last bytes when more could change what they mean.
    fn scan_on(&mut self) -> Option<usize> {
        /// As many bytes as the longest thing that is looked for.
        const AHEAD: usize = 16;
        loop {
            let rest = self.buffer.get(self.scan..)?;
            match self.state {
                State::Plain => {
                    let first = *self.delimiter.first()?;
                    let at = rest.iter().position(|byte| is_special(*byte) || *byte == first);
                    self.scan += at.unwrap_or(rest.len());
                    let rest = self.buffer.get(self.scan..)?;
                    if rest.is_empty() || (rest.len() < AHEAD && !self.ended) {
                        return None;
                    }
                    if rest.starts_with(&self.delimiter) {
                        return Some(self.scan);
                    }
                    self.step(rest.len());
                }
                State::Quoted(quote) => {
                    let found = if quote == b'`' {
                        memchr(quote, rest)
                    } else {
                        memchr2(quote, b'\\', rest)
                    };
                    let Some(at) = found else {
                        self.scan = self.buffer.len();
                        return None;
                    };
                    if rest.get(at) == Some(&quote) {
                        // A doubled quote opens again at once, which comes to the same.
                        self.scan += at + 1;
                        self.state = State::Plain;
                    } else if rest.len() < at + 2 {
                        self.scan += at;
                        return None;
                    } else {
                        self.scan += at + 2;
                    }
                }
                State::LineComment => match memchr(b'\n', rest) {
                    Some(at) => {
                        self.scan += at + 1;
                        self.state = State::Plain;
                    }
                    None => {
                        self.scan = self.buffer.len();
                        return None;
                    }
                },
                State::BlockComment => match memmem::find(rest, b"*/") {
                    Some(at) => {
                        self.scan += at + 2;
                        self.state = State::Plain;
                    }
                    None => {
                        self.scan += rest.len().saturating_sub(1);
                        return None;
                    }
                },
            }
        }
    }

    /// One byte (or a comment's first two) in plain text. `known` bytes are there.
    fn step(&mut self, known: usize) {
        let rest = self.buffer.get(self.scan..).unwrap_or_default();
        let (state, length) = match rest {
            [quote @ (b'\'' | b'"' | b'`'), ..] => (State::Quoted(*quote), 1),
            [b'#', ..] => (State::LineComment, 1),
            [b'-', b'-', after, ..] if after.is_ascii_whitespace() => (State::LineComment, 2),
            [b'-', b'-'] if known == 2 => (State::LineComment, 2),
            [b'/', b'*', ..] => (State::BlockComment, 2),
            _ => (State::Plain, 1),
        };
        self.state = state;
        self.scan += length;
    }
}

fn rest_at(buffer: &[u8], at: usize) -> bool {
    buffer.get(at).is_some_and(|byte| byte.is_ascii_whitespace())
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"' | b'`' | b'#' | b'-' | b'/')
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace) || super::lex::is_comment_only(text)
}

fn count_lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
