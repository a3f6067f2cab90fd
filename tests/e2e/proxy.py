#!/usr/bin/env python3
"""Has nginx and Caddy pass readers on to newsfold, configured as the book shows it.

    tests/e2e/proxy.py NEWSFOLD

The examples are taken out of docs/service.md as they stand there, but for addresses and ports. It needs nginx; Caddy is tried where it
is installed. Every address that a page or a feed behind the proxy names must be found there. One line is printed for each
check; the first one that fails ends the script with status 1.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

from checks import check, free_port, get, running, say, scratch

newsfold = os.path.abspath(sys.argv[1])
book = pathlib.Path("docs/service.md").read_text()


def example(language):
    """The example in docs/service.md for a proxy."""
    found = re.search(rf"```{language}\n(.*?)```", book, re.S)
    check(found, f"docs/service.md has no example for {language}")
    return found[1]


def nginx(folder, ours, theirs):
    location = example("nginx").replace("127.0.0.1:8080", f"127.0.0.1:{ours}")
    temporary = "".join(f"{what}_temp_path {folder}/nginx;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{theirs}; {location} }} }}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder, ours, theirs):
    site = example("caddy").replace("127.0.0.1:8080", f"127.0.0.1:{ours}").replace("example.org", f"http://127.0.0.1:{theirs}")
    (folder / "Caddyfile").write_text(f"{{\n admin off\n auto_https off\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def await_answer(address, *processes):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        check(all(process.poll() is None for process in processes), "a server ended")
        try:
            items = json.loads(get(address))["items"]
            if items:
                return items
        except OSError:
            pass
        time.sleep(0.1)
    check(False, f"{address} does not answer within 30 s")


def status(address, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers or {}), timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def behind(name, configured):
    ours, theirs, operators = free_port(), free_port(), free_port()
    base = f"http://127.0.0.1:{theirs}/planet/"
    folder = scratch()
    shutil.copytree("config/demo", folder / "demo")
    text = pathlib.Path("config/demo.toml").read_text()
    text, changed = re.subn(r'listen = ".*"', f'listen = "127.0.0.1:{ours}"\nadmin = "127.0.0.1:{operators}"\npublic_url = "{base}"', re.sub(r"public_url = .*\n", "", text))
    check(changed == 1, "config/demo.toml does not say where it listens")
    (folder / "demo.toml").write_text(text)
    environment = {**os.environ, "HOME": str(folder)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    ours_running = running([newsfold, "--config", str(folder / "demo.toml"), "--log", "error", "run"])
    with ours_running as daemon, running(configured(folder, ours, theirs), **quiet) as proxy:
        stories = await_answer(f"{base}news.json", daemon, proxy)
        check(status(f"http://127.0.0.1:{theirs}/planet")[0] in (200, 404), f"{name}: /planet is a loop")
        for page in ("feeds", "feeds/meridian", "metrics", "readyz"):
            check(status(f"{base}{page}")[0] == 404, f"{name}: readers find {page}")
            check(status(f"http://127.0.0.1:{operators}/{page}")[0] == 200, f"{name}: operators find no {page}")
        say(f"{name}: what is for operators is found at their address alone")
        pages = [base, f"{base}search?q=the", f"{base}story/{stories[0]['id'].split(':')[-1]}"]
        named = set()
        for page in pages:
            hrefs = re.findall(r'(?:href|action)="([^"#]+)"', get(page).decode())
            named |= {href if "://" in href else f"http://127.0.0.1:{theirs}{href}" for href in hrefs}
        ours_named = {address.replace("&amp;", "&") for address in named if f":{theirs}/" in address}
        check(len(ours_named) > 20, f"{name}: pages name only {ours_named}")
        astray = [address for address in ours_named if not address.startswith(base) or status(address)[0] != 200]
        check(not astray, f"{name}: these lead nowhere: {astray}")
        say(f"{name}: {len(ours_named)} addresses on {len(pages)} pages are found below /planet/")
        for ending in ("atom", "rss", "json"):
            address = f"{base}news.{ending}"
            check(address.encode() in get(address), f"{name}: news.{ending} does not say where it is")
            _, headers = status(address)
            check(status(address, {"If-None-Match": headers["ETag"]})[0] == 304, f"{name}: news.{ending} is sent again")
        say(f"{name}: three feeds name themselves as readers know them, and are not sent twice")


for program, configured in (("nginx", nginx), ("caddy", caddy)):
    if shutil.which(program):
        behind(program, configured)
    else:
        check(program != "nginx", "nginx is missing; try: apt-get install nginx-light")
        say(f"{program} is not installed, and is not tried")
say("all is well")
