#!/usr/bin/env python3
"""Serves one merged feed by newsfold and by nginx, and measures both with wrk in one run.

    benches/serving.py NEWSFOLD [SECONDS]

It needs nginx and wrk. The document is made here: some hundred stories, about 300 KB when packed. nginx serves the same packed
bytes as a static file. Also told: how much memory newsfold takes before and after.
"""

import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

newsfold, seconds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5


def port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(address, headers=None):
    request = urllib.request.Request(address, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read(), answer.headers


def wrk(address, *headers):
    asked = [part for header in headers for part in ("-H", header)]
    out = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{seconds}s", *asked, address], capture_output=True, text=True, check=True
    ).stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def resident_kib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def await_answer(address):
    for _ in range(100):
        try:
            return ask(address)
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{address} does not answer")


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    ours, theirs = port(), port()
    words = random.Random(1)
    item = lambda n: (
        f"<item><guid>{n}</guid><link>https://example.org/{n}</link><title>Report {n}</title>"
        f"<description>{' '.join(''.join(words.choices('abcdefghijklmnop', k=6)) for _ in range(700))}</description></item>"
    )
    (folder / "feed.xml").write_text(
        f"<rss version='2.0'><channel><title>T</title><link>https://example.org/</link>{''.join(map(item, range(130)))}</channel></rss>"
    )
    (folder / "newsfold.toml").write_text(
        f'[serve]\nlisten = "127.0.0.1:{ours}"\n[fold]\nlevel = "link"\n'
        f'[[feed]]\nurl = "file:feed.xml"\n[[output]]\nname = "news"\nlimit = 130\n'
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; gzip_static on; types {{ application/atom+xml atom; }}\n"
        f"client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        f"server {{ listen 127.0.0.1:{theirs}; root {folder}; }} }}\n"
    )
    subprocess.run([newsfold, "--config", folder / "newsfold.toml", "--log", "error", "poll"], check=True, stdout=subprocess.DEVNULL)
    daemon = subprocess.Popen([newsfold, "--config", folder / "newsfold.toml", "--log", "error", "run"])
    nginx = None
    try:
        address = f"http://127.0.0.1:{ours}/news.atom"
        await_answer(address)
        packed, headers = ask(address, {"Accept-Encoding": "gzip"})
        (folder / "news.atom").write_bytes(ask(address)[0])
        (folder / "news.atom.gz").write_bytes(packed)
        os.chmod(folder, 0o755)
        nginx = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
        static = f"http://127.0.0.1:{theirs}/news.atom"
        await_answer(static)
        _, known = ask(static, {"Accept-Encoding": "gzip"})
        before = resident_kib(daemon)
        full = wrk(address, "Accept-Encoding: gzip"), wrk(static, "Accept-Encoding: gzip")
        held = (
            wrk(address, "Accept-Encoding: gzip", f"If-None-Match: {headers['ETag']}"),
            wrk(static, "Accept-Encoding: gzip", f"If-None-Match: {known['ETag']}"),
        )
        after = resident_kib(daemon)
        print(f"document: {len(packed)} bytes packed; requests a second, newsfold, nginx and their ratio")
        for name, (mine, other) in (("200", full), ("304", held)):
            print(f"{name}: {mine:.0f} {other:.0f} {mine / other:.2f}")
        print(f"memory: {before} KiB before, {after} KiB after")
    finally:
        for process in filter(None, (daemon, nginx)):
            process.terminate()
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


main()
