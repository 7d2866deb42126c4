//! A platform whose disk is full, whose registry and database are damaged, whose roles have no file
//! descriptors left: what people are told, that the rest goes on, that nothing acknowledged is lost,
//! and that all of it is back by itself when the cause is gone.

mod descriptors;
mod filler;
mod spools;

use std::fs;
use std::path::Path;
use std::time::Duration;

use aipress_testkit::Admin;
use aipress_testkit::PNG;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::json;

use crate::options;

/// Room for two shards' servers, three sites, and what exports and imports leave free.
const DISK_MIB: u64 = 4_096;
/// For what waits for a server that looks again once a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// Changes that are more than a full disk takes.
const MANY: u32 = 3_000;

/// What was acknowledged, and must be there to the end.
#[derive(Default)]
struct Kept {
    posts: Vec<String>,
    images: Vec<String>,
}

#[tokio::test]
async fn what_is_full_or_broken_says_so_and_comes_back() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("a full and broken platform could not run: only root can mount a disk for it");
        return;
    }
    let options = PlatformOptions { disk: Some(DISK_MIB), ..options() };
    let platform = Platform::start(options).await;
    platform.create("bakery").await;
    let mut admin = platform.admin("bakery").await;
    let mut kept = Kept::default();
    kept.posts.push(admin.publish("Before").await);
    kept.images.push(admin.upload("before.png", PNG).await);

    filler::a_site_fills_the_disk(&platform).await;
    let archive = spools::exported(&platform).await;
    a_full_disk(&platform, &archive, &mut admin, &mut kept).await;
    spools::find_room(&platform, &archive).await;
    descriptors::out_of_descriptors(&platform).await;
    broken_at_the_start(&platform).await;
    for address in kept.posts.iter().chain(&kept.images) {
        platform.visitor("bakery").get(address).await.with_status(200);
    }
    platform.has_clean_inventory().await;
}

/// Registry, database, uploads and logs are on the disk that has nothing left.
async fn a_full_disk(platform: &Platform, archive: &Path, admin: &mut Admin, kept: &mut Kept) {
    platform.fill_disk(0);
    let mut refused = None;
    for number in 0..MANY {
        let labels = json!({"metadata": {"labels": {"note": format!("n{number}")}}});
        let answer = platform.api().json("PATCH", "/v1/tenants/bakery", &labels).await;
        if answer.status != 200 && answer.status != 202 {
            refused = Some(answer);
            break;
        }
        platform.fill_disk(0);
    }
    let refused = refused.expect("the registry was never full").with_status(503);
    assert_eq!(refused.as_json()["code"], "registry_unavailable");
    assert!(refused.text().contains("full"), "{}", refused.text());
    // Reads of the API, and pages of the site, go on.
    platform.api().get("/v1/tenants/bakery").await.with_status(200);
    platform.visitor("bakery").get(&kept.posts[0]).await.with_status(200);
    spools::find_no_room(platform, archive).await;
    // A file that does not fit is refused, or whole.
    let mut large = PNG.to_vec();
    large.resize(4 << 20, 0);
    let upload = tokio::time::timeout(PATIENCE, admin.try_upload("large.png", &large)).await;
    if let Ok(Some(answer)) = upload {
        assert_ne!(answer.status, 201, "{}", answer.text());
    }
    platform.free_disk();
    // By itself, with the same processes: what was refused works.
    wait_until(PATIENCE, "the registry takes changes", async || {
        let labels = json!({"metadata": {"labels": {"note": "after"}}});
        let answer = platform.api().json("PATCH", "/v1/tenants/bakery", &labels).await;
        if answer.status.is_success() { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let after = wait_until(PATIENCE, "the site takes posts", async || {
        let link = platform.cli(&["tenant", "login", "bakery"]).await;
        let link = link.out.split_whitespace().find(|word| word.contains("aipress_login="));
        let link = link.ok_or("no login link")?.to_owned();
        let signed_in = Admin::try_sign_in(platform.visitor("bakery"), &link).await;
        let mut admin = signed_in.ok_or("nobody can sign in")?;
        let post = json!({"title": "After", "content": "Room", "status": "publish"});
        let answer = admin.try_rest("POST", "/wp/v2/posts", &post).await.ok_or("no answer")?;
        match answer.status.as_u16() {
            201 => Ok((admin, answer.as_json()["link"].as_str().unwrap().to_owned())),
            _ => Err(answer.text()),
        }
    })
    .await;
    *admin = after.0;
    kept.posts.push(after.1);
    let image = wait_until(PATIENCE, "the site takes files", async || {
        let answer = admin.try_upload("after.png", PNG).await.ok_or("no answer")?;
        match answer.status.as_u16() {
            201 => Ok(answer.as_json()["source_url"].as_str().unwrap().to_owned()),
            _ => Err(answer.text()),
        }
    })
    .await;
    kept.images.push(image);
    wait_until(PATIENCE, "another site is made", async || {
        let told = platform.cli(&["tenant", "create", "florist"]).await;
        if told.code == 0 { Ok(()) } else { Err(told.err) }
    })
    .await;
    platform.visitor("florist").get("/").await.with_status(200);
}

/// The registry damaged, and the database of the shard without the bakery: two starts fail, the
/// bakery is served from what the edge and its shard have on disk.
async fn broken_at_the_start(platform: &Platform) {
    let shard = shard_of(platform, "bakery").await;
    let other = match shard.as_str() {
        "aipress-shard-001" => "aipress-shard-002",
        _ => "aipress-shard-001",
    };
    let database = format!("{other}-mariadb");
    platform.down().await;
    let files = [
        platform.path("meta/registry.db"),
        platform.path(format!("shards/{other}/mariadb/data/ibdata1")),
    ];
    for file in &files {
        damage(file);
    }
    let mut up = platform.command();
    let listen = platform.address().to_string();
    up.args(["up", "--detach", "--no-hello", "--listen", &listen]);
    // Nobody hears what it tells, as when its log is on the disk that is full.
    up.stderr(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let mut up = tokio::process::Command::from(up).kill_on_drop(true).spawn().unwrap();
    for (unit, words) in
        [("meta", "it is left as it is"), (database.as_str(), "its data can't be used")]
    {
        wait_until(PATIENCE, &format!("{unit} says what is wrong"), async || {
            let told = platform.cli(&["status"]).await;
            let line = told.out.lines().find(|line| line.starts_with(&format!("{unit} ")));
            match line {
                Some(line) if line.contains(words) => Ok(()),
                _ => Err(format!("{}{}", told.out, told.err)),
            }
        })
        .await;
    }
    wait_until(PATIENCE, "the bakery is served without meta", async || {
        let answer = platform.visitor("bakery").send("GET", "/", &[], "").await;
        match answer {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let doctor = platform.cli(&["doctor"]).await.ended(1);
    assert!(doctor.out.contains("its data can't be used"), "{}", doctor.out);
    for file in &files {
        mend(file);
    }
    // Nobody starts anything: `up` waits, and is content in the end.
    let ended = tokio::time::timeout(PATIENCE, up.wait()).await;
    assert!(ended.expect("all is up again").unwrap().success());
    platform.visitor("florist").get("/").await.with_status(200);
}

async fn shard_of(platform: &Platform, name: &str) -> String {
    platform.tenant(name).await["shard"].as_str().unwrap().to_owned()
}

fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    fs::write(file.with_extension("whole"), &bytes).unwrap();
    bytes[..16 * 1024].fill(0x55);
    // In place: owner and mode stay.
    fs::write(file, bytes).unwrap();
}

fn mend(file: &Path) {
    let whole = file.with_extension("whole");
    fs::write(file, fs::read(&whole).unwrap()).unwrap();
    fs::remove_file(whole).unwrap();
}
