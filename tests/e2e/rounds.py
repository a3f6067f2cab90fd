#!/usr/bin/env python3
"""Has real readers poll a merged feed three times while ever more feeds tell its stories.

    tests/e2e/rounds.py NEWSFOLD

feedparser, newsboat, sfeed and newsfold itself have to see the same stories, links, dates, authors and enclosures, and a
story whose coverage grows must not be a new one to any of them. It needs newsboat, sfeed, and feedparser from PyPI; Liferea is tried
where it is installed, with xvfb and dbus. Nothing
is asked of the network but the daemon that is started here. One line is printed for each check; the first one that fails
ends the script with status 1.
"""

import calendar
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import feedparser

import checks
from checks import check, free_port, get, quiet_environment, replace, running, say, scratch

newsfold = os.path.abspath(sys.argv[1])
folder = scratch()
quiet = quiet_environment()
run = functools.partial(checks.run, env=quiet)

STORM = ("storm", "Storm over the bay", "Ada Quill", '<enclosure url="https://example.org/storm.mp3" length="1234" type="audio/mpeg"/>')
# What each feed holds in each round, the outlet's own headline for it, who wrote it, and what is attached.
ROUNDS = [
    {"one": [STORM, ("market", "Market day", "Ben Reed", "")], "two": [], "three": []},
    {
        "one": [STORM, ("market", "Market day", "Ben Reed", "")],
        "two": [("storm", "Boats stay in harbour", "Cy Dune", ""), ("chess", "Chess final is drawn", "Cy Dune", "")],
        "three": [],
    },
    {
        "one": [STORM, ("market", "Market day", "Ben Reed", "")],
        "two": [("storm", "Boats stay in harbour", "Cy Dune", ""), ("chess", "Chess final is drawn", "Cy Dune", "")],
        "three": [("storm", "Ferries cancelled", "Di Fen", ""), ("market", "Cheese and eels", "Di Fen", "")],
    },
]
OUTPUTS, ENDINGS = ("news", "bump"), ("atom", "rss")
# After each round: how many feeds tell each story, and which stories are new.
SOURCES = [{"storm": 1, "market": 1}, {"storm": 2, "market": 1, "chess": 1}, {"storm": 3, "market": 2, "chess": 1}]
NEW = [{"storm", "market"}, {"chess"}, set()]


def write_feeds(entries_of):
    """The three outlets as they are in one round; a file is replaced at once."""
    for name, entries in entries_of.items():
        items = "".join(
            f"<item><title>{title}</title><link>https://example.org/{page}</link><guid isPermaLink=\"false\">{name}-{page}</guid>"
            f"<dc:creator>{author}</dc:creator><pubDate>Fri, 20 Nov 2026 {9 + len(page)}:00:00 GMT</pubDate>"
            f"<description>What {name} has to say of it.</description>{media}</item>"
            for page, title, author, media in entries
        )
        text = (
            '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
            f"<title>{name.title()}</title><link>https://example.org/</link><description>d</description>{items}</channel></rss>"
        )
        replace(folder / f"{name}.xml", text)


def page_of(link):
    return link.rsplit("/", 1)[1]


def by_json(base):
    """What the others are held to: title, link, date, author and enclosures of each story."""
    shown = {}
    for item in json.loads(get(f"{base}news.json"))["items"]:
        date = calendar.timegm(time.strptime(item["date_published"], "%Y-%m-%dT%H:%M:%SZ"))
        media = [media["url"] for media in item.get("attachments", [])]
        shown[page_of(item["url"])] = (item["id"], item["title"], item["url"], date, item["authors"][0]["name"], media)
    return shown


def by_feedparser(base, output, ending):
    feed = feedparser.parse(get(f"{base}{output}.{ending}"))
    check(not feed.bozo, f"feedparser calls {output}.{ending} broken: {feed.get('bozo_exception')}")
    return {
        page_of(entry.link): (
            entry.id, entry.title, entry.link, calendar.timegm(entry.published_parsed), entry.author,
            [media.href for media in entry.enclosures],
        )
        for entry in feed.entries
    }


def by_sfeed(base, output, ending):
    lines = run("sfeed", base, input=get(f"{base}{output}.{ending}").decode()).splitlines()
    shown = {}
    for line in lines:
        date, title, link, _, _, name, author, media, *_ = line.split("\t")
        shown[page_of(link)] = (name, title, link, int(date), author, [media] if media else [])
    return shown


def by_newsboat(base, output, ending):
    """Reloads; gives what its cache holds, and which stories it counts as unread. Then all is read."""
    home = folder / f"newsboat-{output}-{ending}"
    home.mkdir(exist_ok=True)
    (home / "urls").write_text(f"{base}{output}.{ending}\n")
    (home / "config").touch()
    command = ["newsboat", f"--url-file={home}/urls", f"--cache-file={home}/cache.db", f"--config-file={home}/config"]
    subprocess.run([*command, "--execute=reload"], env={**quiet, "HOME": str(home)}, capture_output=True, timeout=60, check=True)
    told = subprocess.run([*command, "--execute=print-unread"], env={**quiet, "HOME": str(home)}, capture_output=True, text=True, timeout=60)
    cache = sqlite3.connect(home / "cache.db")
    rows = cache.execute("SELECT guid, title, url, pubDate, author, enclosure_url, content, unread FROM rss_item").fetchall()
    shown = {page_of(row[2]): (*row[:5], [row[5]] if row[5] else []) for row in rows}
    unread = {page_of(row[2]) for row in rows if row[7]}
    check(told.stdout.split(" ")[0] == str(len(unread)), f"newsboat says {told.stdout!r}, its cache has {unread} unread")
    others = {page_of(row[2]): row[6].count("<li>") for row in rows}
    cache.execute("UPDATE rss_item SET unread = 0")
    cache.commit()
    cache.close()
    return shown, unread, others


def by_liferea(base):
    """Reloads all feeds in a window that nobody sees; gives what its store holds of each, and which stories it counts as
    unread. Then all is read."""
    home = folder / "liferea"
    nodes = {f"{output}{ending}": f"{base}{output}.{ending}" for output in OUTPUTS for ending in ENDINGS}
    if not home.exists():
        (home / "config/liferea").mkdir(parents=True)
        outlines = "".join(
            f'<outline title="{name}" text="{name}" description="{name}" type="feed" id="{name}" xmlUrl="{address}"/>'
            for name, address in nodes.items()
        )
        (home / "config/liferea/feedlist.opml").write_text(
            f'<?xml version="1.0"?><opml version="1.0"><head><title>feeds</title></head><body>{outlines}</body></opml>'
        )
    environment = {
        **quiet, "HOME": str(home), "XDG_CONFIG_HOME": f"{home}/config", "XDG_DATA_HOME": f"{home}/data",
        "XDG_CACHE_HOME": f"{home}/cache", "GSETTINGS_BACKEND": "memory", "GIO_USE_NETWORK_MONITOR": "base",
    }
    # It asks the system's bus whether there is a network; where there is no such bus, its own will not say no.
    script = "DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS exec xvfb-run -a liferea --debug-net"
    ask = (
        'until dbus-send --session --print-reply --dest=org.gnome.feed.Reader /org/gnome/feed/Reader '
        'org.gnome.feed.Reader.Refresh; do sleep 1; done'
    )
    with open(home / "log", "w+") as log:
        command = ["dbus-run-session", "--", "bash", "-c", f"({ask}) & {script}"]
        liferea = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            until = time.monotonic() + 60
            while (home / "log").read_text(errors="replace").count("download status code") < len(nodes):
                check(time.monotonic() < until, "Liferea does not reload within 60 s")
                time.sleep(0.2)
            time.sleep(3)
        finally:
            os.killpg(liferea.pid, signal.SIGTERM)
            liferea.wait(20)
    store = sqlite3.connect(home / "data/liferea/liferea.db")
    facts = {}
    for item, key, value in store.execute("SELECT item_id, key, value FROM metadata"):
        facts.setdefault(item, {}).setdefault(key, []).append(value)
    shown = {name: ({}, set()) for name in nodes}
    for item, node, title, link, name, date, read in store.execute("SELECT item_id, node_id, title, source, source_id, date, read FROM items"):
        known = facts.get(item, {})
        author = (known.get("author") or known.get("creator") or [""])[0]
        media = [enclosure.split(":", 4)[-1] for enclosure in known.get("enclosure", [])]
        shown[node][0][page_of(link)] = (name, title, link, date, author, media)
        if not read:
            shown[node][1].add(page_of(link))
    store.execute("UPDATE items SET read = 1")
    store.commit()
    store.close()
    return shown


def by_newsfold(base, ending):
    """A newsfold that subscribes to this one; gives what it publishes, and how many entries were new to it."""
    home = folder / f"newsfold-{ending}"
    home.mkdir(exist_ok=True)
    (home / "newsfold.toml").write_text(
        '[poll]\nmin_interval = "1s"\nbackfill = "36500d"\nallow_networks = ["127.0.0.0/8"]\n[fold]\nlevel = "off"\n'
        f'[[feed]]\nname = "news"\nurl = "{base}news.{ending}"\n'
    )
    told = run(newsfold, "--log", "error", "poll", "news", cwd=home)
    shown = {}
    for item in json.loads(run(newsfold, "--log", "error", "publish", "--format", "json", cwd=home))["items"]:
        date = calendar.timegm(time.strptime(item["date_published"], "%Y-%m-%dT%H:%M:%SZ"))
        media = [media["url"] for media in item.get("attachments", [])]
        shown[page_of(item["url"])] = (item["title"], item["url"], date, item["authors"][0]["name"], media)
    return shown, int(told.split(" new")[0])


def await_coverage(base, daemon, wanted):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        check(daemon.poll() is None, "the daemon ended")
        try:
            items = json.loads(get(f"{base}news.json"))["items"]
            if {page_of(item["url"]): item["_newsfold"]["sources"] for item in items} == wanted:
                return
        except OSError:
            pass
        time.sleep(0.1)
    check(False, f"waited 30 s in vain for {wanted}")


def main():
    port = free_port()
    base = f"http://127.0.0.1:{port}/"
    feeds = "".join(
        f'[[feed]]\nname = "{name}"\nurl = "file:{name}.xml"\npriority = {priority}\n'
        for name, priority in (("one", 10), ("two", 5), ("three", 0))
    )
    (folder / "newsfold.toml").write_text(
        '[poll]\ninterval = "1s"\nmin_interval = "1s"\nbackfill = "36500d"\n'
        f'[serve]\nlisten = "127.0.0.1:{port}"\npublic_url = "{base}"\n{feeds}'
        '[[output]]\nname = "news"\n[[output]]\nname = "bump"\non_coverage = "bump"\n'
    )
    write_feeds(ROUNDS[0])
    before = {}
    with running([newsfold, "--log", "error", "run"], cwd=folder, env=quiet) as daemon:
        for number, (entries_of, sources, new) in enumerate(zip(ROUNDS, SOURCES, NEW), 1):
            write_feeds(entries_of)
            await_coverage(base, daemon, sources)
            truth = by_json(base)
            check({page: truth[page] for page in before} == before, f"round {number}: what was told before looks otherwise now")
            check(set(truth) - set(before) == new, f"round {number}: {set(truth) - set(before)} are new, not {new}")
            for output in OUTPUTS:
                for ending in ENDINGS:
                    where = f"round {number}, {output}.{ending}"
                    for reader, shown in (("feedparser", by_feedparser), ("sfeed", by_sfeed)):
                        seen = shown(base, output, ending)
                        check(seen == truth, f"{where}: {reader} sees {seen}, not {truth}")
                    seen, unread, others = by_newsboat(base, output, ending)
                    check(seen == truth, f"{where}: newsboat sees {seen}, not {truth}")
                    check(unread == new, f"{where}: newsboat shows {unread} as new, not {new}")
                    told = {page: count - 1 for page, count in sources.items()}
                    check(others == told, f"{where}: newsboat lists {others} other tellings, not {told}")
            if shutil.which("liferea") and shutil.which("xvfb-run") and shutil.which("dbus-run-session"):
                for name, (seen, unread) in by_liferea(base).items():
                    check(seen == truth, f"round {number}, {name}: Liferea sees {seen}, not {truth}")
                    check(unread == new, f"round {number}, {name}: Liferea shows {unread} as new, not {new}")
                say(f"round {number}: Liferea too")
            else:
                say("Liferea is not tried: it needs liferea, xvfb and dbus")
            for ending in ("atom", "rss", "json"):
                seen, added = by_newsfold(base, ending)
                check(seen == {page: story[1:] for page, story in truth.items()}, f"round {number}, {ending}: newsfold sees {seen}, not {truth}")
                check(added == len(new), f"round {number}, {ending}: {added} entries are new to newsfold, not {len(new)}")
            say(f"round {number}: all readers see the same {len(truth)} stories, {len(new)} of them new")
            before = truth
    say("all is well")


main()
