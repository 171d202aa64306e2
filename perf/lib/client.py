"""A small HTTP client: one connection, kept alive, without Nagle's delay."""
import http.client
import json
import socket
import time


class Refused(Exception):
    """The server answered, but not with a result."""


class Client:
    def __init__(self, port, token, timeout=120):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self.sent_ns = 0  # CLOCK_MONOTONIC just before the last request left

    def post(self, path, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.sent_ns = time.monotonic_ns()
        self.connection.request("POST", path, data, {**self.headers, **(headers or {})})
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def call(self, tool, **arguments):
        """The structured result of a tool, by the door for scripts."""
        status, text = self.post("/tools/call", {"name": tool, "arguments": arguments})
        if status != 200:
            raise Refused(f"{tool}: {status} {text.decode(errors='replace')[:500]}")
        return json.loads(text)

    def close(self):
        self.connection.close()


def modern_call(tool, arguments, identifier=1):
    """A 2026-07-28 tools/call: its body, and the headers that must agree with it."""
    version = "2026-07-28"
    body = {
        "jsonrpc": "2.0",
        "id": identifier,
        "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientInfo": {"name": "perf", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    headers = {
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        "Accept": "application/json, text/event-stream",
    }
    return body, headers
