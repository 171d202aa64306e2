#!/usr/bin/env python3
"""The old way to sync memories: one HTTP call after another, each on a connection of its own.

usage: old_sync.py URL COUNT   (prints JSON: seconds, client)

What it leaves out is in its favour: it has no outbox, tries nothing again, and does not wait for the
minute at which the old server looks (30 s on average before the first call).
"""
import json
import sys
import time
import urllib.request

try:
    import httpx
except ImportError:
    httpx = None


def store_with_urllib(url, item):
    request = urllib.request.Request(
        url, json.dumps(item).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.status


def store_with_httpx(url, item):
    return httpx.post(url, json=item, timeout=30).status_code


def main():
    url, count = sys.argv[1], int(sys.argv[2])
    store = store_with_httpx if httpx else store_with_urllib
    began = time.monotonic()
    for number in range(count):
        item = {"content": f"memory {number}\n" + "x" * 1000, "metadata": {"number": number}}
        if store(url, {"name": "store_memory", "arguments": item}) != 200:
            raise SystemExit(f"item {number} was refused")
    client = "httpx" if httpx else "urllib"
    print(json.dumps({"seconds": time.monotonic() - began, "client": client}))


main()
