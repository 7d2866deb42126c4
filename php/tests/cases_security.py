"""What a site is hardened by: each measure as it is by default, and switched off by its document."""

import base64
import re
import time
import urllib.parse

from cases_site import link, probe

OUTSIDE = "203.0.113.5"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def prepare(report, site):
    """Passwords that are known, an editor, an application password."""
    site.cookies = {}
    site.editor, site.application_password = probe(site, "people")
    report.check("an editor and an application password", (site.editor > 1, len(site.application_password)), (True, 24))


def sign_in(site, user, password, address=OUTSIDE):
    """The sign-in form, by nobody who was there before."""
    site.cookies = {}
    answer = site.fetch("/wp-login.php", "POST", urllib.parse.urlencode({"log": user, "pwd": password}).encode(), FORM, address=address)
    site.cookies = {}
    return answer


def call(site, method):
    body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params/></methodCall>".encode()
    return site.fetch("/xmlrpc.php", "POST", body, {"Content-Type": "text/xml"})


def first_post(site):
    """The path of a post whose pings are open."""
    return site.fetch("/?p=1").header("location").removeprefix(site.home)


def xmlrpc(report, site):
    for chosen, there, pings in (({}, True, False), ({"xmlrpc": "limited"}, True, False), ({"xmlrpc": "full"}, True, True)):
        site.harden(**chosen)
        methods = call(site, "system.listMethods").text
        report.check(f"methods of {chosen}", ("wp.getPosts<" in methods, "pingback.ping<" in methods), (there, pings))
        report.check(f"pingbacks announced with {chosen}", bool(site.fetch(first_post(site)).header("x-pingback")), pings)
    site.harden(xmlrpc="disabled")
    answer = call(site, "system.listMethods")
    report.check("disabled", (answer.status, "switched off" in answer.text), (403, True))
    site.harden()


def users(report, site):
    slug = "anna-b"
    asked = ("/?author=1", "/?rest_route=/wp/v2/users", "/?rest_route=/wp/v2/USERS/", "/wp-json/wp/v2/users/1", "/wp-json/wp/v2/Users", "/wp-sitemap-users-1.xml")
    site.cookies = {}
    for path in asked:
        answer = site.fetch(path, address=OUTSIDE)
        # A sitemap that is not there is the home page on older versions of WordPress.
        refused = answer.status in (401, 404) or "sitemap" in path and "<urlset" not in answer.text
        report.check(f"nobody is named by {path}", (refused, f"author/{slug}" in answer.text + answer.header("location")), (True, False))
    report.check("its author comes along with a post", slug in site.fetch("/?rest_route=/wp/v2/posts&_embed=author").text)
    report.check("archives of authors stay", site.fetch(f"/author/{slug}/").status, 200)
    wrong = [sign_in(site, user, "wrong", f"203.0.113.{end}") for end, user in enumerate(("anna.b", "nobody", "eve@bakery.example", "nobody@bakery.example"), 20)]
    texts = {answer.text.replace(user, "") for answer, user in zip(wrong, ("anna.b", "nobody", "eve@bakery.example", "nobody@bakery.example"))}
    report.check("one error for a wrong name and a wrong password", (len(texts), {answer.status for answer in wrong}), (1, {200}))
    report.check("it says what to do", ("password is not right" in texts.copy().pop(), "Lost your password" in texts.pop()), (True, True))
    lost = site.fetch("/wp-login.php?action=lostpassword", "POST", b"user_login=nobody", FORM, address=OUTSIDE)
    report.check("a lost password of nobody's", (lost.status, lost.header("location")), (302, "/wp-login.php?checkemail=confirm"))
    site.fetch(link(site, {"login": "eve"}))
    report.check("without a nonce a cookie is nobody's", site.fetch("/?rest_route=/wp/v2/users").status, 401)
    nonce = re.search(r'createNonceMiddleware\( "(\w+)"', site.fetch("/wp-admin/post-new.php").text).group(1)
    report.check("the editor's list of authors", slug in site.fetch("/?rest_route=/wp/v2/users", headers={"X-WP-Nonce": nonce}).text)
    site.cookies = {}
    site.harden(userEnumeration=True)
    report.check("switched off", [site.fetch(path).status for path in asked], [301, 200, 200, 200, 200, 200])
    report.check("with wordpress's errors", "not registered" in sign_in(site, "nobody", "wrong", "203.0.113.30").text)
    site.harden()


def files_and_html(report, site):
    site.fetch(link(site, {"user": 1}))
    editors = ("/wp-admin/plugin-editor.php", "/wp-admin/theme-editor.php")
    report.check("no editing of files", [site.fetch(path).status for path in editors], [403, 403])
    site.harden(fileEditing=True)
    report.check("when wanted", site.fetch(editors[0]).status, 200)
    site.cookies = {}
    for chosen, wanted in (({}, [True, False]), ({"unfilteredHtml": "editors"}, [True, True]), ({"unfilteredHtml": "nobody"}, [False, False])):
        site.harden(**chosen)
        report.check(f"unfiltered HTML of administrator and editor with {chosen}", probe(site, "html"), wanted)
    site.harden()


def headers(report, site):
    names = ("x-content-type-options", "referrer-policy", "content-security-policy")
    wanted = ("nosniff", "strict-origin-when-cross-origin", "frame-ancestors 'self'")
    for path in ("/", "/wp-login.php", "/wp-json/", "/not-there/"):
        answer = site.fetch(path)
        report.check(f"headers of {path}", tuple(answer.header(name).rstrip(";") for name in names), wanted)
    embed = site.fetch(first_post(site) + "embed/")
    report.check("an embed may be framed", (embed.status, embed.header("content-security-policy")), (200, ""))
    site.harden(headers=False)
    report.check("switched off", [site.fetch("/").header(name) for name in names], ["", "", ""])
    site.harden()


def application_passwords(report, site):
    token = base64.b64encode(f"anna.b:{site.application_password}".encode()).decode()

    def me(**way):
        return site.fetch("/?rest_route=/wp/v2/users/me", headers={"Authorization": f"Basic {token}"}, **way).status
    site.cookies = {}
    report.check("from this machine, over TLS, in the clear", (me(), me(address=OUTSIDE, tls=True), me(address=OUTSIDE)), (200, 200, 401))
    report.check("IPv6 and mapped", (me(address="::1"), me(address="::ffff:127.0.0.1"), me(address="::ffff:10.0.0.1"), me(address="128.0.0.1")), (200, 200, 401, 401))
    site.harden(applicationPasswords="always")
    report.check("everywhere", me(address=OUTSIDE), 200)
    site.harden(applicationPasswords="never")
    report.check("nowhere", (me(), me(tls=True)), (401, 401))
    site.harden()


def attempts(report, site):
    guesser, neighbour = "2001:db8:7:7::1", "2001:db8:7:8::1"
    answers = [sign_in(site, "anna.b", f"guess {n}", guesser) for n in range(7)]
    report.check("slowed after five", [answer.status for answer in answers], [200] * 5 + [429] * 2)
    wait = int(answers[5].header("retry-after", "0"))
    report.check("says how long", (1 <= wait <= 2, "Too many attempts" in answers[5].text), (True, True))
    report.check("another name, the whole network of a customer", sign_in(site, "eve", "x", "2001:db8:7:7:ffff::9").status, 429)
    report.check("the owner elsewhere", sign_in(site, "anna.b", "right horse", neighbour).status, 302)
    basic = base64.b64encode(b"anna.b:" + site.application_password.encode()).decode()
    rest = site.fetch("/?rest_route=/wp/v2/users/me", headers={"Authorization": f"Basic {basic}"}, address=guesser, tls=True)
    report.check("application passwords wait, too", rest.status, 401)
    deadline, status = time.monotonic() + 10, 429
    while status == 429 and time.monotonic() < deadline:
        status = sign_in(site, "anna.b", "right horse", guesser).status
    report.check("the right password, as soon as the wait is over", status, 302)
    site.fetch("/xmlrpc.php", "POST", b"<?xml version='1.0'?><methodCall><methodName>wp.getUsersBlogs</methodName><params>"
               b"<param><value>anna.b</value></param><param><value>x</value></param></params></methodCall>", {"Content-Type": "text/xml"}, address=guesser)
    report.check("a failure by XML-RPC makes it wait longer", sign_in(site, "anna.b", "right horse", guesser).status, 429)
    site.harden(loginAttempts=0)
    report.check("switched off", {sign_in(site, "anna.b", "x", guesser).status for _ in range(7)}, {200})
    site.harden()


CASES = (xmlrpc, users, files_and_html, headers, application_passwords, attempts)
