#!/usr/bin/env python3
"""An evening with hostile feeds: does any of them harm another, or the daemon?

    tests/e2e/hostile.py NEWSFOLD [--minutes 20] [--honest 180] [--interval 1] [--longest-wait 2]

Honest feeds bring a report now and then; hostile ones do what strangers can do with a document: claim others' pages, pad copies,
swallow stories, send what costs memory, time or log lines to read, to keep, to fold or to show. All are polled every second. It
holds when the daemon is never restarted nor silent to its watchdog, no honest feed waits longer than twice its interval, every
honest report is shown under its own title, link and date, in every output that would show it anyway, and memory stays below
200 MB. As root it has no more memory than its unit gives it. Everything stays on loopback: the daemon asks a proxy, which plays
all hosts. Needs Linux and Python 3.9.
"""
import argparse
import collections
import contextlib
import email.utils
import functools
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

from checks import check, free_port, get, say, scratch

WATCHDOG_SECONDS = 60
MOST_MEGABYTES = 200
ENTRIES = 8
# When the evening is over nothing new is reported, and what was served is polled and stored within this time.
SETTLES_WITHIN = 20
# Outputs in which everything finds room, and in which a flood does not take it all.
ROOM = "limit = 10000\nper_feed = 300\n"

BEGUN = time.time()


def rfc822(at):
    return email.utils.formatdate(at, usegmt=True)


def rss(host, title, items, link=None):
    body = "".join("<item>" + "".join(f"<{name}>{value}</{name.split()[0]}>" for name, value in item) + "</item>" for item in items)
    return (f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{title}</title>'
            f"<link>{link or f'http://{host}/'}</link><description>d</description>{body}</channel></rss>").encode()


def item(guid, link, title, text, at=None, is_permalink=False):
    fields = [("title", title), ("link", link), (f'guid isPermaLink="{str(is_permalink).lower()}"', guid), ("description", text)]
    return fields + ([("pubDate", rfc822(at))] if at else [])


def markup(text):
    return f"<![CDATA[{text}]]>"


LETTERS = str.maketrans("0123456789abcdef", "abdegiklmnoprstu")


def words(seed, count):
    letters = hashlib.shake_128(seed.encode()).hexdigest(count * 4).translate(LETTERS)
    return [letters[at * 8:at * 8 + 5 + at % 4] for at in range(count)]


@functools.lru_cache(maxsize=None)
def told(report):
    """The title and text of an honest report: words that no other report has."""
    host, number = report
    own = words(f"{host} {number}", 60)
    sentences = [" ".join(own[at:at + 12]).capitalize() + "." for at in range(0, 60, 12)]
    return " ".join(own[:7]).capitalize(), " ".join(sentences)


class Web:
    """What is on the web just now. A feed is a function of the seconds since the beginning, and gives a document's bytes."""

    def __init__(self, honest, every):
        self.honest = [f"honest{number}.example" for number in range(honest)]
        self.every = every
        self.hostile = {f"{kind.__name__.replace('_', '-')}.example": kind for kind in HOSTILE}
        # When each report was first in a document that was sent.
        self.served = {}
        # When the last report is made, once that is settled.
        self.ends = None
        self.lock = threading.Lock()
        # The honest documents of the moment, each with its newest report.
        self.documents = {}
        # What takes long to make is made before: the daemon is tried, and not this script.
        for kind in HOSTILE:
            kind.made = [kind(self, f"{kind.__name__.replace('_', '-')}.example", at) for at in range(kind.versions)]

    def newest(self, host, at):
        """The number of the newest report: one every `every` seconds, at another moment for each feed."""
        offset = int(hashlib.sha256(host.encode()).hexdigest(), 16) % 1000 / 1000
        return int((at if self.ends is None else min(at, self.ends)) / self.every + offset)

    def reports(self, host, at):
        newest = self.newest(host, at)
        return [(host, number) for number in range(newest, max(newest - ENTRIES, -ENTRIES), -1)]

    def honest_document(self, host, at):
        newest = self.newest(host, at)
        before = self.documents.get(host)
        if before and before[0] == newest:
            return before[1]
        reports = self.reports(host, at)
        with self.lock:
            for report in reports:
                self.served.setdefault(report, at)
        document = rss(host, f"The {host} paper", [self.honest_item(report) for report in reports])
        self.documents[host] = (newest, document)
        return document

    def honest_item(self, report):
        title, text = told(report)
        return item(f"{report[0]}-{report[1]}", page(report), title, text, self.date(report))

    def date(self, report):
        # A little before it is served: a date in the future would be none.
        return BEGUN + (report[1] - 1) * self.every - 2

    def victims(self, at, count=4):
        """Reports that hostile feeds meddle with."""
        return [self.reports(host, at)[0] for host in self.honest[:count]]

    def answer(self, host, at):
        """Status, headers and body."""
        if host in self.hostile:
            kind = self.hostile[host]
            answer = kind.made[int(at) % kind.versions] if kind.versions else kind(self, host, at)
            return answer if isinstance(answer, tuple) else (200, {}, answer)
        return 200, {}, self.honest_document(host, at)


def page(report):
    host, number = report
    return f"http://{host}/reports/{number + ENTRIES}"


HOSTILE = []


def hostile(function, versions=0):
    function.versions = versions
    HOSTILE.append(function)
    return function


def costly(versions):
    """A hostile feed whose document is one of a few that are made before it begins, another one every second."""
    return lambda function: hostile(function, versions)


def packed(body):
    return 200, {"Content-Encoding": "gzip"}, gzip.compress(body, 6)


PILLS = "Buy our pills today. " * 200


@hostile
def claims_by_guid(web, host, at):
    return rss(host, host, [item(page(victim), f"http://{host}/{n}", "CHEAP PILLS", PILLS, is_permalink=True) for n, victim in enumerate(web.victims(at))])


@hostile
def claims_by_link(web, host, at):
    return rss(host, host, [item(f"x{victim[1]}-{n}", page(victim), "CHEAP PILLS", "x") for n, victim in enumerate(web.victims(at))])


@hostile
def claims_what_is_to_come(web, host, at):
    coming = [(name, web.newest(name, at) + ahead) for name in web.honest[:4] for ahead in (1, 2)]
    return rss(host, host, [item(f"{name}{number}", page((name, number)), "To be announced", "x", BEGUN - 9 * 86400) for name, number in coming])


@hostile
def claims_a_home(web, host, at):
    victim = web.honest[0]
    entries = [item(f"h{report[1]}", page(report), "THE MAYOR IS A CROOK", PILLS) for report in web.reports(victim, at)]
    return rss(host, f"The {victim} paper", entries, link=f"http://{victim}/")


@hostile
def edits_its_way_in(web, host, at):
    links = [page(victim) if at > 20 else f"http://{host}/{n}" for n, victim in enumerate(web.victims(0))]
    return rss(host, host, [item(f"e{n}", link, f"An old entry {n}", "Long ago.", BEGUN - 10 * 86400) for n, link in enumerate(links)])


@hostile
def copies_and_pads(web, host, at):
    entries = [item(f"c{victim[0]}{victim[1]}", f"http://{host}/{n}", "PILLS FOR ALL", f"{told(victim)[1]}&lt;!--{'x' * 8000}--&gt;")
               for n, victim in enumerate(web.victims(at))]
    return rss(host, host, entries)


@hostile
def stands_between(web, host, at):
    one, two = web.victims(at, 2)
    both = (told(one)[1] + " " + told(two)[1]).split()
    entries = []
    for n in range(6):
        dice = random.Random(n)
        dice.shuffle(both)
        entries.append(item(f"{page((one, two)[n % 2])}?utm_source={n}", f"http://{host}/{n}", f"{told(one)[0]}; {told(two)[0]}", " ".join(both), is_permalink=True))
    return rss(host, host, entries)


@hostile
def is_dropped_by_a_rule(web, host, at):
    return rss(host, host, [item(page(victim), f"http://{host}/d{n}", "FORBIDDEN WORD", told(victim)[1], is_permalink=True) for n, victim in enumerate(web.victims(at))])


@costly(versions=2)
def shows_far_more_than_it_sends(web, host, at):
    pictures = markup("<p>hello</p>" + "<img src=x alt=y>" * 2000)
    formatting = markup("<p>" + "".join(f"<font size={n}></i>" for n in range(1500)) + "<p>x" * 1500)
    ampersands = markup("<p>" + "&" * 250_000)
    deep = markup("<div></x>" * 28_000)
    texts = [pictures, formatting, ampersands, deep, markup("<table>" + "x<b>y</b>" * 9000 + "</table>")]
    long = "a" * (100_000 if int(at) % 2 else 3000)
    return packed(rss(host, host, [item(f"s{n}", f"http://{host}/{long}/{n}", f"Shows {n}", text) for n, text in enumerate(texts)]))


@costly(versions=1)
def has_large_fields(web, host, at):
    big = "x" * 1_000_000
    fields = item("big", f"http://{host}/big", "Big", "big") + [("category", f"{n}{big}") for n in range(10)]
    return packed(rss(host, host, [fields]))


@costly(versions=4)
def is_slow_to_read(web, host, at):
    signs = markup("<" * 65_000)
    return packed(rss(host, host, [item(f"l{n}-{int(at)}", f"http://{host}/{n}", signs, signs) for n in range(60)]))


@costly(versions=4)
def is_slow_to_read_too(web, host, at):
    runs = ["&" * 65_000, "<!--" * 16_000, "<![CDATA" * 8000, "]" * 65_000, '<a href="' * 7000, "&#" * 32_000]
    return packed(rss(host, host, [item(f"r{n}-{int(at)}", f"http://{host}/{n}", "Runs", f"{run.replace('<', '&lt;').replace('&#', '&amp;#')}") for n, run in enumerate(runs * 4)]))


@costly(versions=4)
def is_json_of_small_objects(web, host, at):
    authors = ",".join(['{"name":"a"}'] * 300_000)
    return packed(('{"version":"https://jsonfeed.org/version/1.1","title":"t","items":[{"id":"%d","title":"a","authors":[%s]}]}' % (at, authors)).encode())


@costly(versions=4)
def has_a_base_everywhere(web, host, at):
    base = f"http://{host}/" + "a" * 4000 + "/"
    entry = (f'<entry><id>urn:%d:{int(at)}</id><title>t</title><updated>2026-01-01T00:00:00Z</updated><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
             f'<p xml:base="{base}">' + '<a href="x"/>' * 260 + "</p></div></content></entry>")
    return packed(('<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>' + "".join(entry % n for n in range(100)) + "</feed>").encode())


@hostile
def has_words_of_equal_weight(web, host, at):
    entries = []
    for n in range(60):
        own = words(f"{host}{int(at)}{n}", 150)
        entries.append(item(f"w{int(at)}-{n}", f"http://{host}/{int(at)}/{n}", " ".join(own[:8]), " ".join(own)))
    return rss(host, host, entries)


@hostile
def is_always_new(web, host, at):
    steady = item("steady", f"http://{host}/steady", "The steady one", "It stays.", BEGUN)
    return packed(rss(host, host, [item(f"n{int(at)}-{n}", f"http://{host}/{int(at)}-{n}", f"New {n} at {int(at)}", f"Text {n} {int(at)}") for n in range(300)] + [steady]))


@hostile
def tells_one_page_for_ever(web, host, at):
    return packed(rss(host, host, [item(f"p{int(at)}-{n}", f"http://{host}/page", f"Again {n} at {int(at)}", "x") for n in range(300)]))


@hostile
def has_impossible_dates(web, host, at):
    dates = ["Thu, 01 Jan 0001 00:00:00 GMT", "Thu, 01 Jan 1969 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0044 00:00:00 GMT"]
    return rss(host, host, [item(f"d{n}", f"http://{host}/{n}", f"Dated {n}", "x") + [("pubDate", date)] for n, date in enumerate(dates)])


@costly(versions=1)
def is_a_bomb(web, host, at):
    return packed(b"<rss>" + b" " * (40 << 20))


@hostile
def leads_in_circles(web, host, at):
    return 302, {"Location": f"http://{host}/feed?{int(at)}"}, b""


class Proxy:
    """Answers for every host, with a validator, and notes when each was asked."""

    def __init__(self, web):
        self.asked = collections.defaultdict(list)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                host = urllib.parse.urlsplit(self.path).hostname
                now = time.time() - BEGUN
                outer.asked[host].append(now)
                status, headers, body = web.answer(host, now)
                tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
                if status == 200 and self.headers.get("If-None-Match") == tag:
                    status, headers, body = 304, {}, b""
                self.send_response(status)
                for name, value in {"ETag": tag, **headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    # A poll that was given up leaves in the middle.
                    pass

        class Server(http.server.ThreadingHTTPServer):
            # With the usual five a connection may be made only when it is tried again, a second later.
            request_queue_size = 1024

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class MemoryLimit:
    """The memory that the unit gives the daemon, where this may be set: as root, with either version of control groups."""

    def __init__(self):
        unit = (pathlib.Path(__file__).resolve().parents[2] / "systemd/newsfold.service").read_text()
        most = int(re.search(r"^MemoryMax=(\d+)M$", unit, re.M)[1]) << 20
        self.group = None
        for root, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            group = pathlib.Path(root, f"newsfold-{os.getpid()}")
            try:
                if not pathlib.Path(root, "cgroup.procs").exists():
                    continue
                group.mkdir()
                (group / name).write_text(str(most))
                self.group = group
                say(f"memory is limited to {most >> 20} MB")
                return
            except OSError:
                with contextlib.suppress(OSError):
                    group.rmdir()
        say("memory is not limited here")

    def enter(self):
        if self.group:
            (self.group / "cgroup.procs").write_text("0")

    def remove(self):
        if self.group:
            with contextlib.suppress(OSError):
                self.group.rmdir()


class ServiceManager:
    """Hears what the daemon tells systemd."""

    def __init__(self, folder):
        self.path = f"{folder}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.alive = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            if b"WATCHDOG=1" in self.socket.recv(65536):
                self.alive.append(time.time() - BEGUN)

    def environment(self):
        # The daemon's own memory settings are those of its unit.
        unit = (pathlib.Path(__file__).resolve().parents[2] / "systemd/newsfold.service").read_text()
        set_by_unit = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.M))
        return {**os.environ, **set_by_unit, "NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000)}


def configuration(web, proxy, listen, interval, room=""):
    feeds = "".join(f'[[feed]]\nurl = "http://{host}/feed"\nname = "{host.split(".")[0]}"\n' for host in [*web.honest, *web.hostile])
    return (f'[store]\npath = "newsfold.db"\n[poll]\nproxy = "http://127.0.0.1:{proxy.port}"\ninterval = "{interval}s"\nmin_interval = "{interval}s"\n'
            f'per_host_gap = "0s"\ntimeout = "5s"\n[serve]\nlisten = "127.0.0.1:{listen}"\n'
            f'[[output]]\nname = "news"\n{room}'
            f"[[output]]\nname = \"ruled\"\n{room}drop = [\"title ~ 'FORBIDDEN|PILLS|CROOK'\"]\n{feeds}")


def peak_megabytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def wrongly_shown(web, documents):
    """Honest reports that are not shown as themselves, and how many there are in all."""
    wrong = []
    with web.lock:
        due = list(web.served)
    for name, items in documents.items():
        shown = {entry.get("url"): entry for entry in items}
        for report in due:
            entry, title = shown.get(page(report)), told(report)[0]
            date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(web.date(report))))
            if entry is None:
                wrong.append(f"{name}: {page(report)} is not shown")
            elif (entry["title"], entry["date_published"]) != (title, date):
                wrong.append(f"{name}: {page(report)} is shown as {entry['title']!r} of {entry['date_published']}, and is {title!r} of {date}")
    return wrong, len(due)


def published(newsfold, configuration, name):
    done = subprocess.run([newsfold, "--config", configuration, "publish", name, "--format", "json"], capture_output=True, check=True)
    return json.loads(done.stdout)["items"]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("newsfold")
    options.add_argument("--minutes", type=float, default=20)
    options.add_argument("--honest", type=int, default=180)
    options.add_argument("--interval", type=int, default=1)
    options.add_argument("--longest-wait", type=float, help="of an honest feed, in seconds; by default twice the interval")
    options = options.parse_args()
    folder = scratch()
    # So many reports that the evening's fit into an output.
    every = max(options.minutes * 60 * options.honest / 3000, 10)
    web = Web(options.honest, every)
    proxy, manager, listen, limit = Proxy(web), ServiceManager(folder), free_port(), MemoryLimit()
    (folder / "newsfold.toml").write_text(configuration(web, proxy, listen, options.interval))
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen([options.newsfold, "--config", folder / "newsfold.toml", "run"], stdout=log, stderr=log, env=manager.environment(), preexec_fn=limit.enter)
    say(f"{len(web.honest)} honest and {len(web.hostile)} hostile feeds, every {options.interval} s for {options.minutes:g} minutes")
    try:
        time.sleep(options.minutes * 60)
        check(daemon.poll() is None, f"the daemon ended with {daemon.poll()}: {(folder / 'log').read_text(errors='replace')[-2000:]}")
        web.ends = at = time.time() - BEGUN
        time.sleep(SETTLES_WITHIN)
        get(f"http://127.0.0.1:{listen}/news.atom")
        peak = peak_megabytes(daemon.pid)
    finally:
        daemon.send_signal(signal.SIGTERM)
        try:
            status = daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            status = "nothing within 20 s"
        limit.remove()

    (folder / "roomy.toml").write_text(configuration(web, proxy, listen, options.interval, ROOM))
    documents = {name: published(options.newsfold, folder / "roomy.toml", name) for name in ("news", "ruled")}
    wrong, due = wrongly_shown(web, documents)
    # The first polls are spread; from the second on each has its interval.
    asked = {host: [when for when in proxy.asked[host] if when < at] for host in web.honest}
    gaps = {host: max((later - earlier for earlier, later in zip(times, [*times[1:], at])), default=at) for host, times in asked.items()}
    latest = max(gaps, key=gaps.get)
    silence = max(later - earlier for earlier, later in zip([0, *manager.alive], [*manager.alive, at]))
    lines = sum(1 for _ in open(folder / "log", "rb"))
    polls = sum(map(len, proxy.asked.values()))
    say(f"{polls} polls; longest wait of an honest feed {gaps[latest]:.1f} s ({latest}), median of the longest {sorted(gaps.values())[len(gaps) // 2]:.1f} s")
    say(f"peak {peak:.0f} MB; longest silence to the watchdog {silence:.0f} s; {lines} lines in the log; ended with {status}")
    say(f"{due - len({text.split()[1] for text in wrong})} of {due} honest reports shown as themselves in every output")
    check(status == 0, "it ends cleanly")
    check(due > 0, "honest reports were served")
    check(not wrong, f"{len(wrong)} are not shown as themselves: " + "; ".join(wrong[:5]))
    check(gaps[latest] <= (options.longest_wait or 2 * options.interval), f"{latest} waited {gaps[latest]:.1f} s")
    check(silence < WATCHDOG_SECONDS * 0.75, f"the watchdog heard nothing for {silence:.0f} s")
    check(peak <= MOST_MEGABYTES, f"it took {peak:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
