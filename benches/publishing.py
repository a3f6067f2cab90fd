#!/usr/bin/env python3
"""What publishing from a filled store costs, and whether two builds publish the same, byte for byte.

    benches/publishing.py CONFIG NEWSFOLD [OTHER]

CONFIG is a configuration whose store is filled. For each build the store is copied into a folder of its own, and all outputs are
written into folders there by `newsfold poll --due`, which asks nobody while no feed is due: CPU seconds, peak memory, and how
many files of how many bytes it wrote. With two builds, files that one has and the other has not, or otherwise, are named, and the
status is 1. Packed files are compared unpacked, because one text may be packed in several ways.

Needs Python 3.11 or later.
"""
import gzip
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import tomllib


def copied(config, folder):
    """A copy of a configuration and its store, whose outputs are written into the folder."""
    text = config.read_text()
    store = pathlib.Path(config.parent, tomllib.loads(text)["store"]["path"])
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as old, sqlite3.connect(folder / "store.db") as new:
        old.backup(new)
    os.chmod(folder / "store.db", 0o600)
    text = text.replace(f'"{tomllib.loads(text)["store"]["path"]}"', f'"{folder}/store.db"')
    numbers = iter(range(1, 1000))
    text = re.sub(r'^directory = .*$', lambda _: f'directory = "{folder}/public/{next(numbers)}"', text, flags=re.MULTILINE)
    copy = folder / "newsfold.toml"
    copy.write_text(text)
    return copy


def published(newsfold, config, folder):
    """Has a build write the outputs; gives its files by their paths."""
    copy = copied(config, folder)
    command = [newsfold, "--config", copy, "--log", "error", "poll", "--due"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{newsfold} failed: {said}")
    public = folder / "public"
    files = {file.relative_to(public): file for file in public.rglob("*") if file.is_file()}
    size = sum(file.stat().st_size for file in files.values())
    print(f"{newsfold}: {usage.ru_utime + usage.ru_stime:.2f} CPU s, peak {usage.ru_maxrss / 1024:.1f} MB, {len(files)} files of {size / 1e6:.1f} MB")
    return files


def content(file):
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    config, builds = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory() as scratch:
        sets = []
        for number, newsfold in enumerate(builds):
            folder = pathlib.Path(scratch, str(number))
            folder.mkdir()
            sets.append(published(newsfold, config, folder))
        if len(sets) == 1:
            return
        one, other = sets
        differing = [
            path for path in sorted(one.keys() | other.keys())
            if path not in one or path not in other or content(one[path]) != content(other[path])
        ]
        for path in differing[:20]:
            print(f"{path}: " + ("differs" if path in one and path in other else f"only of {builds[path not in one]}"))
        print(f"{len(differing)} of {len(one.keys() | other.keys())} files differ")
        sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
