//! A line that breaks again and again: what was downloaded before is kept, the rest follows.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use aipress_archive::Limits;
use aipress_archive::inspect;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::leave;
use super::noise;
use super::one_shard;

/// Passes connections on to `to`, and cuts each after so many bytes of answers.
struct Line {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    passed: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Line {
    async fn to(to: SocketAddr, most: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, passed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let (counted, bytes) = (Arc::clone(&cuts), Arc::clone(&passed));
        let task = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (cuts, passed) = (Arc::clone(&counted), Arc::clone(&bytes));
                tokio::spawn(async move {
                    let called = TcpStream::connect(to).await.unwrap();
                    let (from_caller, mut to_caller) = caller.into_split();
                    let (from_called, mut to_called) = called.into_split();
                    let mut asked = from_caller;
                    let asking =
                        tokio::spawn(
                            async move { tokio::io::copy(&mut asked, &mut to_called).await },
                        );
                    let mut answer = from_called.take(most);
                    let sent = tokio::io::copy(&mut answer, &mut to_caller).await.unwrap_or(0);
                    passed.fetch_add(sent, Ordering::SeqCst);
                    if sent == most {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                    let _ = to_caller.shutdown().await;
                    asking.abort();
                });
            }
        });
        Self { address, cuts, passed, task }
    }

    fn server(&self) -> String {
        format!("http://console.localhost:{}", self.address.port())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bytes of files in the archive, which is whole.
fn file_bytes(archive: &Path) -> u64 {
    let file = std::fs::File::open(archive).unwrap();
    let (_, _, report) = inspect::archive(file, &Limits::default()).unwrap();
    report.file_bytes
}

#[tokio::test]
async fn a_download_that_breaks_goes_on_where_it_was() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    leave(&platform, "bakery", "film.bin", &noise(9_000_000)).await;
    let line = Line::to(platform.address(), 1_500_000).await;
    let (server, token) = (line.server(), platform.path("meta/admin-token"));
    let connect = ["--server", &server, "--token-file", token.to_str().unwrap()];
    let export = ["tenant", "export", "bakery"];

    let named = platform.home().join("named.aip");
    let file = ["--file", named.to_str().unwrap()];
    let told = platform.cli(&[&export[..], &file, &connect].concat()).await.good();
    let cuts = line.cuts.load(Ordering::SeqCst);
    assert!(cuts >= 5, "{cuts} cuts: {}", told.err);
    assert!(file_bytes(&named) >= 9_000_000);
    // What was there was not sent again, but for what was on its way.
    let (size, passed) = (named.metadata().unwrap().len(), line.passed.load(Ordering::SeqCst));
    assert!(passed < size + 1_000_000, "{passed} bytes for {size}");

    let piped = platform.home().join("piped.aip");
    let mut command = platform.command();
    command.args(export).args(connect).stdout(std::fs::File::create(&piped).unwrap());
    let run = tokio::process::Command::from(command).kill_on_drop(true).status();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(180), run).await;
    assert!(ended.unwrap().unwrap().success());
    assert!(line.cuts.load(Ordering::SeqCst) >= cuts + 5);
    assert!(file_bytes(&piped) >= 9_000_000);
    let left: Vec<_> = std::fs::read_dir(platform.home()).unwrap().flatten().collect();
    let parts =
        left.iter().filter(|entry| entry.path().extension().is_some_and(|ext| ext == "part"));
    assert_eq!(parts.count(), 0, "nothing half is left: {left:?}");
}
