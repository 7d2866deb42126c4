//! `aipress audit …`

use std::path::Path;

use aipress_api::AuditFault;
use aipress_api::AuditFindingView;
use aipress_api::AuditVerificationView;
use aipress_api::AuditView;
use aipress_api::client::ApiClient;
use aipress_api::client::ListQuery;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::args::AuditList;
use crate::args::AuditVerb;
use crate::args::Connect;
use crate::args::Output;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output;

/// Items of one page.
const PAGE: usize = 500;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: AuditVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    match verb {
        AuditVerb::List(args) => {
            let rows = list(&client, args).await?;
            output::list(output, &rows, "Nothing of that kind was done.", table)
        }
        AuditVerb::Verify { account } => {
            let query = ListQuery::default().with("account", account);
            let seen = client.audit_verify(&query).await?;
            output::print(output, &seen, told)?;
            match seen.whole {
                true => Ok(()),
                false => Err(anyhow::anyhow!("the audit log is not as it was written").into()),
            }
        }
    }
}

async fn list(client: &ApiClient, args: AuditList) -> Result<Vec<AuditView>, Failure> {
    let wanted = ListQuery::default()
        .with("tenant", args.tenant)
        .with("actor", args.actor)
        .with("action", args.action)
        .with("since", args.since)
        .with("until", args.until);
    let mut rows: Vec<AuditView> = Vec::new();
    let mut cursor = None;
    while rows.len() < args.limit {
        let limit = PAGE.min(args.limit - rows.len());
        let query = wanted.clone().with("limit", Some(limit)).with("cursor", cursor);
        let page = client.audit_list(&query).await?;
        rows.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(rows)
}

fn table(rows: &[AuditView]) -> String {
    let row = |row: &AuditView| {
        let at = row.at.to_offset(UtcOffset::UTC);
        let at = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
        let what = row.name.clone().unwrap_or_else(|| row.resource.clone());
        let why = row.reason.clone().unwrap_or_default();
        vec![row.id.to_string(), at, row.actor.clone(), row.action.clone(), what, why]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    output::columns(&["ID", "AT", "ACTOR", "ACTION", "WHAT", "REASON"], &rows)
}

/// For people: one line of what is whole, or one for each thing that is not.
fn told(seen: &AuditVerificationView) -> String {
    let looked = format!(
        "{} {} in {} {}",
        seen.rows,
        if seen.rows == 1 { "row" } else { "rows" },
        seen.chains,
        if seen.chains == 1 { "chain" } else { "chains" },
    );
    if seen.whole {
        let erased = match seen.erased {
            0 => String::new(),
            count => format!(", {count} of them erased with their sites"),
        };
        return format!("whole: {looked}{erased}\n");
    }
    let mut text = format!("not whole: {} wrong in {looked}\n", seen.faults);
    for found in &seen.findings {
        text.push_str(&format!("  {}\n", sentence(found)));
    }
    let untold = seen.faults.saturating_sub(seen.findings.len() as u64);
    if untold > 0 {
        text.push_str(&format!("  and {untold} more\n"));
    }
    text
}

fn sentence(found: &AuditFindingView) -> String {
    let place = match (found.until, found.id) {
        (Some(until), _) => format!("rows {} to {until}", found.seq),
        (None, Some(id)) => format!("row {} (id {id})", found.seq),
        (None, None) => format!("row {}", found.seq),
    };
    let what = match found.fault {
        AuditFault::Changed => "changed, or the one before it is",
        AuditFault::Missing => "missing",
        AuditFault::Added => "added: no change has written it",
        AuditFault::CutOff => "cut off at the end",
        AuditFault::Rewritten => "rewritten: a checkpoint was signed for another row",
        AuditFault::Erased => "without its content, though its site was never erased",
    };
    format!("{}: {place}: {what}", found.chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_told_in_sentences() {
        let mut seen = AuditVerificationView {
            whole: true,
            chains: 1,
            rows: 7,
            erased: 0,
            faults: 0,
            findings: Vec::new(),
        };
        assert_eq!(told(&seen), "whole: 7 rows in 1 chain\n");
        let finding = |seq, until, id, fault| AuditFindingView {
            chain: "platform".to_owned(),
            seq,
            until,
            id,
            fault,
        };
        seen.findings = vec![
            finding(2, None, Some(9), AuditFault::Changed),
            finding(4, Some(6), None, AuditFault::CutOff),
        ];
        (seen.whole, seen.faults) = (false, 3);
        let wanted = "not whole: 3 wrong in 7 rows in 1 chain\n  \
            platform: row 2 (id 9): changed, or the one before it is\n  \
            platform: rows 4 to 6: cut off at the end\n  and 1 more\n";
        assert_eq!(told(&seen), wanted);
    }
}
