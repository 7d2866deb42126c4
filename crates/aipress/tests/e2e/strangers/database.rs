//! Rows: each site's user has its own database and nothing else of the server.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;

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
    return is_object($rows) ? 'rows: ' . json_encode($rows->fetch_all()) : ($rows ? 'is done' : $db->error);";

/// What [`ASK`] says of a query that was obeyed and has no rows.
const DONE: &str = "is done";
/// What it says before rows.
const ROWS: &str = "rows: [[";

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
    let output = admin_client(platform, sql).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A connection of the administrator's that stays for a while.
fn connection(platform: &Platform) -> Child {
    admin_client(platform, "SELECT SLEEP(600)").stdout(Stdio::null()).spawn().unwrap()
}

fn admin_client(platform: &Platform, sql: &str) -> Command {
    let path = platform.path("shards/aipress-shard-001/mariadb/admin.json");
    let admin: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let socket = platform.path("run/aipress-shard-001/mariadb/mariadb.sock");
    let mut command = Command::new("mariadb");
    command
        .arg("--no-defaults")
        .arg("--socket")
        .arg(socket)
        .args(["--user", admin["user"].as_str().unwrap(), "--execute", sql])
        .env("MYSQL_PWD", admin["password"].as_str().unwrap());
    command
}

pub(super) async fn nobody_elses_rows(platform: &Platform, hostile: &Site, neighbour: &Site) {
    let (own, other) = (&hostile.handle, &neighbour.handle);
    let dump = platform.path("shards/aipress-shard-001/mariadb/files/loot");
    let attacks = [
        asking("SHOW DATABASES", other),
        asking(&format!("SELECT option_value FROM {other}.wp_options"), "Title of neighbour"),
        asking("SELECT table_schema FROM information_schema.tables", other),
        asking("SELECT User FROM mysql.global_priv", other),
        asking("SELECT user FROM mysql.db", other),
        asking(&format!("SHOW GRANTS FOR '{other}'@'localhost'"), other),
        asking("SHOW ENGINE INNODB STATUS", "INNODB MONITOR OUTPUT"),
        asking("SELECT user FROM information_schema.processlist", "aipress_admin"),
        asking("SHOW BINARY LOGS", ROWS),
        asking("SHOW BINLOG EVENTS LIMIT 1", ROWS),
        asking(&format!("CREATE DATABASE x_{own}"), DONE),
        asking(&format!("DROP DATABASE x_{own}"), DONE),
        asking(&format!("CREATE USER 'x_{own}'@'localhost'"), DONE),
        asking(&format!("DROP USER 'x_{own}'@'localhost'"), DONE),
        asking(&format!("CREATE EVENT {own}.e ON SCHEDULE EVERY 1 DAY DO SELECT 1"), DONE),
        asking(&format!("DROP EVENT {own}.e"), DONE),
        asking(
            &format!("CREATE DEFINER='aipress_admin'@'localhost' VIEW {own}.v AS SELECT 1"),
            DONE,
        ),
        asking(&format!("CREATE OR REPLACE VIEW {own}.v AS SELECT * FROM mysql.db"), DONE),
        asking("SET GLOBAL max_connections=3548", DONE),
        asking("SET GLOBAL general_log_file='x'", DONE),
        asking("FLUSH TABLES", DONE),
        asking(&format!("SELECT 1 INTO OUTFILE '{}'", dump.display()), DONE),
        asking(&format!("SELECT LOAD_FILE('{}')", dump.display()), "[[\"1"),
        asking(
            &format!("LOAD DATA INFILE '{}' REPLACE INTO TABLE {own}.loot", dump.display()),
            DONE,
        ),
    ];
    as_admin(platform, &format!("CREATE TABLE {own}.loot (n int)"));
    // Somebody else's connection, to be seen.
    let mut connected = connection(platform);
    // It can ask; it is only that it is refused.
    let mine = asking(&format!("SELECT option_value FROM {own}.wp_options"), "Title of hostile");
    hostile.gets_it_by("with all guards", &[mine]).await;
    hostile.gets_nothing_by("with all guards", &attacks).await;
    let loosen = || as_admin(platform, &format!("GRANT ALL ON *.* TO '{own}'@'localhost'"));
    hostile.gets_it_after("with a grant on everything", &attacks, loosen).await;
    loosen();
    as_admin(platform, &format!("REVOKE ALL ON *.* FROM '{own}'@'localhost'"));
    as_admin(platform, &format!("DROP VIEW {own}.v; SET GLOBAL general_log_file='general.log'"));
    hostile.gets_nothing_by("with all guards again", &attacks).await;
    as_admin(platform, &format!("DROP TABLE {own}.loot"));
    connected.kill().unwrap();
    connected.wait().unwrap();

    // `_` is a wildcard in a grant: unescaped it covers names that differ there.
    let alike = own.replacen('_', "x", 1);
    as_admin(
        platform,
        &format!("CREATE DATABASE {alike}; CREATE TABLE {alike}.t SELECT '{MARK}' AS m"),
    );
    let wildcard = [asking(&format!("SELECT m FROM {alike}.t"), MARK)];
    hostile.gets_nothing_by("with an escaped grant", &wildcard).await;
    let loosen =
        || as_admin(platform, &format!("GRANT SELECT ON `{own}`.* TO '{own}'@'localhost'"));
    hostile.gets_it_after("with an unescaped grant", &wildcard, loosen).await;
    loosen();
    as_admin(platform, &format!("REVOKE SELECT ON `{own}`.* FROM '{own}'@'localhost'"));
    as_admin(platform, &format!("DROP DATABASE {alike}"));

    for user in ["root", "mysql", "", "aipress_admin", other] {
        hostile.gets_nothing_by("with passwords", &[signing_in(user)]).await;
    }
    as_admin(platform, "CREATE USER 'root'@'localhost' IDENTIFIED BY ''");
    hostile.gets_it_by("without a password", &[signing_in("root")]).await;
    as_admin(platform, "DROP USER 'root'@'localhost'");
}

/// What is not a site's to read.
const FILE: &str = "/etc/passwd";
const FILE_LOOT: &str = "root:x:0:0";

/// Statements by which a client sends a file, and the server gives it back.
fn file_statements(own: &str) -> [String; 2] {
    [
        format!("LOAD DATA LOCAL INFILE '{FILE}' INTO TABLE {own}.files"),
        format!("SELECT line FROM {own}.files LIMIT 1"),
    ]
}

fn file_by_php(own: &str) -> Attack {
    let [load, read] = file_statements(own);
    Attack::new(
        "LOAD DATA LOCAL INFILE by PHP",
        format!(
            "mysqli_report(MYSQLI_REPORT_OFF);
             ini_set('mysqli.allow_local_infile', '1');
             $own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['db'];
             $db = mysqli_init();
             $db->options(MYSQLI_OPT_LOCAL_INFILE, true);
             $db->real_connect('localhost', $own['user'], $own['password'], '', 0, $own['socket']);
             $db->query(\"{load}\");
             $rows = $db->query(\"{read}\");
             return $db->error . json_encode($rows ? $rows->fetch_all() : null, JSON_UNESCAPED_SLASHES);"
        ),
        FILE_LOOT,
    )
}

/// A server that says "send me that file" gets it from a client that does as it is told, past
/// `open_basedir`: neither the server nor PHP takes part.
pub(super) async fn no_file_by_way_of_the_server(platform: &Platform, hostile: &Site) {
    let own = &hostile.handle;
    as_admin(platform, &format!("CREATE TABLE {own}.files (line text)"));
    let statements = file_statements(own);
    // The same by the server's own client, as the site's user: it has no guard of PHP's.
    let by_client = || {
        let output = Command::new("setpriv")
            .arg(format!("--reuid={}", hostile.user))
            .arg(format!("--regid={}", hostile.user))
            .args(["--clear-groups", "--", "mariadb", "--no-defaults", "--local-infile=1"])
            .arg("--socket")
            .arg(platform.path("run/aipress-shard-001/mariadb/mariadb.sock"))
            .args(["--user", own, "--force", "--execute", &statements.join(";")])
            .env("MYSQL_PWD", hostile.secret("/db/password"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let attacks = [file_by_php(own)];
    hostile.gets_nothing_by("with all guards", &attacks).await;
    let said = by_client();
    assert!(said.contains("ERROR") && !said.contains(FILE_LOOT), "{said}");
    as_admin(platform, "SET GLOBAL local_infile=1");
    hostile.gets_nothing_by("with PHP's guard alone", &attacks).await;
    let said = by_client();
    assert!(said.contains(FILE_LOOT), "without the server's guard: {said}");
    as_admin(platform, &format!("SET GLOBAL local_infile=0; DROP TABLE {own}.files"));
}

/// The same without PHP's guard, which the caller has taken away together with `open_basedir`.
pub(super) async fn a_file_by_way_of_the_server_without_any_guard(
    platform: &Platform,
    hostile: &Site,
) {
    let own = &hostile.handle;
    as_admin(platform, &format!("CREATE TABLE {own}.files (line text)"));
    let attacks = [file_by_php(own)];
    hostile.gets_nothing_by("with the server's guard alone", &attacks).await;
    as_admin(platform, "SET GLOBAL local_infile=1");
    hostile.gets_it_by("without PHP's guard and the server's", &attacks).await;
    as_admin(platform, &format!("SET GLOBAL local_infile=0; DROP TABLE {own}.files"));
}
