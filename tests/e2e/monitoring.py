#!/usr/bin/env python3
"""The alerts as promtool judges them, and the figures of a running daemon as Prometheus reads and keeps them.

    tests/e2e/monitoring.py NEWSFOLD

Needs prometheus and promtool (Debian package prometheus) and the Python package prometheus_client. `promtool check metrics`
is of no use here: it reads the older text format, in which a counter's family has the ending of its samples, and misses the help of each.
"""
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

from checks import check, free_port, get, running, scratch, until
from prometheus_client.openmetrics.parser import text_string_to_metric_families

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MONITORING = REPOSITORY / "config/monitoring"


@contextlib.contextmanager
def demonstration(program):
    """The daemon on the demonstration, of which one feed fails; gives its address."""
    folder, address = scratch(), f"127.0.0.1:{free_port()}"
    shutil.copytree(REPOSITORY / "config/demo", folder / "demo")
    config = (REPOSITORY / "config/demo.toml").read_text()
    (folder / "newsfold.toml").write_text(re.sub(r"(?m)^listen = .*$", f'listen = "{address}"', config))
    with open(folder / "log", "wb") as out, running([program, "--config", folder / "newsfold.toml", "run"], stdout=out, stderr=out):
        yield address


def figures(address):
    """What /metrics tells once the demonstration was polled, and a feed failed."""
    told = []

    def is_polled():
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            check(answer.headers["Content-Type"].startswith("application/openmetrics-text"), str(answer.headers))
            told.append(answer.read().decode())
        return 'outcome="document"} 0' not in told[-1] and "newsfold_feed_failing_since_seconds{" in told[-1]

    until(is_polled, 20, "the demonstration is polled, and the figures say so")
    return told[-1]


def scraped(address, query):
    """What Prometheus answers to a query once it has read the figures, with our alerts loaded."""
    folder, port = scratch(), free_port()
    (folder / "prometheus.yml").write_text(
        f'rule_files: ["{MONITORING / "alerts.yml"}"]\n'
        f'scrape_configs: [{{job_name: newsfold, scrape_interval: 1s, static_configs: [{{targets: ["{address}"]}}]}}]\n')
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]

    def ask(path):
        return json.loads(get(f"http://127.0.0.1:{port}/api/v1/{path}"))["data"]

    with open(folder / "log", "wb") as out, running(command, stdout=out, stderr=out):
        until(lambda: any(target["health"] == "up" for target in ask("targets")["activeTargets"]), 60, "Prometheus reads the figures")
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        check(rules and all(rule["health"] in ("ok", "unknown") for rule in rules), f"the alerts are sound: {rules}")
        until(lambda: ask(f"query?query={query}")["result"], 30, f"Prometheus keeps {query}")
        return ask(f"query?query={query}")["result"]


def main():
    for words in (["check", "rules", MONITORING / "alerts.yml"], ["test", "rules", REPOSITORY / "tests/e2e/alerts.yml"]):
        judged = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
        if judged.returncode:
            sys.exit(judged.stdout + judged.stderr)
    with demonstration(sys.argv[1]) as address:
        families = list(text_string_to_metric_families(figures(address)))
        failing = scraped(address, "newsfold_feed_failing_since_seconds")
        check([series["metric"]["feed"] for series in failing] == ["lighthouse"], f"the feed that fails is known by name: {failing}")
    samples = {sample.name for family in families for sample in family.samples}
    without = [family.name for family in families if not family.documentation or not family.samples]
    assert not without, f"without help or samples: {without}"
    for file in MONITORING.iterdir():
        named = set(re.findall(r"newsfold_[a-z_]+", file.read_text()))
        assert named <= samples, f"{file.name} names what is not told: {named - samples}"
        assert file.suffix != ".json" or named, f"{file.name} shows nothing of ours"
    print(f"ok: alerts are raised when they should be, and {len(families)} families of figures are read")


if __name__ == "__main__":
    main()
