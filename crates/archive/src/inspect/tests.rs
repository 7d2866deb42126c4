//! What is told of a site, and how much of it is kept meanwhile.

use super::*;

fn look(dump: &str, prefix: Option<&str>) -> Report {
    let mut inspector = Inspector::new(true);
    let mut splitter = Splitter::new(dump.as_bytes());
    while let Some(statement) = splitter.next_statement().unwrap() {
        inspector.statement(&statement);
    }
    inspector.finish(prefix)
}

fn tables(prefix: &str, more: &[&str]) -> String {
    ["options", "posts", "users", "usermeta"]
        .iter()
        .chain(more)
        .map(|name| format!("CREATE TABLE `{prefix}{name}` (`a` int);"))
        .collect()
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn a_site_is_described() {
    let dump = tables("x9_", &[])
        + "INSERT INTO `x9_options` VALUES (1,'siteurl','https://a.example/wp','yes'),\
           (2,'home','https://a.example/','yes'),(3,'db_version','53496','yes'),\
           (4,'active_plugins','a:2:{i:0;s:19:\\\"akismet/akismet.php\\\";i:1;\
           s:23:\\\"wp-rocket/wp-rocket.php\\\";}','yes'),\
           (5,'upload_path','/home/old/public_html/up','yes');";
    let report = look(&dump, None);
    assert!(report.is_fine(), "{report:?}");
    assert_eq!(report.home, "https://a.example");
    assert_eq!(report.siteurl, "https://a.example/wp");
    assert_eq!(report.db_version, Some(53496));
    assert_eq!(report.table_prefix, "x9_");
    assert_eq!(report.plugins, ["akismet/akismet.php", "wp-rocket/wp-rocket.php"]);
    assert_eq!(codes(&report), ["fighting_plugin", "table_prefix", "upload_path"]);
}

#[test]
fn what_is_no_single_site_is_refused() {
    assert_eq!(codes(&look("CREATE TABLE a (b int);", None)), ["no_wordpress"]);
    let network = tables("wp_", &["blogs", "site", "sitemeta"]);
    assert_eq!(codes(&look(&network, None)), ["multisite"]);
    let two = tables("a_", &[]) + &tables("b_", &[]);
    assert_eq!(codes(&look(&two, None)), ["several_wordpress"]);
    assert!(look(&two, Some("b_")).is_fine());
    assert_eq!(codes(&look(&two, Some("c_"))), ["no_wordpress"]);
}

#[test]
fn what_is_not_allowed_is_told_with_its_line() {
    let report = look(&(tables("wp_", &[]) + "\nGRANT ALL ON *.* TO x;"), None);
    assert!(!report.is_fine());
    assert!(report.findings[0].message.contains("line 2"), "{report:?}");
}

#[test]
fn what_a_dump_can_make_it_keep_is_bounded() {
    let mut inspector = Inspector::new(true);
    let value = "x".repeat(OPTION_MAX);
    for number in 0..100 {
        let insert = format!("INSERT INTO a{number}options VALUES (1,'home','{value}')");
        for sql in [&*format!("CREATE TABLE a{number}options (a int)"), &*insert, &*insert] {
            let text = sql.as_bytes().to_vec();
            inspector.statement(&Statement { line: 1, text });
        }
    }
    let kept: usize = inspector.options.values().flat_map(BTreeMap::values).map(Vec::len).sum();
    assert_eq!(kept, OPTIONS_MAX);
    assert_eq!(inspector.options.len(), OPTIONS_MAX / OPTION_MAX);
    let unknown = b"INSERT INTO zoptions VALUES (1,'home','x')".to_vec();
    inspector.options_left = 100;
    inspector.statement(&Statement { line: 1, text: unknown });
    assert!(!inspector.options.contains_key("zoptions"), "of no table");
    let long = format!("CREATE VIEW {} AS SELECT 1", "ä".repeat(100_000)).into_bytes();
    inspector.statement(&Statement { line: 1, text: long });
    let report = inspector.finish(None);
    assert!(report.findings.iter().all(|found| found.message.chars().count() <= 1_001));
}
