//! The payload: pieces of 64 KiB, each encrypted by itself under a counter, the last one marked.

use std::io;
use std::io::Read;
use std::io::Write;

use zeroize::Zeroizing;

use crate::error::AgeError;
use crate::header::FILE_KEY;
use crate::primitives;
use crate::primitives::Cipher;
use crate::primitives::KEY;
use crate::primitives::TAG;

/// What makes each payload's key another, in bytes.
pub(crate) const NONCE: usize = 16;
/// A piece of plain text, in bytes.
const PIECE: usize = 64 * 1024;

/// The key of a payload.
pub(crate) fn key(
    file_key: &[u8; FILE_KEY],
    nonce: &[u8; NONCE],
) -> Result<Zeroizing<[u8; KEY]>, AgeError> {
    primitives::derive(file_key, nonce, b"payload")
}

/// Which piece it is: a counter and whether it is the last.
#[derive(Default)]
struct Count(u64);

impl Count {
    /// The nonce of this piece.
    fn nonce(&self, last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        if let Some(place) = nonce.get_mut(3..11) {
            place.copy_from_slice(&self.0.to_be_bytes());
        }
        if let Some(place) = nonce.last_mut() {
            *place = u8::from(last);
        }
        nonce
    }
}

/// Encrypts what is written to it. Without [`Sealer::finish`] the file is not whole.
pub struct Sealer<W> {
    out: W,
    cipher: Cipher,
    count: Count,
    plain: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    pub(crate) fn new(out: W, key: &[u8; KEY]) -> Result<Self, AgeError> {
        let (cipher, plain) = (Cipher::new(key)?, Vec::with_capacity(PIECE + TAG));
        Ok(Self { out, cipher, count: Count::default(), plain })
    }

    fn piece(&mut self, last: bool) -> Result<(), AgeError> {
        self.cipher.seal(self.count.nonce(last), &mut self.plain)?;
        self.count.0 += 1;
        self.out.write_all(&self.plain)?;
        self.plain.clear();
        Ok(())
    }

    /// Writes the last piece and gives the stream below back.
    ///
    /// # Errors
    /// From the stream.
    pub fn finish(mut self) -> Result<W, AgeError> {
        self.piece(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A full piece waits until there is more: the last one is marked, and may be full.
        if self.plain.len() == PIECE && !data.is_empty() {
            self.piece(false)?;
        }
        let count = (PIECE - self.plain.len()).min(data.len());
        self.plain.extend_from_slice(data.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Decrypts what is read through it.
pub struct Opener<R> {
    input: R,
    cipher: Cipher,
    count: Count,
    /// The current piece, opened, and how much of it was given out.
    plain: Vec<u8>,
    given: usize,
    /// A byte more than a piece was read, to know whether there is another.
    ahead: Option<u8>,
    ended: bool,
}

impl<R: Read> Opener<R> {
    pub(crate) fn new(input: R, key: &[u8; KEY]) -> Result<Self, AgeError> {
        Ok(Self {
            input,
            cipher: Cipher::new(key)?,
            count: Count::default(),
            plain: Vec::new(),
            given: 0,
            ahead: None,
            ended: false,
        })
    }

    /// Reads and opens the next piece.
    fn piece(&mut self) -> Result<(), AgeError> {
        let begins_at = self.count.0 * (PIECE + TAG) as u64;
        // Empty from here on: who reads on after an error meets it again.
        let mut sealed = std::mem::take(&mut self.plain);
        self.given = 0;
        sealed.clear();
        sealed.extend(self.ahead.take());
        let wanted = (PIECE + TAG + 1 - sealed.len()) as u64;
        (&mut self.input).take(wanted).read_to_end(&mut sealed)?;
        let last = sealed.len() <= PIECE + TAG;
        if !last {
            self.ahead = sealed.pop();
        }
        if sealed.len() < TAG {
            return Err(AgeError::Early);
        }
        let (cipher, length) = (&self.cipher, sealed.len());
        // Opening destroys what does not open: a file that was cut is tried as one that goes on.
        let cut = (last && length == PIECE + TAG).then(|| sealed.clone());
        if cipher.open(self.count.nonce(last), &mut sealed).is_none() {
            let went_on =
                cut.is_some_and(|mut cut| cipher.open(self.count.nonce(false), &mut cut).is_some());
            return Err(if went_on { AgeError::Early } else { AgeError::Damaged(begins_at) });
        }
        sealed.truncate(length - TAG);
        if sealed.is_empty() && self.count.0 > 0 {
            return Err(AgeError::Damaged(begins_at));
        }
        (self.plain, self.given, self.ended) = (sealed, 0, last);
        self.count.0 += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.plain.len() && !self.ended {
            self.piece()?;
        }
        let left = self.plain.get(self.given..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(place), Some(data)) = (buffer.get_mut(..count), left.get(..count)) {
            place.copy_from_slice(data);
        }
        self.given += count;
        Ok(count)
    }
}
