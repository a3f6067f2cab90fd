#!/usr/bin/env python3
"""What polling costs, beside the floor under it, in one run.

    benches/poll.py WORKLOAD... [--newsfold BIN] [--floor BIN] [--nginx BIN] [--runs N] [--level link|copy|story] [--as-run | --growth]

With --as-run it measures the program as people run it: at level `link` with nothing written, at level `story` with nothing
written, and at level `story` with an output of 500 stories written to a directory. With --growth it measures what a feed costs
in workloads of ever more feeds, at level `story` unless another is given, with nothing written.

WORKLOAD is a folder of feeds and of what serves them on loopback:
  urls.txt           a feed's address a line, answered with validators
  urls-novalid.txt   the same feeds at addresses that send no validators
  nginx.conf         stays in the foreground and serves WORKLOAD/current, a link to gen1 or gen2; gen2 is gen1 with some feeds changed
  manifest.json      how many entries there are ("entries" of gen1, "new_entries" of gen2)

CPU is user and system time of the whole process. Compare figures of one run only: the machine's speed drifts.
Needs Python 3.9 or later and nginx; the binaries are those of `cargo build --release` and `cargo bench --no-run`.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time


ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", type=pathlib.Path, nargs="+", metavar="workload")
    parser.add_argument("--newsfold", type=pathlib.Path, default=target / "release/newsfold")
    parser.add_argument("--floor", type=pathlib.Path, default=None, help="default: built by cargo bench --no-run")
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--level", help="the level of folding; link, and story with --growth, where none is given")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--as-run", action="store_true", help="with outputs, at the default level")
    ways.add_argument("--growth", action="store_true", help="what a feed costs in each workload")
    options = parser.parse_args()
    options.level = options.level or ("story" if options.growth else "link")
    return options, target


def of_unit(name):
    """The environment that a unit of ours gives the program."""
    lines = (ROOT / "systemd" / name).read_text().splitlines()
    given = (line.removeprefix("Environment=") for line in lines if line.startswith("Environment="))
    return {**os.environ, **dict(pair.split("=", 1) for pair in given)}


def measured(command, **options):
    """Runs a command; gives its CPU seconds, wall seconds and peak memory in MB."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed:\n{out}{err[-2000:]}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024, out


def configuration(folder, urls, level, directory=None):
    lines = [
        "[store]", f'path = "{folder}/store.db"', "[fold]", f'level = "{level}"',
        "[poll]", 'interval = "1h"', 'min_interval = "1s"', "concurrency = 32", 'per_host_gap = "0s"',
        'backfill = "36500d"', 'allow_networks = ["127.0.0.0/8"]', "[serve]", 'listen = ""',
    ]
    if directory:
        lines += ["[[output]]", 'name = "news"', "limit = 500", f'directory = "{directory}"']
    for number, url in enumerate(urls):
        lines += ["[[feed]]", f'url = "{url}"', f'name = "feed-{number}"']
    path = pathlib.Path(folder) / "newsfold.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def entries(folder):
    """How many entries are stored, and how many of them twice."""
    # In a process of its own: a process begins with the peak memory of the one that starts it.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(counted, (f"file:{folder}/store.db?mode=ro",))


def counted(uri):
    with sqlite3.connect(uri, uri=True) as store:
        total, distinct = store.execute("SELECT count(*), count(DISTINCT feed || char(0) || entry_id) FROM entry").fetchone()
        return total, total - distinct


def serve(generation, workload):
    current = workload / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(generation)


def idle_memory(newsfold, config, environment=None):
    """Resident memory of a daemon at rest, in MB."""
    command = [newsfold, "--config", config, "run"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        time.sleep(4)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


def as_run(options, workload, urls, note):
    """What polls cost as people run them: nothing changed, then some feeds changed."""
    for level, is_written in [("link", False), ("story", False), ("story", True)]:
        name = f"{level}, {'500 stories to files' if is_written else 'nothing written'}: "
        with tempfile.TemporaryDirectory() as folder:
            config = configuration(folder, urls, level, f"{folder}/public" if is_written else None)
            poll = [options.newsfold, "--config", config, "--log", "warn", "poll"]
            for what, generation in [("cold", "gen1"), ("warm, all 304", "gen1"), ("some feeds changed", "gen2")]:
                serve(generation, workload)
                cpu, wall, peak, _ = measured(poll)
                note(f"{name}{what}, CPU s", cpu)
                note(f"{name}{what}, wall s", wall)
                note(f"{name}{what}, peak MB", peak)
            note(f"{name}entries doubled", entries(folder)[1])
            note(f"{name}store, MB", (pathlib.Path(folder) / "store.db").stat().st_size / 1e6)


def growth(options, workload, urls, note):
    """What a feed costs when it is one of so many."""
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(folder, urls, options.level)
        poll = [options.newsfold, "--config", config, "--log", "warn", "poll"]
        for what, generation in [("cold", "gen1"), ("warm, all 304", "gen1"), ("some feeds changed", "gen2")]:
            serve(generation, workload)
            cpu, wall, peak, _ = measured(poll)
            note(f"{what}, CPU ms a feed", 1000 * cpu / len(urls))
            note(f"{what}, CPU s", cpu)
            note(f"{what}, wall s", wall)
            note(f"{what}, peak MB", peak)
        note("entries doubled", entries(folder)[1])
        note("store, MB", (pathlib.Path(folder) / "store.db").stat().st_size / 1e6)


def main():
    options, target = arguments()
    for workload in options.workloads:
        measure(options, workload.resolve(), target)


def measure(options, workload, target):
    manifest = json.loads((workload / "manifest.json").read_text())
    urls = (workload / "urls.txt").read_text().split()
    bare = (workload / "urls-novalid.txt").read_text().split()
    floor = options.as_run or options.growth or options.floor or max((path for path in (target / "release/deps").glob("floor-*") if not path.suffix), key=lambda path: path.stat().st_mtime)
    serve("gen1", workload)
    nginx = subprocess.Popen([options.nginx, "-c", workload / "nginx.conf"], stderr=subprocess.DEVNULL)
    figures = {}

    def note(name, value):
        figures.setdefault(name, []).append(value)

    try:
        time.sleep(1)
        for _ in range(options.runs):
            if options.as_run or options.growth:
                (as_run if options.as_run else growth)(options, workload, urls, note)
                continue
            with tempfile.TemporaryDirectory() as folder:
                cpu, _, _, _ = measured([floor, workload / "urls.txt"])
                note("floor, CPU s", cpu)
                config = configuration(folder, urls, options.level)
                poll = [options.newsfold, "--config", config, "--log", "warn", "poll"]
                serve("gen1", workload)
                cold, wall, peak, _ = measured(poll)
                note("cold poll, CPU s", cold)
                note("cold poll / floor", cold / cpu)
                note("cold poll, wall s", wall)
                note("cold poll, peak MB", peak)
                stored, doubled = entries(folder)
                note("entries stored", stored)
                note("entries doubled", doubled)
                warm, _, _, _ = measured(poll)
                note("warm poll, all 304, CPU s", warm)
                note("store on disk, MB", (pathlib.Path(folder) / "store.db").stat().st_size / 1e6)
                note("idle daemon, MB", idle_memory(options.newsfold, config))
                note("  by its unit", idle_memory(options.newsfold, config, of_unit("newsfold.service")))
                serve("gen2", workload)
                changed, _, _, out = measured(poll)
                note("changed poll, CPU s", changed)
                note("entries new in gen2", entries(folder)[0] - stored)
            with tempfile.TemporaryDirectory() as folder:
                config = configuration(folder, urls, options.level)
                poll = [options.newsfold, "--config", config, "--log", "warn", "poll"]
                serve("gen1", workload)
                cold, _, peak, _ = measured(poll, env=of_unit("newsfold-poll.service"))
                note("cold poll by its unit / floor", cold / cpu)
                note("  peak MB", peak)
            with tempfile.TemporaryDirectory() as folder:
                serve("gen1", workload)
                config = configuration(folder, bare, options.level)
                poll = [options.newsfold, "--config", config, "--log", "warn", "poll"]
                measured(poll)
                same, _, _, _ = measured(poll)
                note("unchanged 200, CPU ms a feed", 1000 * same / len(bare))
    finally:
        nginx.send_signal(signal.SIGQUIT)
        nginx.wait(timeout=10)
    print(f"{len(urls)} feeds; served: {json.dumps({k: v for k, v in manifest.items() if 'entr' in k or 'stor' in k})}")
    print(f"{'':60}{'median':>10}{'min':>10}{'max':>10}")
    for name, values in figures.items():
        print(f"{name:60}{statistics.median(values):10.3f}{min(values):10.3f}{max(values):10.3f}")


if __name__ == "__main__":
    main()
