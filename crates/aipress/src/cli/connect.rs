//! A client of the platform that is meant.

use std::path::Path;
use std::time::Duration;

use aipress_api::client::ApiClient;
use aipress_kit::http::Client;
use aipress_kit::http::outgoing::Trust;

use crate::args::Connect;
use crate::config::Target;
use crate::exit::Failure;

/// Longest time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client for what flags, variables and contexts say.
///
/// # Errors
/// When the address or the token's file can't be used.
pub(crate) fn client(data: Option<&Path>, connect: &Connect) -> Result<ApiClient, Failure> {
    let target = Target::resolve(data, connect)?;
    let host = target.host();
    let mut http = Client::new(target.endpoint, TIMEOUT);
    if let Some(dial) = target.dial {
        http = http.dialing(dial);
    }
    if let Some(authorities) = target.ca_file {
        http = http.trusting(&Trust::File(authorities));
    }
    let token = target.token.map(|token| token.expose().to_owned());
    Ok(ApiClient::new(http, host, token).dry_run(connect.dry_run).because(connect.reason.clone()))
}
