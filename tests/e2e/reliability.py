#!/usr/bin/env python3
"""What must hold when things go wrong, tried with the real daemon. Prints a table; status 1 when anything did not hold.

    tests/e2e/reliability.py NEWSFOLD [--rounds 200] [--soak MINUTES] [NAME...]

Without names every trial but the soak is made. Needs Linux, Python 3.9, cc; root for the full disk and the network, faketime for the clock.
"""
import argparse
import concurrent.futures
import contextlib
import gzip
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree

TRIALS = {}


def trial(function):
    TRIALS[function.__name__] = function
    return function


class Origin:
    """A server of many feeds. Each has 20 entries at a time, and a new one every time `turn` is moved on."""

    def __init__(self, feeds=8, moving=True, address="127.0.0.1", port=0):
        self.turn, self.feeds, self.moving, self.asked = 0, feeds, moving, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append((time.monotonic(), self.path))
                if outer.moving:
                    outer.turn += 1
                body = outer.document(self.path.strip("/"))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

            def handle(self):
                # A daemon that is killed leaves in the middle.
                with contextlib.suppress(ConnectionError):
                    super().handle()

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def document(self, name):
        turn = self.turn // self.feeds
        items = "".join(
            f"<item><guid>{name}-{n}</guid><link>https://{name}.example/{n}</link><title>Report {n} of {name}</title>"
            f"<description>{'A sentence about it. ' * 20}</description></item>"
            for n in range(turn, turn + 20)
        )
        return (f'<rss version="2.0"><channel><title>{name}</title><link>https://{name}.example/</link>'
                f"<description>d</description>{items}</channel></rss>").encode()

    def urls(self):
        return [f"http://127.0.0.1:{self.server.server_port}/f{n}" for n in range(self.feeds)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Scene:
    """A folder with a configuration and a store."""

    def __init__(self, program, origin, folder=None, interval="1s", more=""):
        self.program, self.origin = program, origin
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="newsfold-"))
        self.store, self.public = self.folder / "newsfold.db", self.folder / "public"
        feeds = "".join(f'[[feed]]\nurl = "{url}"\nname = "f{n}"\n' for n, url in enumerate(origin.urls()))
        (self.folder / "newsfold.toml").write_text(
            f'[poll]\ninterval = "{interval}"\nmin_interval = "1s"\nper_host = 8\nper_host_gap = "0s"\n'
            f'allow_networks = ["127.0.0.0/8"]\n{more}'
            f'[serve]\nlisten = "127.0.0.1:0"\n[[output]]\nname = "news"\ndirectory = "public"\nlimit = 500\n{feeds}'
        )

    def start(self, environment=None, inside=()):
        log = open(self.folder / "log", "wb")
        command = [*inside, self.program, "--config", str(self.folder / "newsfold.toml"), "--log", "debug", "run"]
        return subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, **(environment or {})})

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def address(self):
        lines = [line for line in self.log().splitlines() if "listening on " in line]
        return lines[-1].split("listening on ")[1].split()[0] if lines else None

    def wait(self, words, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (self.folder / "log").exists() and words in self.log():
                return True
            time.sleep(0.05)
        return False

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as store:
            return store.execute(sql).fetchall()

    def faults(self):
        """What is wrong with the store and the files; empty when nothing is."""
        faults = []
        if (found := self.query("PRAGMA integrity_check")[0][0]) != "ok":
            faults.append(f"integrity: {found}")
        total, distinct = self.query("SELECT count(*), count(DISTINCT feed || ' ' || entry_id) FROM entry")[0]
        if total != distinct:
            faults.append(f"{total - distinct} entries doubled")
        if gaps := self.query(
            "SELECT f.name, max(n) - min(n) + 1 - count(*) AS missing FROM (SELECT feed, CAST(substr(entry_id, instr(entry_id, '-') + 1) AS INTEGER) AS n FROM entry) "
            "JOIN feed AS f ON f.id = feed GROUP BY feed HAVING missing > 0"
        ):
            faults.append(f"entries lost: {gaps}")
        if half := self.query("SELECT count(*) FROM entry WHERE story IS NOT NULL AND story NOT IN (SELECT id FROM story)")[0][0]:
            faults.append(f"{half} entries without their story")
        for file in self.public.glob("news.json"):
            try:
                json.loads(file.read_text())
            except ValueError:
                faults.append(f"{file.name} is torn")
        return faults

    def gone(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def end(process, seconds=10):
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    status = process.wait(timeout=seconds + 5)
    return status, time.monotonic() - begun


@trial
def killed_at_random(options):
    """kill -9 at random instants while feeds change"""
    origin = Origin()
    scene = Scene(options.program, origin)
    for at in range(options.rounds):
        process = scene.start()
        time.sleep(random.uniform(0.02, 0.6))
        process.kill()
        process.wait()
        if scene.store.exists() and at % 10 == 9 and (faults := scene.faults()):
            return f"round {at}: {faults}", False
    process = scene.start()
    scene.wait("listening on ")
    status, _ = end(process)
    faults = scene.faults()
    entries = scene.query("SELECT count(*) FROM entry")[0][0]
    origin.stop()
    scene.gone()
    return f"{options.rounds} rounds, {entries} entries: {faults or 'whole, nothing lost or doubled'}", not faults and status == 0 and entries > 0


@trial
def stopped_at_random(options):
    """SIGTERM at random instants, starting and polling"""
    origin = Origin(feeds=30)
    scene = Scene(options.program, origin)
    slowest, failed = 0.0, []
    rounds = max(options.rounds // 4, 1)
    for _ in range(rounds):
        process = scene.start()
        scene.wait("store", 0.01)
        time.sleep(random.uniform(0.05, 0.8))
        status, took = end(process)
        slowest = max(slowest, took)
        # Before its handlers stand, a signal ends it as it ends any program.
        if status not in (0, -signal.SIGTERM):
            failed.append(status)
    faults = scene.faults()
    origin.stop()
    scene.gone()
    return f"{rounds} rounds, slowest end {slowest:.2f} s, {failed or faults or 'clean'}", not failed and not faults and slowest < 10


@trial
def log_of_the_store_deleted(options):
    """the store's log and index deleted, and the store copied without them, after kill -9"""
    origin = Origin()
    scene = Scene(options.program, origin)
    told = []
    for what in ("-wal", "-shm", "both"):
        process = scene.start()
        scene.wait("published")
        time.sleep(1.5)
        process.kill()
        process.wait()
        for ending in ("-wal", "-shm"):
            if what in (ending, "both"):
                pathlib.Path(f"{scene.store}{ending}").unlink(missing_ok=True)
        process = scene.start()
        time.sleep(1.5)
        status, _ = end(process)
        faults = [fault for fault in scene.faults() if "lost" not in fault]
        told.append(f"without {what}: {faults or 'whole'}, status {status}")
        if faults or status != 0:
            return "; ".join(told), False
    origin.stop()
    scene.gone()
    return "; ".join(told), True


@trial
def power_lost(options):
    """file and log copied in the middle of writing, opened elsewhere"""
    origin = Origin(feeds=30)
    scene = Scene(options.program, origin)
    process = scene.start()
    scene.wait("published")
    bad = []
    for round_ in range(20):
        time.sleep(random.uniform(0.05, 0.4))
        with tempfile.TemporaryDirectory() as folder:
            for ending in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{scene.store}{ending}", f"{folder}/newsfold.db{ending}")
            try:
                with contextlib.closing(sqlite3.connect(f"{folder}/newsfold.db")) as copy:
                    found = copy.execute("PRAGMA integrity_check").fetchone()[0]
            except sqlite3.Error as error:
                found = str(error)
            # The file and its log are two copies made at two moments; a checkpoint between them is no crash that can happen.
            if found != "ok":
                bad.append(found.splitlines()[0])
    end(process)
    faults = scene.faults()
    origin.stop()
    scene.gone()
    return f"20 copies, {len(bad)} not whole {bad[:1]}; the store itself {faults or 'whole'}", not faults and len(bad) <= 1


@trial
def disk_full(options):
    """4 MiB of disk, full and then free again"""
    if os.getuid() != 0:
        return "skipped: not root", True
    folder = tempfile.mkdtemp(prefix="newsfold-full-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    try:
        origin = Origin(feeds=4)
        scene = Scene(options.program, origin, folder)
        log = tempfile.mkdtemp(prefix="newsfold-log-")
        os.symlink(f"{log}/log", f"{folder}/log")
        process = scene.start()
        scene.wait("published")
        ballast = pathlib.Path(folder, "ballast")
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        told = scene.wait("refuses to write", 30) or scene.wait("refused to write", 1)
        alive = process.poll() is None
        served = urllib.request.urlopen(f"http://{scene.address()}/news.json", timeout=5).status == 200
        full = scene.query("SELECT count(*) FROM entry")[0][0]
        ballast.unlink()
        until = time.monotonic() + 150
        while scene.query("SELECT count(*) FROM entry")[0][0] <= full and time.monotonic() < until:
            time.sleep(0.5)
        recovered = scene.query("SELECT count(*) FROM entry")[0][0] > full
        status, _ = end(process)
        faults = scene.faults()
        origin.stop()
        good = told and alive and served and recovered and status == 0 and not faults
        return (f"told {told}, alive {alive}, served from memory {served}, recovered by itself {recovered}, "
                f"{faults or 'nothing lost'}"), good
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def with_a_full_disk(options, number):
    """One trial: a disk of 6 MiB is filled but for a few pages while a daemon polls, publishes, reloads or is copied."""
    what, dice = ("polls", "publishing", "reload", "backup")[number % 4], random.Random(f"{options.rounds} {number}")
    folder, log = tempfile.mkdtemp(prefix="newsfold-full-"), tempfile.mkdtemp(prefix="newsfold-log-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    process = None
    try:
        origin = Origin(feeds=4, moving=what != "backup")
        scene = Scene(options.program, origin, folder)
        os.symlink(f"{log}/log", f"{folder}/log")
        config = scene.folder / "newsfold.toml"
        text = config.read_text()
        config.with_suffix(".next").write_text(text.replace('name = "news"', 'name = "news"\ntitle = "Renamed"'))
        process = scene.start()
        scene.wait("published")
        entries = lambda: scene.query("SELECT count(*) FROM entry")[0][0]
        left = dice.choice((0, 1, 2, 5, 10, 20, 50, 100, 200)) * 4096
        ballast = scene.folder / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        os.truncate(ballast, max(ballast.stat().st_size - left, 0))
        if what == "publishing":
            # What is served is written anew whenever it changes, and what readers have is whole meanwhile.
            (scene.public / "news.html").unlink(missing_ok=True)
        if what == "reload":
            os.replace(config.with_suffix(".next"), config)
            process.send_signal(signal.SIGHUP)
        faults = []
        if what == "backup":
            copied = subprocess.run([options.program, "--config", str(config), "store", "backup", f"{folder}/copy"], capture_output=True, text=True)
            if copied.returncode == 0 and not pathlib.Path(folder, "copy").exists():
                faults.append(f"backup: {copied.returncode}, {copied.stderr}")
            if copied.returncode and pathlib.Path(folder, "copy").exists():
                faults.append("half a copy is left")
            pathlib.Path(folder, "copy").unlink(missing_ok=True)
            origin.moving = True
        time.sleep(dice.uniform(2, 8))
        if process.poll() is not None:
            return what, [f"it ended with {process.poll()}: {scene.log()[-500:]}"]
        if urllib.request.urlopen(f"http://{scene.address()}/news.json", timeout=5).status != 200:
            faults.append("nothing is served")
        full = entries()
        ballast.unlink()
        until = time.monotonic() + 150
        is_back = lambda: entries() > full and (what != "reload" or b"Renamed" in urllib.request.urlopen(f"http://{scene.address()}/news.json", timeout=5).read())
        while not is_back() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.5)
        if not is_back():
            faults.append("it does not come back by itself")
        status, _ = end(process)
        origin.stop()
        return what, faults + scene.faults() + torn(scene.public) + ([f"ended with {status}"] if status else [])
    finally:
        if process:
            process.kill()
            process.wait()
        subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(log, ignore_errors=True)


@trial
def disks_full_in_the_middle(options):
    """6 MiB of disk, full but for a few pages under polls, publishing, reloads and backups, then free again; twelve daemons at a time"""
    if os.getuid() != 0:
        return "skipped: not root", True
    rounds, seen = min(options.rounds, 60), {}
    with concurrent.futures.ThreadPoolExecutor(12) as together:
        for what, faults in together.map(lambda number: with_a_full_disk(options, number), range(rounds)):
            if faults:
                return f"{what}: {faults}", False
            seen[what] = seen.get(what, 0) + 1
    return f"{rounds} disks ({of_each(seen)}): none ended, nothing lost or torn, each came back by itself", True


class Wordy(Origin):
    """A server whose texts do not resemble each other."""

    def document(self, name):
        words = lambda n: " ".join(random.Random(f"{name}{n}").choices(string.ascii_lowercase, k=300)).replace(" ", "", 200)
        items = "".join(
            f"<item><guid>{name}-{n}</guid><link>https://{name}.example/{n}</link><title>Report {n} of {name}</title>"
            f"<description>{words(n)}</description></item>" for n in range(60))
        return f'<rss version="2.0"><channel><title>{name}</title>{items}</channel></rss>'.encode()


class Flipped:
    """A filled store of which one bit is changed at a time."""

    def __init__(self, options):
        self.origin = Wordy(feeds=8, moving=False)
        self.scene = Scene(options.program, self.origin, interval="1h")
        self.config = self.scene.folder / "newsfold.toml"
        # Every entry is a story, so that every text is shown.
        self.config.write_text(self.config.read_text() + '[fold]\nlevel = "off"\n')
        self.options = options
        self.run("poll")
        self.whole, self.good = self.scene.store.read_bytes(), self.published()

    def run(self, *words):
        command = [self.options.program, "--config", str(self.config), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def stories(self, text):
        return {story["id"]: story for story in json.loads(text)["items"]}

    def published(self):
        return self.stories(self.run("publish", "--format", "json").stdout)

    def change(self, at, bit, is_killed):
        """The store with one bit changed; one that was killed left a log, and is looked through at the next start."""
        for kept in self.scene.folder.glob("newsfold.db*"):
            kept.unlink()
        bad = bytearray(self.whole)
        bad[at] ^= 1 << bit
        self.scene.store.write_bytes(bad)
        if is_killed:
            pathlib.Path(f"{self.scene.store}-wal").write_bytes(b"x")

    def kind(self, shown):
        """How the stories that are shown differ from those that were stored."""
        plain = lambda story: {key: story[key] for key in ("id", "url", "title")}
        # A story without its text is otherwise as it was, and says so.
        is_spared = lambda story: "damaged where it was stored" in story["content_html"]
        good = self.good
        spared = [story for story in shown.values() if is_spared(story) and story["id"] in good and plain(story) == plain(good[story["id"]])]
        undated = lambda story: {key: value for key, value in story.items() if key not in ("date_published", "date_modified")}
        # Where the publisher names no date, that of the day when it is asked for again is all there is.
        as_before = [story for story in shown.values() if story["id"] in good and undated(story) == undated(good[story["id"]])]
        if len(spared) + len(as_before) < len(shown):
            return "garbage"
        return "less is shown" if len(shown) < len(good) else "some shown without text" if spared else "as before"

    def started(self):
        """What the daemon shows, and its status where it does not start."""
        process = self.scene.start()
        until = time.monotonic() + 20
        while time.monotonic() < until and process.poll() is None and "published" not in self.scene.log():
            time.sleep(0.05)
        status = process.poll()
        try:
            if status is not None:
                return None, status
            asked = urllib.request.urlopen(f"http://{self.scene.address()}/news.json", timeout=10)
            return self.stories(asked.read()), None
        except urllib.error.HTTPError as error:
            # An output that cannot be rendered at all is told, and shows nothing.
            return {}, None if error.code == 503 else error.code
        finally:
            process.kill()
            process.wait()

    def end(self, broken):
        self.origin.stop()
        if not broken:
            self.scene.gone()


def of_each(seen):
    return "; ".join(f"{count} {kind}" for kind, count in sorted(seen.items()))


@trial
def bits_of_texts_changed(options):
    """single bits changed at random places of the stored texts"""
    store = Flipped(options)
    # A block lies on several pages; where these are is found by what stands on them.
    blocks = [row[0] for row in store.scene.query("SELECT bytes FROM text_block")]
    found = (store.whole.find(block[at:at + 32]) for block in blocks for at in range(0, len(block) - 32, 32))
    places = [at for at in found if at >= 0]
    dice, seen, broken = random.Random(options.rounds), {}, []
    for _ in range(options.rounds):
        at, bit = dice.choice(places) + dice.randrange(32), dice.randrange(8)
        store.change(at, bit, is_killed=False)
        is_told = store.run("store", "check").returncode != 0
        shown, status = store.started()
        kind = store.kind(shown) if shown is not None else f"ended with {status}"
        seen[f"{kind}, {'told' if is_told else 'not told'}"] = seen.get(f"{kind}, {'told' if is_told else 'not told'}", 0) + 1
        if kind not in ("as before", "some shown without text") or (kind != "as before" and not is_told):
            broken.append(f"byte {at}, bit {bit}: {kind}, told {is_told}")
    store.end(broken)
    return f"{options.rounds} bits of {32 * len(places)} bytes in {len(blocks)} blocks: {of_each(seen)} {broken[:3] or ''}", not broken and len(seen) > 1


@trial
def bits_changed_anywhere(options):
    """single bits changed at random places of the store's file, stopped well or killed before, and repaired"""
    store, dice, seen, repaired, broken = Flipped(options), random.Random(options.rounds), {}, {}, []
    for round_ in range(options.rounds):
        at, bit = dice.randrange(len(store.whole)), dice.randrange(8)
        store.change(at, bit, is_killed=round_ % 2)
        check = store.run("store", "check")
        is_told = check.returncode != 0
        shown, status = store.started()
        if shown is not None:
            kind = store.kind(shown)
        else:
            has_cure = status == 78 and any(cure in store.scene.log() for cure in ("store restore", "--repair", "store check", "nothing was changed"))
            kind = "refused with the cure" if has_cure else f"ended with {status}"
        name = f"{kind}, {'told' if is_told else 'not told'}"
        seen[name] = seen.get(name, 0) + 1
        where = f"byte {at}, bit {bit}, killed {round_ % 2}"
        if kind.startswith("ended") or kind == "garbage" or (kind != "as before" and not is_told):
            broken.append(f"{where}: {name}: {check.stderr.strip()[-200:]}")
        if is_told:
            store.change(at, bit, is_killed=False)
            mended = store.run("store", "check", "--repair")
            after = store.run("store", "check").returncode
            came = "as it was"
            if mended.returncode == 0 and after == 0:
                store.run("poll")
                came = store.kind(store.published())
            else:
                came = f"not mended ({mended.returncode}, {after})"
            repaired[came] = repaired.get(came, 0) + 1
            if came == "garbage":
                broken.append(f"{where}: garbage once it was repaired")
    store.end(broken)
    return (f"{options.rounds} bits of {len(store.whole)} bytes: {of_each(seen)}. Repaired and polled: {of_each(repaired)} {broken[:3] or ''}",
            not broken and len(seen) > 1)


@trial
def clock_jumps(options):
    """the clock a year and an hour off, either way, between runs"""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        return "skipped: libfaketime is missing", True
    origin = Origin(feeds=5, moving=False)
    scene = Scene(options.program, origin, interval="1h")
    told = []
    good = True
    for offset, least, most in (("+0", 5, 5), ("+1h", 0, 5), ("-1h", 0, 0), ("+1y", 5, 5), ("-1y", 0, 5), ("+0", 0, 5)):
        before = len(origin.asked)
        faked = {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        process = scene.start(environment=faked)
        time.sleep(6)
        status, _ = end(process)
        asked = len(origin.asked) - before
        told.append(f"{offset}: {asked} asked")
        good = good and least <= asked <= most and status == 0
    faults = scene.faults()
    origin.stop()
    scene.gone()
    return ", ".join(told) + f"; {faults or 'whole'}", good and not faults


def firsts(origin, since=0.0):
    """When each feed was first asked for after an instant."""
    return {path: at for at, path in reversed(origin.asked) if at > since}.values()


def herd(asked):
    """The most of these within one second."""
    return max((sum(1 for other in asked if at <= other < at + 1) for at in asked), default=0)


@trial
def servers_gone_and_back(options):
    """all servers gone for a while, then back"""
    origin = Origin(feeds=80)
    scene = Scene(options.program, origin, interval="5s")
    process = scene.start()
    while len(firsts(origin)) < 80:
        time.sleep(0.1)
    port = origin.server.server_port
    origin.stop()
    time.sleep(20)
    alive = process.poll() is None
    origin = Origin(feeds=80, port=port)
    until = time.monotonic() + 180
    while len(firsts(origin)) < 80 and time.monotonic() < until:
        time.sleep(0.1)
    asked = firsts(origin)
    status, _ = end(process)
    faults = scene.faults()
    origin.stop()
    scene.gone()
    return f"alive {alive}, {len(asked)} of 80 feeds asked again, at most {herd(asked)} in one second", alive and len(asked) == 80 and herd(asked) <= 30 and status == 0 and not faults


class Killer:
    """Runs the program with `killer.c` before it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.library = f"{self.folder.name}/killer.so"
        source = pathlib.Path(__file__).with_name("killer.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", source, "-o", self.library, "-ldl"], check=True)

    def environment(self, at, sign=signal.SIGKILL):
        self.count = pathlib.Path(self.folder.name, "count")
        return {**os.environ, "LD_PRELOAD": self.library, "KILL_AT": str(at), "KILL_SIGNAL": str(int(sign)), "KILL_COUNT": str(self.count)}

    def run(self, command, at):
        """Runs it until it is killed or ends, and gives its status."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, env=self.environment(at), timeout=60, check=False, **quiet).returncode

    def instants(self, command, most):
        """The calls to kill at: all of them, or `most` that lie evenly among them."""
        status = self.run(command, 0)
        assert status == 0, f"{command}: {status}"
        calls = int(self.count.read_text())
        return calls, sorted({1 + at * calls // most for at in range(most)} if most < calls else set(range(1, calls + 1)))


def torn(folder):
    """What is wrong with the published files, whoever reads them now."""
    faults = []
    for file in folder.rglob("*"):
        try:
            if file.suffix == ".json":
                json.loads(file.read_text())
            elif file.suffix in (".atom", ".rss"):
                xml.etree.ElementTree.parse(file)
            elif file.suffix == ".gz":
                gzip.decompress(file.read_bytes())
            elif file.suffix == ".html" and not file.read_text().rstrip().endswith("</html>"):
                faults.append(f"{file.name} is cut")
        except (ValueError, OSError, EOFError, xml.etree.ElementTree.ParseError) as error:
            faults.append(f"{file.name} is torn: {error}")
    return faults


def untidy(folder):
    return [f"{file.name} is left over" for file in folder.rglob("*") if file.name.endswith((".tmp", ".restored", "-journal"))]


# A feed that cannot be polled any more, and whose entries are kept.
OLD = "http://127.0.0.1:9/"


def first_version(store, entries=300):
    """A store as the first version made it."""
    tables = pathlib.Path(__file__).resolve().parents[2].joinpath("src/store/schema/1.sql").read_text()
    with contextlib.closing(sqlite3.connect(store)) as made, made:
        made.executescript("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;" + tables)
        made.executescript("PRAGMA user_version = 1; PRAGMA application_id = 0x6e777366;")
        made.execute("INSERT INTO feed (id, identity, address, name, configured, next_poll, next_poll_why) "
                     "VALUES (1, ?, ?, 'old', 1, 0, '')", (OLD, OLD))
        for n in range(entries):
            text = b"\0" + json.dumps({"c": f"<p>{random.Random(n).randbytes(9000).hex()}</p>"}).encode()
            made.execute("INSERT INTO entry (id, feed, id_hash, entry_id, title, first_seen, digest, archived, detail) "
                         "VALUES (?, 1, ?, ?, 'A title', 0, 0, 0, ?)", (n + 1, n, f"old-{n}", text))


@trial
def killed_at_every_write(options):
    """kill -9 at every call that changes the disk: writes (by half), syncs, cuts, renames, removals"""
    killer, told = Killer(), []
    origin = Origin(feeds=3, moving=False)
    # In memory, because syncing to a disk only takes time here: what is written survives a kill in either.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    base = Scene(options.program, origin, tempfile.mkdtemp(prefix="newsfold-", dir=memory))
    config = base.folder / "newsfold.toml"
    config.write_text(config.read_text() + f'[[feed]]\nname = "old"\nurl = "{OLD}"\n')
    config.write_text(config.read_text().replace('directory = "public"', 'directory = "public"\ncompress = true'))
    newsfold = [options.program, "--config", str(config)]

    def fresh():
        base.gone()
        base.folder.mkdir()
        config.write_text(text)
        origin.turn = 0

    def polled():
        fresh()
        subprocess.run([*newsfold, "poll"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        origin.turn = 3 * origin.feeds

    def old():
        fresh()
        first_version(base.store)

    def copied():
        polled()
        subprocess.run([*newsfold, "store", "backup", str(base.folder / "copy")], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*newsfold, "poll"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def entries():
        return {row[0] for row in base.query("SELECT entry_id FROM entry")}

    listed = lambda upto: {f"f{feed}-{n}" for feed in range(origin.feeds) for n in range(upto)}
    text = config.read_text()
    former = {f"old-{n}" for n in range(300)}
    for name, prepare, command, before, after in (
        ("made", fresh, ["poll"], set(), listed(20)),
        ("polled", polled, ["poll"], listed(20), listed(23)),
        ("upgraded", old, ["poll"], former, former | listed(20)),
        ("restored", copied, ["store", "restore", str(base.folder / "copy")], listed(20), listed(20)),
    ):
        prepare()
        calls, instants = killer.instants([*newsfold, *command], options.rounds)
        for at in instants:
            prepare()
            status = killer.run([*newsfold, *command], at)
            faults = torn(base.public)
            if status not in (0, -signal.SIGKILL):
                faults.append(f"status {status}")
            again = subprocess.run([*newsfold, "store", "check"], capture_output=True, text=True, check=False)
            if again.returncode and "no store yet" not in again.stderr:
                faults.append(again.stderr)
            elif again.returncode and name != "made":
                faults.append("the store is gone")
            elif not again.returncode and not before <= entries():
                faults.append("entries lost by the crash")
            again = subprocess.run([*newsfold, *command], capture_output=True, text=True, check=False)
            if again.returncode:
                faults.append(f"the next one: {again.stderr}")
            if (there := entries()) != after:
                faults.append(f"{len(after - there)} entries lost, {len(there - after)} too many")
            faults += base.faults() + torn(base.public) + untidy(base.folder)
            if name == "upgraded":
                with contextlib.closing(sqlite3.connect(f"{base.store}.v1")) as copy:
                    whole = copy.execute("PRAGMA integrity_check").fetchone()[0]
                    version, rows = copy.execute("PRAGMA user_version").fetchone()[0], copy.execute("SELECT count(*) FROM entry").fetchone()[0]
                if (whole, version, rows) != ("ok", 1, len(former)):
                    faults.append(f"the copy: {whole}, version {version}, {rows} entries")
            if faults:
                return f"{name}, call {at} of {calls}: {faults}", False
        told.append(f"{name}: {len(instants)} of {calls} calls")
    origin.stop()
    base.gone()
    return f"{', '.join(told)}; whole, nothing lost, doubled, torn or left over", True


@trial
def stopped_at_every_write(options):
    """SIGTERM at calls that change the disk: starting, upgrading, polling, publishing, reloading, stopping"""
    killer, origin = Killer(), Origin(feeds=6)
    rounds, phases, slowest, checked, newest = max(options.rounds // 4, 4), {}, 0.0, 0, None
    for name in ("new", "upgraded"):
        calls = 0
        for round_ in range(rounds + 1):
            scene = Scene(options.program, origin)
            if name == "upgraded":
                first_version(scene.store)
            # The first one is not stopped early, and counts.
            at = round_ * calls // rounds
            process = scene.start(killer.environment(at, signal.SIGTERM))
            if scene.wait("published", 0.6):
                time.sleep(0.3)
                config = scene.folder / "newsfold.toml"
                config.write_text(config.read_text().replace('title = "', 'title = "New ').replace("limit = 500", "limit = 50"))
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGHUP)
                time.sleep(0.5)
            status, took = end(process)
            slowest = max(slowest, took)
            log = scene.log()
            calls = calls or int(killer.count.read_text())
            ends = "at once" if status == -signal.SIGTERM else "in order"
            reached = [word for word in ("read again", "published", "polled", "listening on", "brought up to date") if word in log]
            phases[f"{(reached or ['nothing'])[0]} ({ends})"] = True
            # One that was stopped before it was made, or before it was brought up to date, has not the tables to ask.
            version = scene.query("PRAGMA user_version")[0][0] if scene.store.exists() else 0
            newest = newest or version
            is_newest = version == newest
            checked += is_newest
            faults = (scene.faults() if is_newest else []) + torn(scene.public)
            if status not in (0, -signal.SIGTERM) or faults:
                return f"{name}, call {at} of {calls}: status {status}, {faults}", False
            scene.gone()
    origin.stop()
    return (f"{2 * (rounds + 1)} instants, came as far as: {', '.join(sorted(phases))}; slowest end {slowest:.2f} s, "
            f"{checked} stores checked, clean"), slowest < 10 and checked > rounds


@trial
def network_lost_and_back(options):
    """the cable pulled for a minute: 80 feeds of 20 domains, in a network namespace"""
    if os.getuid() != 0 or not shutil.which("ip"):
        return "skipped: needs root and iproute2", True
    name = f"newsfold{os.getpid() % 10000}"
    near, far = f"{name}n", f"{name}f"
    hosts = pathlib.Path("/etc/netns", name)
    ip = lambda *words: subprocess.run(["ip", *words], check=True)
    origin = Origin(feeds=80, address="0.0.0.0")
    process = None
    try:
        hosts.mkdir(parents=True)
        (hosts / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"198.18.77.1 host{n}.example\n" for n in range(20)))
        ip("netns", "add", name)
        ip("link", "add", far, "type", "veth", "peer", "name", near, "netns", name)
        ip("address", "add", "198.18.77.1/24", "dev", far)
        ip("link", "set", far, "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "address", "add", "198.18.77.2/24", "dev", near)
        ip("-n", name, "link", "set", near, "up")
        scene = Scene(options.program, origin, interval="5s")
        config = scene.folder / "newsfold.toml"
        text = config.read_text().replace('"127.0.0.0/8"', '"198.18.0.0/15"')
        for n in range(80):
            text = text.replace(f'"http://127.0.0.1:{origin.server.server_port}/f{n}"', f'"http://host{n % 20}.example:{origin.server.server_port}/f{n}"')
        config.write_text(text)
        process = scene.start(inside=["ip", "netns", "exec", name])
        until = time.monotonic() + 60
        while len({path for _, path in origin.asked}) < 80 and time.monotonic() < until:
            time.sleep(0.2)
        ip("link", "set", far, "down")
        noticed = scene.wait("network", 60)
        time.sleep(60)
        during = scene.log()
        failing = scene.query("SELECT count(*) FROM feed WHERE failures > 0")[0][0]
        late = scene.query("SELECT count(*) FROM feed WHERE next_poll > (SELECT max(last_success) FROM feed) + 600000")[0][0]
        alive = process.poll() is None
        ip("link", "set", far, "up")
        back = time.monotonic()
        while len({path for at, path in origin.asked if at > back}) < 80 and time.monotonic() < back + 300:
            time.sleep(0.2)
        asked = firsts(origin, back)
        again = len(asked)
        first = min(asked, default=back) - back
        status, _ = end(process)
        process = None
        # Five domains make an outage; their feeds are named before anyone can know.
        told = during.count("the network here seems to be down")
        named = sum(1 for line in during.splitlines() if " WARN " in line and "its entries are kept" in line)
        faults = scene.faults()
        good = noticed and alive and failing == 0 and told == 1 and named <= 5 and again == 80 and herd(asked) <= 30 and status == 0 and not faults
        if good:
            scene.gone()
        return (f"noticed {noticed}, told {told} time after {named} feeds, {failing} feeds held to fail, {late} backed off, alive {alive}; "
                f"asked again {first:.0f} s after the return, {again} of 80 within {max(asked, default=back) - back:.0f} s, at most {herd(asked)} in one second; {faults or 'whole'}"), good
    finally:
        if process:
            process.kill()
            process.wait()
        origin.stop()
        subprocess.run(["ip", "link", "delete", far], check=False)
        subprocess.run(["ip", "netns", "delete", name], check=False)
        shutil.rmtree(hosts, ignore_errors=True)


def soak(options):
    """200 feeds every second"""
    origin = Origin(feeds=200)
    scene = Scene(options.program, origin, more="concurrency = 16\n")
    config = (scene.folder / "newsfold.toml").read_text()
    (scene.folder / "newsfold.toml").write_text(f'[store]\nkeep = "1m"\n[fold]\nlevel = "link"\nwindow = "1m"\n{config}')
    process = scene.start()
    scene.wait("published")
    address = scene.address()
    samples = []
    until = time.monotonic() + options.soak * 60
    while time.monotonic() < until:
        time.sleep(15)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        memory = int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024
        descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
        wal = pathlib.Path(f"{scene.store}-wal")
        samples.append((memory, descriptors, wal.stat().st_size / 1e6 if wal.exists() else 0, scene.store.stat().st_size / 1e6))
        # Readers come too.
        for path in ("/news.atom", "/feeds", "/metrics", "/search?q=report"):
            asked = urllib.request.Request(f"http://{address}{path}", headers={"Accept-Encoding": "br"})
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(asked, timeout=10).read()
        (scene.folder / "log").write_bytes(b"")
        if options.verbose:
            print(f"{len(samples) / 4:5.2f} min", *(f"{figure:.1f}" for figure in samples[-1]), len(origin.asked), flush=True)
    half = len(samples) // 2
    most = lambda part, column: max(sample[column] for sample in part)
    first, second = samples[len(samples) // 4:half], samples[half:]
    status, _ = end(process)
    faults = [fault for fault in scene.faults() if "lost" not in fault]
    origin.stop()
    scene.gone()
    words = ", ".join(
        f"{name} {most(first, column):.0f} then {most(second, column):.0f}"
        for column, name in enumerate(("memory MB", "descriptors", "log MB", "store MB"))
    )
    fifths = " ".join(f"{samples[max(len(samples) * part // 20, 1) - 1][0]:.0f}" for part in (1, 5, 10, 15, 20))
    flat = all(most(second, column) <= most(first, column) * 1.1 + 2 for column in range(4))
    return (f"{options.soak} min, {len(origin.asked)} polls: {words}; memory after 1, 5, 10, 15 and 20 twentieths {fifths} MB; "
            f"{faults or 'whole'}"), flat and status == 0 and not faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--soak", type=int, default=0, metavar="MINUTES")
    parser.add_argument("--verbose", action="store_true", help="print the soak's samples")
    parser.add_argument("names", nargs="*", help=", ".join(TRIALS))
    options = parser.parse_intermixed_args()
    chosen = {name: TRIALS[name] for name in options.names} if options.names else dict(TRIALS)
    if options.soak:
        chosen = {"soak": soak, **(chosen if options.names else {})}
    bad = 0
    for name, attempt in chosen.items():
        said, good = attempt(options)
        bad += not good
        word = "BROKE" if not good else "skipped" if said.startswith("skipped: ") else "held"
        print(f"{word:7} {attempt.__doc__}: {said.removeprefix('skipped: ')}", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
