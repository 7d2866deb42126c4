//! Redis: each site's user has its own keys and the commands that keep to keys.

use std::process::Command;

use aipress_testkit::Platform;
use serde_json::Value;

use super::attack::Attack;
use super::attack::MARK;
use super::attack::Site;

/// Signs in with the site's own credentials and calls with `WORDS`.
const CALL: &str = "
    $own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['redis'];
    $redis = new Redis();
    $redis->connect($own['socket']);
    SIGN_IN
    return json_encode([$redis->rawCommand(WORDS), $redis->getLastError()], JSON_INVALID_UTF8_SUBSTITUTE);";
const AS_ITSELF: &str = "$redis->auth([$own['user'], $own['password']]);";

/// No complaint of Redis after whatever it answered.
const DONE: &str = ",null]";

fn calling(words: &[&str], loot: &str) -> Attack {
    let list: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let code = CALL.replace("SIGN_IN", AS_ITSELF).replace("WORDS", &list.join(", "));
    Attack::new(words.join(" "), code, loot)
}

/// The same without signing in.
fn calling_unsigned(words: &[&str], loot: &str) -> Attack {
    let attack = calling(words, loot);
    Attack {
        code: attack.code.replace(AS_ITSELF, ""),
        what: format!("unsigned {}", attack.what),
        ..attack
    }
}

/// A command by the server's administrator.
fn as_admin(platform: &Platform, words: &[&str]) -> String {
    let path = platform.path("shards/aipress-shard-001/redis/admin.json");
    let admin: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let output = Command::new("redis-cli")
        .arg("-s")
        .arg(platform.path("run/aipress-shard-001/redis/redis.sock"))
        .args(["--user", admin["user"].as_str().unwrap()])
        .args(words)
        .env("REDISCLI_AUTH", admin["password"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !said.starts_with("ERR"), "{words:?}: {said}");
    said
}

pub(super) async fn nobody_elses_keys(platform: &Platform, hostile: &Site, neighbour: &Site) {
    let key = format!("{}own", neighbour.secret("/redis/prefix"));
    let keep = || as_admin(platform, &["SET", &key, MARK]);
    keep();
    let own = format!("{}mine", hostile.secret("/redis/prefix"));
    let other = format!("{}news", neighbour.secret("/redis/prefix"));
    let script = format!("return redis.call(\\'GET\\', \\'{key}\\')");
    let attacks = [
        calling(&["GET", &key], MARK),
        calling(&["MGET", &key], MARK),
        calling(&["GETRANGE", &key, "0", "-1"], MARK),
        calling(&["KEYS", "*own"], &key),
        calling(&["SCAN", "0", "COUNT", "100000"], &key),
        calling(&["EVAL", &script, "0"], MARK),
        calling(&["ACL", "LIST"], &neighbour.handle),
        calling(&["CONFIG", "GET", "dir"], "redis"),
        calling(&["CLIENT", "LIST"], "cmd=client"),
        calling(&["INFO", "keyspace"], "keys="),
        calling(&["SET", &key, "spoilt"], "[true"),
        calling(&["DUMP", &key], DONE),
        calling(&["TYPE", &key], DONE),
        calling(&["OBJECT", "ENCODING", &key], DONE),
        calling(&["MEMORY", "USAGE", &key], DONE),
        calling(&["COPY", &key, &own], DONE),
        calling(&["RENAME", &key, &own], DONE),
        calling(&["RANDOMKEY"], DONE),
        calling(&["DBSIZE"], DONE),
        calling(&["SCRIPT", "FLUSH"], DONE),
        calling(&["FUNCTION", "LIST"], DONE),
        calling(&["PUBLISH", &other, "1"], DONE),
        calling(&["PUBSUB", "CHANNELS"], DONE),
        calling(&["SUBSCRIBE", &other], DONE),
        calling(&["MONITOR"], DONE),
        calling(&["SLOWLOG", "GET"], DONE),
        calling(&["LATENCY", "LATEST"], DONE),
        calling(&["CLIENT", "KILL", "TYPE", "pubsub"], DONE),
        calling(&["CLIENT", "PAUSE", "0"], DONE),
        calling(&["CONFIG", "SET", "maxmemory-samples", "5"], DONE),
        calling(&["ACL", "WHOAMI"], DONE),
        calling(&["REPLICAOF", "NO", "ONE"], DONE),
        calling(&["FLUSHDB"], DONE),
        calling(&["FLUSHALL"], "[true"),
    ];
    hostile.gets_it_by("with all guards", &[calling(&["SET", &own, "1"], "[true")]).await;
    hostile.gets_nothing_by("with all guards", &attacks).await;
    assert!(as_admin(platform, &["GET", &key]).contains(MARK), "the neighbour's key was changed");

    let before = rules(platform, &hostile.handle);
    let loosen = || {
        as_admin(platform, &["ACL", "SETUSER", &hostile.handle, "~*", "&*", "+@all"]);
        keep();
    };
    hostile.gets_it_after("with all keys and commands", &attacks, loosen).await;
    let words: Vec<&str> = before.split_whitespace().collect();
    as_admin(platform, &[&["ACL", "SETUSER", &hostile.handle, "reset"], words.as_slice()].concat());
    keep();
    hostile.gets_nothing_by("with all guards again", &[calling(&["GET", &key], MARK)]).await;

    let unsigned = [calling_unsigned(&["GET", &key], MARK)];
    hostile.gets_nothing_by("without signing in", &unsigned).await;
    let default = rules(platform, "default");
    as_admin(platform, &["ACL", "SETUSER", "default", "on", "nopass", "~*", "+@all"]);
    hostile.gets_it_by("with a default user", &unsigned).await;
    let words: Vec<&str> = default.split_whitespace().collect();
    as_admin(platform, &[&["ACL", "SETUSER", "default", "reset"], words.as_slice()].concat());
    hostile.gets_nothing_by("without a default user", &unsigned).await;
    as_admin(platform, &["DEL", &key, &own]);
}

/// The rules of a user, as Redis says them.
fn rules(platform: &Platform, user: &str) -> String {
    let list = as_admin(platform, &["ACL", "LIST"]);
    let start = format!("user {user} ");
    list.lines().find_map(|line| line.strip_prefix(&start)).expect("the user's rules").to_owned()
}
