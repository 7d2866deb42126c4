//! Audit rows as lines of CSV (RFC 4180), safe to open in a spreadsheet.

use aipress_api::AuditView;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

/// The first line.
pub const CSV_HEAD: &str = "id,at,actor,onBehalfOf,action,resource,name,account,requestId,plan,\
    before,after,reason,outcome,seq,link,payloadSha256,salt\r\n";

/// The line of a row, with its end.
pub fn csv_line(row: &AuditView) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let cells = [
        row.id.to_string(),
        row.at.format(&Rfc3339).unwrap_or_default(),
        row.actor.clone(),
        text(&row.on_behalf_of),
        row.action.clone(),
        row.resource.clone(),
        text(&row.name),
        text(&row.account),
        text(&row.request_id),
        text(&row.plan),
        json(&row.before),
        json(&row.after),
        text(&row.reason),
        row.outcome.clone(),
        row.chain.seq.to_string(),
        row.chain.link.clone(),
        row.chain.payload_sha256.clone(),
        text(&row.chain.salt),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    cells.join(",") + "\r\n"
}

/// A cell. Spreadsheets take a text that begins so for a formula: an apostrophe in front makes it a
/// text again.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guarded = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains(['"', ',', '\r', '\n', '\'']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula_is_left() {
        assert_eq!(quoted("bakery"), "bakery");
        assert_eq!(quoted(r#"{"a":1,"b":2}"#), r#""{""a"":1,""b"":2}""#);
        assert_eq!(quoted("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        for start in ["+1", "-1", "@a", "\ta"] {
            assert!(quoted(start).starts_with("\"'"), "{start}");
        }
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }

    #[test]
    fn a_line_has_a_cell_for_each_name() {
        let row = AuditView {
            id: 7,
            at: time::macros::datetime!(2026-11-22 12:00 UTC),
            actor: "user:1".to_owned(),
            on_behalf_of: None,
            action: "tenant.suspend".to_owned(),
            resource: "tenant:1".to_owned(),
            name: Some("bakery".to_owned()),
            account: None,
            request_id: None,
            plan: None,
            before: None,
            after: None,
            reason: Some("=1+1".to_owned()),
            outcome: "allowed".to_owned(),
            chain: aipress_api::AuditChainView {
                seq: 1,
                link: "aa".to_owned(),
                payload_sha256: "bb".to_owned(),
                salt: None,
            },
        };
        let line = csv_line(&row);
        assert_eq!(line.matches(',').count(), CSV_HEAD.matches(',').count());
        let wanted = "7,2026-11-22T12:00:00Z,user:1,,tenant.suspend,tenant:1,bakery,,,,,,\
            \"'=1+1\",allowed,1,aa,bb,\r\n";
        assert_eq!(line, wanted);
    }
}
