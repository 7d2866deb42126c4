//! Why an archive is not taken, in words for the person who sent it.

/// A refusal.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It can't be read at all.
    #[error("the archive can't be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is no zip, or a damaged one.
    #[error("it is no whole zip archive: {0}")]
    Damaged(String),
    /// A limit of the archive as a whole.
    #[error("{what} is {found}, at most {most} is taken")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much is taken.
        most: u64,
    },
    /// An entry that no plugin or theme has a use for.
    #[error("entry `{path}`: {why}")]
    Entry {
        /// Its path, made printable.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is sound, and neither plugin nor theme.
    #[error("{0}")]
    Form(String),
}

impl Refusal {
    pub(crate) fn entry(path: impl AsRef<[u8]>, why: &'static str) -> Self {
        let text = String::from_utf8_lossy(path.as_ref());
        let printable: String = text.chars().flat_map(char::escape_debug).take(200).collect();
        Self::Entry { path: printable, why }
    }
}

impl From<rawzip::Error> for Refusal {
    fn from(error: rawzip::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
