#!/usr/bin/env python3
"""Makes the pictures of README.md from the demonstration.

    docs/pictures.py NEWSFOLD

It needs Chromium, and Playwright from PyPI. Nothing is asked of the network but the daemon that is started here.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
from checks import get, running, say  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

BASE = "http://127.0.0.1:8080/"
SIZES = {"front": 900, "story": 900, "feeds": 620}


def stories():
    """The stories of the demonstration, once the one with most sources is whole."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            found = json.loads(get(f"{BASE}news.json"))["items"]
            if found and max(story["_newsfold"]["sources"] for story in found) >= 5:
                return found
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.2)
    sys.exit("the demonstration has no story with five sources")


def main():
    newsfold = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        with running([newsfold, "--log", "error", "demo", f"{folder}/demo"]):
            most_told = max(stories(), key=lambda story: story["_newsfold"]["sources"])
            pages = {"front": BASE, "story": most_told["_newsfold"]["story_url"], "feeds": f"{BASE}feeds"}
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=["--no-sandbox"]
                )
                for name, address in pages.items():
                    page = browser.new_page(viewport={"width": 1000, "height": SIZES[name]})
                    page.goto(address)
                    page.screenshot(path=ROOT / f"docs/pictures/{name}.png")
                browser.close()
    say("three pictures are in docs/pictures")


main()
