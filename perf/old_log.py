#!/usr/bin/env python3
"""The old way to log: every operation waits until the log server has taken its line.

usage: old_log.py URL COUNT   (prints JSON: p99_ms, per_second, client)

An operation does nothing else: what it takes is what its log costs it.
"""
import json
import sys
import time
import urllib.request

try:
    import httpx
except ImportError:
    httpx = None


def write_with_urllib(url, lines):
    request = urllib.request.Request(url, lines, {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.status


def write_with_httpx(url, lines):
    headers = {"Content-Type": "application/x-ndjson"}
    return httpx.post(url, content=lines, headers=headers, timeout=30).status_code


def main():
    url, count = sys.argv[1], int(sys.argv[2])
    write = write_with_httpx if httpx else write_with_urllib
    took = []
    for number in range(count):
        event = {"kind": "task_queued", "text": f"operation {number}", "level": "info"}
        lines = '{"create":{}}\n' + json.dumps(event) + "\n"
        began = time.monotonic()
        if write(url, lines.encode()) != 200:
            raise SystemExit(f"line {number} was refused")
        took.append(time.monotonic() - began)
    took.sort()
    p99 = took[min(len(took) - 1, len(took) * 99 // 100)]
    client = "httpx" if httpx else "urllib"
    print(json.dumps({"p99_ms": p99 * 1000, "per_second": count / sum(took), "client": client}))


main()
