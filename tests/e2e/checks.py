"""What the scripts that try newsfold with other programs have in common: they print a line for each check, and end at the first
that fails."""

import atexit
import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

script = pathlib.Path(sys.argv[0]).stem


def say(text):
    print(f"{script}: {text}", flush=True)


def check(right, text):
    if not right:
        print(f"{script}: FAILED: {text}", file=sys.stderr)
        sys.exit(1)


def until(holds, seconds, text):
    """Waits until something holds; it fails when it takes too long, or asking for it does."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if holds():
                return
        check(time.monotonic() < end, f"within {seconds} s: {text}")
        time.sleep(0.05)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()


def scratch():
    """A folder that is gone when the script ends, however it ends."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextlib.contextmanager
def running(command, **options):
    """A server that is told to end with the block, and waited for."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)
