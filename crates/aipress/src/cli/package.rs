//! `aipress package …`

use std::path::Path;

use aipress_api::PackageFetch;
use aipress_api::PackageView;
use aipress_api::client::ApiClient;
use aipress_api::client::ListQuery;
use aipress_types::PackageKind;
use bytes::Bytes;
use time::format_description::well_known::Rfc3339;

use crate::args::Connect;
use crate::args::Output;
use crate::args::PackageVerb;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output;

/// Asked for at once.
const PAGE: usize = 200;
/// Largest archive that is read, in bytes: more than the API takes, so that it says so.
const ARCHIVE_MAX: u64 = 101 * 1024 * 1024;

/// What is said of an empty mirror.
const NOTHING: &str = "no plugins or themes in the mirror; `aipress package add FILE` uploads one, \
                       and sites fill it by themselves";

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: PackageVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    match verb {
        PackageVerb::List { kind, name } => {
            let packages = list(&client, kind, name.as_deref()).await?;
            output::list(output, &packages, NOTHING, table)?;
        }
        PackageVerb::Show { package } => {
            let package = find(&client, &package).await?;
            output::print(output, &package, one)?;
        }
        PackageVerb::Add { file, kind } => {
            let package = add(&client, &file, kind).await?;
            output::print(output, &package, one)?;
        }
        PackageVerb::Fetch(args) => {
            let kind = if args.theme { PackageKind::Theme } else { PackageKind::Plugin };
            let wanted =
                PackageFetch { kind, name: args.name, version: args.version, source: args.source };
            output::print(output, &client.package_get(&wanted).await?, one)?;
        }
        PackageVerb::Delete { package } => {
            let package = find(&client, &package).await?;
            let gone = client.package_delete(&package.sha256).await?;
            output::print(output, &gone, |gone| {
                format!("{} {} {} is gone from the mirror\n", gone.kind, gone.name, gone.version)
            })?;
        }
    }
    Ok(())
}

/// Uploads an archive.
pub(crate) async fn add(
    client: &ApiClient,
    file: &Path,
    kind: Option<PackageKind>,
) -> Result<PackageView, Failure> {
    let unreadable = |error: std::io::Error| Failure::Usage(format!("{}: {error}", file.display()));
    let length = std::fs::metadata(file).map_err(unreadable)?.len();
    if length > ARCHIVE_MAX {
        return Err(Failure::Usage(format!("{}: an archive has at most 100 MiB", file.display())));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    let query = ListQuery::default().with("kind", kind);
    Ok(client.package_add(&query, Bytes::from(bytes)).await?)
}

async fn list(
    client: &ApiClient,
    kind: Option<PackageKind>,
    name: Option<&str>,
) -> Result<Vec<PackageView>, Failure> {
    let mut packages = Vec::new();
    let mut cursor = None;
    loop {
        let query = ListQuery::default()
            .with("kind", kind)
            .with("name", name)
            .with("limit", Some(PAGE))
            .with("cursor", cursor);
        let page = client.package_list(&query).await?;
        packages.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(packages);
        }
    }
}

/// The one archive that a name, `NAME@VERSION` or SHA-256 means.
async fn find(client: &ApiClient, text: &str) -> Result<PackageView, Failure> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(client.package_fetch(&text.to_ascii_lowercase()).await?);
    }
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let mut found = list(client, None, Some(name)).await?;
    found.retain(|package| version.is_none_or(|version| package.version == version));
    match found.len() {
        1 => Ok(found.remove(0)),
        // Asked for, so that the refusal is the API's own.
        0 => Ok(client.package_fetch(text).await?),
        count => {
            let which: Vec<String> = found
                .iter()
                .map(|package| format!("{}@{}  {}", package.name, package.version, package.sha256))
                .collect();
            Err(Failure::Usage(format!(
                "`{text}` is the name of {count}: say which\n  {}",
                which.join("\n  ")
            )))
        }
    }
}

fn table(packages: &[PackageView]) -> String {
    let rows: Vec<Vec<String>> = packages
        .iter()
        .map(|package| {
            let origins: Vec<&str> =
                package.holders.iter().map(|holder| holder.origin.as_str()).collect();
            vec![
                package.name.clone(),
                package.kind.to_string(),
                package.version.clone(),
                origins.join(", "),
                package.sha256.chars().take(12).collect(),
            ]
        })
        .collect();
    output::columns(&["NAME", "KIND", "VERSION", "ORIGIN", "SHA256"], &rows)
}

fn one(package: &PackageView) -> String {
    let time = |at: time::OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let mut text = output::fields(&[
        ("Name", package.name.clone()),
        ("Kind", package.kind.to_string()),
        ("Version", package.version.clone()),
        ("Title", package.title.clone()),
        ("SHA256", package.sha256.clone()),
        ("Size", format!("{} bytes", package.size)),
        (
            "WordPress",
            package.requires.as_ref().map_or_else(String::new, |v| format!("{v} or newer")),
        ),
        (
            "PHP",
            package.requires_php.as_ref().map_or_else(String::new, |v| format!("{v} or newer")),
        ),
        ("Tested", package.tested.clone().unwrap_or_default()),
        ("Seen", time(package.first_seen)),
    ]);
    for holder in &package.holders {
        let whose = holder.account.map_or_else(|| "every account".to_owned(), |id| id.to_string());
        text.push_str(&format!(
            "  for {whose}, from {}, by {}, {}\n",
            holder.origin,
            holder.actor,
            time(holder.added_at)
        ));
    }
    text
}
