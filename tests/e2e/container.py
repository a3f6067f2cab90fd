#!/usr/bin/env python3
"""Runs images that packaging/release.sh made: as their own user, their root read-only, one volume to write to, which the newer
one takes over from the older.

    tests/e2e/container.py IMAGE OLDER_IMAGE

No engine is needed: an image is unpacked and started in a namespace, as an engine would. Nothing is downloaded. It needs root,
Linux and buildah; status 77: it cannot run here, and says why. One line is printed for each check; the first one that fails ends
the script with status 1.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from checks import check, get, in_a_network_of_its_own, say, scratch, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
FEED = """<rss version="2.0"><channel><title>Sample</title><link>https://sample.example/</link><description>d</description>
<item><guid>one</guid><link>https://sample.example/one</link><title>The first report</title></item></channel></rss>"""
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


class Container:
    """An image, unpacked, and its volume."""

    def __init__(self, images, file, volume):
        self.images, self.volume = images, volume
        self.name = images.buildah("from", "--pull-never", f"docker-archive:{file}")
        self.settings = json.loads(images.buildah("inspect", "--type", "container", self.name))["Docker"]["config"]
        self.root = pathlib.Path(images.buildah("mount", self.name))
        # What an engine puts there.
        for folder in ("proc", "etc"):
            (self.root / folder).mkdir(exist_ok=True)
        (self.root / "etc" / "resolv.conf").touch()
        if not volume.exists():
            # A new volume has what the image has there, and its owner.
            volume.mkdir()
            owner = (self.root / "var" / "lib" / "newsfold").stat()
            os.chown(volume, owner.st_uid, owner.st_gid)
        self.environment = dict(setting.split("=", 1) for setting in self.settings["Env"])

    def command(self, *words):
        return ["unshare", "--mount", "sh", "-c", INSIDE, "sh", self.root, self.volume, self.settings["User"], *words]

    def run(self, *words):
        return subprocess.run(self.command(*words), env=self.outside(), capture_output=True, text=True, check=False)

    def outside(self):
        # `chroot` looks for the program in the image's PATH, and the shell for `chroot` in this one.
        return {**self.environment, "PATH": f"{self.environment['PATH']}:{os.environ['PATH']}"}

    @contextlib.contextmanager
    def running(self, log):
        with log.open("ab") as told:
            words = [*self.settings["Entrypoint"], *self.settings["Cmd"]]
            daemon = subprocess.Popen(self.command(*words), env=self.outside(), stdout=told, stderr=told)
        try:
            until(lambda: self.is_well() == 0, 60, f"`newsfold health` answers 0; {log.read_text()}")
            yield daemon
        finally:
            began = time.monotonic()
            daemon.send_signal(signal.SIGTERM)
            ended = daemon.wait(20)
        check(ended == 0 and time.monotonic() - began < 10, f"it ended with {ended}: {log.read_text()}")
        check(self.is_well() == 1, "a daemon that ended is well")

    def is_well(self):
        return self.run(*self.settings["Healthcheck"]["Test"][1:]).returncode


def told(volume):
    """A feed in the volume, and a configuration that names it."""
    (volume / "feed.xml").write_text(FEED)
    return (PACKAGING / "container.toml").read_text() + '\n[[feed]]\nurl = "file:/var/lib/newsfold/feed.xml"\n'


def titles():
    return [(item["id"], item["title"]) for item in json.loads(get("http://127.0.0.1:8080/news.json"))["items"]]


def main():
    newer, older = (pathlib.Path(file).resolve() for file in sys.argv[1:3])
    if os.geteuid() != 0:
        cannot("not root")
    if not shutil.which("buildah"):
        cannot("buildah is missing")
    in_a_network_of_its_own()
    files_agree()
    folder = scratch()
    images = Images(folder)
    volume, log = folder / "volume", folder / "log"

    before = Container(images, older, volume)
    (before.root / "etc/newsfold/newsfold.toml").write_text(told(volume))
    with before.running(log):
        until(titles, 20, "the feed is published")
        were = titles()
    images.buildah("umount", before.name)

    image = Container(images, newer, volume)
    settings, root = image.settings, image.root
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    expected = {"usr/bin/newsfold", "usr/share/doc/newsfold/licences.txt.gz", "etc/newsfold/newsfold.toml", "etc/ssl/certs/ca-certificates.crt"}
    check(files == expected | {"etc/resolv.conf"}, f"it has {files}")
    check(settings["User"] == "10001:10001", f"its user is {settings['User']}")
    check(list(settings["Volumes"]) == ["/var/lib/newsfold"], f"its volumes are {settings['Volumes']}")
    check(settings["Healthcheck"]["Test"] == ["CMD", "newsfold", "health"], f"it is asked by {settings['Healthcheck']}")
    (root / "etc/newsfold/newsfold.toml").write_text(told(volume))
    with image.running(log) as daemon:
        say("it runs, and says that it is well")
        until(lambda: titles() == were, 20, "the stories of the older image are there")
        check((volume / "newsfold.db").stat().st_uid == 10001, "the store belongs to another user")
        status = (pathlib.Path("/proc") / str(daemon.pid) / "status").read_text()
        check(re.search(r"^Uid:\s+10001\s+10001\s", status, re.M), "the daemon is another user")
        tried = image.run("newsfold", "init", "/etc/newsfold/new.toml")
        check(tried.returncode == 1 and not (root / "etc/newsfold/new.toml").exists(), f"its root can be written to: {tried}")
        done = image.run("newsfold", "store", "check")
        check(done.returncode == 0, f"store check: {done.stderr}")
        done = image.run("newsfold", "store", "backup", "/var/lib/newsfold/copy.db")
        check(done.returncode == 0 and (volume / "copy.db").exists(), f"store backup: {done.stderr}")
    images.buildah("umount", image.name)
    say("all is well")


main()
