"""The servers that a site needs, in a temporary folder on Unix sockets: MariaDB, Redis, php-fpm.

Each is started here and stopped by its pid; no service of the machine is touched. As root, PHP
runs as an unprivileged user, like a slot's.
"""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import uuid

import fcgi

PHP_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.geteuid() == 0
SLOT_UID = 70311
DEADLINE = 20


def acl_commands():
    """The commands that README.md says the platform grants; the tests run under exactly these."""
    readme = open(f"{PHP_DIR}/README.md").read()
    return re.search(r"```acl.*?\n(.*?)```", readme, re.S).group(1).split()


def program(*names):
    for name in names:
        for folder in os.environ["PATH"].split(":") + ["/usr/sbin", "/usr/local/sbin"]:
            if os.access(f"{folder}/{name}", os.X_OK):
                return f"{folder}/{name}"
    raise SystemExit(f"php: none of {', '.join(names)} is installed")


class Server:
    """A process of ours, and the socket by which it is known to be ready."""

    def __init__(self, arguments, sock, log, env=None):
        self.arguments, self.socket, self.log, self.env = arguments, sock, log, env
        self.process = None

    def start(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        log = open(self.log, "ab")
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.socket)
                return self
            except OSError:
                time.sleep(0.01)
        raise SystemExit(f"php: {self.arguments[0]} did not start:\n" + open(self.log).read()[-3000:])

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Stack:
    """All servers, and the sites made in them."""

    def __init__(self, root):
        self.root = root
        os.chmod(root, 0o711)
        for folder in ("run", "log", "mariadb", "slots", "sites"):
            os.mkdir(f"{root}/{folder}", 0o711)
        self.sockets = {name: f"{root}/run/{name}.sock" for name in ("mariadb", "redis", "fpm", "admin")}
        self.servers = []

    def start(self):
        self._start_mariadb()
        self.redis = self._redis()
        self.redis.start()
        self.servers.append(self.redis)
        self._start_fpm()

    def stop(self):
        for server in reversed(self.servers):
            if server is self.redis:
                server.send(signal.SIGCONT)
            server.stop()

    def _start_mariadb(self):
        data = f"{self.root}/mariadb"
        user = ["--user=root"] if ROOT else []
        subprocess.run([program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M", *user],
                       check=True, stdout=open(f"{self.root}/log/install-db", "wb"), stderr=subprocess.STDOUT)
        server = Server([program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={self.sockets['mariadb']}",
                         f"--pid-file={self.root}/run/mariadb.pid", "--skip-networking", "--innodb-flush-log-at-trx-commit=0",
                         "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M", "--skip-log-bin", *user],
                        self.sockets["mariadb"], f"{self.root}/log/mariadb")
        self.servers.append(server)
        server.start()

    def _redis(self):
        with open(f"{self.root}/users.acl", "w") as file:
            file.write("user default off\nuser admin on >admin ~* &* +@all\n")
        with open(f"{self.root}/redis.conf", "w") as file:
            file.write(f'port 0\nunixsocket {self.sockets["redis"]}\nunixsocketperm 777\nsave ""\nappendonly no\n'
                       f"maxmemory 64mb\nmaxmemory-policy allkeys-lru\ndir {self.root}\naclfile {self.root}/users.acl\n")
        return Server([program("redis-server"), f"{self.root}/redis.conf"], self.sockets["redis"], f"{self.root}/log/redis")

    def _start_fpm(self):
        slot = f"{self.root}/slots/01"
        os.mkdir(slot, 0o750)
        if ROOT:
            os.chown(slot, 0, SLOT_UID)
        user = f"user = {SLOT_UID}\ngroup = {SLOT_UID}\nlisten.owner = 0\n" if ROOT else ""
        with open(f"{self.root}/fpm.conf", "w") as file:
            file.write(f"""[global]
error_log = {self.root}/log/fpm
daemonize = no
[slot-01]
listen = {self.sockets['fpm']}
{user}pm = static
pm.max_children = 4
catch_workers_output = no
php_admin_value[auto_prepend_file] = {PHP_DIR}/prepend.php
php_admin_value[disable_functions] = fastcgi_finish_request,mail
php_admin_value[upload_tmp_dir] = {slot}/tmp
php_admin_value[upload_max_filesize] = 100M
php_admin_value[sys_temp_dir] = {slot}/tmp
php_admin_value[opcache.validate_permission] = 1
php_admin_value[opcache.revalidate_freq] = 0
php_admin_value[opcache.enable] = 1
php_admin_value[memory_limit] = 256M
""")
        fpm = program("php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "php-fpm8.1", "php-fpm")
        server = Server([fpm, "-F", "-y", f"{self.root}/fpm.conf"], self.sockets["fpm"], f"{self.root}/log/fpm-start")
        self.servers.append(server)
        server.start()

    def sql(self, statement, database=""):
        """Runs SQL as the server's administrator; the rows, tab-separated."""
        return subprocess.run([program("mariadb"), "--no-defaults", f"--socket={self.sockets['mariadb']}", "-uroot", "-N", "-r", database],
                              input=statement, capture_output=True, text=True, check=True).stdout

    def redis_cli(self, *arguments):
        """One Redis command as the administrator."""
        return subprocess.run([program("redis-cli"), "-s", self.sockets["redis"], "--user", "admin", "--pass", "admin", "--no-auth-warning", *arguments],
                              capture_output=True, text=True, check=True).stdout.strip()

    def redis_user(self, name):
        """Makes a Redis user as the platform does; its password."""
        password = secrets.token_hex(16)
        self.redis_cli("ACL", "SETUSER", name, "reset", "on", f">{password}", f"~{name}:*", "-@all", *acl_commands())
        self.redis_cli("ACL", "SAVE")
        return password


class Site:
    """A tenant in the slot: database, files, Redis user, site.json; and requests to it."""

    def __init__(self, stack, core, home, database):
        self.stack, self.core, self.home, self.database = stack, core, home, database
        self.uid = str(uuid.uuid4())
        self.folder = f"{stack.root}/sites/{self.uid}"
        self.slot = f"{stack.root}/slots/01"
        self.cookies = {}
        self._make_files()
        self._write_site_json()

    def _make_files(self):
        for folder in ("", "/wp-content", *(f"/wp-content/{name}" for name in ("plugins", "themes", "uploads", "languages", "upgrade", "mu-plugins"))):
            os.mkdir(self.folder + folder, 0o750)
        os.makedirs(f"{self.folder}/private/login", 0o700)
        os.makedirs(f"{self.slot}/tmp", 0o700, exist_ok=True)
        if ROOT:
            for folder, _, _ in [*os.walk(self.folder), (f"{self.slot}/tmp", [], [])]:
                os.chown(folder, SLOT_UID, SLOT_UID)
        if os.path.islink(f"{self.slot}/site"):
            os.unlink(f"{self.slot}/site")
        os.symlink(f"../../sites/{self.uid}", f"{self.slot}/site")

    def _write_site_json(self):
        name = "t_" + self.uid.replace("-", "")
        password = secrets.token_hex(16)
        self.stack.sql(f"CREATE USER `{name}`@localhost IDENTIFIED BY '{password}';"
                       f"GRANT ALL ON `{self.database}`.* TO `{name}`@localhost")
        salts = ("AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT")
        self.json = {
            "version": 1, "uid": self.uid, "name": "bakery", "generation": 1,
            "home": self.home, "hosts": [self.host], "core_dir": self.core,
            "site_dir": self.folder, "tmp_dir": f"{self.slot}/tmp",
            "db": {"socket": self.stack.sockets["mariadb"], "name": self.database, "user": name, "password": password},
            "redis": {"socket": self.stack.sockets["redis"], "user": name, "password": self.stack.redis_user(name), "prefix": f"{name}:"},
            "salts": {salt: secrets.token_hex(32) for salt in salts},
        }
        self._save()

    def harden(self, **settings):
        """What the site's document says of its hardening."""
        self.json["security"] = settings
        self._save()

    def _save(self):
        path = f"{self.slot}/site.json"
        if os.path.exists(path):
            os.unlink(path)  # 0440
        with open(path, "w") as file:
            json.dump(self.json, file)
        os.chmod(path, 0o440)
        if ROOT:
            os.chown(path, 0, SLOT_UID)

    @property
    def host(self):
        return self.home.split("://")[1]

    @property
    def prefix(self):
        return self.json["redis"]["prefix"]

    def write(self, path, text):
        """A file of the tenant, below its folder."""
        path = f"{self.folder}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        if ROOT:
            os.chown(path, SLOT_UID, SLOT_UID)

    def script_of(self, path):
        """The PHP script that a path means, by the gateway's rules; index.php for all else."""
        script = path if path.endswith(".php") else path.rstrip("/") + "/index.php"
        return script if path != "/" and os.path.isfile(self.core + script) else "/index.php"

    def fetch(self, url, method="GET", body=b"", headers=None, uid=None, address="127.0.0.1", tls=False):
        """A request as the gateway passes it on; cookies are kept."""
        path, _, query = url.partition("?")
        script = self.script_of(path)
        name, _, port = self.host.partition(":")
        params = {
            "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "AIPress", "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_METHOD": method, "REQUEST_URI": url, "QUERY_STRING": query, "SCRIPT_NAME": script,
            "SCRIPT_FILENAME": self.core + script, "DOCUMENT_ROOT": self.core, "REMOTE_ADDR": address,
            "REMOTE_PORT": "40000", "SERVER_ADDR": "127.0.0.1", "SERVER_NAME": name, "SERVER_PORT": port or "80",
            "REQUEST_SCHEME": "http", "REDIRECT_STATUS": "200", "HTTP_HOST": self.host, "CONTENT_LENGTH": len(body),
            "AIPRESS_SLOT_DIR": self.slot, "AIPRESS_TENANT_UID": self.uid if uid is None else uid,
        }
        if tls:
            params["HTTPS"] = "on"
        if self.cookies:
            params["HTTP_COOKIE"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        for key, value in (headers or {}).items():
            params["CONTENT_TYPE" if key == "Content-Type" else "HTTP_" + key.upper().replace("-", "_")] = value
        response = fcgi.request(self.stack.sockets["fpm"], params, body)
        for cookie in response.headers.get("set-cookie", []):
            key, _, value = cookie.split(";")[0].partition("=")
            self.cookies[key] = value
        return response

    def file_of(self, url):
        """The file that the gateway serves for a static URL of the site; None for none."""
        path = url.split("?")[0].removeprefix(self.home)
        for root in ((self.folder, self.core) if path.startswith("/wp-content/themes/") else
                     (self.folder,) if path.startswith("/wp-content/") else (self.core,)):
            if os.path.isfile(root + path):
                return root + path
        return None


def install(stack, core, title, home):
    """Runs install.php into a new database; its exit code, its answer, and the database."""
    database = "tpl_" + secrets.token_hex(4)
    stack.sql(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4;"
              f"CREATE USER `{database}`@localhost IDENTIFIED BY 'install'; GRANT ALL ON `{database}`.* TO `{database}`@localhost")
    return (*run_install(stack, core, title, home, database), database)


def run_install(stack, core, title, home, database):
    asked = {"core_dir": core, "title": title, "locale": "en_US", "home": home,
             "admin": {"login": "template", "email": "template@aipress-template.invalid"},
             "db": {"socket": stack.sockets["mariadb"], "name": database, "user": database, "password": "install"}}
    drop = {"user": SLOT_UID, "group": SLOT_UID, "extra_groups": []} if ROOT else {}
    done = subprocess.run([program("php8.4", "php8.3", "php8.2", "php8.1", "php"), f"{PHP_DIR}/install.php"],
                          input=json.dumps(asked), capture_output=True, text=True, timeout=60, **drop)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"error": done.stdout + done.stderr}


def copy_core(source, target):
    """A core directory as the platform makes it: WordPress, read-only, with our wp-config.php."""
    try:
        shutil.copytree(source, target, copy_function=os.link)
    except OSError:  # Another file system, or files of another user.
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    if os.path.exists(f"{target}/wp-config.php"):
        os.unlink(f"{target}/wp-config.php")
    shutil.copy(f"{PHP_DIR}/wp-config.php", f"{target}/wp-config.php")
