#!/usr/bin/env bash
# Subscribes real feed readers to the demonstration, and compares what they show with what newsfold says it has.
#
#   tests/e2e/readers.sh target/debug/newsfold
#
# It runs from the root of the repository. It needs curl, sfeed, newsboat and Python 3 with feedparser; on Debian:
#
#   apt-get install curl sfeed newsboat python3-feedparser
#
# $PYTHON may name the Python to use. Everything is written to a temporary folder, and nothing is asked of the network
# but the daemon that is started here. One line is printed for each check; the first one that fails ends the script
# with status 1.
set -euo pipefail

# Readers decide by the locale how they print, so it is fixed.
export LC_ALL=C.UTF-8
# A proxy must not come between the readers and the loopback interface.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

say() {
	printf 'readers: %s\n' "$*"
}

fail() {
	printf 'readers: FAILED: %s\n' "$*" >&2
	if [[ -n ${work:-} && -s $work/log ]]; then
		printf 'readers: the last lines of the daemon:\n' >&2
		tail -n 20 "$work/log" >&2
	fi
	exit 1
}

# --- What is needed -------------------------------------------------------------------------------------------------

[[ $# -eq 1 ]] || fail "usage: tests/e2e/readers.sh NEWSFOLD, for example tests/e2e/readers.sh target/debug/newsfold"
[[ -x $1 && -f $1 ]] || fail "$1 is no program; run cargo build first"
newsfold=$(realpath "$1")
[[ -f config/demo.toml && -d config/demo ]] || fail "config/demo.toml is not here; run this from the repository's root"

missing=()
for program in curl sfeed newsboat; do
	command -v "$program" >/dev/null || missing+=("$program")
done
# Debian's package serves Debian's Python, which need not be the first one in the path.
python=
for candidate in "${PYTHON:-python3}" /usr/bin/python3; do
	if "$candidate" -c 'import feedparser' 2>/dev/null; then
		python=$candidate
		break
	fi
done
[[ -n $python ]] || missing+=("python3 with feedparser")
if ((${#missing[@]})); then
	printf -v list '%s, ' "${missing[@]}"
	fail "missing: ${list%, }; try: apt-get install curl sfeed newsboat python3-feedparser"
fi

# --- The daemon -----------------------------------------------------------------------------------------------------

work=$(mktemp -d)
daemon=

# The daemon is ended by its own process number, also when a check fails.
clean_up() {
	if [[ -n $daemon ]]; then
		kill -KILL "$daemon" 2>/dev/null || true
		wait "$daemon" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# $NEWSFOLD_CONFIG and $STATE_DIRECTORY of whoever runs this must not lead to another store.
unset NEWSFOLD_CONFIG NEWSFOLD_LOG STATE_DIRECTORY LISTEN_FDS LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port

cp config/demo.toml "$work/"
cp -r config/demo "$work/"
# The feeds are read every second here, so that the last check need not wait for its edit.
sed -i \
	-e "s|^listen = .*|listen = \"127.0.0.1:$port\"|" \
	-e "s|^public_url = .*|public_url = \"$base/\"|" \
	-e 's|^interval = .*|interval = "1s"|' \
	-e 's|^min_interval = .*|min_interval = "1s"|' \
	"$work/demo.toml"
grep -q "^listen = \"127.0.0.1:$port\"" "$work/demo.toml" || fail "config/demo.toml has no line \`listen = \`"
grep -q "^public_url = \"$base/\"" "$work/demo.toml" || fail "config/demo.toml has no line \`public_url = \`"

ours() {
	"$newsfold" --config "$work/demo.toml" --log error "$@"
}

get() {
	curl --silent --show-error --fail --max-time 10 "$@"
}

# Prints what a Python expression makes of the JSON document on standard input, which it knows as `d`.
json() {
	"$python" -c "import json, sys; d = json.load(sys.stdin); print($1)"
}

# Repeats a command until it succeeds, for 30 seconds at most.
await() {
	local what=$1 until=$((SECONDS + 30))
	shift
	until "$@"; do
		kill -0 "$daemon" 2>/dev/null || fail "the daemon ended while waiting until $what"
		((SECONDS < until)) || fail "waited 30 s in vain until $what"
		sleep 0.2
	done
}

healthy() {
	[[ $(get "$base/healthz" 2>/dev/null | json 'd["status"]' 2>/dev/null) == ok ]]
}

# A feed has been polled when it has a last success, which the daemon writes together with the feed's entries, or failed: one does.
all_polled() {
	[[ $(ours feeds --json | json 'bool(d) and all(f["last_success"] or f["failures"] for f in d)') == True ]]
}

count_stories() {
	ours stories --since 4000d --json | json 'len(d)'
}

# What is served trails what is stored by a moment, because it is rendered after the transaction.
served_all() {
	stories=$(count_stories)
	((stories > 0)) && [[ $(get "$base/news.json" | json 'len(d["items"])') == "$stories" ]]
}

"$newsfold" --config "$work/demo.toml" run >"$work/log" 2>&1 &
daemon=$!

await "/healthz says ok" healthy
await "every feed of the demonstration was polled" all_polled
stories=0
await "/news.json has as many stories as the store" served_all
feeds=$(grep -c '^\[\[feed\]\]' "$work/demo.toml")
[[ $(ours feeds --json | json 'len(d)') == "$feeds" ]] || fail "\`newsfold feeds\` does not know all $feeds feeds"
say "the daemon polled $feeds feeds and has $stories stories"

# --- sfeed ----------------------------------------------------------------------------------------------------------

# sfeed writes an entry a line: time, title, link, content, its type, id, author, enclosure and categories.
sfeed_shows() {
	local format=$1 out=$work/sfeed.$1.$2
	get "$base/news.$format" | sfeed "$base/" >"$out" || fail "sfeed cannot read news.$format"
	local shown ids
	shown=$(wc -l <"$out")
	[[ $shown -eq $stories ]] || fail "sfeed shows $shown stories of news.$format, the store has $stories"
	ids=$(cut -f 6 "$out" | sort -u | wc -l)
	[[ $ids -eq $stories ]] || fail "sfeed sees only $ids different ids among the $stories stories of news.$format"
	awk -F '\t' '$1 !~ /^[0-9]+$/ || $2 == "" || $6 == "" { print "line " NR ": " $1 " | " $2 " | " $6; bad = 1 }
		END { exit bad }' "$out" >&2 || fail "sfeed misses the date, the title or the id of these stories of news.$format"
}

for format in atom rss; do
	sfeed_shows "$format" first
	say "sfeed shows $stories stories of news.$format"
	sfeed_shows "$format" second
	cmp -s "$work/sfeed.$format.first" "$work/sfeed.$format.second" || fail "sfeed shows another news.$format the second time"
	say "sfeed shows the same stories of news.$format the second time"
done

# --- newsboat -------------------------------------------------------------------------------------------------------

# Newsboat keeps a folder for each format, because it is asked for a count and would add the two up.
newsboat_runs() {
	local home=$work/newsboat.$1
	shift
	timeout 60 env HOME="$home" newsboat \
		--url-file="$home/urls" --cache-file="$home/cache.db" --config-file="$home/config" "$@" 2>&1 </dev/null
}

newsboat_shows() {
	local format=$1 out
	out=$(newsboat_runs "$format" --execute=reload) || fail "newsboat cannot reload news.$format: $out"
	out=$(newsboat_runs "$format" --execute=print-unread) || fail "newsboat cannot count news.$format: $out"
	[[ $out == "$stories unread articles" ]] \
		|| fail "newsboat says \"$out\" of news.$format${2:+ $2}, the store has $stories stories"
}

for format in atom rss; do
	mkdir -p "$work/newsboat.$format"
	printf '%s\n' "$base/news.$format" >"$work/newsboat.$format/urls"
	: >"$work/newsboat.$format/config"
	newsboat_shows "$format"
	# The count of unread stories does not tell what newsboat understood of each, so its cache is looked at.
	"$python" - "$work/newsboat.$format/cache.db" "$stories" <<'PYTHON' || fail "newsboat misunderstands news.$format"
import sqlite3
import sys

rows = sqlite3.connect(sys.argv[1]).execute("SELECT guid, title, pubDate FROM rss_item").fetchall()
problems = [f"{row}: no id, title or date" for row in rows if not all(row)]
if len({row[0] for row in rows}) != len(rows) or len(rows) != int(sys.argv[2]):
    problems.append(f"{len(rows)} stories in the cache, {len({row[0] for row in rows})} ids, wanted {sys.argv[2]}")
print("\n".join(problems), end="", file=sys.stderr)
sys.exit(bool(problems))
PYTHON
	say "newsboat shows $stories stories of news.$format"
	newsboat_shows "$format" "after a second reload"
	say "newsboat shows no new story of news.$format after a second reload"
done

# --- feedparser and JSON Feed ---------------------------------------------------------------------------------------

# Both also ask a second time with the validators that they were given, as a subscriber does.
"$python" - "$base" "$stories" <<'PYTHON' || fail "feedparser or the reader of JSON Feed disagrees"
import json
import sys
import urllib.error
import urllib.request

import feedparser

base, wanted = sys.argv[1], int(sys.argv[2])
ids = {}


def say(text):
    print(f"readers: {text}", flush=True)


def check(right, text):
    if not right:
        print(f"readers: {text}", file=sys.stderr)
        sys.exit(1)


for name in ("atom", "rss"):
    url = f"{base}/news.{name}"
    feed = feedparser.parse(url)
    check(feed.get("status") == 200, f"{url} answered {feed.get('status')}: {feed.get('bozo_exception')}")
    check(not feed.bozo, f"feedparser calls news.{name} broken: {feed.get('bozo_exception')}")
    check(feed.feed.get("title"), f"feedparser sees no title of news.{name}")
    check(len(feed.entries) == wanted, f"feedparser shows {len(feed.entries)} stories of news.{name}, not {wanted}")
    ids[name] = {entry.get("id") for entry in feed.entries}
    check(len(ids[name]) == wanted, f"feedparser sees only {len(ids[name])} ids in news.{name}")
    for entry in feed.entries:
        whole = entry.get("id") and entry.get("title") and entry.get("published_parsed")
        check(whole, f"feedparser misses the id, the title or the date of {dict(entry)}")
    say(f"feedparser shows {wanted} stories of news.{name}")
    again = feedparser.parse(url, etag=feed.etag, modified=feed.modified)
    check(again.get("status") == 304 and not again.entries, f"feedparser got {again.get('status')} for news.{name}, not 304")
    say(f"feedparser is told that news.{name} has not changed")

url = f"{base}/news.json"
with urllib.request.urlopen(url, timeout=10) as answer:
    etag, document = answer.headers["ETag"], json.load(answer)
check(document["version"] == "https://jsonfeed.org/version/1.1", f"news.json is of version {document['version']}")
check(document["title"], "news.json has no title")
items = document["items"]
check(len(items) == wanted, f"news.json has {len(items)} stories, not {wanted}")
ids["json"] = {item["id"] for item in items}
check(len(ids["json"]) == wanted, f"news.json has only {len(ids['json'])} ids")
for item in items:
    check(item["id"] and item.get("title") and item.get("date_published"), f"no id, title or date: {item}")
    check("content_html" in item or "content_text" in item, f"JSON Feed asks for a content: {item}")
say(f"news.json has {wanted} stories")
try:
    urllib.request.urlopen(urllib.request.Request(url, headers={"If-None-Match": etag}), timeout=10)
    check(False, "news.json was sent again, not 304")
except urllib.error.HTTPError as answer:
    check(answer.code == 304, f"news.json answered {answer.code}, not 304")
say("news.json has not changed the second time")

check(ids["atom"] == ids["rss"] == ids["json"], "the three formats do not have the same ids")
say("the three formats have the same ids")
PYTHON

# --- If-None-Match --------------------------------------------------------------------------------------------------

etag_of() {
	get --head "$1" | tr -d '\r' | sed -n 's/^etag: //Ip'
}

for path in /news.atom /news.rss /news.json /news; do
	etag=$(etag_of "$base$path")
	[[ -n $etag ]] || fail "$path has no ETag"
	answer=$(get --output "$work/body" --write-out '%{http_code} %{size_download}' -H "If-None-Match: $etag" "$base$path")
	[[ $answer == "304 0" ]] || fail "$path with its own ETag gave \"$answer\" (status and bytes), not \"304 0\""
done
say "If-None-Match gives 304 for all four formats"

# --- An edited entry ------------------------------------------------------------------------------------------------

# The publisher changes a headline. The readers must see the new one, and no new story.
before=$(etag_of "$base/news.atom")
sed -i 's|Heating Season Opens in All Nine Provinces|Heating Season Opens in Ten Provinces|' "$work/demo/vsna.rss.xml"
grep -q 'Ten Provinces' "$work/demo/vsna.rss.xml" || fail "the demonstration has no headline to edit any more"
# This feed asks for an hour between polls, so the daemon is stopped, the feed is polled by name, and it starts anew.
stop_daemon() {
	kill -TERM "$daemon"
	local until=$((SECONDS + 10)) status=0
	while kill -0 "$daemon" 2>/dev/null; do
		((SECONDS < until)) || fail "the daemon still runs 10 s after SIGTERM"
		sleep 0.1
	done
	wait "$daemon" || status=$?
	daemon=
	((status == 0)) || fail "the daemon ended with status $status after SIGTERM"
}

stop_daemon
say "the daemon ended with status 0 after SIGTERM"
ours poll vsna >"$work/poll" 2>&1 || fail "cannot poll the edited feed: $(tail -n 1 "$work/poll")"
"$newsfold" --config "$work/demo.toml" run >"$work/log" 2>&1 &
daemon=$!
await "/healthz says ok again" healthy
changed() {
	[[ $(etag_of "$base/news.atom") != "$before" ]]
}
await "/news.atom has the edited headline" changed
get --output "$work/body" "$base/news.atom"
grep -q 'Ten Provinces' "$work/body" || fail "the edited headline is not in /news.atom"
for format in atom rss; do
	newsboat_shows "$format" "after an edited headline and a restart"
	feed_ids=$(get "$base/news.$format" | sfeed "$base/" | cut -f 6 | sort | sha256sum)
	[[ $feed_ids == "$(cut -f 6 "$work/sfeed.$format.first" | sort | sha256sum)" ]] \
		|| fail "the ids in news.$format changed with an edited headline and a restart"
done
say "an edited headline and a restart make no new story in newsboat and sfeed"

stop_daemon
say "the daemon ended with status 0 again; all is well"
