//! Words of a statement. Comments are skipped; what stands in a conditional comment counts when
//! servers run it. Which of them runs depends on the server: none ever reaches one, for what runs is
//! written anew from these words.

/// Version of the server that conditional comments are read for: MariaDB 10.11.
const SERVER: u32 = 101_100;
/// MariaDB ignores comments for these versions, which are MySQL's alone.
const MYSQL_ONLY: std::ops::Range<u32> = 50_700..100_000;

/// Operators that are more than their bytes, longest first.
const OPERATORS: &[&[u8]] = &[b"<=>", b"<=", b">=", b"<>", b"!=", b"||", b"&&", b"<<", b">>"];

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A keyword or bare name.
    Word(&'t [u8]),
    /// A name in backquotes, with what stands in them.
    Name(String, &'t [u8]),
    /// A text in quotes, as it stands.
    Text(&'t [u8]),
    /// A number.
    Number(&'t [u8]),
    /// An operator of several bytes.
    Operator(&'t [u8]),
    /// Anything else of one byte.
    Mark(u8),
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// A name, quoted or not.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Word(word) => std::str::from_utf8(word).ok().map(str::to_owned),
            Self::Name(name, _) => Some(name.clone()),
            _ => None,
        }
    }
}

/// The words of a statement.
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    inside: bool,
    is_open: bool,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, inside: false, is_open: false }
    }

    /// Where the next word is looked for.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Whether what was read ended within a text, a name or a comment.
    pub(super) fn is_open(&self) -> bool {
        self.is_open || self.inside
    }

    /// Skips blanks and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.at += blank;
            let rest = self.rest();
            match rest {
                [b'#', ..] => self.line(),
                [b'-', b'-'] => self.line(),
                [b'-', b'-', after, ..] if after.is_ascii_whitespace() => self.line(),
                [b'*', b'/', ..] if self.inside => {
                    self.inside = false;
                    self.at += 2;
                }
                [b'/', b'*', ..] => self.block(),
                _ => return,
            }
        }
    }

    fn line(&mut self) {
        let rest = self.rest();
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    }

    fn block(&mut self) {
        let rest = self.rest();
        let marks: &[&[u8]] = &[b"/*!", b"/*M!"];
        let mark = marks.iter().find(|mark| rest.starts_with(mark));
        if let (Some(mark), false) = (mark, self.inside) {
            let digits = rest.get(mark.len()..).unwrap_or_default();
            let count = digits.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            let version = std::str::from_utf8(digits.get(..count).unwrap_or_default());
            let version: u32 = version.ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            let for_mariadb = mark.len() == 4;
            if version <= SERVER && (for_mariadb || !MYSQL_ONLY.contains(&version)) {
                self.inside = true;
                self.at += mark.len() + count;
                return;
            }
        }
        let end = memchr::memmem::find(rest, b"*/");
        self.is_open |= end.is_none();
        self.at += end.map_or(rest.len(), |at| at + 2);
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn quoted(&mut self, quote: u8) -> usize {
        let rest = self.rest();
        let mut at = 1;
        loop {
            match rest.get(at) {
                None => {
                    self.is_open = true;
                    return rest.len();
                }
                Some(b'\\') if quote != b'`' => at += 2,
                Some(byte) if *byte == quote => {
                    if rest.get(at + 1) != Some(&quote) {
                        return at + 1;
                    }
                    at += 2;
                }
                Some(_) => at += 1,
            }
        }
    }
}

impl<'t> Iterator for Lexer<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        self.skip();
        let rest = self.rest();
        let first = *rest.first()?;
        let word =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"_$".contains(byte) || *byte >= 0x80;
        let (length, token): (usize, fn(&'t [u8]) -> Token<'t>) = match first {
            b'\'' | b'"' => (self.quoted(first), Token::Text),
            b'`' => (self.quoted(first), |raw| {
                let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
                let name = String::from_utf8_lossy(inner).replace("``", "`");
                Token::Name(name, raw)
            }),
            b'0'..=b'9' => {
                let more = |byte: &&u8| word(byte) || **byte == b'.';
                (rest.iter().take_while(more).count(), Token::Number)
            }
            byte if word(&byte) => (rest.iter().take_while(|byte| word(byte)).count(), Token::Word),
            _ => {
                if let Some(operator) = OPERATORS.iter().find(|sign| rest.starts_with(sign)) {
                    self.at += operator.len();
                    return Some(Token::Operator(operator));
                }
                self.at += 1;
                return Some(Token::Mark(first));
            }
        };
        let length = length.min(rest.len());
        self.at += length;
        Some(token(rest.get(..length).unwrap_or_default()))
    }
}

/// Whether there is no word in it.
pub(super) fn is_comment_only(text: &[u8]) -> bool {
    Lexer::new(text).next().is_none()
}
