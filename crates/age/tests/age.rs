//! What is sealed here `age` opens, and the other way: the distribution's own program is the judge.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Read;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use aipress_age::Identity;
use aipress_age::Key;
use aipress_age::Lock;
use aipress_age::open;
use aipress_age::seal;

/// Runs it with this input; what it printed.
fn age(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("age")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("age is installed by `scripts/install test`");
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "age {args:?}");
    output.stdout
}

#[test]
fn age_opens_what_is_sealed_here_and_the_other_way() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::generate().unwrap();
    let file = dir.path().join("identity");
    std::fs::write(&file, identity.text().as_bytes()).unwrap();
    let file = file.to_str().unwrap();
    for length in [0, 5, 64 * 1024, 3 * 64 * 1024 + 17] {
        let plain: Vec<u8> = (0..length).map(|at| (at % 253) as u8).collect();
        let other = Identity::generate().unwrap();
        let lock = Lock::Recipients(vec![other.recipient(), identity.recipient()]);
        let mut sealer = seal(Vec::new(), &lock).unwrap();
        sealer.write_all(&plain).unwrap();
        let sealed = sealer.finish().unwrap();
        assert_eq!(age(&["-d", "-i", file], &sealed), plain, "{length}: age opens ours");

        let sealed = age(&["-r", &identity.recipient().to_string()], &plain);
        let key = Key::Identities(vec![identity.clone()]);
        let mut opened = Vec::new();
        open(sealed.as_slice(), &key).unwrap().read_to_end(&mut opened).unwrap();
        assert_eq!(opened, plain, "{length}: ours opens age's");
    }
}
