//! Random secrets and ids from the operating system's generator.

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("no randomness from the operating system: {0}")]
pub struct RandomError(getrandom::Error);

/// `N` random bytes.
///
/// # Errors
/// When the operating system has none to give.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(RandomError)?;
    Ok(out)
}

/// A random text of `length` characters out of `a-zA-Z0-9` (5.95 bits each), safe in every
/// configuration file, URL and SQL string.
///
/// # Errors
/// When the operating system has no randomness.
pub fn alphanumeric(length: usize) -> Result<String, RandomError> {
    const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut out = String::with_capacity(length);
    while out.len() < length {
        for byte in bytes::<64>()? {
            // 248 is the largest multiple of 62 in a byte: above it the choice would be biased.
            if byte < 248 && out.len() < length {
                out.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length_and_differ() {
        let (one, two) = (alphanumeric(43).unwrap(), alphanumeric(43).unwrap());
        assert_eq!((one.len(), two.len()), (43, 43));
        assert_ne!(one, two);
    }
}
