//! Commands in a site's sandbox on the wire: `POST /v1/tenants/{id}/wp`.

use serde::Deserialize;
use serde::Serialize;

/// Media type of the answer: one JSON object a line; an empty line only says that it goes on.
pub const NDJSON: &str = "application/x-ndjson";

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WpCommand {
    /// What follows `wp`: 1 to 256 arguments, 100 KiB in all. No shell reads them.
    pub args: Vec<String>,
    /// When it is ended: 1 to 3600 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600, default = 60)]
    pub time_limit_seconds: Option<u32>,
    /// What it reads on its standard input, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Width of the terminal that the output is shown on; left out, tables come without borders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 20, maximum = 1000)]
    pub columns: Option<u16>,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum WpLine {
    /// A piece of output.
    Piece(WpPiece),
    /// The end, the last line.
    End(WpEnd),
}

/// A piece of output: `data`, or `base64` where the bytes are no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WpPiece {
    /// Where it was written to.
    pub stream: WpStream,
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Other bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WpStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WpEnd {
    /// Its status: 124 at its time limit, 128 and more by a signal, as a shell has it.
    pub exit: i32,
    /// What ended it, when it was not the command itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
