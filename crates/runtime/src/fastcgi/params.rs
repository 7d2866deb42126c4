//! Name-value pairs (FastCGI 1.0 section 3.4): the content of `FCGI_PARAMS`.

/// Appends one pair.
pub fn put_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    put_len(out, name.len());
    put_len(out, value.len());
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// Reads pairs back; `None` when they are cut off. For tests and tools: a client only writes them.
pub fn decode_pairs(mut content: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs = Vec::new();
    while !content.is_empty() {
        let name_len = take_len(&mut content)?;
        let value_len = take_len(&mut content)?;
        let (name, rest) = content.split_at_checked(name_len)?;
        let (value, rest) = rest.split_at_checked(value_len)?;
        pairs.push((name.to_vec(), value.to_vec()));
        content = rest;
    }
    Some(pairs)
}

/// A length below 128 is one byte, a longer one four with the top bit set. No length here reaches
/// 2 GiB: the sum of the parameters is bounded before.
fn put_len(out: &mut Vec<u8>, len: usize) {
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => out.extend_from_slice(&((len as u32) | 0x8000_0000).to_be_bytes()),
    }
}

fn take_len(content: &mut &[u8]) -> Option<usize> {
    let (&first, rest) = content.split_first()?;
    if first < 0x80 {
        *content = rest;
        return Some(usize::from(first));
    }
    let (long, rest) = content.split_first_chunk::<4>()?;
    *content = rest;
    Some((u32::from_be_bytes(*long) & 0x7fff_ffff) as usize)
}
