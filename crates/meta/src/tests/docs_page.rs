//! The search of `/docs` in a real browser, driven over pipes (Chrome's DevTools protocol): it works with
//! the page's own policy, by the keyboard alone, and without anything from elsewhere.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::process::Command;

use super::harness::Meta;

/// Longest that a browser may take for anything, the start included, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// What the page shows of a search.
const SHOWN: &str = "JSON.stringify({
    told: document.querySelector('#search [role=status]').textContent,
    articles: [...document.querySelectorAll('main article')].filter((it) => !it.hidden).map((it) => it.id),
    headings: [...document.querySelectorAll('main h2')].filter((it) => it.checkVisibility()).length,
    links: [...document.querySelectorAll('nav li')].filter((it) => it.checkVisibility()).length,
    focused: document.activeElement.id,
    query: new URL(location.href).searchParams.get('q'),
    box: document.getElementById('search').checkVisibility(),
})";

/// A browser with one page.
struct Browser {
    // Ended when it is dropped.
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
    /// What the page complained of: errors, and what its policy forbade.
    complaints: Vec<String>,
}

impl Browser {
    /// Starts it, its DevTools on standard input and output.
    async fn start(program: &str, home: &Path) -> Self {
        let arguments = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
            --disable-background-networking --disable-component-update --window-size=1200,900 \
            --remote-debugging-pipe";
        let script = format!("exec \"$0\" {arguments} --user-data-dir=\"$1\" 3<&0 4>&1 1>&2");
        let mut child = Command::new("bash")
            .args(["-c", &script, program])
            .arg(home.join("profile"))
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let output = BufReader::new(output);
        let (session, complaints) = (None, Vec::new());
        let mut browser = Self { _child: child, input, output, session, calls: 0, complaints };
        let made = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({})).await;
        }
        browser
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).await.unwrap();
        loop {
            let message = self.message().await;
            if message["id"] == self.calls {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].clone();
            }
        }
    }

    /// The next message, an answer or an event.
    async fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        let read = self.output.read_until(0, &mut bytes);
        let length =
            tokio::time::timeout(PATIENCE, read).await.expect("the browser speaks").unwrap();
        assert!(length > 1, "the browser ended");
        let message: Value = serde_json::from_slice(&bytes[..length - 1]).unwrap();
        if ["Runtime.exceptionThrown", "Log.entryAdded"]
            .contains(&message["method"].as_str().unwrap_or(""))
        {
            self.complaints.push(message["params"].to_string());
        }
        message
    }

    async fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
        while self.message().await["method"] != "Page.loadEventFired" {}
    }

    async fn shown(&mut self) -> Value {
        let answer = self.call("Runtime.evaluate", json!({ "expression": SHOWN })).await;
        serde_json::from_str(answer["result"]["value"].as_str().unwrap()).unwrap()
    }

    async fn press(&mut self, key: &str, code: u32) {
        let text = match key {
            "/" => json!("/"),
            "Enter" => json!("\r"),
            _ => Value::Null,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut params = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_null() {
                params["text"] = text.clone();
            }
            self.call("Input.dispatchKeyEvent", params).await;
        }
    }

    async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }
}

fn articles(shown: &Value) -> Vec<&str> {
    shown["articles"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_page_is_searched_by_the_keyboard() {
    let programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let Some(program) = programs.into_iter().find(|program| Path::new(program).exists()) else {
        eprintln!("skipped: no Chromium here; `scripts/install test` brings it on Debian");
        return;
    };
    let meta = Meta::start(0).await;
    let page = format!("http://127.0.0.1:{}/docs", super::described::port_of(&meta).await);
    let home = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(program, home.path()).await;
    browser.open(&page).await;
    let all = browser.shown().await;
    assert_eq!(
        (&all["box"], &all["told"], &all["query"]),
        (&json!(true), &json!(""), &Value::Null)
    );
    let (every, links) = (articles(&all).len(), all["links"].as_u64().unwrap());
    assert!(every > 100 && links > 60, "{every} {links}");

    // Every word, in whatever order, in names before anything else.
    browser.press("/", 191).await;
    browser.write("secret webhook rotate").await;
    let found = browser.shown().await;
    assert_eq!(found["focused"], "q");
    assert_eq!(articles(&found), ["webhook_rotate_secret"]);
    assert_eq!((&found["told"], &found["links"]), (&json!("1 found"), &json!(1)));
    assert_eq!(found["headings"], 1, "of what is shown only");
    assert_eq!(found["query"], "secret webhook rotate");
    screenshot(&mut browser).await;

    // Down and up go through what is found, and Enter to the first.
    browser.press("Escape", 27).await;
    assert_eq!(articles(&browser.shown().await).len(), every);
    browser.write("webhook").await;
    let found = browser.shown().await;
    let places = articles(&found);
    assert!(places.len() > 5 && places.iter().all(|id| id.contains("ebhook")), "{places:?}");
    browser.press("Enter", 13).await;
    assert_eq!(browser.shown().await["focused"], places[0]);
    browser.press("ArrowDown", 40).await;
    assert_eq!(browser.shown().await["focused"], places[1]);
    browser.press("ArrowUp", 38).await;
    browser.press("ArrowUp", 38).await;
    assert_eq!(browser.shown().await["focused"], "q");

    browser.press("Escape", 27).await;
    browser.write("xyzzy").await;
    let none = browser.shown().await;
    assert_eq!((&none["told"], &none["links"]), (&json!("Nothing found"), &json!(0)));

    // A search can be kept as an address; a code of a problem is found, too.
    browser.open(&format!("{page}?q=etag_mismatch")).await;
    assert_eq!(browser.shown().await["told"], "1 found");
    assert_eq!(browser.complaints, [""; 0]);
}

/// For people: `AIPRESS_SCREENSHOT` names the file.
async fn screenshot(browser: &mut Browser) {
    let Ok(file) = std::env::var("AIPRESS_SCREENSHOT") else { return };
    let image = browser.call("Page.captureScreenshot", json!({})).await;
    std::fs::write(file, image["data"].as_str().unwrap()).unwrap();
}
