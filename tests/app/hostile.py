"""A client that means harm, against the real binary: each limit that it reaches has an answer or an end, and
other clients are served meanwhile. What it costs them in time is measured by perf/hostile.py.

usage: hostile.py [NAME…]   runs the tests whose names hold one of the words
"""
import json
import socket
import sys

from e2e import WithScratch, main
from harness import PATIENCE

MANY = 40
LISTEN = {"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen", "params": {
    "notifications": {"resourceSubscriptions": ["mahavishnu://pool/watched"]},
    "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
              "io.modelcontextprotocol/clientCapabilities": {}}}}


class HostileTest(WithScratch):
    def limited(self, **limits):
        """A server with such settings of the HTTP door."""
        return self.serve(env={f"MAHAVISHNU_HTTP_{name.upper()}": str(value) for name, value in limits.items()})

    def connect(self, server):
        one = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.addCleanup(one.close)
        return one

    def head(self, server, length):
        return (f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token()}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n").encode()

    def refused(self, connection):
        """The status, after which the server has ended the connection."""
        said = b""
        while chunk := connection.recv(65536):
            said += chunk
        self.assertRegex(said, rb"\AHTTP/1\.1 \d{3} ")
        return int(said[9:12])

    def test_the_old_transport_checks_who_comes_in_as_well(self):
        server = self.serve()
        token = {"Authorization": f"Bearer {server.token()}"}
        json_type = {"Content-Type": "application/json"}
        self.assertEqual(server.request("GET", "/sse")[0], 401)
        self.assertEqual(server.request("GET", "/sse", headers={**token, "Origin": "http://evil.example"})[0], 403)
        self.assertEqual(server.request("GET", "/sse", headers={**token, "Host": "evil.example"})[0], 403)
        self.assertEqual(server.request("GET", "/sse/x/nope", headers=token)[0], 404)
        self.assertEqual(server.request("POST", "/messages?session=x", "{}", json_type)[0], 401)
        self.assertEqual(server.request("POST", "/messages?session=x", "{}", {**token, **json_type})[0], 404)

    def test_connections_beyond_the_limit_are_turned_away_and_the_others_served(self):
        server = self.limited(max_connections=MANY)
        held = [self.connect(server) for _ in range(MANY)]
        self.assertEqual(self.refused(self.connect(server)), 503)
        held[0].sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(held[0].recv(15), b"HTTP/1.1 200 OK")
        for one in held:
            one.close()
        self.assertIn("items", server.tool("repo_list"))

    def test_heads_that_never_end_and_those_that_are_slow(self):
        server = self.limited(header_ms=300)
        endless, slow = self.connect(server), [self.connect(server) for _ in range(MANY)]
        for one in slow:
            one.sendall(b"POST /mcp HTTP/1.1\r\nX-Slow: ")
        endless.sendall(b"POST /mcp HTTP/1.1\r\n" + b"X-More: and more\r\n" * 1000)
        self.assertEqual(self.refused(endless), 431)
        self.assertIn("items", server.tool("repo_list"))
        self.assertEqual([self.refused(one) for one in slow], [408] * MANY)

    def test_bodies_that_come_byte_by_byte(self):
        server = self.limited(body_ms=2000)
        slow = [self.connect(server) for _ in range(MANY)]
        for one in slow:
            one.sendall(self.head(server, 60000))
        for _ in range(10):
            for one in slow:
                one.sendall(b"{")
        self.assertIn("items", server.tool("repo_list"))
        self.assertEqual([self.refused(one) for one in slow], [408] * MANY)

    def test_bodies_that_are_too_long_together(self):
        server = self.limited(max_body_bytes=4096, max_total_body_bytes=6000)
        first, second, third = (self.connect(server) for _ in range(3))
        first.sendall(self.head(server, 4096) + b" " * 4000)
        third.sendall(self.head(server, 5000))
        self.assertEqual(self.refused(third), 413)
        second.sendall(self.head(server, 4096) + b" ")
        self.assertEqual(second.recv(12), b"HTTP/1.1 503")
        first.sendall(b" " * 96)
        self.assertEqual(first.recv(12), b"HTTP/1.1 400")  # blanks are no message

    def test_subscriptions_that_are_never_read_hold_up_nobody(self):
        server = self.serve()
        server.tool("pool_spawn", {"name": "watched", "max_workers": 8})
        body = json.dumps(LISTEN).encode()
        extra = (b"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n"
                 b"Accept: application/json, text/event-stream\r\n\r\n")
        deaf = [self.connect(server) for _ in range(MANY)]
        for one in deaf:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.sendall(self.head(server, len(body))[:-2] + extra + body)
        for number in range(200):
            server.tool("pool_scale", {"pool": "watched", "target_workers": 1 + number % 2})
        for one in deaf:  # what waited for them is there
            self.assertEqual(one.recv(15), b"HTTP/1.1 200 OK")
        self.assertIn("items", server.tool("repo_list"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
