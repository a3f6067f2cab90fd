#!/usr/bin/env python3
"""Installs what packaging/release.sh made where newsfold never was, has it publish, upgrades and removes it.

    tests/e2e/packages.py FOLDER OLDER [SUITE...]

FOLDER and OLDER are the folders of two versions; the store is filled by the older one. The Debian package is tried in each SUITE
(`bookworm`, `trixie` of Debian, `jammy`, `noble` of Ubuntu; by default the first of each), made by mmdebstrap from nothing; the
RPM package where rpm is, in a root of its own; the archive in a root that has nothing else; and the programs for another
architecture with qemu. The commands are those of docs/install.md.

Roots are kept in $NEWSFOLD_ROOTS (default: target/roots). Needs root and mmdebstrap. What cannot be tried is said; status 77:
nothing can.
"""

import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from checks import check, say, scratch, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOTS = pathlib.Path(os.environ.get("NEWSFOLD_ROOTS", ROOT / "target" / "roots"))
HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
IN_RPM = {"amd64": "x86_64", "arm64": "aarch64"}
UBUNTU = ("jammy", "noble")
PAGE = "http://127.0.0.1:8080"


def commands(heading, *words):
    """The commands of a chapter of docs/install.md that have one of the words in them, for this architecture."""
    chapter = (ROOT / "docs" / "install.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", chapter, re.M | re.S)
    spans = re.findall(r"`([a-z]+ [^`]+)`", re.sub(r"^```sh\n.*?^```$", "", chapter, flags=re.M | re.S))
    found = [line for line in [*"".join(blocks).splitlines(), *spans] if any(word in line for word in words)]
    check(found, f"docs/install.md, {heading}: nothing with {words}")
    return "\n".join(found).replace("amd64", HERE).replace("x86_64", IN_RPM[HERE])


class Apart:
    """A network of its own, in which daemons serve and are read; packages are fetched outside it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && exec sleep infinity"])
        until(lambda: self.run("sh", "-c", "ip -br link show lo | grep -q LOOPBACK,UP", check=False).returncode == 0, 5, "a network is up")

    def command(self, *words):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *map(str, words)]

    def run(self, *words, **options):
        return subprocess.run(self.command(*words), capture_output=True, text=True, **{"check": False, **options})

    def read(self, path):
        """A document as a reader outside the root gets it, or nothing."""
        done = self.run("curl", "-fsS", "-m", "10", PAGE + path)
        return done.stdout if done.returncode == 0 else ""

    def end(self):
        self.holder.kill()
        self.holder.wait()


class Box:
    """A root to work in, a layer above one that stays as it is."""

    def __init__(self, base, apart):
        self.apart = apart
        self.folder = pathlib.Path(tempfile.mkdtemp())
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.folder], check=True)
        self.root = self.folder / "root"
        for name in ("root", "upper", "work"):
            (self.folder / name).mkdir()
        layers = f"lowerdir={base},upperdir={self.folder}/upper,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)

    def chrooted(self, *words):
        script = f'mount -t proc proc {self.root}/proc 2>/dev/null; exec chroot {self.root} "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *map(str, words)]

    def typed(self, script, may_fail=False):
        """What somebody types there as root, in /root, with this machine's network."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        environment.update((key, value) for key, value in os.environ.items() if key.lower().endswith("_proxy"))
        # Nobody is there to say yes.
        script = re.sub(r"\b(apt|dnf) (install|remove|purge|upgrade)", r"\1 -y \2", script)
        done = subprocess.run(self.chrooted("bash", "-ec", f"cd /root\n{script}"), env=environment, capture_output=True, text=True, check=False)
        check(may_fail or done.returncode == 0, f"{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    @contextlib.contextmanager
    def daemon(self, *words):
        log = self.folder / "log"
        with log.open("ab") as told:
            process = subprocess.Popen(self.apart.command(*self.chrooted(*words)), env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdout=told, stderr=told)
        try:
            until(lambda: self.apart.read("/healthz") or process.poll() is not None, 60, f"{words} serves")
            check(process.poll() is None, f"{words} ended: {log.read_text()}")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)
        check(status == 0, f"{words} ended with {status}: {log.read_text()}")

    def end(self):
        subprocess.run(["umount", self.root], check=False)
        subprocess.run(["umount", self.folder], check=False)
        self.folder.rmdir()


def stories(apart):
    return sorted((item["id"], item["title"]) for item in json.loads(apart.read("/news.json") or '{"items": []}')["items"])


def base(suite, *include):
    """A root made from nothing, or `None` with a word of why there is none."""
    folder = ROOTS / "-".join([suite, *include])
    if (folder / "etc" / "os-release").exists():
        return folder
    keys = []
    if suite in UBUNTU:
        unpacked = ROOTS / "ubuntu-keys"
        keyring = unpacked / "usr/share/keyrings/ubuntu-archive-keyring.gpg"
        if not keyring.exists():
            subprocess.run(["bash", ROOT / "tests/e2e/next_debian.sh", "ubuntu-archive-keyring", unpacked], capture_output=True, check=False)
        if not keyring.exists():
            say(f"{suite} cannot be had here: the keys of Ubuntu's archive are missing")
            return None
        keys = [f"--keyring={keyring}"]
    mirror = ["http://archive.ubuntu.com/ubuntu"] if suite in UBUNTU else []
    ROOTS.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    included = "--include=" + ",".join(["apt", *include])
    done = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", *keys, included, suite, folder, *mirror], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"{suite} cannot be had here: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return folder


def live_with(box, apart, install, new, upgrade):
    """Installed and started as the book has it, a merged feed read; upgraded with a filled store, and read again."""
    box.typed(install)
    box.typed(commands("Start", "mkdir"))
    check("newsfold" in box.typed("newsfold --version"), "it does not say its version")
    box.typed("test -s /usr/share/man/man1/newsfold.1.gz && test -s /usr/share/doc/newsfold/licences.txt.gz && test -s /usr/lib/systemd/system/newsfold.service")
    # News of the demonstration, in the configuration that the package brought.
    with box.daemon("newsfold", "demo", "/srv/newsfold-demo"):
        until(lambda: len(stories(apart)) > 5, 60, "the demonstration has stories")
    feeds = "".join(f'\\n[[feed]]\\nurl = "file:/srv/newsfold-demo/demo/{name}"\\n' for name in ("meridian.atom.xml", "tribune.rss.xml", "vsna.rss.xml"))
    box.typed(f"printf '{feeds}' >> /etc/newsfold/newsfold.toml && newsfold check")
    run = commands("Start", "newsfold run").split()
    with box.daemon(*run):
        until(lambda: len(stories(apart)) > 3, 60, "its feeds are published")
        check("<feed" in apart.read("/news.atom"), "no merged feed")
        before = stories(apart)
    older = box.typed("newsfold --version")
    box.typed(commands("Upgrade", "store backup"))
    for file in new:
        shutil.copy(file, box.root / "root")
    box.typed(upgrade)
    say(f"upgraded from {older.split()[-1]} to {box.typed('newsfold --version').split()[-1]}")
    box.typed("newsfold store check && grep -q meridian /etc/newsfold/newsfold.toml")
    with box.daemon(*run):
        until(lambda: stories(apart) == before, 60, f"the same stories: {stories(apart)} instead of {before}")


def debian(suite, folder, older, apart):
    root = base(suite)
    if not root:
        return
    box = Box(root, apart)
    try:
        shutil.copy(next(older.glob(f"*_{HERE}.deb")), box.root / "root")
        box.typed("apt update")
        install = commands("Debian and Ubuntu", "apt install")
        live_with(box, apart, install, folder.glob(f"*_{HERE}.deb"), f"rm -f {next(older.glob(f'*_{HERE}.deb')).name}\n{install}")
        box.typed(commands("Debian and Ubuntu", "apt remove"))
        box.typed("test ! -e /usr/bin/newsfold && test -s /var/lib/newsfold/newsfold.db && test -s /etc/newsfold/newsfold.toml")
        box.typed(commands("Debian and Ubuntu", "apt purge"))
        box.typed("test ! -e /var/lib/newsfold && test ! -e /etc/newsfold/newsfold.toml")
        say(f"{suite}: installed, read, upgraded and removed")
    finally:
        box.end()


STANDS_FOR_THE_SYSTEM = """
name: standin
arch: all
version: "1"
description: what a system with RPM packages has
provides: [ca-certificates, /usr/bin/kill, /bin/sh]
"""


def rpm(folder, older, apart):
    """In a root of Debian, with its dnf: systems that are made of RPM packages cannot be had here."""
    root = base("bookworm", "dnf", "rpm", "ca-certificates")
    if not root:
        return
    box = Box(root, apart)
    try:
        (box.folder / "standin.yaml").write_text(STANDS_FOR_THE_SYSTEM)
        done = subprocess.run(["nfpm", "package", "--config", box.folder / "standin.yaml", "--packager", "rpm", "--target", box.root / "root/standin.rpm"],
                              capture_output=True, text=True, check=False)
        check(done.returncode == 0, done.stderr)
        box.typed("rpm --install standin.rpm && rm standin.rpm")
        name = f"*.{IN_RPM[HERE]}.rpm"
        shutil.copy(next(older.glob(name)), box.root / "root")
        heading = "Fedora and other systems with RPM packages"
        live_with(box, apart, commands(heading, "dnf install"), folder.glob(name),
                  f"rm {next(older.glob(name)).name}\n{commands(heading, 'dnf upgrade')}")
        box.typed(commands(heading, "dnf remove"))
        box.typed("test ! -e /usr/bin/newsfold && test -s /var/lib/newsfold/newsfold.db && test -s /etc/newsfold/newsfold.toml.rpmsave")
        say("RPM: installed, read, upgraded and removed by dnf in a root of Debian; Fedora itself cannot be had here")
    finally:
        box.end()


def archive(folder, apart):
    """Unpacked as the book has it, and run where there is nothing but the program."""
    place = scratch()
    shutil.copy(next(folder.glob(f"*-linux-{HERE}.tar.gz")), place)
    script = commands("Any other Linux", "tar ", "cd ", "install -m 755 ", "install -D").replace(" /usr", " $root/usr").replace(" /etc", " $root/etc")
    root = place / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "proc").mkdir()
    (root / "tmp").mkdir()
    subprocess.run(["bash", "-ec", f"cd {place}; root={root}\n{script}"], check=True)
    box = Box(root, apart)
    try:
        with box.daemon("/usr/bin/newsfold", "demo", "/tmp/demo"):
            until(lambda: len(stories(apart)) > 5, 60, "the demonstration has stories")
        say("the archive's program runs where there is nothing else")
    finally:
        box.end()


def elsewhere(folder, architecture):
    """A program for another architecture, run by qemu: it polls the demonstration once and publishes."""
    qemu = shutil.which(f"qemu-{IN_RPM[architecture]}-static")
    packages = [*folder.glob(f"*_{architecture}.deb")]
    if not packages:
        return
    if not qemu:
        say(f"the program for {architecture} is not run: qemu-user-static is missing")
        return
    place = scratch()
    subprocess.run(["dpkg-deb", "-x", packages[0], place], check=True)
    program = [qemu, place / "usr/bin/newsfold"]
    environment = {"PATH": "/usr/bin", "HOME": str(place)}
    log = place / "log"
    with log.open("wb") as told:
        demo = subprocess.Popen(["unshare", "--net", *program, "--log", "info", "demo", place / "demo"], env=environment, stdout=told, stderr=told)
        try:
            until(lambda: "subscribe to" in log.read_text() or demo.poll() is not None, 120, "the demonstration starts")
        finally:
            demo.terminate()
            status = demo.wait(120)
    check(status == 0, f"on {architecture} the demonstration ended with {status}: {log.read_text()}")
    config = ["--config", place / "demo/newsfold.toml"]
    for words in (["poll"], ["publish", "--format", "atom"], ["store", "check"]):
        done = subprocess.run([*program, *config, *words], env=environment, capture_output=True, text=True, timeout=300, check=False)
        check(done.returncode == 0, f"on {architecture}, {words}: {done.stderr}")
        check(words[0] != "publish" or done.stdout.count("<entry") > 5, f"on {architecture} this is published: {done.stdout}")
    say(f"the program for {architecture} serves, polls and publishes, run by {pathlib.Path(qemu).name}")


def main():
    folder, older, *suites = sys.argv[1:]
    folder, older = pathlib.Path(folder).resolve(), pathlib.Path(older).resolve()
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        say("skipped: it needs root and mmdebstrap")
        sys.exit(77)
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    check(done.returncode == 0, "SHA256SUMS are those of other files")
    apart = Apart()
    try:
        archive(folder, apart)
        for suite in [suite for suite in suites or ["bookworm", "jammy"] if suite != "none"]:
            debian(suite, folder, older, apart)
        rpm(folder, older, apart)
        for architecture in IN_RPM:
            if architecture != HERE:
                elsewhere(folder, architecture)
    finally:
        apart.end()
    say("all is well")


main()
