"""The other machine of the container's private network, for checks.sh: its name server, a feed, and a reader.

    neighbour.py ADDRESS

DNS on UDP port 53 answers every name ending in `.lan` with ADDRESS, and no other. HTTP on port 80 serves a feed at `/feed`, and at
`/read?URL` what a reader on this machine gets at URL, so that checks inside the container see themselves from outside.
"""
import http.server
import socket
import sys
import threading
import urllib.parse
import urllib.request

ADDRESS = sys.argv[1]
FEED = b"""<rss version="2.0"><channel><title>Next door</title><link>http://feeds.lan/</link><description>d</description>
<item><guid>lan-1</guid><link>http://feeds.lan/1</link><title>News from the house</title></item></channel></rss>"""


def answer(query):
    """The answer to a query with one question (RFC 1035): our address for an A question of a name that is ours."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]])
        at += 1 + query[at]
    question, kind = query[12:at + 5], query[at + 1:at + 3]
    is_ours = labels[-1:] == [b"lan"]
    has_answer = is_ours and kind == b"\0\1"
    flags = b"\x81\x80" if is_ours else b"\x81\x83"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(ADDRESS) if has_answer else b""
    return query[:2] + flags + b"\0\1" + bytes([0, has_answer]) + b"\0\0\0\0" + question + record


def name_server():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((ADDRESS, 53))
    while True:
        query, sender = server.recvfrom(512)
        server.sendto(answer(query), sender)


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        where = urllib.parse.urlsplit(self.path)
        try:
            status, body = (200, FEED) if where.path == "/feed" else (200, self.read(urllib.parse.unquote(where.query)))
        except OSError as error:
            status, body = 502, f"{error}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def read(url):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as found:
            return found.read()

    def log_message(self, *_):
        pass


threading.Thread(target=name_server, daemon=True).start()
http.server.ThreadingHTTPServer((ADDRESS, 80), Web).serve_forever()
