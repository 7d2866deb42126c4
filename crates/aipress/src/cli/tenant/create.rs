//! `aipress tenant create`: ends with the site's address and a one-time login link.

use std::time::Duration;

use aipress_api::LoginLinkCreate;
use aipress_api::TenantCreate as Body;
use aipress_api::client::ApiClient;
use aipress_types::TenantMetadata;
use aipress_types::TenantSpec;
use aipress_types::WordPressSpec;

use crate::args::Output;
use crate::args::TenantCreate;
use crate::cli::follow;
use crate::exit::Failure;
use crate::output;

/// Makes the site.
pub(super) async fn run(
    client: &ApiClient,
    args: TenantCreate,
    output: Output,
) -> Result<(), Failure> {
    let wait = args.wait;
    let body = Body {
        name: args.name,
        account: None,
        metadata: TenantMetadata::default(),
        spec: TenantSpec {
            tier: args.tier,
            region: args.region,
            wordpress: WordPressSpec {
                version: args.wordpress,
                title: args.title,
                locale: None,
                admin_email: args.admin_email,
            },
            ..TenantSpec::default()
        },
    };
    let accepted = client.tenant_create(&body).await?;
    let operation = accepted.operation;
    if wait.no_wait {
        output::print(output, &operation, |operation| {
            format!(
                "{} is being made: aipress operation watch {}\n",
                accepted.tenant.name, operation.id
            )
        })?;
        return Ok(());
    }
    follow::to_the_end(client, &operation, Duration::from_secs(wait.timeout)).await?;
    let tenant = client.tenant_fetch(&accepted.tenant.uid.to_string()).await?;
    if !output.is_for_people() {
        return output::print(output, &tenant, |_| String::new());
    }
    let link = client
        .tenant_login_link(&accepted.tenant.uid.to_string(), &LoginLinkCreate::default())
        .await?;
    output::say(&output::fields(&[
        ("Site", tenant.url.clone()),
        ("Login", format!("{} (once, within 15 minutes)", link.url.unwrap_or_default())),
    ]));
    Ok(())
}
