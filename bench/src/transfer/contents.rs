//! What a site is filled with: rows as WordPress and its plugins write them, pictures and code.

use std::fs::File;
use std::io::BufWriter;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use aipress_api::tenant::TenantView;
use anyhow::Context;

use crate::peer::Site;
use crate::platform::Platform;
use crate::stats::Seeded;

/// Share of a site that is rows.
const ROWS: u64 = 4;
/// A picture and a source file, on average, in bytes.
const PICTURE: u64 = 400_000;
const SOURCE: u64 = 20_000;
/// Rows of one statement.
const BATCH: usize = 100;

/// A site that is filled.
pub(super) struct Contents<'a> {
    site: &'a Site,
    home: String,
    uploads: PathBuf,
    plugins: PathBuf,
    owner: (u32, u32),
    rounds: u32,
    pub(super) row_bytes: u64,
    pub(super) file_bytes: u64,
    pub(super) files: u64,
}

impl<'a> Contents<'a> {
    pub(super) fn new(
        site: &'a Site,
        platform: &Platform,
        tenant: &TenantView,
    ) -> anyhow::Result<Self> {
        let dir = content_dir(platform, tenant)?;
        let found = std::fs::metadata(&dir)?;
        Ok(Self {
            site,
            home: tenant.url.trim_end_matches('/').to_owned(),
            uploads: dir.join("uploads"),
            plugins: dir.join("plugins"),
            owner: (found.uid(), found.gid()),
            rounds: 0,
            row_bytes: 0,
            file_bytes: 0,
            files: 0,
        })
    }

    /// Adds `bytes`: a quarter rows, the rest files.
    pub(super) async fn fill(&mut self, seeded: &mut Seeded, bytes: u64) -> anyhow::Result<()> {
        self.rounds += 1;
        self.rows(seeded, bytes / ROWS).await?;
        let files = bytes - bytes / ROWS;
        self.tree("pictures", PICTURE, files / 8 * 7, seeded, noise)?;
        self.tree("code", SOURCE, files / 8, seeded, words)?;
        Ok(())
    }

    async fn rows(&mut self, seeded: &mut Seeded, bytes: u64) -> anyhow::Result<()> {
        let mut child = tokio::process::Command::from(self.site.client("mariadb")?)
            .arg(self.site.database_name())
            .stdin(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start mariadb")?;
        let mut input = child.stdin.take().context("no input")?;
        let first = u64::from(self.rounds) * 10_000_000;
        let mut written = 0;
        let mut id = first;
        while written < bytes {
            let mut sql = Vec::new();
            sql.extend_from_slice(b"BEGIN;");
            for table in [posts, postmeta, comments] {
                table(&mut sql, seeded, id, &self.home);
            }
            sql.extend_from_slice(b"COMMIT;\n");
            id += BATCH as u64;
            written += sql.len() as u64;
            tokio::io::AsyncWriteExt::write_all(&mut input, &sql).await?;
        }
        drop(input);
        let status = child.wait().await?;
        anyhow::ensure!(status.success(), "mariadb ended with {status}");
        self.row_bytes += written;
        Ok(())
    }

    fn tree(
        &mut self,
        what: &str,
        size: u64,
        bytes: u64,
        seeded: &mut Seeded,
        fill: fn(&mut Vec<u8>, &mut Seeded, usize),
    ) -> anyhow::Result<()> {
        let root = if what == "code" { &self.plugins } else { &self.uploads };
        let root = root.join(format!("{what}-{}", self.rounds));
        self.folder(&root)?;
        let (mut left, mut number) = (bytes, 0_u64);
        let mut buffer = Vec::new();
        while left > 0 {
            let folder = root.join(format!("{:03}", number / 100));
            if number.is_multiple_of(100) {
                self.folder(&folder)?;
            }
            let length = (size / 2 + seeded.next() % size).min(left);
            buffer.clear();
            fill(&mut buffer, seeded, usize::try_from(length)?);
            let path = folder.join(format!("{what}-{number:05}.dat"));
            let mut file = BufWriter::new(File::create(&path)?);
            file.write_all(&buffer)?;
            file.flush()?;
            std::os::unix::fs::chown(&path, Some(self.owner.0), Some(self.owner.1))?;
            left -= length;
            number += 1;
        }
        self.files += number;
        self.file_bytes += bytes;
        Ok(())
    }

    fn folder(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(path)?;
        std::os::unix::fs::chown(path, Some(self.owner.0), Some(self.owner.1))?;
        Ok(())
    }
}

const WORDS: &[&str] = &[
    "bread",
    "rye",
    "oven",
    "flour",
    "morning",
    "the",
    "of",
    "and",
    "crust",
    "dough",
    "salt",
    "water",
    "we",
    "bake",
    "every",
    "day",
    "fresh",
    "market",
    "street",
    "open",
    "Sunday",
    "recipe",
    "grandmother",
    "starter",
    "wheat",
    "with",
    "butter",
    "seeds",
    "house",
    "knead",
    "until",
    "golden",
    "$value",
    "function",
    "return",
    "array",
    "echo",
    "foreach",
    "public",
    "static",
];

/// Text as people and programmers write it: it shrinks to about a third.
fn words(out: &mut Vec<u8>, seeded: &mut Seeded, length: usize) {
    let end = out.len() + length;
    while out.len() < end {
        let number = seeded.next();
        for shift in 0..8 {
            let at = usize::try_from(number >> (shift * 8) & 0xff).unwrap_or(0);
            out.extend_from_slice(WORDS.get(at % WORDS.len()).unwrap_or(&"").as_bytes());
            out.push(if at > 250 { b'\n' } else { b' ' });
        }
        // Names and numbers that stand nowhere else.
        out.extend_from_slice(format!("{:x} ", number >> 40).as_bytes());
    }
    out.truncate(end);
}

/// A picture: nothing in it shrinks.
fn noise(out: &mut Vec<u8>, seeded: &mut Seeded, length: usize) {
    let end = out.len() + length;
    while out.len() < end {
        out.extend_from_slice(&seeded.next().to_le_bytes());
    }
    out.truncate(end);
}

/// A text in quotes, with its line breaks escaped; the words have no quotes.
fn text(out: &mut Vec<u8>, seeded: &mut Seeded, length: usize) {
    let mut plain = Vec::with_capacity(length);
    words(&mut plain, seeded, length);
    for byte in plain {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            byte => out.push(byte),
        }
    }
}

fn posts(sql: &mut Vec<u8>, seeded: &mut Seeded, first: u64, home: &str) {
    sql.extend_from_slice(
        b"INSERT INTO wp_posts (ID,post_author,post_date,post_date_gmt,post_content,post_title,\
          post_excerpt,post_status,post_name,to_ping,pinged,post_modified,post_modified_gmt,\
          post_content_filtered,guid,post_type) VALUES ",
    );
    for at in 0..BATCH as u64 {
        let id = first + at;
        sql.extend_from_slice(if at == 0 { b"" } else { b"," });
        sql.extend_from_slice(
            format!("({id},1,'2026-01-02 03:04:05','2026-01-02 03:04:05','<p>").as_bytes(),
        );
        text(sql, seeded, 3_000);
        let tail = format!(
            "</p><img src=\"{home}/wp-content/uploads/{id}.jpg\">','Title {id}','','publish',\
             'title-{id}','','','2026-01-02 03:04:05','2026-01-02 03:04:05','','{home}/?p={id}',\
             'post')"
        );
        sql.extend_from_slice(tail.as_bytes());
    }
    sql.push(b';');
}

fn postmeta(sql: &mut Vec<u8>, seeded: &mut Seeded, first: u64, home: &str) {
    sql.extend_from_slice(b"INSERT INTO wp_postmeta (post_id,meta_key,meta_value) VALUES ");
    for at in 0..BATCH as u64 {
        for key in 0..8 {
            let id = first + at;
            sql.extend_from_slice(if at + key == 0 { b"" } else { b"," });
            sql.extend_from_slice(format!("({id},'_key_{key}','").as_bytes());
            if key == 0 {
                let url = format!("{home}/wp-content/uploads/{id}.jpg");
                let value = format!("a:1:{{s:3:\"url\";s:{}:\"{url}\";}}", url.len());
                sql.extend_from_slice(value.as_bytes());
            } else {
                text(sql, seeded, 100);
            }
            sql.extend_from_slice(b"')");
        }
    }
    sql.push(b';');
}

fn comments(sql: &mut Vec<u8>, seeded: &mut Seeded, first: u64, _: &str) {
    sql.extend_from_slice(
        b"INSERT INTO wp_comments (comment_post_ID,comment_author,comment_author_email,\
          comment_date,comment_date_gmt,comment_content) VALUES ",
    );
    for at in 0..BATCH as u64 {
        let id = first + at;
        sql.extend_from_slice(if at == 0 { b"" } else { b"," });
        let head = format!(
            "({id},'Guest {id}','guest{id}@example.org','2026-01-02 03:04:05',\
             '2026-01-02 03:04:05','"
        );
        sql.extend_from_slice(head.as_bytes());
        text(sql, seeded, 500);
        sql.extend_from_slice(b"')");
    }
    sql.push(b';');
}

/// The folder of a site.
pub(super) fn site_dir(platform: &Platform, tenant: &TenantView) -> PathBuf {
    let shard = tenant.shard.clone().unwrap_or_default();
    platform.data().join("shards").join(shard).join("sites").join(tenant.uid.to_string())
}

/// Its `wp-content`.
pub(super) fn content_dir(platform: &Platform, tenant: &TenantView) -> anyhow::Result<PathBuf> {
    let dir = site_dir(platform, tenant).join("wp-content");
    anyhow::ensure!(dir.is_dir(), "{} is not there", dir.display());
    Ok(dir)
}

/// Regular files below, and their bytes.
pub(super) fn files(dir: &Path) -> anyhow::Result<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                count += 1;
                bytes += entry.metadata()?.len();
            }
        }
    }
    Ok((count, bytes))
}

/// Rows of the large tables, in words that can be compared.
pub(super) async fn rows(site: &Site) -> anyhow::Result<String> {
    let name = site.database_name();
    let counts = ["posts", "postmeta", "comments", "users", "terms"]
        .map(|table| format!("(SELECT COUNT(*) FROM {name}.wp_{table})"));
    let told = site.sql(&format!("SELECT {}", counts.join(","))).await?;
    Ok(told.split_whitespace().collect::<Vec<_>>().join(" "))
}
