//! Mail: a password reset arrives at a real SMTP server and its link works; without a server it stays
//! in the platform; who is refused comes back with the server's words.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::Value;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use crate::options;

/// Generous: the machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(90);
/// The administrator of a new site.
const ADMIN: &str = "admin";

/// A mail server that takes all but for `nobody@`, which it does not know.
#[derive(Default)]
struct Received(Mutex<Vec<String>>);

#[tokio::test]
async fn a_password_reset_arrives_and_its_link_works() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;

    // No server is set: it stays here, and can be read.
    ask_for_reset(&platform).await;
    let kept = the_mail(&platform, "kept").await;
    let id = kept["id"].as_str().unwrap().to_owned();
    let shown = platform.cli(&["tenant", "mail", "show", "bakery", &id]).await.good().out;
    assert!(shown.contains("action=rp") && shown.contains("X-AIPress-Tenant: "), "{shown}");
    let uid = platform.tenant("bakery").await["uid"].as_str().unwrap().to_owned();
    let envelope = format!("site-{}@localhost", uid.replace('-', ""));
    assert_eq!(kept["envelopeFrom"], envelope.as_str());

    // A server is set.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("smtp://{}", listener.local_addr().unwrap());
    let received = Arc::new(Received::default());
    let serving = tokio::spawn(serve(listener, Arc::clone(&received)));
    platform.cli(&["settings", "set", "mail.server", &server]).await.good();
    platform.down().await;
    platform.up().await.good();
    ask_for_reset(&platform).await;
    the_mail(&platform, "sent").await;
    let text = received.0.lock().unwrap().join("");
    assert!(text.contains(&format!("MAIL FROM:<{envelope}>")), "{text}");
    assert!(
        text.contains("Message-ID: <") && text.contains("From: WordPress <wordpress@"),
        "{text}"
    );
    let link = text.lines().find(|line| line.contains("action=rp")).unwrap().trim();
    let path = &link[link.find("/wp-login.php").unwrap()..];
    let mut visitor = platform.visitor("bakery");
    let answer = visitor.get(path.trim_end_matches('>')).await;
    assert!(answer.status == 302 || answer.status == 200, "{}", answer.text());
    let page = visitor.get("/wp-login.php?action=rp").await.with_status(200).text();
    assert!(page.contains("pass1"), "the page for a new password: {page}");

    // What was kept is sent once somebody wants it.
    let kept = &["tenant", "mail", "retry", "bakery", &id];
    let planned = platform.cli(&[&kept[..], &["--dry-run"]].concat()).await.good().out;
    assert!(planned.contains("send mail of `bakery` again"), "{planned}");
    platform.cli(kept).await.good();
    wait_until(SOON, "it is sent", async || {
        let told = platform.cli(&["tenant", "mail", "show", "bakery", &id]).await.good().out;
        if told.contains("sent, 1 attempts") { Ok(()) } else { Err(told) }
    })
    .await;

    // Who is not known there.
    let user = ["user", "create", "nobody", "nobody@example.org", "--porcelain"];
    platform.cli(&[&["tenant", "wp", "bakery", "--"][..], &user].concat()).await.good();
    ask(&platform, "nobody").await;
    let bounced = the_mail(&platform, "bounced").await;
    assert_eq!(bounced["recipients"][0]["said"], "550 no such user", "{bounced}");
    wait_until(SOON, "the log tells of it", async || {
        let args = ["tenant", "logs", "bakery", "--source", "mail", "--level", "error"];
        let told = platform.cli(&args).await.good().out;
        if told.contains("550 no such user") { Ok(()) } else { Err(told) }
    })
    .await;

    wait_until(SOON, "the event tells of it", async || {
        let args = ["events", "--since", "oldest", "--kind", "tenant.mail.bounced", "-o", "json"];
        let told = platform.cli(&args).await.good().out;
        if told.contains("550 no such user") { Ok(()) } else { Err(told) }
    })
    .await;
    let told = platform.cli(&["tenant", "mail", "delete", "bakery", "--all", "--yes"]).await.good();
    assert!(told.out.contains("mails removed"), "{told:?}");
    let told = platform.cli(&["tenant", "mail", "list", "bakery"]).await.good().out;
    assert!(told.contains("1 came back") && told.contains("has sent no mail"), "{told}");

    platform.cli(&["tenant", "delete", "bakery", "--yes"]).await.good();
    platform.cli(&["tenant", "erase", "bakery", "--yes"]).await.good();
    assert!(!platform.path("shards/aipress-shard-001/mail").join(&uid).exists());
    platform.has_clean_inventory().await;
    serving.abort();
}

async fn ask_for_reset(platform: &Platform) {
    ask(platform, ADMIN).await;
}

/// As somebody who has forgotten a password does.
async fn ask(platform: &Platform, login: &str) {
    let mut visitor = platform.visitor("bakery");
    let form = format!("user_login={login}&redirect_to=&wp-submit=Get+New+Password");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let path = "/wp-login.php?action=lostpassword";
    let answer = visitor.send("POST", path, &headers, form).await.unwrap();
    assert_eq!(answer.status, 302, "{}", answer.text());
}

/// The newest mail, once it is `state`.
async fn the_mail(platform: &Platform, state: &str) -> Value {
    wait_until(SOON, "a mail", async || {
        let told =
            platform.cli(&["tenant", "mail", "list", "bakery", "-o", "json"]).await.good().json();
        let newest = &told["items"][0];
        if newest["state"] == state { Ok(newest.clone()) } else { Err(told.to_string()) }
    })
    .await
}

async fn serve(listener: TcpListener, received: Arc<Received>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = session(stream, &received).await;
    }
}

async fn session(stream: TcpStream, received: &Received) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await?;
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        received.0.lock().unwrap().push(line.clone());
        let answer = match line.trim_end() {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => continue,
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            it if it.starts_with("RCPT TO:<nobody@") => "550 no such user",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
