//! Signing in as somebody else: login links of the neighbour's that are forged, used elsewhere or
//! twice, and the platform's API with what a site finds out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;

use aipress_testkit::Platform;

use super::attack::Attack;
use super::attack::Site;
use super::guard::Modes;
use super::guard::OpenBasedir;

/// A token of the attacker's choice.
const FORGED: &str = "forged-by-the-hostile-neighbour-41";

/// Links, and the folder that has their hashes.
pub(super) async fn nobody_elses_login_link(platform: &Platform, hostile: &Site, neighbour: &Site) {
    let link = async |name: &str| {
        platform.cli(&["tenant", "login", name]).await.good().url("aipress_login=")
    };
    let status = async |name: &str, path: &str| platform.visitor(name).get(path).await.status;
    // One's own link is no key to the neighbour's door, and is none the worse for the attempt.
    let own = link("hostile").await;
    let query = own.split_once("/?").expect("a link").1;
    assert_eq!(status("neighbour", &format!("/?{query}")).await, 403);
    assert_eq!(status("hostile", &own).await, 302);
    // Used, it is one no more.
    assert_eq!(status("hostile", &own).await, 403);

    // The folder is there once somebody asked for a link; this one is not used meanwhile.
    let theirs = link("neighbour").await;
    let folder = neighbour.dir.join("private/login");
    let shown = folder.display();
    let forging = Attack::new(
        "writing a link's hash",
        format!(
            "$f = '{shown}/' . hash('sha256', '{FORGED}') . '.json';
             $n = @file_put_contents($f, json_encode(array('user' => 1, 'expires' => time() + 600)));
             return $n && chmod($f, 0666) ? 'is forged' : 'is not';"
        ),
        "is forged",
    );
    let listing = Attack::new(
        "listing the hashes of links",
        format!("return implode(',', scandir('{shown}'));"),
        ".json",
    );
    let attacks = [forging, listing];
    let door = format!("/?aipress_login={FORGED}");
    hostile.gets_nothing_by("with all guards", &attacks).await;
    assert_eq!(status("neighbour", &door).await, 403, "the link was forged");
    let guard = OpenBasedir::remove(platform, hostile).await;
    hostile.gets_nothing_by("without open_basedir, as another user", &attacks).await;
    assert_eq!(status("neighbour", &door).await, 403, "the link was forged");
    let modes = Modes::open(platform, &folder);
    let everybodys = || fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    hostile.gets_it_after("without open_basedir and modes", &attacks, everybodys).await;
    assert_eq!(status("neighbour", &door).await, 302, "nothing but modes was in the way");
    modes.restore();
    guard.restore(hostile).await;
    // What was asked for in all honesty still works.
    assert_eq!(status("neighbour", &theirs).await, 302);

    nobody_is_led_to_the_neighbours_folder(platform, hostile, &folder).await;
}

/// The platform writes hashes as root: a site that puts a link in its own folder's place would have it
/// write to the neighbour's.
async fn nobody_is_led_to_the_neighbours_folder(
    platform: &Platform,
    hostile: &Site,
    neighbours: &Path,
) {
    let count = || fs::read_dir(neighbours).unwrap().count();
    let place = hostile.dir.join("private/login");
    fs::remove_dir_all(&place).unwrap();
    symlink(neighbours, &place).unwrap();
    lchown(&place, Some(hostile.user), Some(hostile.user)).unwrap();
    let before = count();
    let told = platform.cli(&["tenant", "login", "hostile"]).await;
    assert_ne!(told.code, 0, "{}", told.out);
    assert_eq!(count(), before, "the platform wrote to the neighbour's folder");
    // Whoever follows links as root gets there.
    fs::write(place.join("led-here"), "").unwrap();
    assert_eq!(count(), before + 1);
    fs::remove_file(neighbours.join("led-here")).unwrap();
    fs::remove_file(&place).unwrap();
    platform.cli(&["tenant", "login", "hostile"]).await.good();
}

/// The API is at the edge, which sites reach: it knows tokens of people, and nothing that a site has.
pub(super) async fn nothing_of_the_api(platform: &Platform, hostile: &Site, neighbour: &Site) {
    let address = platform.address();
    let read = |name: &str| fs::read_to_string(platform.path(name)).unwrap().trim().to_owned();
    let asking = |what: &str, path: &str, token: &str, loot: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\\r\\nHost: console.localhost:{}\\r\\nAuthorization: Bearer {token}\\r\\n\
             Aipress-Role: edge\\r\\nAipress-Protocol: 1\\r\\nX-Forwarded-For: 127.0.0.1\\r\\n\
             Connection: close\\r\\n\\r\\n",
            address.port()
        );
        let code = format!(
            "$s = stream_socket_client('tcp://{address}', $n, $e, 20);
             fwrite($s, \"{head}\");
             return stream_get_contents($s);"
        );
        Attack::new(format!("asking {path} with {what}"), code, loot)
    };
    let own = [
        ("no token", String::new()),
        ("its database's password", hostile.secret("/db/password").to_owned()),
        ("its cache's password", hostile.secret("/redis/password").to_owned()),
        ("its uid", hostile.uid.clone()),
    ];
    let tenants = "/v1/tenants";
    let mut attacks: Vec<Attack> =
        own.iter().map(|(what, token)| asking(what, tenants, token, &neighbour.uid)).collect();
    // Even a role's token, which no site reads: what roles ask is not asked at this door.
    let role = read("run/tokens/edge");
    attacks.push(asking("a role's token", tenants, &role, &neighbour.uid));
    for internal in ["/internal/v1/routes", "/internal/v1/shards/aipress-shard-001/intents"] {
        attacks.push(asking("a role's token", internal, &role, &neighbour.uid));
    }
    hostile.gets_nothing_by("with what a site has", &attacks).await;
    let admins =
        asking("the administrator's token", tenants, &read("meta/admin-token"), &neighbour.uid);
    hostile.gets_it_by("with what no site reads", &[admins]).await;
}
