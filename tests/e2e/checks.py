"""What the scripts that try newsfold with other programs have in common: they print a line for each check, and end at the first
that fails."""

import atexit
import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import struct
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


def in_a_network_of_its_own():
    """Starts this script again where nothing leads outside, if that can be done."""
    if os.environ.get("CHECKS_ARE_ALONE") != "yes":
        unshare = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        if shutil.which("unshare") and subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            os.environ["CHECKS_ARE_ALONE"] = "yes"
            os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
        say("no network namespace can be made: the ports are this machine's")
        return
    with socket.socket() as any_socket:
        up_and_running = 0x1 | 0x40
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", up_and_running))


def scratch():
    """A folder that is gone when the script ends, however it ends."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def quiet_environment(*hosts):
    """This script's environment, but that neither proxies nor a configuration of this machine are found; `hosts` are asked directly."""
    direct = ",".join(("127.0.0.1", *hosts))
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "NO_PROXY": direct, "no_proxy": direct}
    for name in ("http_proxy", "HTTP_PROXY", "NEWSFOLD_CONFIG", "STATE_DIRECTORY"):
        environment.pop(name, None)
    return environment


def run(*command, env, **options):
    """What a program prints that has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, **options)
    check(done.returncode == 0, f"{command[0]}: {done.stderr or done.stdout}")
    return done.stdout


def replace(file, text):
    """Writes a file so that whoever reads it finds the old text or the new one, whole."""
    beside = file.with_suffix(".tmp")
    beside.write_text(text)
    beside.rename(file)


@contextlib.contextmanager
def running(command, **options):
    """A server that is told to end with the block, and waited for."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)
