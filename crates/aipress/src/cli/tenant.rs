//! `aipress tenant …`

mod change;
mod clone;
mod create;
mod cron;
mod export;
mod foreign;
mod import;
mod inventory;
mod list;
mod locked;
mod login;
mod logs;
mod mail;
mod packages;
mod patience;
mod progress;
mod show;
mod wp;

use std::path::Path;

use crate::args::Connect;
use crate::args::Output;
use crate::args::TenantVerb;
use crate::cli::connect;
use crate::exit::Failure;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: TenantVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    match verb {
        TenantVerb::Create(args) => create::run(&client, args, output).await,
        TenantVerb::List(args) => list::run(&client, args, output).await,
        TenantVerb::Show { tenant } => show::run(&client, &tenant, output).await,
        TenantVerb::Update(args) => change::update(&client, args, output).await,
        TenantVerb::Export(args) => export::run(&client, args).await,
        TenantVerb::Import(args) => import::run(&client, args, output).await,
        TenantVerb::Clone(args) => clone::run(&client, args, output).await,
        TenantVerb::Delete(args) => {
            let what = "takes the site offline at once; it can be undeleted for 7 days";
            change::guarded(&client, args, "delete", what, output).await
        }
        TenantVerb::Undelete(args) => change::plain(&client, args, "undelete", output).await,
        TenantVerb::Erase(args) => {
            let what = "erases the site's files and database for good";
            change::guarded(&client, args, "erase", what, output).await
        }
        TenantVerb::Suspend(args) => {
            let what = "takes the site offline until it is resumed";
            change::guarded(&client, args, "suspend", what, output).await
        }
        TenantVerb::Resume(args) => change::plain(&client, args, "resume", output).await,
        TenantVerb::RotateSecrets(args) => change::rotate_secrets(&client, args, output).await,
        TenantVerb::Login { tenant, user } => login::run(&client, &tenant, user, output).await,
        TenantVerb::Mail { verb } => mail::run(&client, verb, output).await,
        TenantVerb::Cron { tenant } => cron::run(&client, &tenant, output).await,
        TenantVerb::Inventory { tenant, refresh } => {
            inventory::run(&client, &tenant, refresh, output).await
        }
        TenantVerb::Plugin { verb } => packages::plugin(&client, verb, output).await,
        TenantVerb::Theme { verb } => packages::theme(&client, verb, output).await,
        TenantVerb::Wp(args) => wp::run(&client, args).await,
        TenantVerb::Logs(args) => logs::run(&client, args, output).await,
        TenantVerb::Open { tenant } => login::open(&client, &tenant).await,
    }
}
