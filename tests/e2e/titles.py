#!/usr/bin/env python3
"""Counts the words of titles and summaries that a folder of feed documents has and `newsfold parse` does not show.

  titles.py NEWSFOLD FOLDER [--most N] [--show N]

The documents are read once more by means that know nothing of newsfold (Python's own XML and HTML parsers), titles and
summaries compared entry by entry, in the order of the document. A word of the source is one that stands outside of markup;
what looks like a tag is markup if HTML knows its name and it has a partner, an attribute with a value, or needs none.
Listed and not counted: documents that are no XML, those whose entries are counted otherwise, and the words of scripts, styles,
drawings and comments. Exit status: 0, or 1 when more than `--most` words are missing (0 by default).
"""

import argparse
import collections
import html
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]*)((?:\s+[^\s<>=\"'/]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s<>\"']+))?)*)\s*/?>")
HIDDEN = re.compile(r"<(script|style|svg)\b.*?(</\1\s*>|$)|<!--.*?-->|<[?][^>]*>|<!\[CDATA\[|\]\]>", re.S | re.I)
CUT = re.compile(r"</?[A-Za-z][^<>]*=[^<>]*$|</[A-Za-z0-9]+\s*(?=<|$)")
# What needs no end, and what is left without one where a text was cut.
ALONE = set("br wbr hr img p li td tr th dd dt input source area col param tbody thead tfoot option".split())
ALONE |= set("ul ol dl h1 h2 h3 h4 h5 h6 blockquote div table figure pre".split())
KNOWN = ALONE | set(
    "a b i em strong span div ul ol h1 h2 h3 h4 h5 h6 code pre blockquote u s q small sub sup font table figure figcaption abbr "
    "address article aside audio big body button center cite del details dl footer header html head iframe ins kbd label main "
    "mark nav object picture ruby samp section select strike summary svg time tt var video textarea noscript embed form "
    "caption colgroup center math title embed link meta style script".split()
)
TITLES = ("title",)
SUMMARIES = ("description", "summary", "subtitle", "encoded", "content")


def words(text):
    return collections.Counter(re.findall(r"\w+", text.lower()))


def of_source(text):
    """The words of a text that may be HTML."""
    text = HIDDEN.sub(" ", text)
    partners = collections.Counter()
    for end, name, _ in TAG.findall(text):
        partners[(name.lower(), bool(end))] += 1

    def visible(tag):
        end, name, attributes = tag.group(1), tag.group(2).lower(), tag.group(3)
        is_markup = name in KNOWN and ("=" in attributes or name in ALONE or end or partners[(name, True)])
        return " " if is_markup else tag.group(0)

    text = CUT.sub(" ", TAG.sub(visible, text))
    return words(html.unescape(html.unescape(text)))


def of_shown(markup):
    """The words of what is shown, and of what stands for its pictures."""
    return words(html.unescape(re.sub(r"<[^>]*>", " ", markup)) + " " + html.unescape(" ".join(re.findall(r"alt=\"([^\"]*)\"", markup))))


def local(tag):
    return tag.rsplit("}", 1)[-1].lower()


def source_entries(path):
    document = path.read_bytes()
    try:
        # What is valid UTF-8 is UTF-8, whatever it declares.
        document = re.sub(r"^\s*<\?xml[^>]*\?>", "", document.decode("utf-8-sig"))
    except UnicodeDecodeError:
        pass
    root = xml.etree.ElementTree.fromstring(document)
    for entry in (element for element in root.iter() if local(element.tag) in ("item", "entry")):
        texts = {True: [], False: []}
        for field in entry:
            if local(field.tag) in TITLES + SUMMARIES and not len(field):
                kind = (field.get("type") or "").lower()
                is_text = kind in ("text", "text/plain") or (not kind and local(root.tag) == "feed")
                text = field.text or ""
                texts[local(field.tag) in TITLES].append(words(text) if is_text else of_source(text))
        yield texts


def missing_of(source, shown):
    """What the first of several texts lacks that is shown least incompletely: publishers say one thing several times."""
    return min((text - shown for text in source), key=lambda missing: sum(missing.values()), default=collections.Counter())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("newsfold")
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--most", type=int, default=0)
    arguments.add_argument("--show", type=int, default=20)
    options = arguments.parse_args()
    skipped, found, total, lost = collections.Counter(), [], collections.Counter(), collections.Counter()
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        try:
            entries = list(source_entries(path))
        except (xml.etree.ElementTree.ParseError, LookupError, ValueError):
            skipped["no XML"] += 1
            continue
        done = subprocess.run([options.newsfold, "parse", path], capture_output=True, timeout=60)
        if done.returncode:
            skipped["refused"] += 1
            continue
        shown = json.loads(done.stdout)["entries"]
        if len(shown) != len(entries):
            skipped["other number of entries"] += 1
            continue
        for number, (source, entry) in enumerate(zip(entries, shown)):
            texts = (entry["summary"] or "") + " " + (entry["content_html"] or "")
            for is_title, of_entry in ((True, words(entry["title"] or "")), (False, of_shown(texts))):
                total[is_title] += sum(sum(text.values()) for text in source[is_title][:1])
                missing = missing_of(source[is_title], of_entry)
                if missing:
                    lost[is_title] += sum(missing.values())
                    found.append((path, number, "title" if is_title else "summary", missing))
    for path, number, what, missing in found[: options.show]:
        print(f"{path.name}: {what} of entry {number + 1}: {' '.join(sorted(missing))[:120]}")
    for why, count in sorted(skipped.items()):
        print(f"{count} documents left out: {why}")
    for is_title, what in ((True, "titles"), (False, "summaries")):
        print(f"{what}: {lost[is_title]} of {total[is_title]} words missing")
    return int(lost[True] + lost[False] > options.most)


if __name__ == "__main__":
    sys.exit(main())
