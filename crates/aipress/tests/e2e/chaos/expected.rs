//! What a customer was told of a site, and so expects of it.

use std::fmt;

use aipress_testkit::Platform;

/// What a site is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Active,
    Suspended,
    Deleted,
    Erased,
}

/// A site, and all that was acknowledged of it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) life: Life,
    /// Display name.
    pub(super) label: Option<String>,
    /// Tier, once one was chosen.
    pub(super) tier: Option<&'static str>,
    /// Address and title of posts.
    pub(super) posts: Vec<(String, String)>,
    /// Address and content of files.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// What happened to it, for messages.
    pub(super) story: Vec<String>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) is {:?} after {}", self.name, self.uid, self.life, self.story.join(", "))
    }
}

impl Site {
    /// Posts that a visitor can see.
    pub(super) fn posts(&self) -> usize {
        if self.life == Life::Active { self.posts.len() } else { 0 }
    }

    /// Files that a visitor can see.
    pub(super) fn files(&self) -> usize {
        if self.life == Life::Active { self.files.len() } else { 0 }
    }

    /// Whether it is as expected.
    pub(super) async fn is_so(&self, platform: &Platform) -> Result<(), String> {
        let tenant = get(platform, "console", &format!("/v1/tenants/{}", self.uid), true).await?;
        let (wanted, status) = match self.life {
            Life::Active => ("active", 200),
            Life::Suspended => ("suspended", 503),
            Life::Deleted => ("deleted", 404),
            Life::Erased => ("erased", 404),
        };
        let state = match tenant.0 {
            200 => serde_json::from_slice::<serde_json::Value>(&tenant.1).unwrap(),
            // Of what is erased only that is told.
            410 => serde_json::json!({"state": "erased"}),
            other => return Err(format!("{other}: {}", String::from_utf8_lossy(&tenant.1))),
        };
        if state["state"] != wanted {
            return Err(format!("the API says {state}"));
        }
        if let Some(label) = self.label.as_ref().filter(|_| self.life != Life::Erased)
            && state["metadata"]["displayName"] != **label
        {
            return Err(format!("its display name should be {label}: {state}"));
        }
        if let Some(tier) = self.tier.filter(|_| self.life != Life::Erased)
            && state["spec"]["tier"] != tier
        {
            return Err(format!("its tier should be {tier}: {state}"));
        }
        let page = get(platform, &self.name, "/", false).await?;
        if page.0 != status {
            return Err(format!("its home page is {}, not {status}", page.0));
        }
        if self.life != Life::Active {
            return Ok(());
        }
        for (link, title) in &self.posts {
            let (status, page) = get(platform, &self.name, link, false).await?;
            if status != 200 || !String::from_utf8_lossy(&page).contains(title.as_str()) {
                return Err(format!("{status} for the post {title} at {link}"));
            }
        }
        for (link, content) in &self.files {
            let (status, file) = get(platform, &self.name, link, false).await?;
            if status != 200 || file != *content {
                return Err(format!("{status}, {} bytes for the file {link}", file.len()));
            }
        }
        Ok(())
    }
}

async fn get(
    platform: &Platform,
    site: &str,
    path: &str,
    api: bool,
) -> Result<(u16, Vec<u8>), String> {
    let mut browser = if api { platform.api() } else { platform.visitor(site) };
    let answer = browser.send("GET", path, &[], "").await.map_err(|error| error.to_string())?;
    Ok((answer.status.as_u16(), answer.body.to_vec()))
}
