//! `aipress tenant list`.

use aipress_api::TenantView;
use aipress_api::client::ApiClient;
use aipress_api::client::ListQuery;

use crate::args::Output;
use crate::args::TenantList;
use crate::exit::Failure;
use crate::output;
use crate::output::Look;

/// Asked for at once.
const PAGE: usize = 200;

/// Lists all pages, or as many sites as were asked for.
pub(super) async fn run(
    client: &ApiClient,
    args: TenantList,
    output: Output,
) -> Result<(), Failure> {
    let filtered =
        [&args.label, &args.state, &args.tier, &args.shard, &args.name].iter().any(|f| f.is_some());
    let most = args.limit.unwrap_or(usize::MAX);
    let mut tenants: Vec<TenantView> = Vec::new();
    let mut cursor = None;
    while tenants.len() < most {
        let query = ListQuery::default()
            .with("state", args.state.as_deref())
            .with("tier", args.tier.as_deref())
            .with("shard", args.shard.as_deref())
            .with("label", args.label.as_deref())
            .with("q", args.name.as_deref())
            .with("sort", args.sort.as_deref())
            .with("limit", Some(PAGE.min(most - tenants.len())))
            .with("cursor", cursor);
        let page = client.tenant_list(&query).await?;
        tenants.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let nothing = if filtered {
        "No site is like that; `aipress tenant list` shows all."
    } else {
        "No sites yet; `aipress tenant create NAME` makes one."
    };
    output::list(output, &tenants, nothing, table)
}

fn table(tenants: &[TenantView]) -> String {
    let rows: Vec<Vec<String>> = tenants.iter().map(row).collect();
    let mut headings = vec!["NAME", "STATE", "TIER", "WORDPRESS", "SHARD", "URL"];
    if Look::is_wide() {
        headings.extend(["UID", "REGION", "CREATED", "TITLE"]);
    }
    output::columns(&headings, &rows)
}

fn row(tenant: &TenantView) -> Vec<String> {
    let mut cells = vec![
        tenant.name.clone(),
        tenant.state.to_string(),
        tenant.spec.tier.to_string(),
        tenant.wordpress_version.clone().unwrap_or_else(|| "-".to_owned()),
        tenant.shard.clone().unwrap_or_else(|| "-".to_owned()),
        tenant.url.clone(),
    ];
    if Look::is_wide() {
        cells.push(tenant.uid.to_string());
        cells.push(tenant.spec.region.clone().unwrap_or_else(|| "-".to_owned()));
        cells.push(output::moment(tenant.created_at));
        cells.push(tenant.spec.wordpress.title.clone().unwrap_or_default());
    }
    cells
}
