//! `aipress audit …`

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;

use aipress_api::AuditCheckpointsSeen;
use aipress_api::AuditFault;
use aipress_api::AuditFindingView;
use aipress_api::AuditVerificationView;
use aipress_api::AuditView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::ListQuery;
use aipress_audit::PublicKey;
use anyhow::Context;
use http_body_util::BodyExt;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::args::AuditExport;
use crate::args::AuditList;
use crate::args::AuditPick;
use crate::args::AuditVerb;
use crate::args::AuditVerify;
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
        AuditVerb::Export(args) => export(&client, args).await,
        AuditVerb::Key => output::print(output, &client.audit_checkpoints().await?, |shown| {
            shown.public_key.clone()
        }),
        AuditVerb::Verify(args) => {
            let query = ListQuery::default().with("account", args.account.as_deref());
            let mut seen = client.audit_verify(&query).await?;
            if let Some(copy) = &args.checkpoints {
                compare(&client, &args, copy, &mut seen).await?;
            }
            output::print(output, &seen, told)?;
            match seen.whole {
                true => Ok(()),
                false => Err(anyhow::anyhow!("the audit log is not as it was written").into()),
            }
        }
    }
}

/// Looks through a copy of the file of checkpoints, and compares the last place of each chain in it:
/// what it was signed for has all rows before it in its link.
async fn compare(
    client: &ApiClient,
    args: &AuditVerify,
    copy: &Path,
    seen: &mut AuditVerificationView,
) -> Result<(), Failure> {
    let text = match &args.public_key {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?
        }
        None => client.audit_checkpoints().await?.public_key,
    };
    let key = PublicKey::parse(&text).context("that is no public key: `aipress audit key`")?;
    let file =
        aipress_audit::read(copy, &key, 0).with_context(|| format!("read {}", copy.display()))?;
    seen.checkpoints.count = file.count;
    seen.checkpoints.faults.extend(file.faults);
    let mut last = BTreeMap::new();
    for anchor in file.anchors {
        last.insert(anchor.chain.clone(), anchor);
    }
    if let Some(account) = &args.account {
        last.retain(|chain, _| chain == account);
    }
    for (chain, anchor) in last {
        let known = format!("{}:{}", anchor.seq, hex::encode(anchor.link));
        let query = ListQuery::default().with("account", Some(chain)).with("anchor", Some(known));
        let found = match client.audit_verify(&query).await {
            Ok(found) => found,
            // Somebody else's.
            Err(ApiError::Problem(problem)) if problem.status == 404 => continue,
            Err(error) => return Err(error.into()),
        };
        seen.checkpoints.compared += 1;
        for finding in found.findings {
            if !seen.findings.contains(&finding) {
                seen.faults += 1;
                seen.findings.push(finding);
            }
        }
    }
    seen.whole = seen.faults == 0 && seen.checkpoints.faults.is_empty();
    Ok(())
}

async fn list(client: &ApiClient, args: AuditList) -> Result<Vec<AuditView>, Failure> {
    let wanted = picked(args.pick);
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

fn picked(pick: AuditPick) -> ListQuery {
    ListQuery::default()
        .with("tenant", pick.tenant)
        .with("actor", pick.actor)
        .with("action", pick.action)
        .with("requestId", pick.request)
        .with("q", pick.text)
        .with("since", pick.since)
        .with("until", pick.until)
}

/// Passes lines on as they come.
async fn export(client: &ApiClient, args: AuditExport) -> Result<(), Failure> {
    let query = picked(args.pick).with("format", Some(args.format));
    let mut body = client.audit_export(&query).await?;
    let mut out = std::io::stdout().lock();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the export broke off: what was printed is not all of it")?;
        let Some(data) = frame.data_ref() else { continue };
        match out.write_all(data) {
            Ok(()) => {}
            // Nobody reads any more (`| head`).
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
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
        let signed = match &seen.checkpoints {
            AuditCheckpointsSeen { count: 0, .. } => "no checkpoint yet".to_owned(),
            it => format!("{} places signed for in {} checkpoints", it.compared, it.count),
        };
        return format!("whole: {looked}{erased}; {signed}\n");
    }
    let mut text = format!("not whole: {} wrong in {looked}\n", seen.faults);
    for fault in &seen.checkpoints.faults {
        text.push_str(&format!("  file of checkpoints: {fault}\n"));
    }
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
            checkpoints: AuditCheckpointsSeen::default(),
        };
        assert_eq!(told(&seen), "whole: 7 rows in 1 chain; no checkpoint yet\n");
        (seen.checkpoints.count, seen.checkpoints.compared) = (2, 3);
        let wanted = "whole: 7 rows in 1 chain; 3 places signed for in 2 checkpoints\n";
        assert_eq!(told(&seen), wanted);
        seen.checkpoints.faults = vec!["line 2 is damaged".to_owned()];
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
            file of checkpoints: line 2 is damaged\n  \
            platform: row 2 (id 9): changed, or the one before it is\n  \
            platform: rows 4 to 6: cut off at the end\n  and 1 more\n";
        assert_eq!(told(&seen), wanted);
    }
}
