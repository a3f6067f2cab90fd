#!/usr/bin/env python3
"""What a day costs: the daemon while nothing changes, and while feeds get new entries.

    benches/everyday.py WORKLOAD [--newsfold BIN] [--nginx BIN] [--seconds N] [--interval N] [--entries-a-second N] [--served]

WORKLOAD is a folder as benches/poll.py has it. Its feeds are polled every --interval seconds at level `story`, and an output of 500
stories is written to a directory with packed files beside them; with --served one of 100 is served from memory and nothing
written. When all was polled and written, and the daemon is at rest, it is watched for --seconds while nothing changes, and as long
again while feeds get new entries.

CPU is user and system time of the whole process. Needs Python 3.9 or later and nginx.
"""
import argparse
import gzip
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import poll

# The daemon is at rest when it takes less than this share of a core for so many seconds.
REST, FOR_SECONDS = 0.1, 6


def arguments():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", poll.ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workload", type=pathlib.Path)
    parser.add_argument("--newsfold", type=pathlib.Path, default=target / "release/newsfold")
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--interval", type=int, default=30, help="seconds between two polls of a feed")
    parser.add_argument("--entries-a-second", type=float, default=2)
    parser.add_argument("--served", action="store_true", help="nothing is written")
    return parser.parse_args()


def configuration(folder, urls, options):
    config = poll.configuration(folder, urls, "story", None if options.served else f"{folder}/public")
    text = config.read_text().replace('interval = "1h"', f'interval = "{options.interval}s"', 1)
    output = '[[output]]\nname = "news"\nlimit = 100\n' if options.served else ""
    text = text.replace("limit = 500\n", "limit = 500\ncompress = true\n").replace("[[feed]]\n", f"{output}[[feed]]\n", 1)
    if options.served:
        text = text.replace('listen = ""', 'listen = "127.0.0.1:18999"')
    config.write_text(text)
    return config


class Daemon:
    def __init__(self, newsfold, config):
        command = [newsfold, "--config", config, "--log", "error", "run"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu(self):
        """CPU seconds so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident memory now and at most, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM"))

    def rests(self):
        """Waits until it is at rest."""
        while True:
            before = self.cpu()
            time.sleep(FOR_SECONDS)
            if self.cpu() - before < REST * FOR_SECONDS:
                return

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def news(feed, number, chance):
    """Puts a new entry on top of an RSS document, and in its packed form; whether it has entries."""
    text = feed.read_text()
    first = re.search(r"<item>.*?</item>", text, re.S)
    if not first:
        return False
    entry = first.group(0)
    for element, content in [
        ("title", f"Late news number {number} from the harbour of {chance.randrange(10**6)}"),
        ("guid", f"late-{number}"),
        ("link", f"http://127.0.0.2/late/{number}"),
        ("pubDate", time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())),
    ]:
        entry = re.sub(rf"<{element}\b.*?</{element}>", f"<{element}>{content}</{element}>", entry, flags=re.S)
    text = text.replace(first.group(0), entry + first.group(0), 1).encode()
    for path, content in ((feed, text), (pathlib.Path(f"{feed}.gz"), gzip.compress(text, 6))):
        beside = path.with_suffix(".tmp")
        beside.write_bytes(content)
        os.replace(beside, path)
    return True


def watch(daemon, options, feeds):
    """CPU seconds, seconds, and new entries of `feeds` meanwhile."""
    chance, entries = random.Random(5), 0
    cpu, begun = daemon.cpu(), time.monotonic()
    while time.monotonic() < begun + options.seconds:
        if not feeds:
            time.sleep(1)
            continue
        entries += news(chance.choice(feeds), entries, chance)
        time.sleep(max(0, begun + entries / options.entries_a_second - time.monotonic()))
    return daemon.cpu() - cpu, time.monotonic() - begun, entries


def main():
    options = arguments()
    workload = options.workload.resolve()
    live = workload / "live"
    shutil.rmtree(live, ignore_errors=True)
    subprocess.check_call(["cp", "-a", workload / "gen1", live])
    poll.serve("live", workload)
    nginx = subprocess.Popen([options.nginx, "-c", workload / "nginx.conf"], stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        urls = (workload / "urls.txt").read_text().split()
        daemon = Daemon(options.newsfold, configuration(folder, urls, options))
        try:
            time.sleep(FOR_SECONDS)
            daemon.rests()
            print("all polled and written: {:.1f} CPU s, {:.0f} MB, at most {:.0f}".format(daemon.cpu(), *daemon.memory()), flush=True)
            cpu, seconds, _ = watch(daemon, options, [])
            polls = len(urls) * seconds / options.interval
            print("nothing changes: {:.1f} % of a core, {:.2f} CPU ms a poll, {:.0f} MB, at most {:.0f}".format(
                100 * cpu / seconds, 1000 * cpu / polls, *daemon.memory()), flush=True)
            cpu, seconds, entries = watch(daemon, options, sorted(live.rglob("*.xml")))
            print("{} new entries: {:.1f} % of a core, {:.1f} CPU ms an entry, {:.0f} MB, at most {:.0f}".format(
                entries, 100 * cpu / seconds, 1000 * cpu / max(entries, 1), *daemon.memory()))
        finally:
            daemon.stop()
            nginx.send_signal(signal.SIGQUIT)
            nginx.wait(timeout=10)
            shutil.rmtree(live)
            poll.serve("gen1", workload)


if __name__ == "__main__":
    main()
