#!/usr/bin/env python3
"""Word for word: what is published after a poll, against what the documents hold.

    tests/e2e/words.py NEWSFOLD FOLDER [NAME ...] [--show 0] [--min-words 99.99]

FOLDER holds feeds: *.xml, *.rss, *.atom, *.json. Each is served on loopback, polled by the real program into a store of its own
and read from the published JSON Feed. Of each entry the longest text counts. Told are words that are missing, blocks of code that
changed, links to a place in the text that lead to the feed, texts whose markup is all gone, and dates before the year 400; a line a
document that has any, and the sums. Documents that Python's own parser of XML refuses are left out and counted. Nothing of a text
is printed but with --show. Exit status 1 when fewer words arrive than --min-words of 100, or any of the others is not 0.
Needs Python 3.9.
"""
import argparse
import collections
import html.parser
import http.server
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree

BLOCKS = set("address article aside blockquote body br caption center dd details dialog div dl dt fieldset figcaption figure footer "
             "form h1 h2 h3 h4 h5 h6 header hr iframe img legend li main nav object ol optgroup option p pre section select summary "
             "table tbody td tfoot th thead tr ul video audio".split())
UNSEEN = set("script style template title iframe noembed noframes datalist annotation annotation-xml desc metadata".split())
INLINE = set("a abbr acronym applet area b base bdi bdo big blink canvas cite code col colgroup content data del dfn dir em embed font "
             "frame frameset head html i input ins kbd label link map mark marquee math menu meta nobr noscript output param picture q "
             "rb rp rt rtc ruby s samp small source span strike strong sub sup svg time track tt u var wbr button textarea".split())
VOID = set("area base br col embed hr img input link meta param source track wbr".split())
SHOWN = re.compile(r"<(p|h\d|li|pre|div|img|a|br|td)\b", re.I)
WIDE = re.compile("([\u0e00-\u0e7f\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff])")
WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") or None for code in range(0x80, 0xa0)}
NO_WIDTH = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u202a-\u202e\u2066-\u2069]")


class Reading(html.parser.HTMLParser):
    """What a browser shows of markup: its text, and that of its blocks of code."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.out, self.code, self.code_from, self.hidden, self.foreign = [], [], [], [], 0
        self.ends = {name.lower() for name in re.findall(r"</([^\s/>]+)", markup)}
        # A tag that is cut in two is no text.
        self.feed(re.sub(r"<[a-zA-Z/!][^<>]*$", "", markup))
        self.close()
        self.text = "".join(self.out)

    def handle_starttag(self, name, attributes):
        own = dict(attributes)
        if self.hidden:
            if name == self.hidden[0] and name not in VOID:
                self.hidden.append(name)
            return
        style = re.sub(r"\s", "", own.get("style") or "").lower()
        classes = (own.get("class") or "").split()
        is_hidden = (name in UNSEEN or "display:none" in style or "visibility:hidden" in style or "katex-html" in classes
                     or ("hidden" in own and own["hidden"] != "until-found"))
        if is_hidden and name not in VOID:
            self.hidden = [name]
            return
        self.foreign += name in ("svg", "math")
        is_known = name in BLOCKS or name in INLINE or self.foreign or name in self.ends
        if not is_known and "=" not in self.get_starttag_text() and not re.search("[-:_]", name):
            self.out.append(self.get_starttag_text())
        if name in BLOCKS:
            self.out.append("\n" if name == "br" else " ")
        if name == "pre":
            self.code_from.append(len(self.out))

    def handle_startendtag(self, name, attributes):
        if name in VOID or name not in BLOCKS | INLINE:
            if not self.hidden:
                self.out.append("\n" if name == "br" else " " if name in BLOCKS else "")
            return
        self.handle_starttag(name, attributes)

    def handle_endtag(self, name):
        if self.hidden:
            if name == self.hidden[0]:
                self.hidden.pop()
            return
        self.foreign -= name in ("svg", "math") and self.foreign > 0
        if name == "pre" and self.code_from:
            code = "".join(self.out[self.code_from.pop():]).replace("\r\n", "\n").strip("\n").rstrip()
            if code.strip():
                self.code.append(code)
        if name in BLOCKS and name != "br":
            self.out.append(" ")

    def handle_data(self, text):
        if not self.hidden:
            self.out.append(text)


def words(text):
    text = text.translate(WINDOWS)
    return collections.Counter(WIDE.sub(r" \1 ", NO_WIDTH.sub("", text)).split())


def local(element):
    return element.tag.rsplit("}", 1)[-1].lower() if isinstance(element.tag, str) else ""


def inner(element):
    """An element's content as markup, whatever its prefixes."""
    for part in element.iter():
        if isinstance(part.tag, str):
            part.tag = part.tag.rsplit("}", 1)[-1]
    parts = [xml.etree.ElementTree.tostring(part, encoding="unicode", method="html") for part in element]
    return html.escape(element.text or "", quote=False) + "".join(parts)


def of_json(document):
    for item in json.loads(document.decode("utf-8-sig"))["items"]:
        bodies = [item.get("content_html") or html.escape(item.get("content_text") or item.get("summary") or "", quote=False)]
        yield item.get("url"), item.get("title"), bodies


def of_xml(document):
    for entry in xml.etree.ElementTree.fromstring(document).iter():
        if local(entry) not in ("item", "entry"):
            continue
        link, title, bodies = None, None, []
        for part in entry:
            name, text = local(part), part.text or ""
            if any(other in part.tag for other in ("search.yahoo.com/mrss", "/excerpt/")):
                continue
            if name == "link" and link is None:
                link = part.get("href") or text.strip()
            elif name == "title" and title is None:
                title = text
            elif name in ("content", "summary", "description", "encoded", "body") and (text.strip() or len(part)):
                is_text = not len(part) and (part.get("type") == "text" or "<" not in text)
                bodies.append(inner(part) if len(part) else html.escape(html.unescape(text), quote=False) if is_text else text)
        yield link, title, bodies


def entries(document):
    """Each entry's link, title and longest text as it was read."""
    read = of_json if document.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{") else of_xml
    for link, title, bodies in read(document):
        readings = [(Reading(body), body) for body in bodies if body.strip()]
        # Of two that are about as long the later one is the text, as it is in feeds.
        size = lambda reading: sum(words(reading[0].text).values())
        most = max(map(size, readings), default=0)
        longest = next((reading for reading in reversed(readings) if size(reading) >= 0.8 * most), None)
        yield link, " ".join(Reading(title or "").text.split()), longest


class Web:
    """Serves one document at a time."""

    def __init__(self):
        web, self.document = self, b""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(web.document)))
                self.end_headers()
                self.wfile.write(web.document)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/feed.xml"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def published(self, newsfold, document):
        """What is published of a document after a poll."""
        self.document = document
        with tempfile.TemporaryDirectory(prefix="words-") as folder:
            config = pathlib.Path(folder, "newsfold.toml")
            config.write_text('[poll]\nallow_networks = ["127.0.0.0/8"]\nbackfill = "36500d"\nmax_body = "64MiB"\n'
                              f'[[feed]]\nname = "f"\nurl = "{self.address}"\nfold = "off"\n[[output]]\nname = "o"\nlimit = 10000\n')
            run = lambda *command: subprocess.run([newsfold, *command, "--config", config], capture_output=True, timeout=300)
            polled = run("poll")
            if polled.returncode:
                raise RuntimeError(polled.stderr.decode(errors="replace")[-300:])
            return json.loads(run("publish", "--format", "json").stdout)["items"]


def compare(document, items, address, show):
    """The sums of one document."""
    sums, left = collections.Counter(), list(items)
    by_link, by_title = collections.defaultdict(list), collections.defaultdict(list)
    for item in items:
        by_link[item.get("url")].append(item)
        by_title[" ".join((item.get("title") or "").split())].append(item)
    rest = collections.Counter()
    for link, title, longest in entries(document):
        if longest is None:
            continue
        reading, markup = longest
        wanted = words(reading.text)
        sums["words"] += sum(wanted.values())
        candidates = [item for item in by_link[link] if len(by_link[link]) == 1] or by_title[title]
        item = next((item for item in candidates if item in left), None)
        if item is None:
            rest += wanted
            continue
        left.remove(item)
        shown = [Reading(item.get("content_html") or ""), Reading(html.escape(item.get("summary") or "", quote=False))]
        best = min(shown, key=lambda own: sum((wanted - words(own.text)).values()))
        missing = wanted - words(best.text)
        sums["missing"] += sum(missing.values())
        changed = collections.Counter(reading.code) - collections.Counter(best.code)
        sums["code"] += len(reading.code)
        sums["code changed"] += sum(changed.values())
        html_ = item.get("content_html") or ""
        sums["fragments to the feed"] += html_.count(f'href="{address}#')
        sums["markup gone"] += len(SHOWN.findall(markup)) >= 5 and not SHOWN.search(html_)
        if show and (missing or changed):
            print("  ", title[:60], dict(missing.most_common(show)), [code[:200] for code in list(changed)[:1]])
    for item in left:
        rest -= words(Reading(item.get("content_html") or "").text)
    sums["missing"] += sum(rest.values())
    sums["in entries that were not found"] += sum(rest.values())
    sums["early dates"] = sum((item.get("date_published") or "9")[:2] in ("00", "01", "02", "03") for item in items)
    return sums


def main():
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument("newsfold")
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--show", type=int, default=0)
    arguments.add_argument("--min-words", type=float, default=99.99)
    given = arguments.parse_args()
    files = [file for file in sorted(given.folder.rglob("*")) if file.suffix in (".xml", ".rss", ".atom", ".json")]
    web, total, faults = Web(), collections.Counter(), ("missing", "code changed", "fragments to the feed", "markup gone", "early dates")
    for file in files:
        name = str(file.relative_to(given.folder))
        if given.names and name not in given.names:
            continue
        document = file.read_bytes()
        try:
            list(entries(document))
        except (xml.etree.ElementTree.ParseError, ValueError, KeyError, TypeError, AttributeError, LookupError):
            total["left out"] += 1
            continue
        try:
            sums = compare(document, web.published(given.newsfold, document), web.address, given.show)
        except RuntimeError as error:
            total["refused"] += 1
            print(f"{name}: {error}")
            continue
        total += sums
        total["documents"] += 1
        if any(sums[fault] for fault in faults):
            print(f"{name}: " + ", ".join(f"{what} {count}" for what, count in sums.items() if count and what not in ("words", "code")))
    kept = 100 * (1 - total["missing"] / max(1, total["words"]))
    print(f"{total['documents']} documents ({total['left out']} left out, {total['refused']} refused), {total['words']} words, {kept:.4f} % arrive")
    print(", ".join(f"{fault}: {total[fault]}" for fault in faults) + f"; blocks of code: {total['code']}")
    return int(kept < given.min_words or any(total[fault] for fault in faults[1:]))


if __name__ == "__main__":
    sys.exit(main())
