//! Finds the API and the token.

use std::path::Path;
use std::time::Duration;

use aipress_api::client::ApiClient;
use aipress_drivers::DataPaths;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;

use crate::args::Connect;
use crate::data;
use crate::exit::Failure;
use crate::settings::Settings;

/// Longest time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client for what the arguments say.
///
/// # Errors
/// When the address or the token's file can't be used.
pub(crate) fn client(data: Option<&Path>, connect: &Connect) -> Result<ApiClient, Failure> {
    let paths = data::paths(data)?;
    let settings = Settings::load(&paths)?;
    let token = token(&paths, connect)?;
    let local = settings.console_url();
    let server = connect.server.as_deref().unwrap_or(&local);
    let endpoint: Endpoint =
        server.parse().map_err(|error| Failure::Usage(format!("--server: {error}")))?;
    let host = server
        .strip_prefix("http://")
        .map_or("localhost", |rest| rest.trim_end_matches('/'))
        .to_owned();
    let mut http = Client::new(endpoint.clone(), TIMEOUT);
    if connect.server.is_none() {
        http = http.dialing(settings.listen.to_string());
    } else if let Endpoint::Tcp(authority) = &endpoint
        && let Some((name, port)) = authority.rsplit_once(':')
        && (name == "localhost" || name.ends_with(".localhost"))
    {
        // RFC 6761 section 6.3: such names are the loopback, whatever the resolver knows.
        http = http.dialing(format!("127.0.0.1:{port}"));
    }
    Ok(ApiClient::new(http, host, token))
}

fn token(paths: &DataPaths, connect: &Connect) -> Result<Option<String>, Failure> {
    if let Some(path) = &connect.token_file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("--token-file {}: {error}", path.display())))?;
        return Ok(Some(text.trim().to_owned()));
    }
    if let Ok(token) = std::env::var("AIPRESS_TOKEN") {
        return Ok(Some(token.trim().to_owned()));
    }
    // Whoever may not read it is told so by the API.
    Ok(std::fs::read_to_string(paths.admin_token()).ok().map(|text| text.trim().to_owned()))
}
