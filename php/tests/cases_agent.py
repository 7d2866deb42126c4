"""The platform's own wp commands (agent.php), on a whole site, as the sandbox of a slot runs them."""

import csv
import io
import json
import os
import subprocess

import stack

PLUGIN = "<?php\n/* Plugin Name: {0}\n * Version: {1}\n */\n{2}\n"


def wp(site, *arguments, text="", terminal=False):
    """Exit code, standard output, standard error."""
    drop = {"user": stack.SLOT_UID, "group": stack.SLOT_UID, "extra_groups": []} if stack.ROOT else {}
    env = {"PATH": "/usr/bin:/bin", "AIPRESS_CORE_DIR": site.core, "AIPRESS_SLOT_DIR": site.slot, "AIPRESS_TENANT_UID": site.uid}
    if terminal:
        env |= {"SHELL_PIPE": "0", "COLUMNS": "80"}
    php = stack.program("php8.4", "php8.3", "php8.2", "php8.1", "php")
    done = subprocess.run([php, "-d", f"auto_prepend_file={stack.PHP_DIR}/prepend.php", "-d", "display_errors=0", "-d", "log_errors=1",
                           "-d", f"sys_temp_dir={site.slot}/tmp", f"{stack.PHP_DIR}/agent.php", *arguments],
                          input=text, capture_output=True, text=True, timeout=60, env=env, cwd=site.core, **drop)
    return done.returncode, done.stdout, done.stderr


def out(site, *arguments, **options):
    """Standard output of one that must succeed."""
    code, said, err = wp(site, *arguments, **options)
    if code != 0:
        raise AssertionError(f"{arguments}: {code} {said} {err}")
    return said.rstrip("\n")


def plugin(site, name, version="1.0", code=""):
    site.write(f"wp-content/plugins/{name}/{name}.php", PLUGIN.format(name.title(), version, code))
    if stack.ROOT:
        os.chown(f"{site.folder}/wp-content/plugins/{name}", stack.SLOT_UID, stack.SLOT_UID)


def core(report, site):
    version = os.path.basename(site.core)
    report.check("core version", out(site, "core", "version"), version)
    report.check("core is-installed", wp(site, "core", "is-installed"), (0, "", ""))
    report.check("core update-db of a new database", "already at latest db version" in out(site, "core", "update-db"))
    site.stack.sql("UPDATE wp_options SET option_value = '53000' WHERE option_name = 'db_version'", site.database)
    report.check("core update-db --dry-run", "from db version 53000" in out(site, "core", "update-db", "--dry-run"))
    report.check("core update-db", "upgraded successfully from db version 53000" in out(site, "core", "update-db"))
    site.stack.sql("UPDATE wp_options SET option_value = '99999' WHERE option_name = 'db_version'", site.database)
    code, said, err = wp(site, "core", "update-db")
    report.check("a newer database is refused", (code, said, "can't go back" in err), (1, "", True))
    site.stack.sql("UPDATE wp_options SET option_value = '53000' WHERE option_name = 'db_version'", site.database)
    out(site, "core", "update-db")


def plugins(report, site):
    plugin(site, "bread", "1.2")
    plugin(site, "butter")
    rows = json.loads(out(site, "plugin", "list", "--format=json"))
    mine = {row["name"]: row for row in rows}
    report.check("plugin list", mine["bread"], {"name": "bread", "status": "inactive", "update": "unknown", "version": "1.2", "update_version": "", "auto_update": "off"})
    report.check("the tenant's must-use plugins", mine["probe"]["status"], "must-use")
    report.check("plugin activate", out(site, "plugin", "activate", "bread", "butter"), "Plugin 'bread' activated.\nPlugin 'butter' activated.\nSuccess: Activated 2 of 2 plugins.")
    report.check("active", out(site, "plugin", "list", "--status=active", "--field=name"), "bread\nbutter")
    report.check("count", out(site, "plugin", "list", "--status=active", "--format=count"), "2")
    report.check("plugin get", out(site, "plugin", "get", "bread", "--field=version"), "1.2")
    report.check("is-installed", [wp(site, "plugin", "is-installed", name)[0] for name in ("bread", "none")], [0, 1])
    code, _, err = wp(site, "plugin", "activate", "none")
    report.check("activate what is not there", (code, err), (1, "Warning: The 'none' plugin could not be found.\nError: No plugins activated.\n"))
    report.check("csv", list(csv.reader(io.StringIO(out(site, "plugin", "list", "--status=active", "--format=csv", "--fields=name,version")))),
                 [["name", "version"], ["bread", "1.2"], ["butter", "1.0"]])
    shown = out(site, "plugin", "list", "--status=active", "--fields=name,version", terminal=True)
    report.check("a terminal's table", shown.splitlines()[:3], ["+--------+---------+", "| name   | version |", "+--------+---------+"])
    report.check("deactivate", out(site, "plugin", "deactivate", "bread").splitlines()[-1], "Success: Deactivated 1 of 1 plugins.")
    code, _, err = wp(site, "plugin", "delete", "butter")
    report.check("an active one is not deleted", (code, "deactivate it first" in err), (1, True))
    out(site, "plugin", "delete", "bread")
    report.check("deleted", os.path.exists(f"{site.folder}/wp-content/plugins/bread"), False)

    plugin(site, "bomb", code="throw new Error( 'boom' );")
    code, said, err = wp(site, "plugin", "activate", "bomb")
    report.check("a plugin that dies is not activated", (code, said, "Error: " in err and "boom" in err), (1, "", True))
    report.check("and stays inactive", out(site, "plugin", "get", "bomb", "--field=status"), "inactive")
    active = 'a:1:{i:0;s:13:"bomb/bomb.php";}'
    site.stack.sql(f"UPDATE wp_options SET option_value = '{active}' WHERE option_name = 'active_plugins'", site.database)
    out(site, "--skip-plugins", "--skip-themes", "cache", "flush")
    code, said, err = wp(site, "option", "get", "blogname")
    report.check("a broken plugin is told", (code, said, "--skip-plugins" in err and "boom in" in err), (1, "", True))
    report.check("and can be switched off", out(site, "plugin", "deactivate", "bomb", "--skip-plugins", "--skip-themes").splitlines()[-1], "Success: Deactivated 1 of 1 plugins.")
    report.check("then all is well", wp(site, "option", "get", "blogname")[0], 0)
    plugin(site, "noise", code="echo 'NOISE';")
    code, said, err = wp(site, "plugin", "activate", "noise")
    report.check("a plugin that prints is activated, and told", (code, "Success" in said, "printed" in err), (0, True, True))
    code, said, err = wp(site, "plugin", "list", "--name=noise", "--field=status")
    report.check("what a plugin prints is not in the answer", (code, said, err), (0, "active\n", "NOISE\n"))
    out(site, "plugin", "deactivate", "noise", "--skip-plugins")
    site.write("wp-content/mu-plugins/zz-broken.php", "<?php throw new Error( 'mu' );")
    report.check("a broken must-use plugin", wp(site, "core", "version")[0], 1)
    report.check("is skipped with the others", out(site, "plugin", "list", "--skip-plugins", "--skip-themes", "--format=count") > "0")
    os.unlink(f"{site.folder}/wp-content/mu-plugins/zz-broken.php")


def themes(report, site):
    rows = {row["name"]: row for row in json.loads(out(site, "theme", "list", "--format=json"))}
    active = [name for name, row in rows.items() if row["status"] == "active"]
    report.check("one theme is active", len(active), 1)
    other = next(name for name, row in rows.items() if row["status"] == "inactive")
    report.check("theme activate", out(site, "theme", "activate", other).startswith("Success: Switched to '"))
    report.check("theme get", out(site, "theme", "get", other, "--field=status"), "active")
    out(site, "theme", "activate", active[0])
    report.check("a shared theme is not deleted", wp(site, "theme", "delete", other)[0], 1)
    site.write("wp-content/themes/broken/style.css", "/*\nTheme Name: Broken\n*/")
    site.write("wp-content/themes/broken/index.php", "<?php")
    site.write("wp-content/themes/broken/functions.php", "<?php throw new Error( 'theme' );")
    out(site, "theme", "activate", "broken")
    report.check("a broken theme is told", "theme in" in wp(site, "core", "version")[2])
    report.check("and can be left", wp(site, "theme", "activate", active[0], "--skip-themes")[0], 0)
    report.check("well again", out(site, "core", "version"), os.path.basename(site.core))
    if stack.ROOT:
        os.chown(f"{site.folder}/wp-content/themes/broken", stack.SLOT_UID, stack.SLOT_UID)
    report.check("its own theme is deleted", wp(site, "theme", "delete", "broken")[1:], ("Deleted 'broken' theme.\nSuccess: Deleted 1 of 1 themes.\n", ""))


def options(report, site):
    report.check("option get", out(site, "option", "get", "home"), site.home)
    code, said, err = wp(site, "option", "get", "no_such")
    report.check("option get of none", (code, said, err), (1, "", "Error: Could not get 'no_such' option. Does it exist?\n"))
    out(site, "option", "add", "crumbs", '{"a":[1,"two"]}', "--format=json")
    report.check("json comes back", json.loads(out(site, "option", "get", "crumbs", "--format=json")), {"a": [1, "two"]})
    text = "line one\nline 'two' \\ %s"
    out(site, "option", "update", "crumbs", text=text)
    report.check("standard input comes back", out(site, "option", "get", "crumbs"), text)
    report.check("unchanged", out(site, "option", "update", "crumbs", text), "Success: Value passed for 'crumbs' option is unchanged.")
    report.check("option list", out(site, "option", "list", "--search=crum*", "--field=option_value"), text)
    report.check("option delete", out(site, "option", "delete", "crumbs"), "Success: Deleted 'crumbs' option.")
    report.check("option delete of none", wp(site, "option", "delete", "crumbs")[0], 1)


def users(report, site):
    made = out(site, "user", "create", "berta", "berta@bakery.example", "--role=editor", "--porcelain")
    report.check("user get", out(site, "user", "get", "berta", "--field=roles"), "editor")
    code, _, err = wp(site, "user", "create", "berta", "other@bakery.example")
    report.check("not twice", (code, err), (1, "Error: The 'berta' username is already registered.\n"))
    report.check("no such role", wp(site, "user", "set-role", "berta", "king")[0], 1)
    out(site, "user", "set-role", "berta", "author")
    report.check("user list", out(site, "user", "list", "--role=author", "--fields=ID,user_email", "--format=csv"), f"ID,user_email\n{made},berta@bakery.example")
    out(site, "user", "update", made, "--prompt=user_pass", "--display_name=B. 'und' Söhne", text="from stdin\n")
    report.check("fields with odd characters", out(site, "user", "get", made, "--field=display_name"), "B. 'und' Söhne")
    stored = site.stack.sql(f"SELECT user_pass FROM wp_users WHERE ID = {made}", site.database).strip()
    report.check("a password from standard input", stored.startswith("$") and "stdin" not in stored)
    report.check("posts are not lost by chance", wp(site, "user", "delete", "berta")[0], 1)
    report.check("user delete", out(site, "user", "delete", "berta", "--yes"), f"Success: Removed user {made}.")


def posts(report, site):
    made = out(site, "post", "create", "--post_title=Rye & \"Crust\"", "--post_content=-", "--post_status=publish", "--porcelain", text="<p>a \\ b</p>")
    report.check("post get", [out(site, "post", "get", made, f"--field={field}") for field in ("post_title", "post_content")], ['Rye & "Crust"', "<p>a \\ b</p>"])
    report.check("post list", made in out(site, "post", "list", "--format=ids").split(" "))
    report.check("post delete", out(site, "post", "delete", made, "--force"), f"Success: Deleted post {made}.")
    report.check("a second time", wp(site, "post", "delete", made)[0], 1)


def rest(report, site):
    code, said, err = wp(site, "eval", "echo 1;")
    report.check("an unknown command says what there is", (code, said, "search-replace" in err and "wp-cli" in err), (1, "", True))
    report.check("near misses are shorter", "plugin activate" in wp(site, "plugin", "fly")[2] and "search-replace" not in wp(site, "plugin", "fly")[2])
    for option in ("--path=/etc", "--require=/tmp/x.php", "--exec=phpinfo();"):
        report.check(option, wp(site, "core", "version", option)[:2], (1, ""))
    report.check("unknown options", "usage: wp plugin list" in wp(site, "plugin", "list", "--colour=red")[2])
    report.check("help", "wp plugin list" in out(site, "help", "plugin"))
    report.check("cache flush", out(site, "cache", "flush"), "Success: The cache was flushed.")
    report.check("rewrite flush", out(site, "rewrite", "flush"), "Success: Rewrite rules flushed.")
    hooks = out(site, "cron", "event", "list", "--field=hook").splitlines()
    report.check("cron event list", "wp_version_check" in hooks or "wp_privacy_delete_old_export_files" in hooks, True)
    report.check("cron event run", "Executed the cron event 'wp_privacy_delete_old_export_files'" in out(site, "cron", "event", "run", "wp_privacy_delete_old_export_files"))
    report.check("cron event run of none", wp(site, "cron", "event", "run", "no_such")[0], 1)
    report.check("db size", int(out(site, "db", "size", "--format=csv").split(",")[-1].strip('"').removesuffix(" B")) > 100000)
    site.stack.sql("INSERT INTO wp_options (option_name, option_value) VALUES ('_transient_crumb', 'x')", site.database)
    report.check("transient delete --all", "1 transients deleted" in out(site, "transient", "delete", "--all"))
    report.check("wrong tenant", wp_as(site, "00000000-0000-4000-8000-000000000000"), 75)


def wp_as(site, uid):
    real, site.uid = site.uid, uid
    try:
        return wp(site, "core", "version")[0]
    finally:
        site.uid = real


REPLACED = [
    # What is there, and what it is after `old.example` became `new.example.org`.
    ("plain old.example text", "plain new.example.org text"),
    ('s:11:"old.example";', 's:15:"new.example.org";'),
    ('a:2:{s:11:"old.example";s:11:"old.example";i:3;b:1;}', 'a:2:{s:11:"old.example";s:15:"new.example.org";i:3;b:1;}'),
    ('O:7:"Unknown":2:{s:1:"a";s:11:"old.example";s:4:"\x01*\x01b";d:0.5;}', 'O:7:"Unknown":2:{s:1:"a";s:15:"new.example.org";s:4:"\x01*\x01b";d:0.5;}'),
    ('O:8:"stdClass":1:{s:1:"u";R:1;}old.example', 'O:8:"stdClass":1:{s:1:"u";R:1;}new.example.org'),
    ('C:3:"Own":11:{old.example}', 'C:3:"Own":11:{old.example}'),
    ('a:1:{i:0;C:3:"Own":11:{old.example}}', 'a:1:{i:0;C:3:"Own":11:{old.example}}'),
    ('a:1:{i:0;s:99:"old.example";}', 'a:1:{i:0;s:99:"old.example";}'),  # Broken: left alone.
    ('a:1:{i:0;s:19:"s:11:"old.example";";}', 'a:1:{i:0;s:23:"s:15:"new.example.org";";}'),
    ('a:1:{i:0;s:15:"ü old.example!";}', 'a:1:{i:0;s:19:"ü new.example.org!";}'),
    ('{"json":"old.example"}', '{"json":"new.example.org"}'),
    ("a:1:{not serialized} old.example", "a:1:{not serialized} new.example.org"),
    ("50% of old.example 'quoted' \\ back", "50% of new.example.org 'quoted' \\ back"),
]


def replace(report, site):
    literal = lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    for at, (before, _) in enumerate(REPLACED):
        site.stack.sql(f"INSERT INTO wp_options (option_name, option_value, autoload) VALUES ('replaced_{at}', {literal(before)}, 'no')", site.database)
    site.stack.sql("CREATE TABLE extra (id INT PRIMARY KEY, t TEXT); INSERT INTO extra VALUES (1, 'old.example'); CREATE TABLE keyless (t TEXT)", site.database)
    dry = out(site, "search-replace", "old.example", "new.example.org", "--dry-run", "--format=count")
    report.check("search-replace --dry-run", dry, "10")
    code, said, err = wp(site, "search-replace", "old.example", "new.example.org", "--report-changed-only")
    report.check("search-replace", (code, said.splitlines()[-1], "wp_options\toption_value\t10\tPHP" in said, err), (0, "Success: Made 10 replacements.", True, ""))
    for at, (before, after) in enumerate(REPLACED):
        found = site.stack.sql(f"SELECT option_value FROM wp_options WHERE option_name = 'replaced_{at}'", site.database).removesuffix("\n")
        report.check(f"replaced in {before}", found, after)
    report.check("other tables are left", site.stack.sql("SELECT t FROM extra", site.database).strip(), "old.example")
    code, said, err = wp(site, "search-replace", "old.example", "new.example.org", "--all-tables", "--format=count", "--skip-columns=guid")
    report.check("--all-tables", (code, said.strip(), "keyless has no primary key" in err), (0, "1", True))
    report.check("no such table", wp(site, "search-replace", "a", "b", "nothing")[0], 1)
    site.stack.sql("DROP TABLE extra, keyless; DELETE FROM wp_options WHERE option_name LIKE 'replaced%'", site.database)


def inventory(report, site):
    plugin(site, "oven", "2.1")
    mark = f"{site.folder}/private/inventory-due"
    if os.path.exists(mark):
        os.unlink(mark)
    out(site, "plugin", "activate", "oven")
    report.check("a switched plugin leaves a mark", os.path.exists(mark))
    found = json.loads(out(site, "aipress", "inventory"))
    report.check("versions", [found["wordpressVersion"], found["databaseVersion"] > 50000, "mysqli" in found["phpExtensions"]], [os.path.basename(site.core), True, True])
    oven = next(item for item in found["plugins"] if item["name"] == "oven")
    report.check("a plugin", oven, {"name": "oven", "title": "Oven", "version": "2.1", "status": "active", "autoUpdate": False, "update": "unknown", "updateVersion": None})
    report.check("unknown is no none", found["pluginsCheckedAt"], None)
    report.check("users", [found["users"]["total"], found["users"]["byRole"], found["users"]["administrators"]], [1, {"administrator": 1}, ["anna.b"]])
    report.check("content", [found["content"]["posts"] >= 1, found["content"]["pages"] >= 1, found["multisite"]], [True, True, False])
    out(site, "plugin", "deactivate", "oven")
    out(site, "plugin", "delete", "oven")


CASES = [core, plugins, themes, options, users, posts, rest, replace, inventory]
