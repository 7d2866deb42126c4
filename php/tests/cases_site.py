"""A whole site: installed, made a tenant's, served by php-fpm, signed in to, written to."""

import base64
import hashlib
import html
import http.server
import json
import os
import re
import secrets
import stat
import statistics
import subprocess
import threading
import time

import stack

PLACEHOLDER = "http://aipress-template.invalid"
CRON = str(int(time.time()) + 5000)
TITLE = "Crumbs & \"Bakery\""
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")


class Loop(http.server.BaseHTTPRequestHandler):
    """Stands for the edge: answers with what it was asked."""

    def do_GET(self):
        body = f"{self.headers['Host']} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


EDGE = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Loop)
threading.Thread(target=EDGE.serve_forever, daemon=True).start()


def personalize(servers, database, home):
    """The statements of php/personalize.md with a tenant's values."""
    values = {"home": home, "title": html.escape(TITLE).replace("&#x27;", "&#039;"), "login": "anna.b", "nicename": "anna-b", "email": "anna@bakery.example",
              "password": "!" + secrets.token_hex(20), "now": "2026-01-02 03:04:05", "cron": CRON}
    sql = re.search(r"```sql.*?\n(.*?)```", open(f"{stack.PHP_DIR}/personalize.md").read(), re.S).group(1)
    servers.sql("START TRANSACTION;" + re.sub(r"(?<!\d):([a-z]+)", lambda m: "'" + values[m[1]].replace("'", "''") + "'", sql) + "COMMIT;", database)


def install(report, servers, core):
    """A database by install.php, made a tenant's; the site."""
    code, answer, database = stack.install(servers, core, "AIPress template", PLACEHOLDER)
    report.check("install.php", code, 0)
    report.check("its answer", [answer.get("admin_id"), answer.get("permalink_structure")], [1, "/%year%/%monthnum%/%day%/%postname%/"])
    report.check("versions", (answer.get("wp", "")[:3], answer.get("db_version", 0) > 50000), (os.path.basename(core)[:3], True))
    code, again = stack.run_install(servers, core, "x", PLACEHOLDER, database)
    report.check("not twice", (code, again["error"]), (1, "the database has a wordpress already"))
    code, wrong = stack.run_install(servers, core, "x", PLACEHOLDER, "mysql")
    report.check("without a database", (code, "error" in wrong), (1, True))

    home = f"http://bakery.localhost:{EDGE.server_port}"
    personalize(servers, database, home)
    columns = servers.sql(f"SELECT CONCAT(table_name, ' ', column_name) FROM information_schema.columns WHERE table_schema = '{database}'"
                          " AND data_type IN ('varchar', 'text', 'tinytext', 'mediumtext', 'longtext')")
    left = []
    for table, column in (line.split(" ") for line in columns.splitlines()):
        like = " OR ".join(f"`{column}` LIKE '%{word}%'" for word in ("aipress-template", "AIPress template"))
        left += [f"{table}.{column}"] * int(servers.sql(f"SELECT COUNT(*) FROM `{table}` WHERE ({like}) OR `{column}` = 'template'"
                                                        + (" AND meta_key <> '_wp_page_template'" if table == "wp_postmeta" else ""), database))
    # The option that is called "template" is the theme's.
    report.check("nothing of the template is left", left, ["wp_options.option_name"])
    site = stack.Site(servers, core, home, database)
    site.write("wp-content/mu-plugins/probe.php", open(f"{stack.PHP_DIR}/tests/probe.php").read())
    return site


def probe(site, what):
    return json.loads(site.fetch(f"/?probe={what}").text)


def pages(report, site):
    """What a visitor asks for."""
    page = site.fetch("/")
    report.check("home page", page.status, 200)
    report.check("its title", html.unescape(re.search("<title>(.*?)</title>", page.text)[1]).replace("\u201c", '"').replace("\u201d", '"'), TITLE)
    report.check("nothing is logged", page.log, "")
    urls = {url.replace("&#038;", "&") for url in re.findall(r"""(?:href|src)=["'](%s/wp-[^"']+\.(?:css|js|png|jpg|svg|woff2)[^"']*)""" % re.escape(site.home), page.text)}
    urls |= set(re.findall(r"(?:%s)?/wp-content/themes/[^\"')\s?]+\.\w+" % re.escape(site.home), page.text))
    missing = [url for url in urls if not site.file_of(url)]
    report.check("every file of the page is there", (missing, any("/wp-content/themes/" in url for url in urls)), ([], True))
    for name, url, text in (("a post", "/2026/01/02/hello-world/", "Welcome to WordPress"), ("a page", "/sample-page/", "This is an example page"),
                            ("a category", "/category/uncategorized/", "Hello world!"), ("a date", "/2026/01/", "Hello world!"),
                            ("a feed", "/feed/", "<rss"), ("the API", "/wp-json/wp/v2/posts", "hello-world")):
        answer = site.fetch(url)
        report.check(name, (answer.status, text in answer.text, PLACEHOLDER in answer.text, answer.log), (200, True, False, ""))
    report.check("the dashboard's address", f'{site.home}/wp-admin/' in site.fetch("/sample-page/").text)
    report.check("an unknown page", site.fetch("/nothing-here/").status, 404)
    report.check("by its id", site.fetch("/?p=1").header("location"), f"{site.home}/2026/01/02/hello-world/")
    report.check("wp-admin asks for a sign-in", "wp-login.php" in site.fetch("/wp-admin/").header("location"))
    report.check("an empty password", "login_error" in site.fetch("/wp-login.php", "POST", b"log=anna.b&pwd=x", {"Content-Type": "application/x-www-form-urlencoded"}).text)


def written_by(site, action):
    """What the site writes to its database during an action."""
    log = f"{site.stack.root}/general.log"
    site.stack.sql(f"SET GLOBAL general_log_file = '{log}'; SET GLOBAL general_log = 1")
    action()
    site.stack.sql("SET GLOBAL general_log = 0")
    lines = open(log, errors="replace").read().splitlines()
    os.unlink(log)
    return [line.strip()[:200] for line in lines if re.search(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", line)]


def first_page(report, site):
    report.check("the first page writes nothing", written_by(site, lambda: site.fetch("/")), [])
    cron = site.stack.sql("SELECT option_value FROM wp_options WHERE option_name = 'cron'", site.database)
    report.check("events are due at the given time only", re.findall(r"i:(\d{9,});a", cron), [CRON])
    report.check("with what wordpress schedules", [hook for hook in ("wp_version_check", "wp_update_plugins", "wp_update_themes", "recovery_mode_clean_expired_keys")
                                                   if f'"{hook}"' not in cron], [])


def rewrite_rules(report, site):
    rules = probe(site, "rules")
    report.check("the template's rewrite rules are a running site's", rules["same"])
    report.check("events stay as they are", site.stack.sql("SELECT option_value FROM wp_options WHERE option_name = 'cron'", site.database).count('"schedule"') > 4)
    report.check("rewriting without a file", (rules["got"], rules["wanted"], rules["htaccess"]), (True, "", False))


def link(site, user, seconds=60):
    """A sign-in link as the platform makes it."""
    token = secrets.token_urlsafe(32)
    site.write(f"private/login/{hashlib.sha256(token.encode()).hexdigest()}.json", json.dumps({**user, "expires": int(time.time()) + seconds}))
    return f"/?aipress_login={token}"


def login(report, site):
    """Sign-in links."""
    url = link(site, {"user": 1})
    report.check("HEAD does not use it up", site.fetch(url, "HEAD").status, 403)
    report.check("nor a prefetch", site.fetch(url, headers={"Sec-Purpose": "prefetch;prerender"}).status, 403)
    answer = site.fetch(url)
    report.check("a link signs in", (answer.status, answer.header("location")), (302, f"{site.home}/wp-admin/"))
    report.check("is not stored", (answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"))
    admin = site.fetch("/wp-admin/")
    report.check("the dashboard", (admin.status, "anna.b" in admin.text, admin.log), (200, True, ""))
    report.check("without a nag", "update-nag" in admin.text, False)
    for screen in ("options-permalink.php", "themes.php", "plugins.php", "site-health.php", "post-new.php"):
        page = site.fetch(f"/wp-admin/{screen}")
        report.check(screen, (page.status, page.log), (200, ""))
    report.check("no rewrite file is asked for", "htaccess" in site.fetch("/wp-admin/options-permalink.php").text, False)
    site.cookies = {}
    used = site.fetch(url)
    report.check("used twice", (used.status, site.cookies, "used already" in used.text), (403, {}, True))
    expired = site.fetch(link(site, {"user": 1}, -5))
    report.check("expired", (expired.status, "expired" in expired.text), (403, True))
    for bad in ("/?aipress_login=" + "a" * 43, "/?aipress_login=../../x", "/?aipress_login[]=x", "/?aipress_login=", link(site, {"user": 99}), link(site, {"login": "nobody"})):
        report.check(bad[:40], site.fetch(bad).status, 403)
    report.check("nobody was signed in", any(name.startswith("wordpress_") for name in site.cookies), False)
    report.check("nothing is left", os.listdir(f"{site.folder}/private/login"), [])
    for wanted, target in (("/wp-admin/edit.php?post_type=page", "/wp-admin/edit.php?post_type=page"), ("//evil.example/wp-admin/", "/wp-admin/"), ("https://evil.example/", "/wp-admin/"),
                           (f"{site.home}.evil.example/wp-admin/", "/wp-admin/"), ("/wp-admin/../secret", "/wp-admin/"), ("/other", "/wp-admin/"), (f"{site.home}/wp-admin/users.php", "/wp-admin/users.php")):
        answer = site.fetch(link(site, {"login": "anna.b"}) + "&redirect_to=" + wanted.replace("?", "%3F").replace("=", "%3D"))
        report.check(f"to {wanted}", answer.header("location"), site.home + target)
    site.cookies = {}
    url, statuses = link(site, {"user": 1}), []
    threads = [threading.Thread(target=lambda: statuses.append(site.fetch(url).status)) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    report.check("four at once: one wins", sorted(statuses), [302, 403, 403, 403])
    site.cookies = {}


def refused(report, site):
    """A slot that is not the tenant's."""
    answer = site.fetch("/", uid="00000000-0000-4000-8000-000000000000")
    report.check("another tenant's request", (answer.status, answer.header("cache-control"), answer.header("retry-after")), (503, "no-store", "2"))
    report.check("says nothing of the site", ("Crumbs" in answer.text, site.uid in answer.text, "One moment" in answer.text), (False, False, True))
    report.check("without a uid", site.fetch("/", uid="").status, 503)
    os.rename(f"{site.slot}/site.json", f"{site.slot}/away.json")
    report.check("an empty slot", site.fetch("/").status, 503)
    with open(f"{site.slot}/site.json", "w") as file:
        file.write('{"version":1,"uid":"%s"}' % site.uid)
    os.chmod(f"{site.slot}/site.json", 0o444)
    report.check("half a site.json", site.fetch("/").status, 503)
    os.rename(f"{site.slot}/away.json", f"{site.slot}/site.json")
    report.check("and back", site.fetch("/").status, 200)


def configuration(report, site):
    constants = probe(site, "constants")
    report.check("constants", constants, {"WP_CONTENT_DIR": f"{site.folder}/wp-content", "DISABLE_WP_CRON": True, "FS_METHOD": "direct",
                                          "WP_AUTO_UPDATE_CORE": False, "WP_DEBUG": False, "WP_ENVIRONMENT_TYPE": "production"})
    report.check("the redis password is nowhere", probe(site, "secrets"), False)
    report.check("no updates of wordpress itself", probe(site, "core"), [False, True, []])
    report.check("files are the group's", probe(site, "files"), ["640", "750"])
    report.check("urls of the site's own must-use plugins", probe(site, "own"), [f"{site.home}/wp-content/mu-plugins/x.css", f"{site.home}/wp-content/plugins/some/y.css"])


def confined(report, site):
    """open_basedir, with files that the Unix user may read; and that they are readable without it."""
    sites = os.path.dirname(site.folder)
    neighbours = [f"{sites}/neighbour", f"{site.folder}-2"]
    for folder in neighbours:
        os.mkdir(folder, 0o755)
        with open(f"{folder}/world-readable", "w") as file:
            file.write("x")
    report.check("reads its own and wordpress only", probe(site, "confined"), [[False] * 5, True, True])
    script = f"echo (int) is_readable('{neighbours[0]}/world-readable'), (int) is_readable('{site.core}/index.php'), (int) is_readable('{site.folder}/private');"
    php = [stack.program("php8.4", "php8.3", "php8.2", "php8.1", "php")]
    env = {"AIPRESS_SLOT_DIR": site.slot, "AIPRESS_TENANT_UID": site.uid, "ROOT": site.core}
    first = f"{site.stack.root}/first.php"  # On the command line PHP empties DOCUMENT_ROOT.
    with open(first, "w") as out:
        out.write(f"<?php $_SERVER['DOCUMENT_ROOT'] = getenv('ROOT'); require '{stack.PHP_DIR}/prepend.php';")
    prepend = ["-d", f"auto_prepend_file={first}", "-d", "display_errors=0"]
    file = f"{site.stack.root}/probe-readable.php"
    with open(file, "w") as out:
        out.write("<?php " + script)
    run = lambda options, env: subprocess.run([*php, *options], stdin=open(file), capture_output=True, text=True, env=env).stdout
    report.check("without it a neighbour's would be", run([], env), "111")
    report.check("with it not", run(prepend, env), "011")
    report.check("without a uid nothing of any site", run(prepend, {**env, "AIPRESS_TENANT_UID": ""}), "010")
    report.check("without parameters nothing at all", run(prepend, {}), "000")
    for folder in neighbours:
        os.unlink(f"{folder}/world-readable")
        os.rmdir(folder)


def loopback(report, site):
    report.check("a site reaches itself", probe(site, "loopback"), f"{site.host} /loop?x=1")
    report.check("bounded", probe(site, "bound"), {"timeout": 10, "redirection": 3})


def events(report, site):
    """Requests that change the list of scheduled events at the same time."""
    stored = lambda: site.stack.sql("SELECT option_value FROM wp_options WHERE option_name = 'cron'", site.database)
    before = stored()
    base = int(time.time()) + 100_000
    for bare in ("", "&bare"):
        done, gone = probe(site, f"events&at={base + 1}&other={base + 2}{bare}")
        report.check("an event is scheduled", (done, f"i:{base + 1};a" in stored()), (True, True))
        kept = (f"i:{base + 2};a" in stored(), f"i:{gone};a" in stored())
        report.check("beside what another changed meanwhile" if not bare else "which is lost without the guard", kept, (False, True) if bare else (True, False))
        site.stack.sql(f"UPDATE wp_options SET option_value = '{before}' WHERE option_name = 'cron'", site.database)
        site.stack.redis_cli("DEL", f"{site.prefix}epoch")
    threads = [threading.Thread(target=lambda at=at: probe(site, f"events&at={at}")) for at in range(base, base + 24)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    report.check("24 at once", [at for at in range(base, base + 24) if f"i:{at};a" not in stored()], [])
    first = min(int(at) for at in re.findall(r"i:(\d{9,});a", stored()))
    report.check("the shard is told of the first", 0 <= os.stat(f"{site.folder}/private/cron-due").st_mtime - first <= 60)
    site.stack.sql(f"UPDATE wp_options SET option_value = '{before}' WHERE option_name = 'cron'", site.database)
    site.stack.redis_cli("DEL", f"{site.prefix}epoch")


def themes(report, site):
    """Shared and own themes."""
    shared = f"{site.core}/wp-content/themes"
    theme = site.stack.sql("SELECT option_value FROM wp_options WHERE option_name = 'stylesheet'", site.database).strip()
    report.check("shared themes", set(probe(site, "themes").values()), {shared})
    own = f"{site.folder}/wp-content/themes/{theme}"
    site.write(f"wp-content/themes/{theme}/style.css", "/*\nTheme Name: Our own\nVersion: 99\n*/")
    site.write(f"wp-content/themes/{theme}/index.php", "<?php echo 'our own theme';")
    if stack.ROOT:
        os.chown(own, stack.SLOT_UID, stack.SLOT_UID)
    report.check("an own theme of the same name", probe(site, "themes")[theme], f"{site.folder}/wp-content/themes")
    report.check("wins", site.fetch("/").text, "our own theme")
    report.check("also as a file", site.file_of(f"{site.home}/wp-content/themes/{theme}/style.css"), f"{own}/style.css")
    for name in os.listdir(own):
        os.unlink(f"{own}/{name}")
    os.rmdir(own)
    report.check("removed, the shared one is back", site.fetch("/").status, 200)

    # As if the theme had been chosen under an older version of WordPress in another core directory.
    site.stack.sql("REPLACE INTO wp_options (option_name, option_value, autoload) VALUES ('stylesheet_root', '/nowhere/6.0/wp-content/themes', 'yes'), "
                   "('template_root', '/nowhere/6.0/wp-content/themes', 'yes')", site.database)
    site.stack.redis_cli("DEL", f"{site.prefix}epoch")
    page = site.fetch("/")
    report.check("a root of an older version does not matter", (page.status, page.log), (200, ""))


def publishing(report, site):
    """Signed in: a post and an image."""
    site.fetch(link(site, {"user": 1}))
    nonce = site.fetch("/wp-admin/admin-ajax.php?action=rest-nonce").text
    headers = {"X-WP-Nonce": nonce, "Content-Type": "application/json"}
    made = site.fetch("/wp-json/wp/v2/posts", "POST", json.dumps({"title": "Fresh bread", "content": "Still warm.", "status": "publish"}).encode(), headers)
    report.check("publish", (made.status, made.log), (201, ""))
    report.check("it is on the home page", "Fresh bread" in site.fetch("/").text)
    report.check("and at its address", "Still warm." in site.fetch(json.loads(made.text)["link"].removeprefix(site.home)).text)
    image = site.fetch("/wp-json/wp/v2/media", "POST", PNG, {"X-WP-Nonce": nonce, "Content-Type": "image/png", "Content-Disposition": 'attachment; filename="bread.png"'})
    report.check("upload", (image.status, image.log), (201, ""))
    file = site.file_of(json.loads(image.text)["source_url"])
    report.check("the file is served", open(file, "rb").read(), PNG)
    mode = os.stat(file)
    report.check("to the slot's group only", (stat.S_IMODE(mode.st_mode), mode.st_uid), (0o640, stack.SLOT_UID if stack.ROOT else os.getuid()))
    site.cookies = {}


def figures(report, site):
    """Prints what a home page costs; nothing is checked but that it is one."""
    deadline = time.monotonic() + 3
    while site.fetch("/").header("x-probe-trips") == "0" and time.monotonic() < deadline:
        time.sleep(0.05)  # An earlier case had Redis hang.
    site.stack.redis_cli("DEL", f"{site.prefix}epoch")
    cold = site.fetch("/")
    warm = [site.fetch("/") for _ in range(15)][5:]
    report.check("figures", warm[-1].status, 200)
    ms = statistics.median(float(page.header("x-probe-ms")) for page in warm)
    line = "queries {x[x-probe-queries][0]}, redis round trips {x[x-probe-trips][0]}"
    print(f"php: {report.context}home page cold: {line.format(x=cold.headers)}, {float(cold.header('x-probe-ms')):.0f} ms; "
          f"warm: {line.format(x=warm[-1].headers)}, {ms:.1f} ms, {warm[-1].header('x-probe-files')} php files")


NEWEST = (refused, configuration, confined, loopback, events, themes, publishing)
