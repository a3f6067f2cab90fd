"""What the scripts that try newsfold with other programs have in common: they print a line for each check, and end at the first
that fails."""

import pathlib
import socket
import sys
import urllib.request

script = pathlib.Path(sys.argv[0]).stem


def say(text):
    print(f"{script}: {text}", flush=True)


def check(right, text):
    if not right:
        print(f"{script}: FAILED: {text}", file=sys.stderr)
        sys.exit(1)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()
