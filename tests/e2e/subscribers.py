#!/usr/bin/env python3
"""Has readers that keep what they were told subscribe to a merged feed: Miniflux, Tiny Tiny RSS, and rss2email, which sends mails.

    tests/e2e/subscribers.py NEWSFOLD [--miniflux PROGRAM] [--tt-rss FOLDER]

Over three rounds ever more outlets tell a story, one of them corrects another, and newsfold starts anew between them. No story
may be shown or mailed twice, and each has to come with its title, the link to its article, and its outlet as author. rss2email has
to be in the path. Miniflux and Tiny Tiny RSS are tried where they are named, the latter as Debian's package, unpacked, with PHP;
they need PostgreSQL, for which a database is made in a temporary folder. Tiny Tiny RSS reads nothing but port 80 of an address
that is none of loopback's, so all of this happens in a network that has nothing else; where there can be none, it is not tried.
One line is printed for each check; the first one that fails ends the script with status 1.
"""

import argparse
import base64
import contextlib
import email
import email.policy
import functools
import html
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import checks
from checks import check, free_port, get, in_a_network_of_its_own, quiet_environment, replace, running, say, scratch, until

arguments = argparse.ArgumentParser()
arguments.add_argument("newsfold", type=os.path.abspath)
arguments.add_argument("--miniflux", type=os.path.abspath)
arguments.add_argument("--tt-rss", type=os.path.abspath)
arguments = arguments.parse_args()
newsfold = arguments.newsfold
# Of the addresses that are for documentation (RFC 5737).
ALONE = "192.0.2.1"
folder = scratch()
quiet = quiet_environment(ALONE)
run = functools.partial(checks.run, env=quiet)
FORMATS = ("atom", "rss", "json")

STORM = ("storm", "Storm over the bay", "Ada Quill", "Boats stay in.")
MARKET = ("market", "Fish & chips: is 3 < 5 at the market?", "", "Stalls of <b>eels</b>.")
TOLD = [("storm", "Boats stay in harbour", "Cy Dune", "A gale."), ("chess", "Chess final is “drawn”", "Cy Dune", "A draw.")]
LATER = [("storm", "Ferries cancelled", "Di Fen", "No ferries."), ("market", "Cheese and eels", "Di Fen", "Cheese.")]
MOVED = ("market", "Market day is moved", "", "Stalls on Sunday.")
# What each outlet has in each round; in the third the market is corrected by who told it.
ROUNDS = [
    {"one": [STORM, MARKET], "two": [], "three": []},
    {"one": [STORM, MARKET], "two": TOLD, "three": []},
    {"one": [STORM, MOVED], "two": TOLD, "three": LATER},
]
# After each round: how many outlets tell each story, the title that it bears, and which stories are new.
SOURCES = [{"storm": 1, "market": 1}, {"storm": 2, "market": 1, "chess": 1}, {"storm": 3, "market": 2, "chess": 1}]
FIRST_TITLES = {"storm": STORM[1], "market": MARKET[1], "chess": TOLD[1][1]}
TITLES = [FIRST_TITLES, FIRST_TITLES, {**FIRST_TITLES, "market": MOVED[1]}]
AUTHORS = {"storm": "Ada Quill (One)", "market": "One", "chess": "Cy Dune (Two)"}
NEW = [{"storm", "market"}, {"chess"}, set()]
CORRECTED = [set(), set(), {"market"}]


def write_feeds(entries_of):
    """The outlets as they are in one round; a file is replaced at once."""
    for name, entries in entries_of.items():
        items = "".join(
            f"<item><title>{html.escape(title)}</title><link>https://{name}.example/{page}</link>"
            f'<guid isPermaLink="false">{page}</guid>{f"<dc:creator>{author}</dc:creator>" if author else ""}'
            f"<pubDate>Fri, 20 Nov 2026 {9 + len(page)}:00:00 GMT</pubDate><description>{html.escape(text)}</description></item>"
            for page, title, author, text in entries
        )
        items = items.replace("https://two.example/storm", "https://one.example/storm")
        items = items.replace("https://three.example/", "https://one.example/")
        text = (
            '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
            f"<title>{name.title()}</title><link>https://{name}.example/</link><description>d</description>{items}</channel></rss>"
        )
        replace(folder / f"{name}.xml", text)


def page_of(link):
    return link.rsplit("/", 1)[1]


class Postgres:
    """Databases of nobody but this script, at a socket in a folder."""

    def __init__(self):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        self.programs = str(programs[-1].parent) if programs else os.path.dirname(shutil.which("initdb") or "")
        check(self.programs, "there is no initdb: PostgreSQL is needed")
        self.socket = folder / "postgres"
        self.socket.mkdir()
        # It does not run as root, and everybody has a user that is nobody.
        self.user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            folder.chmod(0o711)
            os.chown(self.socket, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    @contextlib.contextmanager
    def at_work(self):
        store, options = str(self.socket / "store"), {"cwd": self.socket, **self.user}
        # What a power cut would lose is lost with the folder anyhow.
        run(f"{self.programs}/initdb", "--no-sync", "--auth=trust", "--username=reader", "-E", "UTF8", store, **options)
        server = [f"{self.programs}/postgres", "-D", store, "-k", str(self.socket), "-c", "listen_addresses=", "-c", "fsync=off"]
        with open(folder / "postgres.log", "w") as log, running(server, env=quiet, stdout=log, stderr=log, **options) as process:
            def answers():
                check(process.poll() is None, f"PostgreSQL ended: {(folder / 'postgres.log').read_text()}")
                ask = [f"{self.programs}/pg_isready", "-h", str(self.socket), "-q"]
                return subprocess.run(ask, env=quiet, check=False).returncode == 0
            until(answers, 30, "PostgreSQL answers")
            yield self

    def make(self, database):
        self.ask("postgres", f"CREATE DATABASE {database}")

    def ask(self, database, sql):
        """The rows that a statement gives, as values of JSON."""
        psql = [f"{self.programs}/psql", "-h", str(self.socket), "-U", "reader", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1"]
        if sql.startswith("SELECT"):
            sql = f"SELECT coalesce(json_agg(found), '[]') FROM ({sql}) AS found"
        told = run(*psql, input=sql)
        return json.loads(told) if sql.startswith("SELECT") else None


class Miniflux:
    """Subscribed to all three formats."""

    def __init__(self, base, database):
        self.base, self.database = base, database
        self.feeds = {}

    @contextlib.contextmanager
    def at_work(self):
        self.address = f"http://127.0.0.1:{free_port()}"
        self.database.make("miniflux")
        database = f"host={self.database.socket} user=reader dbname=miniflux sslmode=disable"
        with open(folder / "miniflux.log", "w") as log:
            environment = {
                **quiet, "DATABASE_URL": database, "RUN_MIGRATIONS": "1", "CREATE_ADMIN": "1", "ADMIN_USERNAME": "reader",
                "ADMIN_PASSWORD": "only for this", "LISTEN_ADDR": self.address.removeprefix("http://"),
                "DISABLE_SCHEDULER_SERVICE": "1", "FETCHER_ALLOW_PRIVATE_NETWORKS": "1",
            }
            with running([arguments.miniflux], env=environment, stdout=log, stderr=log, cwd=folder) as process:
                def answers():
                    check(process.poll() is None, f"Miniflux ended: {(folder / 'miniflux.log').read_text()}")
                    return get(f"{self.address}/healthcheck")
                until(answers, 30, "Miniflux answers")
                yield self

    def ask(self, method, path, **body):
        request = urllib.request.Request(f"{self.address}/v1/{path}", method=method, data=json.dumps(body).encode() if body else None)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"reader:only for this").decode())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            check(False, f"Miniflux answers {error.code} to {method} {path}: {error.read().decode(errors='replace')}")

    def round(self, number):
        if not self.feeds:
            category = self.ask("GET", "categories")[0]["id"]
            for ending in FORMATS:
                address = f"{self.base}news.{ending}"
                self.feeds[ending] = self.ask("POST", "feeds", feed_url=address, category_id=category)["feed_id"]
        else:
            for feed in self.feeds.values():
                self.ask("PUT", f"feeds/{feed}/refresh")
        counted = self.ask("GET", "feeds/counters")["unreads"]
        for ending, feed in self.feeds.items():
            where = f"round {number + 1}, news.{ending}, Miniflux"
            entries = self.ask("GET", f"feeds/{feed}/entries?limit=100")["entries"]
            seen = {page_of(entry["url"]): entry for entry in entries}
            check(len(seen) == len(entries), f"{where}: a story is shown twice among {[entry['title'] for entry in entries]}")
            titles = {page: entry["title"] for page, entry in seen.items()}
            check(titles == {page: TITLES[number][page] for page in SOURCES[number]}, f"{where}: titles {titles}")
            links = {entry["url"] for entry in entries}
            check(all(not link.startswith(self.base) for link in links), f"{where}: links {links}")
            authors = {page: entry["author"] for page, entry in seen.items()}
            check(authors == {page: AUTHORS[page] for page in seen}, f"{where}: authors {authors}")
            unread = {page for page, entry in seen.items() if entry["status"] == "unread"}
            check(unread == NEW[number], f"{where}: {unread} are unread, not {NEW[number]}")
            count = counted.get(str(feed), 0)
            check(count == len(unread), f"{where}: it counts {count} unread")
            told = {page: entry["content"].count("<li>") + 1 for page, entry in seen.items()}
            check(told == SOURCES[number], f"{where}: the text names {told} outlets")
            if unread:
                self.ask("PUT", "entries", entry_ids=[seen[page]["id"] for page in unread], status="read")
        return "Miniflux shows each story once in three formats, and what is new as unread"


class TinyTinyRss:
    """Three of its users, because one keeps a story in one of its subscriptions only; the third has it mark what is updated as
    unread, and reads an output that changes with what publishers write alone."""

    USERS = [("news.atom", False), ("news.rss", False), ("still.atom", True)]

    def __init__(self, base, database):
        self.base, self.database = base, database

    @contextlib.contextmanager
    def at_work(self):
        package, self.www = pathlib.Path(arguments.tt_rss) / "usr/share", folder / "tt-rss"
        without = shutil.ignore_patterns("config.php", "feed-icons", "js", "images", "dojo", "dijit", "locale")
        shutil.copytree(package / "tt-rss/www", self.www, symlinks=True, ignore=without)
        # Other packages have these.
        for link, library in (("lib/gettext", "php/php-php-gettext"), ("vendor/Psr", "php/Psr")):
            (self.www / link).unlink()
            shutil.copytree(package / library, self.www / link)
        own = ("lock", "cache", "feed-icons", *(f"cache/{part}" for part in ("images", "simplepie", "upload", "export", "starred-images", "js")))
        for part in own:
            (self.www / part).mkdir()
            if self.database.user:
                os.chown(self.www / part, self.database.user["user"], self.database.user["group"])
        settings = {
            "DB_TYPE": "pgsql", "DB_HOST": str(self.database.socket), "DB_PORT": "5432", "DB_USER": "reader", "DB_NAME": "tt_rss",
            "DB_PASS": "", "SELF_URL_PATH": "http://localhost/", "SINGLE_USER_MODE": True, "SIMPLE_UPDATE_MODE": False,
            "PHP_EXECUTABLE": shutil.which("php"), "LOCK_DIRECTORY": "lock", "CACHE_DIR": "cache", "ICONS_DIR": "feed-icons",
            "ICONS_URL": "feed-icons", "AUTH_AUTO_CREATE": True, "AUTH_AUTO_LOGIN": True, "FORCE_ARTICLE_PURGE": 0,
            "MYSQL_CHARSET": "UTF8", "ENABLE_REGISTRATION": False, "REG_NOTIFY_ADDRESS": "", "REG_MAX_USERS": 10,
            "SESSION_COOKIE_LIFETIME": 86400, "SMTP_FROM_NAME": "", "SMTP_FROM_ADDRESS": "", "DIGEST_SUBJECT": "",
            "CHECK_FOR_UPDATES": False, "ENABLE_GZIP_OUTPUT": False, "PLUGINS": "auth_internal", "LOG_DESTINATION": "",
            "CONFIG_VERSION": 26,
        }
        defined = "".join(f"define({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items())
        (self.www / "config.php").write_text("<?php\n" + defined)
        self.database.make("tt_rss")
        self.database.ask("tt_rss", (package / "tt-rss/schema/ttrss_schema_pgsql.sql").read_text())
        for user, (name, marks) in enumerate(self.USERS, 1):
            if user > 1:
                self.database.ask("tt_rss", f"INSERT INTO ttrss_users (id, login, pwd_hash) VALUES ({user}, 'reader {user}', '')")
            self.database.ask("tt_rss", f"""INSERT INTO ttrss_feeds (id, owner_uid, title, feed_url, mark_unread_on_update)
                VALUES ({user}, {user}, 'news', '{self.base}{name}', {marks})""")
        yield self

    def round(self, number):
        for user, (name, marks) in enumerate(self.USERS, 1):
            where = f"round {number + 1}, {name}, Tiny Tiny RSS"
            run("php", "-d", "display_errors=stderr", "update.php", "--update-feed", str(user), cwd=self.www, **self.database.user)
            failed = self.database.ask("tt_rss", f"SELECT last_error FROM ttrss_feeds WHERE id = {user} AND last_error <> ''")
            check(not failed, f"{where}: {failed}")
            entries = self.database.ask("tt_rss", f"""SELECT title, link, author, unread, content FROM ttrss_user_entries
                JOIN ttrss_entries ON ttrss_entries.id = ref_id WHERE feed_id = {user}""")
            seen = {page_of(entry["link"]): entry for entry in entries}
            check(len(seen) == len(entries), f"{where}: a story is shown twice among {[entry['title'] for entry in entries]}")
            titles = {page: html.unescape(entry["title"]) for page, entry in seen.items()}
            check(titles == {page: TITLES[number][page] for page in SOURCES[number]}, f"{where}: titles {titles}")
            check(not any(entry["link"].startswith(self.base) for entry in entries), f"{where}: {entries}")
            authors = {page: entry["author"] for page, entry in seen.items()}
            check(authors == {page: AUTHORS[page] for page in seen}, f"{where}: authors {authors}")
            unread = {page for page, entry in seen.items() if entry["unread"]}
            wanted = NEW[number] | (CORRECTED[number] if marks else set())
            check(unread == wanted, f"{where}: {unread} are unread, not {wanted}")
            if not marks:
                told = {page: entry["content"].count("<li>") + 1 for page, entry in seen.items()}
                check(told == SOURCES[number], f"{where}: the text names {told} outlets")
        self.database.ask("tt_rss", "UPDATE ttrss_user_entries SET unread = FALSE")
        return "Tiny Tiny RSS shows each story once in two formats, what is new as unread, and what is corrected where one asks for that"


class Mails:
    """rss2email, which has a folder for mails of each format."""

    def __init__(self, base):
        self.base = base
        self.known = {}

    def at_work(self):
        return contextlib.nullcontext(self)

    def r2e(self, ending, *arguments):
        home = folder / f"mail-{ending}"
        environment = {**quiet, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)}
        return run("r2e", "-c", str(home / "config"), "-d", str(home / "seen.json"), *arguments, env=environment, cwd=home)

    def subscribe(self, ending):
        home = folder / f"mail-{ending}"
        for part in ("cur", "new", "tmp"):
            (home / "mails/inbox" / part).mkdir(parents=True)
        self.r2e(ending, "new", "reader@example.org")
        written = (home / "config").read_text()
        settings = f"email-protocol = maildir\nmaildir-path = {home}/mails\nmaildir-mailbox = inbox\n"
        lines = [line for line in written.splitlines() if not line.startswith(("email-protocol", "maildir-"))]
        (home / "config").write_text("\n".join(lines).replace("[DEFAULT]\n", f"[DEFAULT]\n{settings}", 1) + "\n")
        self.r2e(ending, "add", "news", f"{self.base}news.{ending}")

    def round(self, number):
        for ending in ("atom", "rss"):
            where = f"round {number + 1}, news.{ending}, rss2email"
            if ending not in self.known:
                self.subscribe(ending)
                self.known[ending] = set()
            self.r2e(ending, "run")
            paths = set((folder / f"mail-{ending}/mails/inbox/new").iterdir())
            came, self.known[ending] = paths - self.known[ending], paths
            mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in came]
            told = {page_of(str(mail["X-RSS-URL"])): mail for mail in mails}
            check(len(told) == len(mails) and set(told) == NEW[number], f"{where}: mails of {sorted(told)}, not of {NEW[number]}")
            for page, mail in told.items():
                check(str(mail["Subject"]) == TITLES[number][page], f"{where}: the subject is {mail['Subject']}")
                link = str(mail["X-RSS-URL"])
                check(not link.startswith(self.base), f"{where}: it links to {link}")
                check(AUTHORS[page] in str(mail["From"]), f"{where}: the sender of {page} is {mail['From']}")
        return "rss2email sends one mail for each story in two formats"


def await_coverage(base, daemon, number):
    def is_there():
        check(daemon.poll() is None, "the daemon ended")
        items = json.loads(get(f"{base}news.json"))["items"]
        found = {page_of(item["url"]): (item["_newsfold"]["sources"], item["title"]) for item in items}
        return found == {page: (sources, TITLES[number][page]) for page, sources in SOURCES[number].items()}
    until(is_there, 30, f"the stories of round {number + 1} are told")


def stand_alone():
    """Whether there is nothing else in this network; then newsfold has an address in it that is none of loopback's."""
    # Who is root there alone cannot run PostgreSQL as somebody else.
    if os.geteuid() != 0:
        return False
    in_a_network_of_its_own()
    if os.environ.get("CHECKS_ARE_ALONE") != "yes" or not shutil.which("ip"):
        return False
    return subprocess.run(["ip", "address", "add", f"{ALONE}/32", "dev", "lo"], check=False).returncode == 0


def main():
    is_alone = stand_alone()
    port = 80 if is_alone else free_port()
    host = ALONE if is_alone else "127.0.0.1"
    base = f"http://{ALONE}/" if is_alone else f"http://127.0.0.1:{port}/"
    feeds = "".join(
        f'[[feed]]\nname = "{name}"\nurl = "file:{name}.xml"\npriority = {priority}\n'
        for name, priority in (("one", 10), ("two", 5), ("three", 0))
    )
    (folder / "newsfold.toml").write_text(
        '[poll]\ninterval = "1s"\nmin_interval = "1s"\nbackfill = "36500d"\n'
        f'[serve]\nlisten = "{host}:{port}"\npublic_url = "{base}"\n{feeds}'
        '[[output]]\nname = "news"\n[[output]]\nname = "still"\ncoverage = "link"\n'
    )
    with contextlib.ExitStack() as stack:
        readers = []
        if shutil.which("r2e"):
            readers.append(Mails(base))
        else:
            say("rss2email is not tried: there is no r2e")
        database = stack.enter_context(Postgres().at_work()) if arguments.miniflux or arguments.tt_rss else None
        if arguments.miniflux:
            readers.append(Miniflux(base, database))
        else:
            say("Miniflux is not tried: its program is not named")
        if arguments.tt_rss and shutil.which("php") and is_alone:
            readers.append(TinyTinyRss(base, database))
        else:
            say("Tiny Tiny RSS is not tried: it needs its package, PHP, and a network of its own")
        at_work = [stack.enter_context(reader.at_work()) for reader in readers]
        for number, entries_of in enumerate(ROUNDS):
            write_feeds(entries_of)
            # Each round has a daemon of its own.
            with running([newsfold, "--log", "error", "run"], cwd=folder, env=quiet) as daemon:
                await_coverage(base, daemon, number)
                for reader in at_work:
                    say(f"round {number + 1}: {reader.round(number)}")
    say("all is well")


main()
