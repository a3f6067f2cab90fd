#!/usr/bin/env python3
"""Prints the licences of what the program is linked from, each text once: packaging/licences.py TRIPLE > licences.txt

Which crates these are is cargo's word for that target; the texts are those that the crates carry, the C libraries in them
included. What carries no text is named with its licence at the end.
"""

import json
import os
import re
import subprocess
import sys

MOST_DEPTH = 2
NAMES = re.compile(r"(?i)^(un)?licen[cs]e|^copying|^copyright|^notice")
SKIPPED = re.compile(r"(?i)\.(rs|c|h|py|toml|json|html)$")


def linked(triple):
    """The packages that are linked for a target, by name and version."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", triple]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    reached, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and dependency["pkg"] not in reached:
                reached.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    found = (packages[package] for package in reached if package != root)
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def texts(folder):
    """The licence texts below a folder."""
    for place, folders, files in os.walk(folder):
        depth = os.path.relpath(place, folder).count(os.sep) + (place != folder)
        folders[:] = sorted(folders) if depth < MOST_DEPTH else []
        for name in sorted(files):
            if NAMES.match(name) and not SKIPPED.search(name):
                with open(os.path.join(place, name), encoding="utf-8", errors="replace") as file:
                    yield file.read().strip()


def main():
    [triple] = sys.argv[1:]
    carriers, silent = {}, []
    for package in linked(triple):
        name = f"{package['name']} {package['version']}"
        licence = package["license"] or "see its text"
        carried = list(dict.fromkeys(texts(os.path.dirname(package["manifest_path"]))))
        if not carried:
            silent.append(f"{name} ({licence}; {', '.join(package['authors']) or package['repository']})")
        for text in carried:
            carriers.setdefault(re.sub(r"\s+", " ", text), (text, []))[1].append(f"{name} ({licence})")
    print("newsfold is linked from the crates below, and from Rust's standard library (MIT or Apache-2.0); a static program")
    print("also from musl (MIT). These are their licences, each under the names of those that carry it.")
    for text, names in carriers.values():
        print(f"\n{'=' * 100}\n{chr(10).join(names)}\n{'-' * 100}\n{text}")
    print(f"\n{'=' * 100}\nThese carry no text of their own:\n\n{chr(10).join(silent)}")


if __name__ == "__main__":
    main()
