#!/usr/bin/env python3
"""One table: how `newsfold fold` does on each set of stories, against floors and targets.

    fold_table.py DATA PROGRAM [--set NAME] [--half dev|test] [--list]

DATA     the folder of the sets (`NAME.dev.jsonl.gz` and what belongs to it); nothing of it is copied
PROGRAM  the newsfold program

First what a reader of a real week meets: the links that newsfold itself makes, judged (`feedweek`, `feedweek26`), and weeks of
different years laid over one another, where every fold across them is false (`overlay`). Then the older sets, which tell about
rewrites and templates. `--list` prints the judged false links, the wrong first entries and the hidden first tellings too.

The tools are `score_stories.py`, `fold_week.py` and `fold_overlay.py`, looked for beside DATA's parent (`../../tools/`) or in
$TOOLS. Standard library only. A number below its floor is marked `!`, one at its target `*`; `?` stands behind a number that
too many links without a judgement make uncertain (more than a fifth: draw links with `fold_sample.py` and have them read).
"""
import argparse
import concurrent.futures
import gzip
import json
import os
import shlex
import subprocess
import sys
import tempfile

WEEKS = ["feedweek", "feedweek26"]
OVERLAY = ["feedweek", "feedweek26", "feedweek22"]
SETS = [*WEEKS, "overlay", "reuters", "mixed", "fnc", "ecb", "basil", "uci", "ruslug", "sts-headlines", "semeval8", "bloomberg"]

# (set, profile, what, where in the scorer's answer, +1 more is better / -1 less, target, floor)
GOALS = [
    *((week, "careful", what, where, sign, *goal)
      for week, first, shown in (("feedweek", 26, (31, 27)), ("feedweek26", 18, (38, 38)))
      for what, where, sign, goal in (
          ("false links /1000", "all.false_1k", -1, (6, 12)),
          ("true links kept", "all.kept", 1, (.80, .72)),
          ("wrong first entry /1000", "all.wrong_first_1k", -1, (10, first)),
          ("right after 24 h", "by_age.24+ h.precision", 1, (.90, .80)),
          ("first tellings shown", "shown", 1, shown),
          ("rows per happening", "rows_per_happening", -1, (None, None)),
          ("Polish: kept", "by_lang.pl.kept", 1, (.80, .70)),
          ("Polish: false /1000", "by_lang.pl.false_1k", -1, (10, 10)),
          ("editions folded", "distinct.folded", -1, (None, None)),
          ("folded /1000", "folded_1k", -1, (None, None)),
          ("largest fold", "largest", -1, (None, None)),
          ("not judged", "all.unjudged", -1, (None, None)))),
    ("overlay", "careful", "across weeks /1000", "across_1k", -1, .5, 1),
    ("overlay", "careful", "hidden /1000", "hidden_1k", -1, 3, 6),
    ("reuters", "careful", "earnings folded /1000", "distinct.false_folds_1k", -1, 5, 12),
    ("reuters", "careful", "dividends folded /1000", "dividends.false_folds_1k", -1, 20, 50),
    ("reuters", "careful", "largest fold", "stream.largest", -1, 12, 20),
    ("reuters", "careful", "pair F1", "pairs.f1", 1, .80, .70),
    ("reuters", "careful", "false links /1000", "stream.false_links_1k", -1, None, None),
    ("reuters", "careful", "true links kept", "stream.true_links_kept", 1, None, None),
    ("mixed", "careful", "fold recall", "clusters.fold_recall", 1, .80, .60),
    ("mixed", "careful", "false folds /1000", "clusters.false_folds_1k", -1, 3, 4),
    ("mixed", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("fnc", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("ecb", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("basil", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("uci", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("ruslug", "careful", "pair F1", "pairs.f1", 1, .78, None),
    ("sts-headlines", "careful", "pair F1", "pairs.f1", 1, .89, None),
    ("semeval8", "careful", "pair F1", "pairs.f1", 1, .72, None),
    ("bloomberg", "careful", "pair F1", "pairs.f1", 1, None, None),
]


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def score(data, program, tools, half, name, profile, extra, shown):
    """The answers of the tools for one set, as one nested dictionary."""
    of = lambda set_, what: os.path.join(data, f"{set_}.{half}.{what}.gz")
    fold = " ".join(shlex.quote(x) for x in (program, "fold", "--profile", profile, *extra))
    python = lambda tool: [sys.executable, os.path.join(tools, tool)]
    if name == "overlay":
        files = [of(x, "jsonl") for x in OVERLAY if os.path.exists(of(x, "jsonl"))]
        return json.loads(run([*python("fold_overlay.py"), *files, "--cmd", fold, "--json"]))
    if name in WEEKS:
        # The links that newsfold makes; `feedweek` has older pairs beside them, of nearest neighbours, and tuned on for long.
        links = of(name, "links.pairs.jsonl")
        command = [*python("fold_week.py"), of(name, "jsonl"), "--cmd", fold, "--pairs", links if os.path.exists(links) else of(name, "pairs.jsonl")]
        for option, what in (("--happenings", "happenings.jsonl"), ("--distinct", "distinct.txt")):
            command += [option, of(name, what)] if os.path.exists(of(name, what)) else []
        if shown:
            shown.append(f"== {name}, {profile}\n" + run([*command, "--list"]).decode())
        return json.loads(run([*command, "--json"]))
    answer = {}
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as pred:
        with gzip.open(of(name, "jsonl")) as lines:
            subprocess.run(shlex.split(fold), input=lines.read(), stdout=pred, check=True)
        for key, distinct in (("", "distinct"), ("dividends", "distinct-dividends")):
            command = [*python("score_stories.py"), of(name, "jsonl"), pred.name, "--json"]
            if os.path.exists(of(name, "pairs.jsonl")) and not key:
                command += ["--pairs", of(name, "pairs.jsonl")]
            if os.path.exists(of(name, distinct + ".txt")):
                command += ["--distinct", of(name, distinct + ".txt")]
            elif key:
                continue
            got = json.loads(run(command))
            if key:
                answer[key] = got["distinct"]
            else:
                answer.update(got)
    return answer


def at(answer, where):
    """The number at a path of keys; `None` where there is none."""
    for key in where.split("."):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("data")
    ap.add_argument("program")
    ap.add_argument("--set", action="append")
    ap.add_argument("--half", default="dev")
    ap.add_argument("--brief", action="store_true", help="one line, for comparing runs")
    ap.add_argument("--list", action="store_true", help="print what is judged wrong, too")
    ap.add_argument("extra", nargs="*", help="more arguments for `newsfold fold`")
    a = ap.parse_args()
    tools = os.environ.get("TOOLS") or os.path.join(os.path.abspath(a.data), "..", "..", "tools")
    wanted = [(n, p) for n in (a.set or SETS) for p in ["careful"]
              if any(g[0] == n and g[1] == p for g in GOALS)]
    shown = [""] if a.list else []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        got = pool.map(lambda w: score(a.data, a.program, tools, a.half, *w, a.extra, shown), wanted)
        answers = dict(zip(wanted, got))
    below = 0
    brief = []
    if not a.brief:
        print(f"{'set':14} {'profile':9} {'number':24} {'measured':>9}   {'target':>8} {'floor':>8}")
    for name, profile, what, where, sign, target, floor in GOALS:
        answer = answers.get((name, profile))
        if answer is None:
            continue
        uncertain = (at(answer, "all.unjudged") or 0) > .2 and where.startswith(("all.", "by_"))
        answer = at(answer, where)
        if answer is None:
            continue
        mark = "?" if uncertain else ""
        if floor is not None and (answer - floor) * sign < 0:
            mark, below = "!" + mark, below + 1
        elif target is not None and (answer - target) * sign >= 0:
            mark = "*" + mark
        brief.append((name, profile, what, answer, mark))
        if not a.brief:
            bound = "<=" if sign < 0 else ">="
            say = lambda x: "" if x is None else f"{bound} {x:g}"
            print(f"{name:14} {profile:9} {what:24} {answer:9.3f}{mark:2} {say(target):>8} {say(floor):>8}")
    if a.brief:
        last = None
        for name, profile, what, answer, mark in brief:
            if last != (name, profile):
                print(("" if last is None else "\n") + f"{name[:8]}/{profile[:3]}", end=" ")
                last = (name, profile)
            short = "".join(w[0] for w in what.replace("/1000", "").split())
            print(f"{short}={answer:.3f}{mark}", end=" ")
        print()
    else:
        print(f"{below} below their floor")
        print("\n".join(shown).strip())
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
