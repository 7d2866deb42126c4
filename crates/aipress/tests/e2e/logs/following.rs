//! A log followed by the command line: over a meta that dies, and until Ctrl-C.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::end_process;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use serde_json::Value;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::io::Lines;
use tokio::process::ChildStdout;

/// Longest time for a line, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

struct Followed<'a> {
    platform: &'a Platform,
    lines: Lines<BufReader<ChildStdout>>,
    ids: BTreeSet<String>,
}

impl Followed<'_> {
    /// Visits a path until a line tells of it.
    async fn tells_of(&mut self, path: &str) {
        let mut visitor = self.platform.visitor("bakery");
        let told = async {
            loop {
                visitor.get(path).await.with_status(404);
                let next = tokio::time::timeout(Duration::from_secs(1), self.next(path));
                if next.await.is_ok() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("nothing of {path}"));
    }

    async fn next(&mut self, path: &str) {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("it goes on");
            let line: Value = serde_json::from_str(&line).unwrap();
            let id = line["id"].as_str().unwrap().to_owned();
            assert!(self.ids.insert(id), "told twice: {line}");
            assert_eq!(line["source"], "access", "{line}");
            if line["message"].as_str().unwrap().contains(path) {
                return;
            }
        }
    }
}

pub(super) async fn by_the_command_line(platform: &Platform) {
    let args = ["tenant", "logs", "bakery", "--follow", "--source", "access", "-o", "json"];
    let mut command = tokio::process::Command::from(platform.command());
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut followed = Followed { platform, lines, ids: BTreeSet::new() };
    followed.tells_of("/followed-first/").await;
    let meta = platform.pid("meta").await;
    end_process(meta);
    platform.back("meta", meta).await;
    followed.tells_of("/followed-again/").await;

    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(ended.code(), Some(0));
}
