//! `aipress route`: where a site lives; with `--shards` where its home would be, by pure
//! arithmetic.

use std::path::Path;

use aipress_types::placement::home_shard;

use crate::args::Connect;
use crate::args::Output;
use crate::args::Route;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output;

/// Prints it.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    args: &Route,
    output: Output,
) -> Result<(), Failure> {
    if let Some(shards) = args.shards {
        let home = home_shard(&args.name, shards)
            .ok_or_else(|| Failure::Usage("a federation has at least one shard".into()))?;
        return output::print(output, &home, |home| format!("{home}\n"));
    }
    let route = connect::client(data, how)?.tenant_route(&args.name).await?;
    output::print(output, &route, |route| {
        output::fields(&[
            ("Name", route.name.clone()),
            ("Shard", route.shard.clone().unwrap_or_else(|| "-".to_owned())),
            ("Home", format!("{} (of {})", route.home, route.federation_size)),
            ("State", route.state.clone()),
            ("Hosts", route.hosts.join(" ")),
        ])
    })?;
    Ok(())
}
