//! `aipress tenant show`.

use aipress_api::TenantView;
use aipress_api::client::ApiClient;

use crate::args::Output;
use crate::exit::Failure;
use crate::output;

/// Shows one site.
pub(super) async fn run(client: &ApiClient, tenant: &str, output: Output) -> Result<(), Failure> {
    // As YAML it is the document, which `aipress apply` takes.
    if output == Output::Yaml {
        let document = client.tenant_document(tenant).await?;
        return output::print(output, &document, |_| String::new());
    }
    let tenant = client.tenant_fetch(tenant).await?;
    output::print(output, &tenant, table)
}

/// The site for people.
pub(super) fn table(tenant: &TenantView) -> String {
    let slot = tenant.slot.map_or_else(String::new, |slot| format!(", slot {slot}"));
    let progress = if tenant.generation == tenant.observed_generation {
        String::new()
    } else {
        format!(" (on its way to {})", tenant.desired.as_str())
    };
    output::fields(&[
        ("Name", tenant.name.clone()),
        ("Called", tenant.metadata.display_name.clone().unwrap_or_default()),
        ("Labels", labels(tenant)),
        ("Uid", tenant.uid.to_string()),
        ("State", format!("{}{progress}", tenant.state)),
        ("Message", tenant.message.clone().unwrap_or_default()),
        ("URL", tenant.url.clone()),
        ("Title", tenant.spec.wordpress.title.clone().unwrap_or_default()),
        ("Tier", tenant.spec.tier.to_string()),
        ("WordPress", tenant.wordpress_version.clone().unwrap_or_default()),
        ("Region", tenant.spec.region.clone().unwrap_or_default()),
        ("Shard", tenant.shard.as_ref().map_or_else(String::new, |shard| format!("{shard}{slot}"))),
        ("Generation", tenant.generation.to_string()),
        ("Created", output::moment_in_full(tenant.created_at)),
        ("Updated", output::moment_in_full(tenant.updated_at)),
        ("Deleted", tenant.deleted_at.map_or_else(String::new, output::moment_in_full)),
    ])
}

/// Labels as they are asked for by `--label`.
fn labels(tenant: &TenantView) -> String {
    let labels = &tenant.metadata.labels;
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}
