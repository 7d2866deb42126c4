//! `aipress project …`

use std::path::Path;

use aipress_api::client::ListQuery;

use crate::args::Connect;
use crate::args::Output;
use crate::args::ProjectVerb;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: ProjectVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    let ProjectVerb::List = verb;
    let mut projects = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.project_list(&ListQuery::default().with("cursor", cursor)).await?;
        projects.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    output::list(output, &projects, "No projects yet.", |projects| {
        let rows: Vec<Vec<String>> = projects
            .iter()
            .map(|project| {
                vec![
                    project.id.clone(),
                    project.kind.clone(),
                    project.region.clone().unwrap_or_else(|| "-".to_owned()),
                ]
            })
            .collect();
        output::columns(&["PROJECT", "KIND", "REGION"], &rows)
    })?;
    Ok(())
}
