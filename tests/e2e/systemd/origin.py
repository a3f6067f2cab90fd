"""A feed behind a password, for checks.sh: answers 401 without it."""
import base64
import http.server

FEED = b"""<rss version="2.0"><channel><title>Members</title><link>http://127.0.0.1:8090/</link><description>d</description>
<item><guid>members-1</guid><link>http://127.0.0.1:8090/1</link><title>For members only</title></item></channel></rss>"""
WANTED = "Basic " + base64.b64encode(b"me:open sesame").decode()


class Members(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("Authorization") == WANTED
        body = FEED if known else b"who are you?"
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 8090), Members).serve_forever()
