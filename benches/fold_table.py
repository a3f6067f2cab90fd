#!/usr/bin/env python3
"""One table: how `newsfold fold` does on each set of stories, in both profiles, against floors and targets.

    fold_table.py DATA PROGRAM [--profile careful|balanced] [--set NAME] [--half dev|test]

DATA     the folder of the sets (`NAME.dev.jsonl.gz` and what belongs to it); nothing of it is copied
PROGRAM  the newsfold program

The scorer is `score_stories.py`, looked for beside DATA's parent (`../../tools/`) or in $SCORER. Standard library only.
A number below its floor is marked `!`, one at its target `*`.
"""
import argparse
import concurrent.futures
import gzip
import json
import os
import subprocess
import sys
import tempfile

SETS = ["feedweek", "reuters", "mixed", "fnc", "ecb", "basil", "uci", "ruslug", "sts-headlines", "semeval8", "bloomberg"]

# (set, profile, what, where in the scorer's answer, +1 more is better / -1 less, target, floor)
GOALS = [
    ("feedweek", "careful", "false links /1000", "stream.false_links_1k", -1, 10, 30),
    ("feedweek", "careful", "true links kept", "stream.true_links_kept", 1, .80, .65),
    ("feedweek", "careful", "folded /1000", "stream.folded_1k", -1, 200, 230),
    ("feedweek", "careful", "largest fold", "stream.largest", -1, None, None),
    ("feedweek", "careful", "distinct folded /1000", "distinct.false_folds_1k", -1, None, None),
    ("feedweek", "careful", "pair F1", "pairs.f1", 1, None, None),
    ("feedweek", "balanced", "false links /1000", "stream.false_links_1k", -1, 25, 60),
    ("feedweek", "balanced", "true links kept", "stream.true_links_kept", 1, .90, .80),
    ("feedweek", "balanced", "folded /1000", "stream.folded_1k", -1, 240, 280),
    ("feedweek", "balanced", "largest fold", "stream.largest", -1, None, None),
    ("feedweek", "balanced", "distinct folded /1000", "distinct.false_folds_1k", -1, None, None),
    ("reuters", "careful", "earnings folded /1000", "distinct.false_folds_1k", -1, 5, 20),
    ("reuters", "careful", "dividends folded /1000", "dividends.false_folds_1k", -1, 20, 50),
    ("reuters", "careful", "largest fold", "stream.largest", -1, 12, 20),
    ("reuters", "careful", "pair F1", "pairs.f1", 1, .80, .70),
    ("reuters", "careful", "false links /1000", "stream.false_links_1k", -1, None, None),
    ("reuters", "careful", "true links kept", "stream.true_links_kept", 1, None, None),
    ("reuters", "balanced", "pair F1", "pairs.f1", 1, None, None),
    ("reuters", "balanced", "largest fold", "stream.largest", -1, None, None),
    ("mixed", "careful", "fold recall", "clusters.fold_recall", 1, .90, .70),
    ("mixed", "careful", "false folds /1000", "clusters.false_folds_1k", -1, 3, 4),
    ("mixed", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("mixed", "balanced", "B3 F1", "clusters.b3.f1", 1, .92, .84),
    ("mixed", "balanced", "false folds /1000", "clusters.false_folds_1k", -1, 8, None),
    ("fnc", "balanced", "B3 F1", "clusters.b3.f1", 1, .97, None),
    ("ecb", "balanced", "B3 F1", "clusters.b3.f1", 1, .88, None),
    ("basil", "balanced", "B3 F1", "clusters.b3.f1", 1, .98, None),
    ("uci", "balanced", "B3 F1", "clusters.b3.f1", 1, .83, None),
    ("fnc", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("ecb", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("basil", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("uci", "careful", "B3 F1", "clusters.b3.f1", 1, None, None),
    ("ruslug", "balanced", "pair F1", "pairs.f1", 1, .78, None),
    ("sts-headlines", "balanced", "pair F1", "pairs.f1", 1, .89, None),
    ("semeval8", "balanced", "pair F1", "pairs.f1", 1, .72, None),
    ("ruslug", "careful", "pair F1", "pairs.f1", 1, None, None),
    ("sts-headlines", "careful", "pair F1", "pairs.f1", 1, None, None),
    ("semeval8", "careful", "pair F1", "pairs.f1", 1, None, None),
    ("bloomberg", "balanced", "pair F1", "pairs.f1", 1, None, None),
]


def score(data, program, scorer, half, name, profile, extra):
    gold = os.path.join(data, f"{name}.{half}.jsonl.gz")
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as pred:
        with gzip.open(gold) as lines:
            subprocess.run([program, "fold", "--profile", profile, *extra], input=lines.read(), stdout=pred, check=True)
        answer = {}
        for key, distinct in (("", "distinct"), ("dividends", "distinct-dividends")):
            command = [sys.executable, scorer, gold, pred.name, "--json"]
            pairs = os.path.join(data, f"{name}.{half}.pairs.jsonl.gz")
            ids = os.path.join(data, f"{name}.{half}.{distinct}.txt.gz")
            if os.path.exists(pairs) and not key:
                command += ["--pairs", pairs]
            if os.path.exists(ids):
                command += ["--distinct", ids]
            elif key:
                continue
            got = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            if key:
                answer[key] = got["distinct"]
            else:
                answer.update(got)
        return (name, profile), answer


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("data")
    ap.add_argument("program")
    ap.add_argument("--profile", choices=["careful", "balanced"])
    ap.add_argument("--set", action="append")
    ap.add_argument("--half", default="dev")
    ap.add_argument("--brief", action="store_true", help="one line, for comparing runs")
    ap.add_argument("extra", nargs="*", help="more arguments for `newsfold fold`")
    a = ap.parse_args()
    scorer = os.environ.get("SCORER") or os.path.join(os.path.abspath(a.data), "..", "..", "tools", "score_stories.py")
    wanted = [(n, p) for n in (a.set or SETS) for p in ([a.profile] if a.profile else ["careful", "balanced"])
              if any(g[0] == n and g[1] == p for g in GOALS)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = dict(pool.map(lambda w: score(a.data, a.program, scorer, a.half, *w, a.extra), wanted))
    below = 0
    brief = []
    if not a.brief:
        print(f"{'set':14} {'profile':9} {'number':24} {'measured':>9}  {'target':>8} {'floor':>8}")
    for name, profile, what, where, sign, target, floor in GOALS:
        answer = answers.get((name, profile))
        if answer is None:
            continue
        for key in where.split("."):
            answer = answer[key]
        mark = ""
        if floor is not None and (answer - floor) * sign < 0:
            mark, below = "!", below + 1
        elif target is not None and (answer - target) * sign >= 0:
            mark = "*"
        brief.append((name, profile, what, answer, mark))
        if not a.brief:
            bound = "<=" if sign < 0 else ">="
            say = lambda x: "" if x is None else f"{bound} {x:g}"
            print(f"{name:14} {profile:9} {what:24} {answer:9.3f}{mark or ' '} {say(target):>8} {say(floor):>8}")
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
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
