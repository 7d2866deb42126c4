//! `FCGI_BEGIN_REQUEST`: the first record of a request (FastCGI 1.0 section 5.1).

use bytes::{BufMut, BytesMut};

use super::record::{Header, RecordType};

/// `FCGI_RESPONDER`.
pub const ROLE_RESPONDER: u16 = 1;

/// `FCGI_KEEP_CONN`: not used, known to the tests' server, which refuses it.
pub const FLAG_KEEP_CONN: u8 = 1;

/// Appends the record for a responder that closes the connection when it is done.
pub fn put_begin_request(out: &mut BytesMut) {
    let [role_high, role_low] = ROLE_RESPONDER.to_be_bytes();
    let flags = 0;
    let body = [role_high, role_low, flags, 0, 0, 0, 0, 0];
    out.put_slice(&Header::new(RecordType::BeginRequest, 8).encode());
    out.put_slice(&body);
}
