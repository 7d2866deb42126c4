"""The object cache: its functions one by one, and pages with Redis going away."""

import json
import os
import signal
import subprocess
import time

import stack


def functions(report, servers):
    """Runs object-cache.php, and does to Redis what it asks for."""
    script = f"{stack.PHP_DIR}/tests/object-cache.php"
    user = "t_cachetest"
    redis = {"socket": f"{servers.root}/run/cache-test.sock", "user": user, "password": servers.redis_user(user), "prefix": f"{user}:"}
    folder = f"{servers.root}/cache-test"
    os.mkdir(folder)
    os.symlink("redis.sock", redis["socket"])
    setup = json.dumps({"redis": redis, "dir": folder}) + "\n"
    command = [stack.program("php8.4", "php8.3", "php8.2", "php8.1", "php"), script]
    php = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def key(name):
        if name == "epoch":
            return f"{user}:epoch"
        epoch = servers.redis_cli("HGET", f"{user}:epoch", "all")
        return f"{user}:{epoch}:{name}"

    def do(what, argument=""):
        if what in ("ttl", "hlen", "del"):
            return servers.redis_cli(what, key(argument))
        if what == "expire":
            return servers.redis_cli("pexpire", key(argument), "0")
        if what == "keys":
            return servers.redis_cli("keys", argument)
        if what == "flushall":
            return servers.redis_cli("flushall")
        if what == "hide":
            os.unlink(redis["socket"])
        elif what == "show":
            os.symlink("redis.sock", redis["socket"])
        elif what == "restart":
            servers.redis.stop(signal.SIGKILL)
            servers.redis.start()
        elif what == "stop":
            servers.redis.send(signal.SIGSTOP)
        elif what == "continue":
            servers.redis.send(signal.SIGCONT)
        elif what == "cut":
            return servers.redis_cli("CLIENT", "KILL", "USER", user)
        elif what == "race":
            writers = [subprocess.Popen([*command, f"race{n}"], stdin=subprocess.PIPE, text=True) for n in range(4)]
            for writer in writers:
                writer.stdin.write(setup)
                writer.stdin.close()
            for writer in writers:
                writer.wait(30)
        return "done"

    php.stdin.write(setup)
    for line in php.stdout:
        line = line.rstrip("\n")
        if line.startswith("@"):
            php.stdin.write(do(*line[1:].split(" ", 1)) + "\n")
        elif line.startswith("ok "):
            report.check(line[3:], True)
        else:
            report.check(line, False)
    report.check("exits with 0", php.wait(), 0)


def pages(report, site):
    """A site's pages while Redis dies, hangs and comes back."""
    servers = site.stack
    home = lambda: site.fetch("/")
    mark = f"{site.folder}/private/object-cache-outage"
    noted = lambda: os.path.isfile(mark) and os.path.getsize(mark) > 0

    home()
    report.check("the cache is in use", int(home().header("x-probe-trips")) >= 2)
    report.check("and holds options", servers.redis_cli("--raw", "keys", f"{site.prefix}*:options:alloptions").count("alloptions") > 0)

    servers.redis.stop(signal.SIGKILL)
    page = home()
    report.check("redis killed: a page", (page.status, "<title>" in page.text), (200, True))
    report.check("redis killed: noted", noted())
    site.fetch("/?probe_title=Changed+while+away")
    report.check("redis killed: a changed option", "<title>Changed while away" in home().text)
    servers.redis.start()
    deadline = time.monotonic() + 5
    while noted() and time.monotonic() < deadline:
        home()
        time.sleep(0.05)
    report.check("back by itself", noted(), False)
    report.check("with the changed option", "<title>Changed while away" in home().text)
    report.check("and cached again", int(home().header("x-probe-trips")) >= 2)

    # Redis keeps its values, but this site's requests do not reach it when an option changes.
    socket = site.json["redis"]["socket"]
    os.rename(socket, socket + ".away")
    site.fetch("/?probe_title=Changed+unheard")
    os.rename(socket + ".away", socket)
    deadline = time.monotonic() + 5
    while noted() and time.monotonic() < deadline:
        home()
        time.sleep(0.05)
    report.check("a change that redis did not hear of", "<title>Changed unheard" in home().text)

    servers.redis.send(signal.SIGSTOP)
    started = time.monotonic()
    page = home()
    report.check("redis hangs: a page within 2 s", (page.status, time.monotonic() - started < 2), (200, True))
    servers.redis.send(signal.SIGCONT)

    site.write("wp-content/object-cache.php", "<?php die('a drop-in of a former host');")
    report.check("a drop-in of the site's own is not loaded", home().status, 200)
    os.unlink(f"{site.folder}/wp-content/object-cache.php")
