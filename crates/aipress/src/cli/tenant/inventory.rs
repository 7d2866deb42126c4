//! `aipress tenant inventory`.

use std::fmt::Write;

use aipress_api::client::ApiClient;
use aipress_api::inventory::InventoryItemView;
use aipress_api::inventory::InventoryView;

use crate::args::Output;
use crate::exit::Failure;
use crate::output;

/// Shows what a site has; looks first when asked to.
pub(super) async fn run(
    client: &ApiClient,
    tenant: &str,
    refresh: bool,
    output: Output,
) -> Result<(), Failure> {
    let found = if refresh {
        client.tenant_inventory_refresh(tenant).await?
    } else {
        client.tenant_inventory(tenant).await?
    };
    output::print(output, &found, text)?;
    Ok(())
}

fn text(found: &InventoryView) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_text(&mut text, found);
    // Much of it is what the site says of itself.
    output::harmless(&text)
}

fn write_text(text: &mut String, found: &InventoryView) -> std::fmt::Result {
    writeln!(text, "Seen       {}", output::moment(found.observed_at))?;
    for problem in &found.problems {
        writeln!(text, "Problem    {problem}")?;
    }
    if let Some(site) = &found.site {
        let network = if site.multisite { ", multisite" } else { "" };
        writeln!(
            text,
            "WordPress  {} (database {}), {}{network}",
            site.wordpress_version, site.database_version, site.locale
        )?;
        writeln!(text, "PHP        {}", site.php_version)?;
        let roles: Vec<String> =
            site.users.by_role.iter().map(|(role, count)| format!("{count} {role}")).collect();
        writeln!(text, "Users      {}: {}", site.users.total, roles.join(", "))?;
        writeln!(text, "Admins     {}", site.users.administrators.join(", "))?;
        let content = &site.content;
        writeln!(
            text,
            "Content    {} posts, {} pages, {} comments, {} media files",
            content.posts, content.pages, content.comments, content.attachments
        )?;
        if let Some(at) = site.last_login_at {
            writeln!(text, "Last login {}", output::moment(at))?;
        }
    }
    if let Some(at) = found.last_visit_at {
        writeln!(text, "Last visit {}", output::moment(at))?;
    }
    if let Some(size) = &found.database {
        writeln!(text, "Database   {} in {} tables", mib(size.bytes), size.tables)?;
    }
    if let Some(usage) = &found.disk {
        let more = if usage.complete { "" } else { " or more" };
        writeln!(text, "Files      {}{more} in {} entries", mib(usage.bytes), usage.entries)?;
    }
    if let Some(site) = &found.site {
        items(text, "Plugins", &site.plugins)?;
        items(text, "Themes", &site.themes)?;
    }
    Ok(())
}

fn items(text: &mut String, what: &str, items: &[InventoryItemView]) -> std::fmt::Result {
    writeln!(text, "{what}")?;
    if items.is_empty() {
        writeln!(text, "  none")?;
    }
    let width = items.iter().map(|item| item.name.len()).max().unwrap_or(0).min(40);
    for item in items {
        let update = match (item.update.as_str(), &item.update_version) {
            ("available", Some(version)) => format!("update to {version}"),
            ("unknown", _) => "updates unknown".to_owned(),
            _ => "up to date".to_owned(),
        };
        writeln!(text, "  {:width$}  {:10} {:9} {update}", item.name, item.version, item.status)?;
    }
    Ok(())
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}
