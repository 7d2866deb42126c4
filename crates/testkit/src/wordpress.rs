//! A site's administrator in wp-admin: signs in by a link, publishes, uploads.

use serde_json::Value;
use serde_json::json;

use crate::browser::Answer;
use crate::browser::Browser;

/// A PNG of one pixel.
pub const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 13, b'I', b'D', b'A', b'T',
    0x78, 0xda, 0x63, 0xfc, 0xcf, 0xc0, 0x50, 0x0f, 0, 0x04, 0x85, 0x01, 0x80, 0x84, 0xa9, 0x8c,
    0x21, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// Somebody signed in to wp-admin.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The browser with the session.
    pub browser: Browser,
    nonce: String,
}

impl Admin {
    /// Signs in by a one-time link and looks at the dashboard.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn sign_in(mut browser: Browser, link: &str) -> Self {
        let answer = browser.get(link).await.with_status(302);
        let dashboard = browser.get(answer.header("location")).await.with_status(200);
        assert!(dashboard.text().contains("id=\"wpadminbar\""), "no admin bar on the dashboard");
        let nonce =
            browser.get("/wp-admin/admin-ajax.php?action=rest-nonce").await.with_status(200);
        Self { nonce: nonce.text(), browser }
    }

    /// The same; `None` when the site does not give its pages right now.
    pub async fn try_sign_in(mut browser: Browser, link: &str) -> Option<Self> {
        let answer = browser.send("GET", link, &[], "").await.ok()?;
        let dashboard = browser.send("GET", answer.header("location"), &[], "").await.ok()?;
        let signed_in = dashboard.status == 200 && dashboard.text().contains("id=\"wpadminbar\"");
        let nonce = "/wp-admin/admin-ajax.php?action=rest-nonce";
        let nonce = browser.send("GET", nonce, &[], "").await.ok()?;
        (signed_in && nonce.status == 200).then(|| Self { nonce: nonce.text(), browser })
    }

    /// Calls WordPress's REST API as a page of wp-admin does.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn rest(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.try_rest(method, path, body).await;
        answer.unwrap_or_else(|| panic!("{method} {path}: no whole answer"))
    }

    /// The same; `None` when there is no whole answer.
    pub async fn try_rest(&mut self, method: &str, path: &str, body: &Value) -> Option<Answer> {
        let nonce = self.nonce.clone();
        let headers = [("content-type", "application/json"), ("x-wp-nonce", nonce.as_str())];
        let path = format!("/wp-json{path}");
        self.browser.send(method, &path, &headers, body.to_string()).await.ok()
    }

    /// Publishes a post and gives its address.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn publish(&mut self, title: &str) -> String {
        let post =
            json!({"title": title, "content": format!("About {title}."), "status": "publish"});
        let answer = self.rest("POST", "/wp/v2/posts", &post).await.with_status(201);
        answer.as_json()["link"].as_str().expect("link of the post").to_owned()
    }

    /// Uploads an image as a form does and gives its address.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn upload(&mut self, name: &str, image: &[u8]) -> String {
        let answer = self.try_upload(name, image).await.expect("an answer to the upload");
        let answer = answer.with_status(201);
        answer.as_json()["source_url"].as_str().expect("address of the image").to_owned()
    }

    /// The same; `None` when there is no whole answer.
    pub async fn try_upload(&mut self, name: &str, image: &[u8]) -> Option<Answer> {
        let mark = "----aipress-testkit";
        let mut body = format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: image/png\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(image);
        body.extend_from_slice(format!("\r\n--{mark}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={mark}");
        let nonce = self.nonce.clone();
        let headers = [("content-type", kind.as_str()), ("x-wp-nonce", nonce.as_str())];
        self.browser.send("POST", "/wp-json/wp/v2/media", &headers, body).await.ok()
    }
}
