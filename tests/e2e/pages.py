#!/usr/bin/env python3
"""Drives the pages of the demonstration in headless Chromium.

    tests/e2e/pages.py NEWSFOLD [FOLDER]

It needs Chromium, and Playwright with axe-playwright-python from PyPI. With FOLDER, a picture of each page is left there.
Nothing is asked of the network but the daemon that is started here. One line is printed for each check; the first one that
fails ends the script with status 1.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from checks import check, free_port, get, running, say, scratch, until

newsfold = os.path.abspath(sys.argv[1])
pictures = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None


def demonstration(folder, base):
    """Makes the demonstration, of which one feed fails; one story gets a picture."""
    made = subprocess.Popen([newsfold, "--log", "off", "demo", folder], stdout=subprocess.DEVNULL)
    until((folder / "newsfold.toml").is_file, 30, "the demonstration is made")
    made.terminate()
    made.wait()
    configuration = folder / "newsfold.toml"
    text = configuration.read_text().replace("127.0.0.1:8080", base.removeprefix("http://").rstrip("/"))
    configuration.write_text(text)
    for left in folder.glob("demo.db*"):
        left.unlink()
    feed = folder / "demo/meridian.atom.xml"
    picture = '<link rel="enclosure" type="image/png" href="http://127.0.0.2:9/picture.png"/></entry>'
    feed.write_text(feed.read_text().replace("</entry>", picture, 1))


def await_stories(base, daemon):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        check(daemon.poll() is None, "the daemon ended")
        try:
            stories = json.loads(get(f"{base}news.json"))["items"]
            if stories and max(story["_newsfold"]["sources"] for story in stories) >= 5:
                return stories
        except OSError:
            pass
        time.sleep(0.2)
    check(False, "no stories within 30 s")


def look(page, axe, name):
    """No serious fault of accessibility, nothing wider than the window, and a picture."""
    found = axe.run(page).response["violations"]
    serious = [f"{fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in found if fault["impact"] in ("serious", "critical")]
    check(not serious, f"{name}: {serious}")
    check(
        page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
        f"{name} is wider than its window",
    )
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pictures / f"{name}.png", full_page=True)


def drive(browser, base, stories):
    axe = Axe()
    story = max(stories, key=lambda story: story["_newsfold"]["sources"])
    story_page = f"{base}story/{story['id'].removeprefix('urn:uuid:')}"
    addresses = {
        "river": base,
        "coverage": f"{base}briefing",
        "story": story_page,
        "search": f"{base}search?q=ferry",
        "search-help": f"{base}search",
        "feeds": f"{base}feeds",
        "feed": f"{base}feeds/meridian",
        "feed-failing": f"{base}feeds/lighthouse",
    }
    faults = []
    for scheme in ("light", "dark"):
        for width in (1100, 360):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=True
            )
            page = context.new_page()
            page.on("console", lambda message: faults.append(f"console: {message.text}") if message.type == "error" else None)
            page.on("pageerror", lambda error: faults.append(f"page: {error}"))
            page.on("request", lambda asked: faults.append(f"off the origin: {asked.url}") if not asked.url.startswith(base) else None)
            for name, address in addresses.items():
                answer = page.goto(address)
                check(answer.status == 200, f"{address} answered {answer.status}")
                look(page, axe, f"{name}-{scheme}-{width}")
            context.close()
        say(f"{len(addresses)} pages are readable in {scheme}, wide and narrow")
    check(not faults, f"{faults[:5]}")
    say("no console error, no request off the origin")

    page = browser.new_page()
    page.goto(base)
    page.keyboard.press("Tab")
    check(page.evaluate("document.activeElement.className") == "skip", "the first stop of the keyboard skips to the content")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#main")
    page.goto(base)
    for _ in range(3):
        page.keyboard.press("Tab")
    check(page.evaluate("document.activeElement.id") == "q", "the third stop is the search")
    page.keyboard.type("ferry sandbank")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=ferry+sandbank")
    check(page.locator("article").count() >= 1, "the search finds the ferry")
    feed = page.locator("link[rel=alternate]").get_attribute("href")
    check(b"<entry" in get(f"{base.rstrip('/')}{feed}"), "the search is a feed")
    say("the search is reached, filled in and sent by keyboard, and is a feed")

    page.goto(base)
    page.locator("article", has_text=story["title"]).locator("a.whole").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/story/*")
    check(page.locator("svg.wide circle").count() == story["_newsfold"]["sources"], "the timeline has a mark for each telling")
    page.set_viewport_size({"width": 390, "height": 844})
    check(page.locator("svg.narrow").is_visible() and not page.locator("svg.wide").is_visible(), "a phone has a timeline of its own")
    page.set_viewport_size({"width": 1280, "height": 900})
    check(page.locator("ol.tellings li").count() == story["_newsfold"]["sources"], "each telling is listed")
    check(page.locator("h1").inner_text() == story["title"], "the story page has the story's title")
    say("a story page is reached by keyboard and draws who told it when")

    page.goto(base)
    check(page.locator("article h3").first.inner_text() == story["title"], "what most sources tell stands first")
    check(page.locator("article").first.locator(".others li").first.is_visible(), "with two other tellings")
    # Soon after midnight the screen has the name of one more day, which takes the place of a story.
    seen, days = (
        sum(1 for head in page.locator(heads).all() if head.bounding_box()["y"] + head.bounding_box()["height"] <= 900)
        for heads in ("article h3", "h2.day")
    )
    check(seen + days >= 11, f"a screen shows some ten stories, not {seen} below {days} headings")
    say("what matters stands first, and a screen shows some ten stories")

    page.goto(f"{base}feeds")
    check("lighthouse" in page.locator("tbody tr").first.inner_text(), "the feed in trouble stands first")
    page.locator("thead a", has_text="Feed").first.click()
    check("harbour-post" in page.locator("tbody tr").first.inner_text(), "the feeds can be sorted by name")
    page.locator("#sift").fill("sky")
    page.keyboard.press("Enter")
    page.wait_for_url("**/feeds?*q=sky*")
    check(page.locator("tbody tr").count() == 1 and "sort=name" in page.url, "the feeds can be sifted, in the order that was chosen")
    say("feeds in trouble stand first, and the table can be sorted and sifted")


def main():
    base = f"http://127.0.0.1:{free_port()}/"
    folder = scratch() / "demonstration"
    demonstration(folder, base)
    with running([newsfold, "--config", folder / "newsfold.toml", "--log", "error", "run"]) as daemon:
        stories = await_stories(base, daemon)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=["--no-sandbox"]
            )
            drive(browser, base, stories)
            browser.close()
    say("all is well")


main()
