//! `aipress tenant wp`: a command in the site's sandbox; its output and its status are this
//! command's own.

use std::io::IsTerminal;
use std::io::Read;
use std::io::Write;

use aipress_api::client::ApiClient;
use aipress_api::wp::WpCommand;
use aipress_api::wp::WpEnd;
use aipress_api::wp::WpLine;
use aipress_api::wp::WpPiece;
use aipress_api::wp::WpStream;
use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::args::TenantWp;
use crate::exit::Failure;
use crate::output;

/// Most that is read of standard input, in bytes: what the API takes.
const INPUT_MAX: u64 = 900 * 1024;

/// Runs it; ends the process with the command's status unless that is 0.
pub(super) async fn run(client: &ApiClient, args: TenantWp) -> Result<(), Failure> {
    let command = WpCommand {
        input: if args.stdin { Some(input()?) } else { None },
        args: args.command,
        time_limit_seconds: args.time_limit,
        columns: columns(),
    };
    let mut lines = client.tenant_wp(&args.tenant, &command).await?;
    while let Some(line) = lines.next().await? {
        match line {
            WpLine::Piece(piece) => show(&piece)?,
            WpLine::End(end) => return ended(&end),
        }
    }
    Err(Failure::Failed(anyhow::anyhow!(
        "the connection ended before the command did; it was ended with it"
    )))
}

fn input() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        return Err(Failure::Usage("--stdin reads a file or a pipe, not a terminal".to_owned()));
    }
    let mut text = Vec::new();
    std::io::stdin().lock().take(INPUT_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > INPUT_MAX {
        return Err(Failure::Usage(format!("standard input is longer than {INPUT_MAX} bytes")));
    }
    let text = String::from_utf8(text).context("standard input is no UTF-8")?;
    Ok(text)
}

/// Width of the terminal; `None` when the output goes elsewhere.
fn columns() -> Option<u16> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    // A terminal that does not say its width has that of a classic one.
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let columns = size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(80);
    Some(columns.clamp(20, 1000))
}

fn show(piece: &WpPiece) -> Result<(), Failure> {
    let bytes = match (&piece.data, &piece.base64) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(coded)) => BASE64_STANDARD.decode(coded).context("a piece of output")?,
        (None, None) => return Ok(()),
    };
    match piece.stream {
        WpStream::Out => {
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.flush()?;
        }
        WpStream::Err => std::io::stderr().lock().write_all(&bytes)?,
    }
    Ok(())
}

fn ended(end: &WpEnd) -> Result<(), Failure> {
    if let Some(message) = &end.message {
        output::say_error(message);
    }
    match u8::try_from(end.exit) {
        Ok(0) => Ok(()),
        code => Err(Failure::Status(code.unwrap_or(1))),
    }
}
