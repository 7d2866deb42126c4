//! `aipress tenant plugin …` and `aipress tenant theme …`.

use aipress_api::SitePackageUpdate;
use aipress_api::SitePackageView;
use aipress_api::client::ApiClient;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;

use crate::args;
use crate::args::Output;
use crate::args::PluginVerb;
use crate::args::ThemeVerb;
use crate::args::Wait;
use crate::cli::package;
use crate::cli::tenant::change;
use crate::exit::Failure;
use crate::output;

/// Longest title in a table, in characters.
const TITLE_MAX: usize = 40;

/// One verb about plugins.
pub(super) async fn plugin(
    client: &ApiClient,
    verb: PluginVerb,
    output: Output,
) -> Result<(), Failure> {
    let kind = PackageKind::Plugin;
    match verb {
        PluginVerb::List { tenant } => list(client, kind, &tenant, output).await,
        PluginVerb::Install(args) => {
            let active = args.inactive.then_some(false);
            let (tenant, wait) = (args.tenant, args.wait);
            let entry = entry(client, kind, args.name, args.origin, active).await?;
            install(client, kind, &tenant, entry, wait, output).await
        }
        PluginVerb::Activate(args) => switch(client, kind, args, true, output).await,
        PluginVerb::Deactivate(args) => switch(client, kind, args, false, output).await,
        PluginVerb::Update(args) => update(client, kind, args, output).await,
        PluginVerb::Remove(args) => remove(client, kind, args, output).await,
    }
}

/// One verb about themes.
pub(super) async fn theme(
    client: &ApiClient,
    verb: ThemeVerb,
    output: Output,
) -> Result<(), Failure> {
    let kind = PackageKind::Theme;
    match verb {
        ThemeVerb::List { tenant } => list(client, kind, &tenant, output).await,
        ThemeVerb::Install(args) => {
            let active = args.activate.then_some(true);
            let (tenant, wait) = (args.tenant, args.wait);
            let entry = entry(client, kind, args.name, args.origin, active).await?;
            install(client, kind, &tenant, entry, wait, output).await
        }
        ThemeVerb::Activate(args) => switch(client, kind, args, true, output).await,
        ThemeVerb::Update(args) => update(client, kind, args, output).await,
        ThemeVerb::Remove(args) => remove(client, kind, args, output).await,
    }
}

async fn list(
    client: &ApiClient,
    kind: PackageKind,
    tenant: &str,
    output: Output,
) -> Result<(), Failure> {
    let found = client.site_package_list(kind, tenant).await?.items;
    let nothing = format!(
        "no {} are known: the site was not looked at yet (`aipress tenant inventory {tenant} \
         --refresh`), or has none",
        kind.plural()
    );
    output::list(output, &found, &nothing, table)?;
    Ok(())
}

fn table(found: &[SitePackageView]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|item| {
            let update = match (item.update.as_deref(), &item.update_version) {
                (Some("available"), Some(version)) => version.clone(),
                (Some("unknown"), _) => "unknown".to_owned(),
                _ => String::new(),
            };
            let asked = match (&item.requested, &item.rolled_back) {
                (_, Some(_)) => "taken back".to_owned(),
                (None, None) => "by hand".to_owned(),
                (Some(entry), None) => {
                    entry.version.clone().unwrap_or_else(|| "any version".to_owned())
                }
            };
            vec![
                item.name.clone(),
                item.version.clone().unwrap_or_else(|| "-".to_owned()),
                item.status.clone().unwrap_or_else(|| "not seen yet".to_owned()),
                update,
                asked,
                item.title.clone().unwrap_or_default().chars().take(TITLE_MAX).collect(),
            ]
        })
        .collect();
    output::columns(&["NAME", "VERSION", "STATUS", "UPDATE", "DOCUMENT", "TITLE"], &rows)
}

/// The entry that flags ask for; an archive is uploaded first.
async fn entry(
    client: &ApiClient,
    kind: PackageKind,
    name: Option<String>,
    origin: args::Origin,
    active: Option<bool>,
) -> Result<PackageSpec, Failure> {
    let Some(file) = origin.file else {
        let name = name.unwrap_or_default();
        return Ok(PackageSpec { name, version: origin.version, source: origin.source, active });
    };
    if client.is_dry_run() {
        return Err(Failure::Usage(
            "--dry-run uploads nothing: upload the archive with `aipress package add`, then give \
             --source sha256:… of it"
                .to_owned(),
        ));
    }
    let added = package::add(client, &file, Some(kind)).await?;
    if let Some(name) = name.filter(|name| *name != added.name) {
        return Err(Failure::Usage(format!(
            "{} holds {kind} `{}`, not `{name}`; it is in the mirror now, and on no site",
            file.display(),
            added.name
        )));
    }
    let source = Some(format!("sha256:{}", added.sha256));
    Ok(PackageSpec { name: added.name, version: Some(added.version), source, active })
}

async fn install(
    client: &ApiClient,
    kind: PackageKind,
    tenant: &str,
    entry: PackageSpec,
    wait: Wait,
    output: Output,
) -> Result<(), Failure> {
    let accepted = client.site_package_install(kind, tenant, &entry).await?;
    change::end(client, accepted, wait, output).await
}

async fn switch(
    client: &ApiClient,
    kind: PackageKind,
    args: args::SitePackage,
    on: bool,
    output: Output,
) -> Result<(), Failure> {
    let accepted = client.site_package_switch(kind, &args.tenant, &args.name, on).await?;
    change::end(client, accepted, args.wait, output).await
}

async fn update(
    client: &ApiClient,
    kind: PackageKind,
    args: args::SitePackageUpdate,
    output: Output,
) -> Result<(), Failure> {
    let (tenant, name, wait) = (args.tenant, args.name, args.wait);
    let wanted = entry(client, kind, Some(name.clone()), args.origin, None).await?;
    let body = SitePackageUpdate { version: wanted.version, source: wanted.source };
    let accepted = client.site_package_update(kind, &tenant, &name, &body).await?;
    change::end(client, accepted, wait, output).await
}

async fn remove(
    client: &ApiClient,
    kind: PackageKind,
    args: args::SitePackage,
    output: Output,
) -> Result<(), Failure> {
    let accepted = client.site_package_remove(kind, &args.tenant, &args.name).await?;
    change::end(client, accepted, args.wait, output).await
}
