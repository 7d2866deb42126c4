//! Byte vectors after the specification's own examples, and properties of the codec.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use proptest::prelude::*;

use super::{
    begin_request::put_begin_request,
    decode::{DecodeError, Decoder, Event},
    end_request::{EndRequest, ProtocolStatus},
    head::{Head, HeadError, find_end},
    params::{decode_pairs, put_pair},
    record::{Header, RecordType, put_stream, put_stream_end},
};

const COMPLETE: EndRequest =
    EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };

#[test]
fn begin_request_bytes() {
    let mut out = BytesMut::new();
    put_begin_request(&mut out);
    assert_eq!(&out[..], [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn pair_bytes() {
    let mut out = Vec::new();
    put_pair(&mut out, b"SERVER_PORT", b"80");
    assert_eq!(out, b"\x0b\x02SERVER_PORT80");
    out.clear();
    put_pair(&mut out, b"A", &[b'x'; 127]);
    assert_eq!(out[..3], [1, 127, b'A']);
    out.clear();
    put_pair(&mut out, b"A", &[b'x'; 128]);
    assert_eq!(out[..6], [1, 0x80, 0, 0, 128, b'A']);
    assert_eq!(decode_pairs(&out[..out.len() - 1]), None);
}

#[test]
fn stream_bytes() {
    let mut out = BytesMut::new();
    put_stream(&mut out, RecordType::Stdin, b"hi");
    put_stream(&mut out, RecordType::Stdin, b"");
    put_stream_end(&mut out, RecordType::Stdin);
    assert_eq!(&out[..], [1, 5, 0, 1, 0, 2, 0, 0, b'h', b'i', 1, 5, 0, 1, 0, 0, 0, 0]);
    let mut out = BytesMut::new();
    put_stream(&mut out, RecordType::Params, &vec![7; 65_529]);
    assert_eq!(out.len(), 8 + 65_528 + 8 + 1);
}

#[test]
fn decodes_what_php_fpm_sends() {
    // STDOUT with padding, an end of stream, END_REQUEST.
    let bytes = b"\x01\x06\x00\x01\x00\x05\x03\x00helloPAD\x01\x06\x00\x01\x00\x00\x00\x00\
                  \x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let mut input = BytesMut::from(&bytes[..]);
    let mut decoder = Decoder::default();
    let first = decoder.next(&mut input).unwrap();
    assert_eq!(first, Some(Event::Stdout(Bytes::from_static(b"hello"))));
    assert_eq!(decoder.next(&mut input).unwrap(), Some(Event::End(COMPLETE)));
    assert!(input.is_empty());
}

#[test]
fn refuses_what_is_no_answer() {
    let next = |bytes: &[u8]| Decoder::default().next(&mut BytesMut::from(bytes));
    assert_eq!(next(b"HTTP/1.1"), Err(DecodeError::Version(b'H')));
    assert_eq!(next(&[1, 6, 0, 2, 0, 1, 0, 0]), Err(DecodeError::RequestId(2)));
    assert_eq!(next(&[1, 5, 0, 1, 0, 1, 0, 0]), Err(DecodeError::Direction(5)));
    assert_eq!(next(&[1, 3, 0, 1, 0, 7, 0, 0]), Err(DecodeError::EndRequest(7)));
    // FCGI_UNKNOWN_TYPE is skipped.
    assert_eq!(next(&[1, 11, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(None));
}

#[test]
fn statuses_survive() {
    for number in 0..=5 {
        let content = [0, 0, 1, 255, number, 0, 0, 0];
        let end = EndRequest::decode(&content).unwrap();
        assert_eq!((end.app_status, end.encode()), (511, content));
    }
    assert_eq!(EndRequest::decode(&[0; 7]), None);
}

fn head(text: &str) -> Result<Head, HeadError> {
    Head::parse(text.as_bytes(), find_end(text.as_bytes(), 0).unwrap())
}

#[test]
fn reads_heads() {
    let it =
        head("Status: 404 Not Found\r\nX-Powered-By: PHP/8.2\r\nContent-type: a/b\r\n\r\nbody")
            .unwrap();
    assert_eq!(it.status, StatusCode::NOT_FOUND);
    assert_eq!(it.headers.len(), 1);
    assert_eq!(it.headers["content-type"], "a/b");
    assert_eq!(it.bytes, 61 + 6);
    let it = head("Set-Cookie: a=1\nSet-Cookie: b=2\n\n").unwrap();
    assert_eq!(it.status, StatusCode::OK);
    assert_eq!(it.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(head("Location: /x\r\n\r\n").unwrap().status, StatusCode::FOUND);
    assert_eq!(head("Location: /x\r\nStatus: 301\r\n\r\n").unwrap().status.as_u16(), 301);
    assert_eq!(head("Content-Length: 5\r\nX: y\r\n\r\n").unwrap().content_length, Some(5));
    let it = head("Connection: close\r\nTransfer-Encoding: chunked\r\nUpgrade: h\r\n\r\n").unwrap();
    assert!(it.headers.is_empty());
    assert!(head("X-Caf\u{e9}: 1\r\n\r\n").is_err());
}

#[test]
fn refuses_bad_heads() {
    assert!(matches!(head("no colon\r\n\r\n"), Err(HeadError::Line(_))));
    assert!(matches!(head("a b: c\r\n\r\n"), Err(HeadError::Line(_))));
    assert!(matches!(head("a: b\0c\r\n\r\n"), Err(HeadError::Line(_))));
    for status in ["x", "99", "101 Switching", "600", "2000", ""] {
        assert!(matches!(head(&format!("Status: {status}\r\n\r\n")), Err(HeadError::Status(_))));
    }
    for length in ["-1", "+1", "", "1x", "99999999999999999999"] {
        let text = format!("Content-Length: {length}\r\n\r\n");
        assert!(matches!(head(&text), Err(HeadError::ContentLength(_))), "{length}");
    }
    let twice = "Content-Length: 1\r\nContent-Length: 2\r\n\r\n";
    assert!(matches!(head(twice), Err(HeadError::ContentLength(_))));
}

#[test]
fn finds_ends_in_pieces() {
    let text = b"A: b\r\nC: d\r\n\r\nbody\n\n";
    for cut in 0..text.len() {
        let found = find_end(&text[..cut], 0).or_else(|| find_end(text, cut));
        assert_eq!(found, Some(14), "{cut}");
    }
    assert_eq!(find_end(b"A: b\n", 0), None);
}

proptest! {
    #[test]
    fn pairs_survive(pairs in prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 0..200), prop::collection::vec(any::<u8>(), 0..300)),
        0..8,
    )) {
        let mut out = Vec::new();
        for (name, value) in &pairs {
            put_pair(&mut out, name, value);
        }
        prop_assert_eq!(decode_pairs(&out), Some(pairs));
    }

    #[test]
    fn headers_survive(bytes in any::<[u8; 7]>()) {
        let [a, b, c, d, e, f, g] = bytes;
        let bytes = [a, b, c, d, e, f, g, 0];
        prop_assert_eq!(Header::decode(bytes).encode(), bytes);
    }

    /// However the bytes are cut by the network, the same answer comes out, and it ends.
    #[test]
    fn cutting_changes_nothing(
        parts in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 1..40), 0u8..9), 0..8),
        cuts in prop::collection::vec(1usize..20, 1..50),
    ) {
        let mut wire = BytesMut::new();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        for (is_stdout, content, padding_bytes) in &parts {
            let kind = if *is_stdout { RecordType::Stdout } else { RecordType::Stderr };
            let length = u16::try_from(content.len()).unwrap();
            let header = Header { padding_bytes: *padding_bytes, ..Header::new(kind, length) };
            wire.extend_from_slice(&header.encode());
            wire.extend_from_slice(content);
            wire.extend_from_slice(&vec![0xaa; usize::from(*padding_bytes)]);
            if *is_stdout { &mut stdout } else { &mut stderr }.extend_from_slice(content);
        }
        wire.extend_from_slice(&Header::new(RecordType::EndRequest, 8).encode());
        wire.extend_from_slice(&COMPLETE.encode());

        let (mut decoder, mut input) = (Decoder::default(), BytesMut::new());
        let (mut out, mut err, mut ended) = (Vec::new(), Vec::new(), false);
        let mut cuts = cuts.iter().cycle();
        while !wire.is_empty() {
            prop_assert!(!ended);
            let cut = (*cuts.next().unwrap()).min(wire.len());
            input.extend_from_slice(&wire.split_to(cut));
            while let Some(event) = decoder.next(&mut input).unwrap() {
                match event {
                    Event::Stdout(part) => out.extend_from_slice(&part),
                    Event::Stderr(part) => err.extend_from_slice(&part),
                    Event::End(end) => { prop_assert_eq!(end, COMPLETE); ended = true; }
                }
            }
        }
        prop_assert!(ended);
        prop_assert_eq!((out, err), (stdout, stderr));
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut input = BytesMut::from(&bytes[..]);
        let mut decoder = Decoder::default();
        while let Ok(Some(_)) = decoder.next(&mut input) {}
        if let Some(end) = find_end(&bytes, 0) {
            let _ = Head::parse(&bytes, end);
        }
        let _ = decode_pairs(&bytes);
    }
}
