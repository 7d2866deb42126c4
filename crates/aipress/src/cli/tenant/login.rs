//! `aipress tenant login` and `open`.

use aipress_api::LoginLinkCreate;
use aipress_api::client::ApiClient;

use crate::args::Output;
use crate::exit::Failure;
use crate::output;

/// Makes a link that signs in once.
pub(super) async fn run(
    client: &ApiClient,
    tenant: &str,
    user: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let link = client.tenant_login_link(tenant, &LoginLinkCreate { user }).await?;
    output::print(output, &link, |link| format!("{}\n", link.url.as_deref().unwrap_or_default()))?;
    Ok(())
}

/// Opens the site in a browser where there is one, and prints its address in any case.
pub(super) async fn open(client: &ApiClient, tenant: &str) -> Result<(), Failure> {
    let tenant = client.tenant_fetch(tenant).await?;
    output::say(&format!("{}\n", tenant.url));
    let display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if display && !client.is_dry_run() {
        // The browser is the user's; how it fares is not ours to wait for.
        let _ = tokio::process::Command::new("xdg-open")
            .arg(&tenant.url)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
    }
    Ok(())
}
