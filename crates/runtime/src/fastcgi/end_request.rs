//! `FCGI_END_REQUEST`: what makes an answer whole (FastCGI 1.0 section 5.5).

/// Why the application ended the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolStatus {
    /// `FCGI_REQUEST_COMPLETE`
    RequestComplete,
    /// `FCGI_CANT_MPX_CONN`
    CannotMultiplex,
    /// `FCGI_OVERLOADED`
    Overloaded,
    /// `FCGI_UNKNOWN_ROLE`
    UnknownRole,
    /// A number that the specification doesn't know.
    Unknown(u8),
}

/// The content of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndRequest {
    /// The exit status of the application; PHP's is 255 after a fatal error, and its answer still
    /// counts.
    pub app_status: u32,
    /// Whether the request was done.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// Reads the content of the record, if it is as long as it should be.
    pub fn decode(content: &[u8]) -> Option<Self> {
        let &[a, b, c, d, status, _, _, _] = content else { return None };
        let protocol_status = match status {
            0 => ProtocolStatus::RequestComplete,
            1 => ProtocolStatus::CannotMultiplex,
            2 => ProtocolStatus::Overloaded,
            3 => ProtocolStatus::UnknownRole,
            other => ProtocolStatus::Unknown(other),
        };
        Some(Self { app_status: u32::from_be_bytes([a, b, c, d]), protocol_status })
    }

    /// The content of the record as bytes.
    pub fn encode(self) -> [u8; 8] {
        let [a, b, c, d] = self.app_status.to_be_bytes();
        let status = match self.protocol_status {
            ProtocolStatus::RequestComplete => 0,
            ProtocolStatus::CannotMultiplex => 1,
            ProtocolStatus::Overloaded => 2,
            ProtocolStatus::UnknownRole => 3,
            ProtocolStatus::Unknown(other) => other,
        };
        [a, b, c, d, status, 0, 0, 0]
    }
}
