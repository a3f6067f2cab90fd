#!/usr/bin/env bash
# Runs inside the container that boot.sh boots: what a person types to install, use, upgrade and remove newsfold.
# Prints a line a check; FAILED lines fail the run.
set -u
cd /opt/checks
page=http://127.0.0.1:8080
state=/var/lib/private/newsfold

check() { # NAME COMMAND...
  local name=$1
  shift
  if "$@" >/tmp/said 2>&1; then echo "ok      $name"; else
    echo "FAILED  $name"
    { echo "--- $name: $*"; tail -20 /tmp/said; systemctl status newsfold --no-pager 2>&1 | tail -25; } >&2
  fi
}
until_true() { # SECONDS COMMAND...
  local left=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.1
  done
}
shows() { [ "$(systemctl show newsfold -P "$1")" = "$2" ]; }
says() { systemctl show newsfold -P StatusText | grep -q "$1"; }
answers() { curl -fsS -m 5 -o /dev/null "$page$1"; }
holds() { curl -fsS -m 5 "$page$1" | grep -q "$2"; }
pid() { systemctl show newsfold -P MainPID; }
fact() { grep -Eq "$1" "/proc/$(pid)/status"; }
drop_in() {
  mkdir -p /etc/systemd/system/newsfold.service.d
  cat > /etc/systemd/system/newsfold.service.d/check.conf
  systemctl daemon-reload
}
# Each restart that a check wants is one that the limit on restarts does not count.
restart() { systemctl reset-failed newsfold 2>/dev/null; systemctl restart newsfold; }
restarts() { shows ActiveState active && [ "$(systemctl show newsfold -P NRestarts)" -gt "$1" ]; }

# The version before, with the configuration that a person would write.
check "the older package is installed" apt-get install -y /opt/checks/older.deb
command -v newsfold >/dev/null || exit 1
check "the service is not started by itself" shows ActiveState inactive
cat > /etc/newsfold/sample.xml <<'FEED'
<rss version="2.0"><channel><title>Sample</title><link>https://sample.example/</link><description>d</description>
<item><guid>one</guid><link>https://sample.example/one</link><title>The first report</title></item></channel></rss>
FEED
check "it starts with the configuration that it brings" systemctl enable --now newsfold
check "ready means that the listener answers" answers /healthz
cat >> /etc/newsfold/newsfold.toml <<'CONFIG'
[[feed]]
url = "file:sample.xml"
name = "sample"
CONFIG
check "a reload takes a new feed" systemctl reload newsfold
check "the new feed is published" until_true 20 holds /news.atom "The first report"
stories() { curl -fsS "$page/news.json" | grep -o '"id": *"[^"]*"' | sort; }
before=$(stories)

check "the package is upgraded" apt-get install -y /opt/checks/newsfold.deb
check "the service runs on after the upgrade" until_true 15 shows ActiveState active
check "the store came along" until_true 10 test "$before" = "$(stories)"

quiet() { test -z "$("$@" 2>&1)"; }
check "the units are understood to the last line" quiet systemd-analyze verify --man=no newsfold.service newsfold.socket newsfold-poll.service newsfold-poll.timer
exposure() { systemd-analyze security --no-pager newsfold.service | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p'; }
check "its exposure is 1.5 at most" awk -v is="$(exposure)" 'BEGIN { exit !(is > 0 && is <= 1.5) }'
check "systemd waits for its word" shows Type notify
check "its status has counts" says "feed"
own_user() { [ "$(stat -c %u "/proc/$(pid)")" -ge 61184 ] && [ "$(stat -c %u "/proc/$(pid)")" -le 65519 ]; }
check "it runs as a user of its own" own_user
check "it has no capabilities" fact '^CapEff:\s*0+$'
check "it can get no privileges" fact '^NoNewPrivs:\s*1$'
check "its system calls are filtered" fact '^Seccomp:\s*2$'
check "its root is read-only" grep -Eq ' / / ro' "/proc/$(pid)/mountinfo"
check "its state is its own" test "$(stat -c %a $state)" = 700

sed -i.good 's/^name = "sample"/nmae = "sample"/' /etc/newsfold/newsfold.toml
systemctl reload newsfold
check "a wrong configuration is refused in words" until_true 10 says "wrong"
check "in those of newsfold check" says "newsfold.toml:.*nmae"
check "a figure says so too" holds /metrics "^newsfold_config_refused_total 1"
refusals() { journalctl -u newsfold -o cat "$@" | grep -c "stays in force"; }
check "and the journal, as an error and once" bash -c "$(declare -f refusals); test \"\$(refusals -p err) \$(refusals)\" = '1 1'"
check "and the one before it stays in force" holds /news.atom "The first report"
mv /etc/newsfold/newsfold.toml.good /etc/newsfold/newsfold.toml
systemctl reload newsfold
check "a right one is taken again" until_true 10 bash -c "! systemctl show newsfold -P StatusText | grep -q wrong"

drop_in <<'UNIT'
[Service]
RestartSec=200ms
WatchdogSec=3
UNIT
restart
[ "$(pid)" != 0 ] && kill -9 "$(pid)"
check "killed, it starts again" until_true 15 restarts 0
check "and has lost nothing" until_true 10 test "$before" = "$(stories)"
count=$(systemctl show newsfold -P NRestarts)
[ "$(pid)" != 0 ] && kill -STOP "$(pid)"
check "stuck, it is started again" until_true 20 restarts "$count"
check "and answers" until_true 10 answers /healthz

printf 'open sesame' > /etc/newsfold/credentials/members
/usr/bin/python3 /opt/checks/origin.py &
origin=$!
cp /etc/newsfold/newsfold.toml /tmp/without
sed -i 's|^allow_networks = .*|allow_networks = ["127.0.0.0/8"]|' /etc/newsfold/newsfold.toml
cat >> /etc/newsfold/newsfold.toml <<'CONFIG'
[[feed]]
url = "http://127.0.0.1:8090/feed"
name = "members"
username = "me"
password = { credential = "members" }
CONFIG
credentials=/etc/systemd/system/newsfold.service.d/credentials.conf
if [ -e $credentials ]; then
  # An older systemd, which wants each named.
  echo 'LoadCredential=members:/etc/newsfold/credentials/members' >> $credentials
  systemctl daemon-reload
fi
restart
check "a credential opens a feed" until_true 20 holds /news.atom "For members only"
check "and is in no log" bash -c "! journalctl -u newsfold | grep -q sesame"
kill "$origin" 2>/dev/null
cp /tmp/without /etc/newsfold/newsfold.toml

# The house that it lives in: 192.168.77.1 is its name server, a publisher, a subscriber and a reverse proxy.
seen() { curl -fsS -m 10 "http://192.168.77.1/read?$1" | grep -q "$2"; }
cat >> /etc/newsfold/newsfold.toml <<'CONFIG'
[[feed]]
url = "http://feeds.lan/feed"
name = "shut"
CONFIG
restart
journal() { journalctl -u newsfold -o cat | grep -q "$1"; }
check "a name is resolved, and what it leads to is refused as a private network" until_true 20 journal "poll.allow_networks"
cat >> /etc/newsfold/newsfold.toml <<'CONFIG'
[[feed]]
url = "http://feeds.lan/feed?open"
name = "house"
CONFIG
sed -i 's|^allow_networks = .*|allow_networks = ["192.168.77.0/24"]|' /etc/newsfold/newsfold.toml
sed -i 's|^listen = .*|listen = "0.0.0.0:8080"|; s|^#\? *public_url = .*|public_url = "http://192.168.77.2:8080/"|' /etc/newsfold/newsfold.toml
restart
check "a feed in an allowed network is polled" until_true 20 holds /news.atom "News from the house"
check "a subscriber in the same house reads it" until_true 10 seen http://192.168.77.2:8080/news.atom "News from the house"
check "under the address that it can reach" seen http://192.168.77.2:8080/news.atom 'href="http://192.168.77.2:8080/news.atom"'
sed -i 's|^#\? *public_url = .*|public_url = "http://192.168.77.1:8088/planet/"|' /etc/newsfold/newsfold.toml
restart
check "a reverse proxy on another host passes readers on" \
  until_true 10 seen http://192.168.77.1:8088/planet/news.atom 'href="http://192.168.77.1:8088/planet/news.atom"'

# A web server of this machine, as a user of its own.
location=$(sed -n '/^```nginx$/,/^```$/p' /opt/checks/service.md | grep -v '^```' | sed 's|proxy_pass [^;]*;|proxy_pass http://unix:/run/newsfold/http.sock:/;|')
cat > /etc/nginx/nginx.conf <<NGINX
user www-data; pid /run/nginx.pid; error_log /var/log/nginx/error.log; events {}
http { access_log off; server { listen 127.0.0.1:8088; $location
  location /files/ { alias /run/newsfold/public/; } location /kept/ { alias /srv/newsfold/; } } }
NGINX
nginx
sed -i 's|^listen = .*|listen = "unix:/run/newsfold/http.sock"|; s|^socket_mode = .*|socket_mode = "0666"|' /etc/newsfold/newsfold.toml
sed -i 's|^#\? *public_url = .*|public_url = "http://127.0.0.1:8088/planet/"|' /etc/newsfold/newsfold.toml
cat >> /etc/newsfold/newsfold.toml <<'CONFIG'
[[output]]
name = "news"
directory = "/run/newsfold/public"
compress = true
CONFIG
restart
proxied() { curl -fsS -m 5 "http://127.0.0.1:8088$1" | grep -q "News from the house"; }
check "nginx reads its socket" until_true 10 proxied /planet/news.atom
check "and its files" until_true 10 proxied /files/news.atom
systemctl stop newsfold

# Files that stay, as the book has it.
sed -n '/^Files that stay/,/^Then/p' /opt/checks/service.md | sed -n '/^```sh$/,/^```$/p' | grep -v '^```' > /tmp/typed
check "a user that stays is made as the book has it" bash -c "test -s /tmp/typed && bash -e /tmp/typed"
sed -i 's|^directory = "/run.*|directory = "/srv/newsfold"|' /etc/newsfold/newsfold.toml
check "a poll without the daemon writes the files" systemctl start newsfold-poll.service
check "and nginx reads them" proxied /kept/news.atom
rm /etc/systemd/system/newsfold-poll.service.d/files.conf
systemctl daemon-reload
nginx -s stop
cp /tmp/without /etc/newsfold/newsfold.toml

systemctl stop newsfold
check "a socket is opened before the service runs" systemctl enable --now newsfold.socket
check "and the first reader starts it" answers /news.atom
lost() { for _ in $(seq 60); do answers /healthz; done; }
lost > /tmp/lost 2>&1 &
reader=$!
restart
wait "$reader"
check "no reader is refused across a restart" bash -c "cat /tmp/lost; test ! -s /tmp/lost"
systemctl disable --now newsfold.socket >/dev/null 2>&1
restart

begun=$(date +%s)
systemctl stop newsfold
check "it stops in under ten seconds" test $(($(date +%s) - begun)) -lt 10
check "and cleanly" shows Result success

echo 'nonsense' >> /etc/newsfold/newsfold.toml
systemctl reset-failed newsfold
systemctl start newsfold
check "a wrong configuration ends with status 78" until_true 10 shows ExecMainStatus 78
sleep 2
check "and is not tried again and again" shows NRestarts 0
cp /tmp/without /etc/newsfold/newsfold.toml
systemctl reset-failed newsfold

check "a poll without the daemon works under its own unit" systemctl start newsfold-poll.service

loads_folders=yes
[ -e $credentials ] && loads_folders=no
check "remove keeps the store" bash -c "apt-get remove -y newsfold && test -e $state/newsfold.db"
check "purge takes it along" bash -c "apt-get purge -y newsfold && test ! -e $state && test ! -e /var/lib/newsfold"

# Without the package, as the book has it.
tree=/tmp/tree hand=/tmp/hand
dpkg-deb -x /opt/checks/newsfold.deb $tree
check "the package brings pages for its commands and its configuration" \
  test -s $tree/usr/share/man/man1/newsfold-store-backup.1.gz -a -s $tree/usr/share/man/man5/newsfold.toml.5.gz
mkdir -p $hand
cp /opt/checks/*.tar.gz $hand/
{ sed -n '/^## Any other Linux/,/^## /p' /opt/checks/install.md; sed -n '/^## Start/,/^## /p' /opt/checks/install.md; } |
  sed -n '/^```sh$/,/^```$/p' | grep -v '^```' | sed "s/amd64/$(dpkg --print-architecture)/; s/^curl .*/true/" > $hand/typed
[ $loads_folders = yes ] || sed -i 's|^systemctl daemon-reload|sed -i /^LoadCredential=/d /etc/systemd/system/newsfold*.service\n&|' $hand/typed
check "by hand, it is installed and started as the book has it" bash -c "test -s $hand/typed && cd $hand && bash -e typed"
check "and answers" until_true 10 answers /healthz
systemctl disable --now newsfold >/dev/null 2>&1
echo "all checks ran"
