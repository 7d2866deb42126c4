//! Files: the neighbour's, the platform's, and PHP source that the opcode cache holds.

use std::fs;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use aipress_testkit::Platform;

use super::attack::Attack;
use super::attack::MARK;
use super::attack::Site;
use super::guard::FpmConfig;
use super::guard::Modes;
use super::guard::OpenBasedir;

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
        // The first run compiles, the second finds it in the cache.
        for _ in 0..3 {
            assert!(neighbour.run(&own_use).await.contains(MARK));
        }
        hostile.gets_it_by("without the cache's guards", std::slice::from_ref(attack)).await;
    }
    config.restore(hostile).await;
    basedir.restore(hostile).await;
    assert!(neighbour.run(&own_use).await.contains(MARK));
    hostile.gets_nothing_by("with all guards again", &attacks).await;
}
