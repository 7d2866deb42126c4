//! The examples of `docs/webhooks.md` are run as they stand there, against our own signatures.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use aipress_feed::webhooks::sign;
use aipress_types::Secret;
use time::OffsetDateTime;

const PAGE: &str = include_str!("../../../../docs/webhooks.md");
const BODY: &str = "{\"type\":\"webhook.test\",\"data\":{\"name\":\"Bäckerei & Söhne\"}}\n";

/// The first block of this language.
fn block(language: &str) -> &'static str {
    let after = PAGE.split_once(&format!("### {language}\n")).unwrap().1;
    let code = after.split_once("```").unwrap().1.split_once('\n').unwrap().1;
    code.split_once("\n```").unwrap().0
}

/// Whether the example takes a delivery.
fn takes(program: &[&str], file: &std::path::Path, fields: [&str; 4], body: &str) -> bool {
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .arg(file)
        .args(fields)
        .stdin(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn every_example_takes_what_we_sign_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, old) = (sign::secret().unwrap(), sign::secret().unwrap());
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let signed = |secrets: &[&Secret], at: i64| {
        sign::signatures(secrets.iter().copied(), id, at, BODY.as_bytes())
    };
    let mut run = 0;
    for (language, program) in
        [("PHP", &["php"][..]), ("Python", &["python3"]), ("Node", &["node"]), ("Shell", &["sh"])]
    {
        let there = Command::new("sh")
            .args(["-c", "command -v \"$0\" >/dev/null", program[0]])
            .status()
            .unwrap()
            .success();
        if !there {
            println!("no {} here", program[0]);
            continue;
        }
        run += 1;
        let file = folder.path().join(language);
        std::fs::write(&file, block(language)).unwrap();
        let takes = |at: i64, signatures: &str, secret: &Secret, body: &str| {
            let at = at.to_string();
            takes(program, &file, [id, &at, signatures, secret.expose()], body)
        };
        let one = signed(&[&secret], now);
        assert!(takes(now, &one, &secret, BODY), "{language}");
        let both = signed(&[&old, &secret], now);
        assert!(takes(now, &both, &secret, BODY), "{language}: the second of two");
        assert!(!takes(now, &one, &old, BODY), "{language}: another secret");
        assert!(!takes(now, &one, &secret, "{}"), "{language}: another body");
        assert!(!takes(now + 1, &one, &secret, BODY), "{language}: another time");
        assert!(!takes(now, "v1,", &secret, BODY), "{language}: no signature");
        let before = now - 600;
        let late = signed(&[&secret], before);
        assert!(!takes(before, &late, &secret, BODY), "{language}: too old");
    }
    // The shell is everywhere, and what the platform needs brings PHP.
    assert!(run >= 2);
}
