//! Rows: each site's user has its own database and nothing else of the server.

use std::process::Command;

use aipress_testkit::Platform;
use serde_json::Value;

use super::attack::Attack;
use super::attack::MARK;
use super::attack::Site;

/// Signs in with the site's own credentials and asks `QUERY`.
const ASK: &str = "
    mysqli_report(MYSQLI_REPORT_OFF);
    $own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['db'];
    $db = mysqli_connect('localhost', $own['user'], $own['password'], '', 0, $own['socket']);
    $rows = $db->query(\"QUERY\");
    return $rows ? 'rows: ' . json_encode($rows->fetch_all()) : $db->error;";

fn asking(query: &str, loot: &str) -> Attack {
    Attack::new(query, ASK.replace("QUERY", query), loot)
}

/// Signs in as somebody else without a password.
fn signing_in(user: &str) -> Attack {
    let code = format!(
        "mysqli_report(MYSQLI_REPORT_OFF);
         $own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['db'];
         $db = @mysqli_connect('localhost', '{user}', '', '', 0, $own['socket']);
         return $db ? 'is signed in' : mysqli_connect_error();"
    );
    Attack::new(format!("signing in as `{user}`"), code, "is signed in")
}

/// A statement by the server's administrator.
fn as_admin(platform: &Platform, sql: &str) {
    let path = platform.path("shards/aipress-shard-001/mariadb/admin.json");
    let admin: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let socket = platform.path("run/aipress-shard-001/mariadb/mariadb.sock");
    let output = Command::new("mariadb")
        .arg("--no-defaults")
        .arg("--socket")
        .arg(socket)
        .args(["--user", admin["user"].as_str().unwrap(), "--execute", sql])
        .env("MYSQL_PWD", admin["password"].as_str().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(super) async fn nobody_elses_rows(platform: &Platform, hostile: &Site, neighbour: &Site) {
    let (own, other) = (&hostile.handle, &neighbour.handle);
    let attacks = [
        asking("SHOW DATABASES", other),
        asking(&format!("SELECT option_value FROM {other}.wp_options"), "Title of neighbour"),
        asking("SELECT table_schema FROM information_schema.tables", other),
        asking("SELECT User FROM mysql.global_priv", other),
        asking("SELECT user FROM mysql.db", other),
    ];
    // It can ask; it is only that it is refused.
    let mine = asking(&format!("SELECT option_value FROM {own}.wp_options"), "Title of hostile");
    hostile.gets_it_by("with all guards", &[mine]).await;
    hostile.gets_nothing_by("with all guards", &attacks).await;
    as_admin(platform, &format!("GRANT SELECT ON *.* TO '{own}'@'localhost'"));
    hostile.gets_it_by("with a grant on everything", &attacks).await;
    as_admin(platform, &format!("REVOKE SELECT ON *.* FROM '{own}'@'localhost'"));
    hostile.gets_nothing_by("with all guards again", &attacks).await;

    // `_` is a wildcard in a grant: unescaped it covers names that differ there.
    let alike = own.replacen('_', "x", 1);
    as_admin(
        platform,
        &format!("CREATE DATABASE {alike}; CREATE TABLE {alike}.t SELECT '{MARK}' AS m"),
    );
    let wildcard = [asking(&format!("SELECT m FROM {alike}.t"), MARK)];
    hostile.gets_nothing_by("with an escaped grant", &wildcard).await;
    as_admin(platform, &format!("GRANT SELECT ON `{own}`.* TO '{own}'@'localhost'"));
    hostile.gets_it_by("with an unescaped grant", &wildcard).await;
    as_admin(platform, &format!("REVOKE SELECT ON `{own}`.* FROM '{own}'@'localhost'"));
    as_admin(platform, &format!("DROP DATABASE {alike}"));

    for user in ["root", "mysql", "", "aipress_admin", other] {
        hostile.gets_nothing_by("with passwords", &[signing_in(user)]).await;
    }
    as_admin(platform, "CREATE USER 'root'@'localhost' IDENTIFIED BY ''");
    hostile.gets_it_by("without a password", &[signing_in("root")]).await;
    as_admin(platform, "DROP USER 'root'@'localhost'");
}
