#!/usr/bin/env python3
"""Builds the last stage of packaging/Containerfile and runs it: as its own user, its root read-only, one volume to write to.

    tests/e2e/container.py NEWSFOLD

Nothing is downloaded: the program is the one that is given, and the base image holds the libraries of this machine that it needs.
It needs root, Linux and buildah; status 77: it cannot run here, and says why. One line is printed for each check; the first one
that fails ends the script with status 1.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from checks import check, in_a_network_of_its_own, say, scratch, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
# Seen by the process that this starts only: the image's root cannot be written to, the volume can.
INSIDE = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount --bind "$2" "$1/var/lib/newsfold"
mount -t proc proc "$1/proc"
mount -o remount,bind,ro "$1"
root=$1 user=$3
shift 3
exec chroot --userspec="$user" "$root" "$@"
"""


def cannot(why):
    say(f"skipped: {why}")
    sys.exit(77)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    check(done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


class Images:
    """Images in a place of their own."""

    def __init__(self, folder):
        self.options = ["--root", folder / "images", "--runroot", folder / "run", "--storage-driver", "vfs"]
        self.environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "XDG_RUNTIME_DIR": str(folder)}

    def buildah(self, *words):
        return run("buildah", *self.options, *words, env=self.environment).strip()

    def of_folder(self, name, folder):
        made = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", made, folder, "/")
        self.buildah("commit", "--quiet", "--rm", made, name)


def with_libraries(folder, program):
    """What the program needs of this machine."""
    for path in re.findall(r"(/\S+) \(0x", run("ldd", program)):
        place = folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name in ("proc", "tmp"):
        (folder / name).mkdir()


def last_stage():
    """The Containerfile from its last FROM on, and what the stage before leaves for it."""
    text = (PACKAGING / "Containerfile").read_text()
    stages = re.split(r"^(?=FROM )", text, flags=re.M)
    check(len(stages) == 3 and stages[1].rstrip().splitlines()[0].endswith(" AS build"), "the Containerfile has two stages")
    installed = re.findall(r"install -D (?:-m 644 )?(\S+) /image(\S+)", stages[1])
    check(len(installed) == 3, f"what is installed in the image: {installed}")
    return re.sub(r"^FROM \S+", "FROM localhost/base", stages[2]), installed


def files_agree():
    """The examples name the image's own user, folders, port and question."""
    compose, unit = (PACKAGING / "compose.yaml").read_text(), (PACKAGING / "newsfold.container").read_text()
    image = (PACKAGING / "Containerfile").read_text()
    for words in ("/etc/newsfold/newsfold.toml", "/var/lib/newsfold", "8080"):
        check(all(words in text for text in (compose, unit, image)), f"{words} is not in all of them")
    check("read_only: true" in compose and "ReadOnly=true" in unit, "a root that can be written to")
    check("HealthCmd=newsfold health" in unit and '["CMD", "newsfold", "health"]' in compose, "nobody asks whether it is well")
    oldest = re.search(r'^rust-version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    check(f"FROM rust:{oldest}-" in image, f"the Containerfile does not build with Rust {oldest}")
    systemd = ROOT / "systemd" / "newsfold.service"
    check("RestartPreventExitStatus=78" in unit and "RestartPreventExitStatus=78" in systemd.read_text(), "78 is tried again")
    say("the Containerfile, compose.yaml and newsfold.container agree")


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    if os.geteuid() != 0:
        cannot("not root")
    if not shutil.which("buildah"):
        cannot("buildah is missing")
    in_a_network_of_its_own()
    files_agree()
    folder = scratch()
    images = Images(folder)
    stage, installed = last_stage()
    with_libraries(folder / "base", program)
    images.of_folder("localhost/base", folder / "base")
    for source, place in installed:
        source = {"target/release/newsfold": program}.get(source, ROOT / source)
        target = folder / "built" / "image" / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        target.chmod(0o755 if source == program else 0o644)
    (folder / "built" / "volume").mkdir()
    images.of_folder("localhost/built", folder / "built")
    (folder / "Containerfile").write_text(f"FROM localhost/built AS build\n{stage}")
    images.buildah("build", "--format", "docker", "--pull-never", "-t", "newsfold", "-f", folder / "Containerfile", folder)
    settings = json.loads(images.buildah("inspect", "--type", "image", "newsfold"))["Docker"]["config"]
    say("the last stage is built")
    check(settings["User"] == "10001:10001", f"its user is {settings['User']}")
    check(list(settings["Volumes"]) == ["/var/lib/newsfold"], f"its volumes are {settings['Volumes']}")
    check(settings["Healthcheck"]["Test"] == ["CMD", "newsfold", "health"], f"it is asked by {settings['Healthcheck']}")

    made = images.buildah("from", "--pull-never", "newsfold")
    root = pathlib.Path(images.buildah("mount", made))
    (root / "etc" / "resolv.conf").touch()
    # What an engine does with a new volume: it has what the image has there, and its owner.
    volume = folder / "volume"
    volume.mkdir()
    owner = (root / "var" / "lib" / "newsfold").stat()
    os.chown(volume, owner.st_uid, owner.st_gid)

    def inside(*words):
        return ["unshare", "--mount", "sh", "-c", INSIDE, "sh", root, volume, settings["User"], *words]

    environment = dict(setting.split("=", 1) for setting in settings["Env"])
    environment.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    log = folder / "log"
    with log.open("wb") as told:
        daemon = subprocess.Popen(inside(*settings["Entrypoint"], *settings["Cmd"]), env=environment, stdout=told, stderr=told)
    try:
        is_well = inside(*settings["Healthcheck"]["Test"][1:])
        until(lambda: subprocess.run(is_well, env=environment, capture_output=True, check=False).returncode == 0, 30,
              f"`newsfold health` answers 0; {log.read_text()}")
        say("it runs, and says that it is well")
        check((volume / "newsfold.db").stat().st_uid == 10001, "the store belongs to another user")
        status = (pathlib.Path("/proc") / str(daemon.pid) / "status").read_text()
        check(re.search(r"^Uid:\s+10001\s+10001\s", status, re.M), "the daemon is another user")
        tried = subprocess.run(inside("newsfold", "init", "/etc/newsfold/new.toml"), env=environment, capture_output=True, text=True, check=False)
        check(tried.returncode == 1 and not (root / "etc/newsfold/new.toml").exists(), f"its root can be written to: {tried}")
        done = subprocess.run(inside("newsfold", "store", "check"), env=environment, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"store check: {done.stderr}")
    finally:
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        ended = daemon.wait(20)
        images.buildah("umount", made)
    check(ended == 0 and time.monotonic() - began < 10, f"it ended with {ended}: {log.read_text()}")
    tried = subprocess.run(is_well, env=environment, capture_output=True, check=False)
    check(tried.returncode == 1, "a daemon that ended is well")
    say("all is well")


main()
