#!/usr/bin/env python3
"""The old way to look at pools: one HTTP call after another, each on a connection of its own.

usage: old_pools.py URL COUNT   (prints JSON: seconds, client)
"""
import json
import sys
import time
import urllib.request

try:
    import httpx
except ImportError:
    httpx = None

QUESTION = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "health"}}


def ask_with_urllib(url):
    request = urllib.request.Request(
        url, json.dumps(QUESTION).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def ask_with_httpx(url):
    return httpx.post(url, json=QUESTION, timeout=30).json()


def main():
    url, count = sys.argv[1], int(sys.argv[2])
    ask = ask_with_httpx if httpx else ask_with_urllib
    began = time.monotonic()
    for _ in range(count):
        if "result" not in ask(url):
            raise SystemExit("a pool did not answer")
    client = "httpx" if httpx else "urllib"
    print(json.dumps({"seconds": time.monotonic() - began, "client": client}))


main()
