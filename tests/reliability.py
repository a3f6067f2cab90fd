#!/usr/bin/env python3
"""What must hold when things go wrong, tried with the real daemon. Prints a table; status 1 when anything did not hold.

    tests/reliability.py NEWSFOLD [--rounds 200] [--soak MINUTES] [NAME...]

Without names every trial but the soak is made. Needs Linux, Python 3.9; root for the full disk, faketime for the clock.
"""
import argparse
import contextlib
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TRIALS = {}


def trial(function):
    TRIALS[function.__name__] = function
    return function


class Origin:
    """A server of many feeds. Each has 20 entries at a time, and a new one every time `turn` is moved on."""

    def __init__(self, feeds=8, moving=True, port=0):
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

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
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

    def start(self, environment=None):
        log = open(self.folder / "log", "wb")
        command = [self.program, "--config", str(self.folder / "newsfold.toml"), "--log", "debug", "run"]
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
        if half := self.query("SELECT count(*) FROM entry WHERE story NOT IN (SELECT id FROM story)")[0][0]:
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
    return f"{options.rounds} rounds, {entries} entries: {faults or 'whole, nothing lost or doubled'}", not faults and status == 0


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


@trial
def servers_gone_and_back(options):
    """all servers gone for a while, then back"""
    origin = Origin(feeds=40)
    scene = Scene(options.program, origin)
    process = scene.start()
    scene.wait("published")
    port = origin.server.server_port
    origin.stop()
    time.sleep(8)
    alive = process.poll() is None
    origin = Origin(feeds=40, port=port)
    until = time.monotonic() + 90
    while not origin.asked and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(3)
    asked = [at for at, _ in origin.asked]
    herd = max((sum(1 for other in asked if at <= other < at + 1) for at in asked), default=0)
    status, _ = end(process)
    faults = scene.faults()
    origin.stop()
    scene.gone()
    return f"alive {alive}, asked again {bool(asked)}, at most {herd} of 40 feeds in one second", alive and bool(asked) and status == 0 and not faults


def soak(options):
    """200 feeds every second"""
    origin = Origin(feeds=200)
    scene = Scene(options.program, origin, more="concurrency = 16\n")
    config = (scene.folder / "newsfold.toml").read_text()
    (scene.folder / "newsfold.toml").write_text(f'[store]\nkeep = "1m"\n[fold]\nlevel = "link"\nwindow = "1m"\n{config}')
    process = scene.start()
    scene.wait("published")
    samples = []
    until = time.monotonic() + options.soak * 60
    while time.monotonic() < until:
        time.sleep(15)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        memory = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
        descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
        wal = pathlib.Path(f"{scene.store}-wal")
        samples.append((memory, descriptors, wal.stat().st_size / 1e6 if wal.exists() else 0, scene.store.stat().st_size / 1e6))
        (scene.folder / "log").write_bytes(b"")
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
    flat = all(most(second, column) <= most(first, column) * 1.25 + 2 for column in range(3))
    return f"{options.soak} min, {len(origin.asked)} polls: {words}; {faults or 'whole'}", flat and status == 0 and not faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--soak", type=int, default=0, metavar="MINUTES")
    parser.add_argument("names", nargs="*", help=", ".join(TRIALS))
    options = parser.parse_args()
    chosen = {name: TRIALS[name] for name in options.names} if options.names else dict(TRIALS)
    if options.soak:
        chosen = {"soak": soak, **(chosen if options.names else {})}
    bad = 0
    for name, attempt in chosen.items():
        said, good = attempt(options)
        bad += not good
        print(f"{'held  ' if good else 'BROKE '} {attempt.__doc__}: {said}", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
