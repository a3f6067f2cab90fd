#!/usr/bin/env python3
"""WebSub with a hub, a publisher and a subscriber that others wrote.

    tests/e2e/hubs.py NEWSFOLD

All three are Flask-WebSub's (Python packages Flask-WebSub and celery). The subscriber finds newsfold's hub in each of its
documents, subscribes, and is told of news by the hub, which newsfold told. The publisher names the same hub in its headers;
newsfold subscribes there, and shows what the hub sends without polling. Everything stays on loopback.
"""
import logging
import pathlib
import sys
import threading
import urllib.parse
import urllib.request

import celery
import celery.contrib.testing.worker
import flask
import flask_websub.hub
import flask_websub.publisher
import flask_websub.subscriber
import werkzeug.serving

from checks import check, free_port, get, running, say, scratch, until

FORMATS = ("atom", "rss", "json")


def document(titles):
    items = "".join(f"<item><guid isPermaLink='false'>{title}</guid><link>https://paper.example/{title}</link><title>The {title}</title></item>" for title in titles)
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>A paper</title><link>https://paper.example/</link>{items}</channel></rss>"


class Peers:
    """A hub, a publisher of one feed and a subscriber, in one server."""

    def __init__(self, folder):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.titles = ["ferry"]
        self.asked = []
        self.told = {}
        app = flask.Flask("peers")
        app.config.update(SERVER_NAME=f"127.0.0.1:{self.port}", PUBLISH_SUPPORTED=True)
        tasks = celery.Celery("peers", broker="memory://", backend="cache+memory://")
        self.hub = flask_websub.hub.Hub(flask_websub.hub.SQLite3HubStorage(f"{folder}/hub.db"), tasks, BACKOFF_BASE=0.05)
        app.register_blueprint(self.hub.build_blueprint(url_prefix="/hub"))
        storage = flask_websub.subscriber.SQLite3SubscriberStorage(f"{folder}/subscriber.db")
        waiting = flask_websub.subscriber.SQLite3TempSubscriberStorage(f"{folder}/waiting.db")
        self.subscriber = flask_websub.subscriber.Subscriber(storage, waiting)
        app.register_blueprint(self.subscriber.build_blueprint(url_prefix="/callbacks"))
        self.confirmed = []
        self.subscriber.add_success_handler(lambda topic, callback, mode: self.confirmed.append(topic))
        self.subscriber.add_listener(lambda topic, callback, body: self.told.setdefault(topic, []).append(body))
        flask_websub.publisher.init_publisher(app)

        @app.route("/feed")
        @flask_websub.publisher.publisher()
        def feed():
            self.asked.append(flask.request.headers.get("User-Agent", ""))
            return flask.Response(document(self.titles), mimetype="application/rss+xml")

        self.app = app
        self.worker = celery.contrib.testing.worker.start_worker(tasks, pool="threads", perform_ping_check=False, loglevel="ERROR")
        self.server = werkzeug.serving.make_server("127.0.0.1", self.port, app, threaded=True)

    def __enter__(self):
        self.worker.__enter__()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.worker.__exit__(None, None, None)

    def subscribe(self, address):
        """Subscribes to whatever hub the document there names, and gives its topic."""
        found = flask_websub.subscriber.discover(address)
        with self.app.app_context():
            self.subscriber.subscribe(**found)
        return found["topic_url"]

    def publish(self):
        """Tells the hub of the feed, as its publisher would."""
        form = {"hub.mode": "publish", "hub.topic": f"{self.address}/feed"}
        urllib.request.urlopen(f"{self.address}/hub", urllib.parse.urlencode(form).encode(), timeout=5).close()


def talk(peers, ours):
    """What is said between them, once newsfold runs at `ours`."""
    until(lambda: b"ferry" in get(f"{ours}/news.json"), 20, "the first entry is published")
    topics = {name: peers.subscribe(f"{ours}/news.{name}") for name in FORMATS}
    check(all(topics[name] == f"{ours}/news.{name}" for name in FORMATS), f"hub and topic are found in every format: {topics}")
    until(lambda: set(topics.values()) <= set(peers.confirmed), 10, "the hub has confirmed every subscription")
    topic = f"{peers.address}/feed"
    until(lambda: list(peers.hub.storage.get_callbacks(topic)), 10, "newsfold is subscribed at the hub that the feed's headers name")
    asked = len(peers.asked)
    peers.titles.insert(0, "bridge")
    peers.publish()
    until(lambda: b"bridge" in get(f"{ours}/news.json"), 10, "what the hub sent is published")
    polled = [agent for agent in peers.asked[asked:] if agent.startswith("newsfold")]
    check(not polled, f"without a poll: {polled}")
    for name, topic in topics.items():
        until(lambda: any(b"bridge" in body for body in peers.told.get(topic, [])), 10, f"the subscriber of {name} is told of the news")
    times = {topic: sum(b"bridge" in body for body in peers.told[topic]) for topic in topics.values()}
    check(set(times.values()) == {1}, f"once: {times}")


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    folder = scratch()
    with Peers(folder) as peers:
        port = free_port()
        ours = f"http://127.0.0.1:{port}"
        (folder / "newsfold.toml").write_text(
            '[poll]\ninterval = "1h"\nmin_interval = "1s"\nallow_networks = ["127.0.0.0/8"]\nbackfill = "9999d"\n'
            f'[serve]\nlisten = "127.0.0.1:{port}"\npublic_url = "{ours}/"\nwebsub = true\nhub = "{peers.address}/hub"\n'
            f'[[feed]]\nname = "paper"\nurl = "{peers.address}/feed"\n')
        log = folder / "log"
        with open(log, "wb") as out, running([program, "--log", "debug", "run"], cwd=folder, stdout=out, stderr=out):
            talk(peers, ours)
    say("ok: WebSub with Flask-WebSub's hub, publisher and subscriber")


if __name__ == "__main__":
    main()
