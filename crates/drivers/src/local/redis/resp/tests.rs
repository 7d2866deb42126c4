//! RESP2 comes back as it went, whole or in parts, and nonsense is refused.

use proptest::prelude::*;

use super::*;

fn wire(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Status(text) => format!("+{text}\r\n").into_bytes(),
        Reply::Error(text) => format!("-{text}\r\n").into_bytes(),
        Reply::Integer(number) => format!(":{number}\r\n").into_bytes(),
        Reply::Bulk(None) => b"$-1\r\n".to_vec(),
        Reply::Bulk(Some(bytes)) => {
            let mut out = format!("${}\r\n", bytes.len()).into_bytes();
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
            out
        }
        Reply::Array(None) => b"*-1\r\n".to_vec(),
        Reply::Array(Some(items)) => {
            let mut out = format!("*{}\r\n", items.len()).into_bytes();
            items.iter().for_each(|item| out.extend(wire(item)));
            out
        }
    }
}

fn replies() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        "[^\r\n]{0,20}".prop_map(Reply::Status),
        "[^\r\n]{0,20}".prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)).prop_map(Reply::Bulk),
        Just(Reply::Array(None)),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        proptest::collection::vec(inner, 0..6).prop_map(|items| Reply::Array(Some(items)))
    })
}

proptest! {
    #[test]
    fn an_answer_comes_back_as_it_went(reply in replies(), more in proptest::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = wire(&reply);
        let length = bytes.len();
        bytes.extend(more);
        prop_assert_eq!(decode(&bytes), Ok(Some((reply, length))));
    }

    #[test]
    fn a_part_of_an_answer_is_not_an_answer(reply in replies(), cut in 0.0..1.0f64) {
        let bytes = wire(&reply);
        let part = (bytes.len() as f64 * cut) as usize;
        prop_assert_eq!(decode(&bytes[..part.min(bytes.len() - 1)]), Ok(None));
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_command_is_an_array_of_its_words(words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 1..6)) {
        let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let bytes = encode(&slices);
        let expected = Reply::Array(Some(words.iter().cloned().map(Some).map(Reply::Bulk).collect()));
        prop_assert_eq!(decode(&bytes), Ok(Some((expected, bytes.len()))));
    }
}

#[test]
fn nonsense_is_refused() {
    let deep = "*1\r\n".repeat(20);
    for bad in ["$-2\r\n", "$99999999999\r\n", ":x\r\n", "?\r\n", "\r\n", "$1\r\nabc", &deep] {
        assert!(decode(bad.as_bytes()).is_err(), "{bad:?}");
    }
}
