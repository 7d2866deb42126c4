//! Files: the neighbour's, the platform's, and PHP source that the opcode cache holds.

use std::fs;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;

use super::attack::Attack;
use super::attack::MARK;
use super::attack::Site;
use super::attack::root_gets_it_by;
use super::database;
use super::guard::FpmConfig;
use super::guard::Modes;
use super::guard::OpenBasedir;

/// Longest until a script that is asked for is in the opcode cache.
const CACHED: Duration = Duration::from_secs(60);
/// Ways to read the file `PATH`, all of which PHP knows.
const WAYS: &[&str] = &[
    "return file_get_contents('PATH');",
    "return fread(fopen('PATH', 'r'), 100);",
    "return implode(file('PATH'));",
    "return (new SplFileObject('PATH'))->fgets();",
    "return file_get_contents('compress.zlib://PATH');",
    "return file_get_contents('file://PATH');",
    "return file_get_contents('/proc/self/root/PATH');",
    "include 'PATH'; return 'included';",
    "$own = sys_get_temp_dir() . '/copy'; @unlink($own); copy('PATH', $own); return file_get_contents($own);",
    "$l = sys_get_temp_dir() . '/l'; @unlink($l); symlink('PATH', $l); return file_get_contents($l);",
    "$c = curl_init('file://PATH'); curl_setopt($c, CURLOPT_RETURNTRANSFER, true); return curl_exec($c) . curl_error($c);",
    "ini_set('open_basedir', '/'); return file_get_contents('PATH');",
    "chdir(dirname('PATH')); ini_set('open_basedir', '..'); return file_get_contents('PATH');",
];

fn by_all_ways(path: &Path, loot: &str) -> Vec<Attack> {
    let path = path.display().to_string();
    WAYS.iter().map(|way| Attack::new(*way, way.replace("PATH", &path), loot)).collect()
}

/// Secrets of the neighbour and of the platform: file, and the beginning of what is in it.
fn secrets(platform: &Platform, neighbour: &Site) -> Vec<(PathBuf, String)> {
    let own = ["private/own.txt", "wp-content/own.txt"].map(|name| neighbour.put(name, MARK));
    let tmp = ["tmp/upload.tmp", "tmp/sessions/sess_0123456789"].map(|name| {
        let path = neighbour.slot_dir.join(name);
        neighbour.own_file(&path, MARK);
        path
    });
    let mut paths = [own, tmp].concat();
    paths.push(neighbour.slot_dir.join("site.json"));
    let platforms = [
        "master.key",
        "meta/admin-token",
        "meta/registry.db",
        "run/tokens/edge",
        "run/tokens/roles.json",
        "run/tokens/aipress-shard-001",
        "shards/aipress-shard-001/key",
        "shards/aipress-shard-001/mariadb/admin.json",
        "shards/aipress-shard-001/mariadb/init.sql",
        "shards/aipress-shard-001/redis/admin.json",
        "logs/meta.log",
    ];
    paths.extend(platforms.map(|name| platform.path(name)));
    let with_loot = |path: PathBuf| {
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let loot: Vec<u8> =
            text.into_iter().take(20).take_while(|b| (32..127).contains(b)).collect();
        assert!(loot.len() > 8, "{} has too little in it", path.display());
        (path, String::from_utf8(loot).unwrap())
    };
    paths.into_iter().map(with_loot).collect()
}

/// Two guards, each enough by itself: Unix users and `open_basedir`.
pub(super) async fn nobody_elses_files(platform: &Platform, hostile: &Site, neighbour: &Site) {
    let secrets = secrets(platform, neighbour);
    let target = &secrets[1];
    let mut attacks: Vec<Attack> =
        secrets.iter().map(|(path, loot)| Attack::reading(path, loot.clone())).collect();
    attacks.extend(by_all_ways(&target.0, &target.1));
    let listing = target.0.parent().unwrap().display();
    attacks.push(Attack::new(
        "listing the neighbour's folder",
        format!("return implode(scandir('{listing}')) . implode(glob('{listing}/*'));"),
        "own.txt",
    ));

    hostile.gets_nothing_by("with all guards", &attacks).await;
    let basedir = OpenBasedir::remove(platform, hostile).await;
    hostile.gets_nothing_by("without open_basedir, as another user", &attacks).await;
    // A folder that was opened may lie on another one's way: each is put back in reverse.
    let mut opened: Vec<Modes> =
        secrets.iter().map(|(path, _)| Modes::open(platform, path)).collect();
    hostile.gets_it_by("without open_basedir and modes", &attacks).await;
    basedir.restore(hostile).await;
    // A script that is in the opcode cache by now passes open_basedir: its mode alone keeps it.
    let uncached: Vec<Attack> =
        attacks.iter().filter(|attack| !attack.code.contains("include")).cloned().collect();
    hostile.gets_nothing_by("with open_basedir, without modes", &uncached).await;
    while let Some(modes) = opened.pop() {
        modes.restore();
    }
    hostile.gets_nothing_by("with all guards again", &attacks).await;
}

/// The gateway can read every site's files; it follows nothing out of the one that was asked for.
pub(super) async fn nobody_elses_files_through_the_gateway(
    platform: &Platform,
    hostile: &Site,
    neighbour: &Site,
) {
    let secret = neighbour.put("wp-content/uploads/own.txt", MARK);
    let mut owner = platform.visitor("neighbour");
    assert_eq!(owner.get("/wp-content/uploads/own.txt").await.with_status(200).text(), MARK);

    let uploads = hostile.put("wp-content/uploads/mine.txt", "mine");
    let folder = uploads.parent().unwrap();
    for (name, target) in [("file.txt", secret.as_path()), ("folder", secret.parent().unwrap())] {
        let link = folder.join(name);
        symlink(target, &link).unwrap();
        lchown(&link, Some(hostile.user), Some(hostile.user)).unwrap();
    }
    let mut visitor = platform.visitor("hostile");
    assert_eq!(visitor.get("/wp-content/uploads/mine.txt").await.with_status(200).text(), "mine");
    let uid = &neighbour.uid;
    for path in [
        "/wp-content/uploads/file.txt".to_owned(),
        "/wp-content/uploads/folder/own.txt".to_owned(),
        "/wp-content/uploads/folder/".to_owned(),
        format!("/wp-content/uploads/../../../{uid}/wp-content/uploads/own.txt"),
        format!("/wp-content/uploads/..%2f..%2f..%2f{uid}/wp-content/uploads/own.txt"),
        format!("//wp-content/uploads/%2e%2e/%2e%2e/%2e%2e/{uid}/wp-content/uploads/own.txt"),
    ] {
        let answer = visitor.get(&path).await;
        assert!(!answer.text().contains(MARK), "{path}: {} {}", answer.status, answer.text());
    }
    // The same name without a link is served: it was the link that was refused.
    fs::remove_file(folder.join("file.txt")).unwrap();
    hostile.put("wp-content/uploads/file.txt", MARK);
    assert_eq!(visitor.get("/wp-content/uploads/file.txt").await.with_status(200).text(), MARK);
}

/// Pools of one master share the opcode cache.
pub(super) async fn nobody_elses_source_by_the_opcode_cache(
    platform: &Platform,
    hostile: &Site,
    neighbour: &Site,
) {
    let source = neighbour.put("wp-content/own.php", &format!("<?php return '{MARK}';"));
    let source = source.display().to_string();
    let own_use = format!("return include '{source}';");
    let attacks = [
        Attack::new("including cached source", format!("return @include '{source}';"), MARK),
        Attack::new(
            "listing cached scripts",
            "return json_encode(array_keys(opcache_get_status()['scripts']), JSON_UNESCAPED_SLASHES);",
            format!("sites/{}", neighbour.uid),
        ),
        Attack::new("emptying the cache", "return 'reset=' . (int) opcache_reset();", "reset=1"),
    ];
    for attack in &attacks {
        // Asked for by its owner just before, so that it is in the cache and was looked at.
        assert!(neighbour.run(&own_use).await.contains(MARK));
        hostile.gets_nothing_by("with all guards", std::slice::from_ref(attack)).await;
    }
    let basedir = OpenBasedir::remove(platform, hostile).await;
    assert!(neighbour.run(&own_use).await.contains(MARK));
    hostile.gets_nothing_by("without open_basedir", &attacks[..1]).await;

    let config = FpmConfig::loosen(platform, hostile).await;
    for attack in &attacks {
        // PHP keeps a file once it is two seconds old and was asked for.
        let what = format!("without the cache's guards: {} succeeds", attack.what);
        wait_until(CACHED, &what, async || {
            assert!(neighbour.run(&own_use).await.contains(MARK));
            let said = hostile.run(&attack.code).await;
            if said.contains(&attack.loot) { Ok(()) } else { Err(said) }
        })
        .await;
    }
    database::a_file_by_way_of_the_server_without_any_guard(platform, hostile).await;
    config.restore(hostile).await;
    basedir.restore(hostile).await;
    assert!(neighbour.run(&own_use).await.contains(MARK));
    hostile.gets_nothing_by("with all guards again", &attacks).await;
}

/// Links, devices and pipes in a site's own folder: served by the gateway, exported as an archive,
/// and carried to another site by that. Nothing hangs, and nothing of others is in it.
pub(super) async fn no_oddity_hangs_or_leads_out(
    platform: &Platform,
    hostile: &Site,
    neighbour: &Site,
) {
    let secret = neighbour.put("wp-content/own.txt", MARK);
    let uploads = hostile.dir.join("wp-content/uploads");
    let hard = uploads.join("hard.txt");
    let made = [
        Attack::new(
            "a hard link to a neighbour's file",
            format!(
                "return @link('{}', '{}.php') ? 'is made' : 'is not';",
                secret.display(),
                hard.display()
            ),
            "is made",
        ),
        Attack::new(
            "a device",
            format!(
                "return @posix_mknod('{}/device', POSIX_S_IFBLK | 0600, 254, 0) ? 'is made' : 'is not';",
                uploads.display()
            ),
            "is made",
        ),
    ];
    let basedir = OpenBasedir::remove(platform, hostile).await;
    hostile.gets_nothing_by("without open_basedir, by the kernel", &made).await;
    basedir.restore(hostile).await;
    root_gets_it_by(&made);
    for name in ["hard.txt.php", "device"] {
        fs::remove_file(uploads.join(name)).unwrap();
    }

    // What no site can make by itself, too: as if it had been root once.
    fs::hard_link(&secret, &hard).unwrap();
    let link = uploads.join("way-out.txt");
    symlink(&secret, &link).unwrap();
    lchown(&link, Some(hostile.user), Some(hostile.user)).unwrap();
    let pipe = uploads.join("pipe.txt");
    let path = pipe.display();
    assert!(hostile.run(&format!("return posix_mkfifo('{path}', 0640);")).await.contains("true"));
    let mut visitor = platform.visitor("hostile");
    for name in ["hard.txt", "way-out.txt", "pipe.txt"] {
        let answer = visitor.get(&format!("/wp-content/uploads/{name}")).await;
        assert!(answer.status != 200 && !answer.text().contains(MARK), "{name}: {}", answer.status);
    }
    // A file of the site's own user is served: it was the owner that was looked at.
    std::os::unix::fs::chown(&hard, Some(hostile.user), Some(hostile.user)).unwrap();
    assert_eq!(visitor.get("/wp-content/uploads/hard.txt").await.with_status(200).text(), MARK);
    std::os::unix::fs::chown(&hard, Some(neighbour.user), Some(neighbour.user)).unwrap();

    let archive = platform.home().join("hostile.aip");
    let archive = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "hostile", "--file", archive]).await.good();
    platform.cli(&["tenant", "import", archive, "--name", "carried"]).await.good();
    let carried = platform.tenant("carried").await;
    let folder = platform
        .path("shards/aipress-shard-001/sites")
        .join(carried["uid"].as_str().unwrap())
        .join("wp-content/uploads");
    assert!(folder.is_dir(), "nothing was carried");
    for name in ["hard.txt", "way-out.txt", "pipe.txt"] {
        let read = fs::symlink_metadata(folder.join(name)).ok().filter(fs::Metadata::is_file);
        let text = read.map(|_| fs::read_to_string(folder.join(name)).unwrap());
        assert!(!text.unwrap_or_default().contains(MARK), "{name} was carried away");
    }
    for path in [hard, link, pipe] {
        fs::remove_file(path).unwrap();
    }
}
