"""Fails on any #include "layer/..." that is not an edge of the layer diagram (docs/architecture.md)."""
import os
import re
import sys

# A layer may include itself and whatever it can reach along the arrows.
ALLOWED = {
    "base": [],
    "domain": ["base"],
    "rpc": ["base"],
    "mcp": ["rpc", "base"],
    "net": ["rpc", "base"],
    "control": ["domain", "base"],
    "journal": ["domain", "base"],
    "fleet": ["domain", "base"],
    "workers": ["domain", "base"],
    "outbound": ["net", "rpc", "domain", "base"],
    "tools": ["mcp", "control", "rpc", "domain", "base"],
    "app": ["tools", "net", "mcp", "rpc", "control", "journal", "fleet", "workers", "outbound",
            "domain", "base"],
}
# The core is pure: none of these may be seen there, not even from base.
DOMAIN_FORBIDDEN = re.compile(r'#include [<"](asio|base/asio|base/task_group|base/log|nlohmann|sqlite3'
                              r'|httplib|simdjson|thread|mutex|atomic|condition_variable|semaphore)')
NO_LOCKS = re.compile(r"#include <(mutex|shared_mutex|semaphore|condition_variable|atomic)>")
INCLUDE = re.compile(r'^\s*#include "([^"]+)"')


def layer_of(relative):
    parts = relative.split(os.sep)
    return "tools" if parts[0] == "tools" else parts[1]


def violations(root):
    for top in ("src", "tools"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if not name.endswith((".h", ".cpp")):
                    continue
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, root)
                if relative == os.path.join("src", "main.cpp"):
                    continue
                yield from check(path, relative, layer_of(relative))


def check(path, relative, layer):
    allowed = ALLOWED.get(layer)
    if allowed is None:
        yield f"{relative}: no such layer: {layer}"
        return
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            found = INCLUDE.match(line)
            if found:
                target = found.group(1).split("/")[0]
                if "/" not in found.group(1) or (target != layer and target not in allowed):
                    yield f"{relative}:{number}: {layer} may not include {found.group(1)}"
            if layer == "domain" and DOMAIN_FORBIDDEN.search(line):
                yield f"{relative}:{number}: the core is pure: {line.strip()}"
            if layer in ("domain", "control", "mcp", "rpc") and NO_LOCKS.search(line):
                yield f"{relative}:{number}: one thread owns this layer: {line.strip()}"


def main():
    found = list(violations(sys.argv[1]))
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


main()
