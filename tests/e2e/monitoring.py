#!/usr/bin/env python3
"""The alerts as promtool judges them, and the figures of a running daemon as Prometheus reads them.

    tests/e2e/monitoring.py NEWSFOLD

Needs promtool (Debian package prometheus) and the Python package prometheus_client. `promtool check metrics` is of no use
here: it reads the older text format, in which a counter's family has the ending of its samples, and misses the help of each.
"""
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MONITORING = REPOSITORY / "config/monitoring"


def figures(program):
    """What /metrics tells once the demonstration was polled, and a feed failed."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(REPOSITORY / "config/demo", f"{folder}/demo")
        file = pathlib.Path(folder, "newsfold.toml")
        config = (REPOSITORY / "config/demo.toml").read_text()
        failing = '\n[[feed]]\nname = "missing"\nurl = "file:missing.xml"\n'
        file.write_text(re.sub(r"(?m)^listen = .*$", 'listen = "127.0.0.1:0"', config) + failing)
        log = pathlib.Path(folder, "log")
        with open(log, "wb") as out:
            daemon = subprocess.Popen([program, "--config", file, "run"], stdout=out, stderr=out)
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                if found := re.search(r"listening on (\S+)", log.read_text()):
                    with urllib.request.urlopen(f"http://{found[1].removeprefix('http://').rstrip('/')}/metrics", timeout=5) as answer:
                        assert answer.headers["Content-Type"].startswith("application/openmetrics-text"), answer.headers
                        text = answer.read().decode()
                    if 'outcome="document"} 0' not in text and "newsfold_feed_failing_since_seconds{" in text:
                        return text
                time.sleep(0.1)
            sys.exit(f"no figures:\n{log.read_text()}")
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(10)


def main():
    for words in (["check", "rules", MONITORING / "alerts.yml"], ["test", "rules", REPOSITORY / "tests/e2e/alerts.yml"]):
        judged = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
        if judged.returncode:
            sys.exit(judged.stdout + judged.stderr)
    families = list(text_string_to_metric_families(figures(sys.argv[1])))
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
