//! `aipress tenant clone`.

use std::time::Duration;

use aipress_api::CloneCreate;
use aipress_api::client::ApiClient;

use crate::args::Output;
use crate::args::TenantClone;
use crate::cli::follow;
use crate::exit::Failure;
use crate::output;

/// Makes a new site of a site.
pub(super) async fn run(
    client: &ApiClient,
    args: TenantClone,
    output: Output,
) -> Result<(), Failure> {
    let accepted = client.tenant_clone(&args.tenant, &CloneCreate { name: args.name }).await?;
    let operation = accepted.operation;
    if args.wait.no_wait {
        return output::print(output, &operation, |operation| {
            let name = &accepted.tenant.name;
            format!("{name} is being made: aipress operation watch {}\n", operation.id)
        });
    }
    follow::to_the_end(client, &operation, Duration::from_secs(args.wait.timeout)).await?;
    let tenant = client.tenant_fetch(&accepted.tenant.uid.to_string()).await?;
    output::print(output, &tenant, |tenant| output::fields(&[("Site", tenant.url.clone())]))
}
