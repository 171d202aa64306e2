"""Plays recorded conversations to the real binary and compares what comes back.

A transcript is one JSON value a line:
  {"args": ["--read-only"], "repos": ["one"]}   first line, optional: flags of `serve`, repositories made
  {"in": {…}}  or  {"raw": "text"}              what the client sends
  {"out": {…}}                                  what the server must answer, in this order
  {"end": 0}                                    last line: input ends, the exit code
What changes from run to run is replaced before comparing: ids become <task 1>, <wf 1>, … in the order
they are first seen (and are put back when a later "in" names them), times <time>, the scratch folder
<scratch>, the version <version>, the machine's name <node>, and every number under a key that ends in _ms becomes 0. Of a listed
tool the texts and schemas are left out (schemas/ and tests/tools hold them).

usage: run.py [--update] [NAME…]     --update rewrites what the server answered
"""
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "app"))
from harness import Scratch, Stdio  # noqa: E402

ID = re.compile(r"\b(task|batch|pool|wf)_[0-9A-HJKMNP-TV-Z]{26}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
MS = re.compile(r'(\\?"[a-z_]*_ms\\?":)\s*[0-9.]+')
NODE = re.compile(r'(\\*"node\\*":\s*\\*")[^"\\]*')
HEAD = re.compile(r"\b[0-9a-f]{40}\b")
NOT_A_TRANSCRIPT = {"expected": "a transcript"}


class Names:
    """What was replaced by which name, both ways."""

    def __init__(self, scratch):
        self.scratch, self.names, self.counts = scratch, {}, {}

    def hide(self, value):
        text = json.dumps(value, ensure_ascii=False)
        text = text.replace(self.scratch.path, "<scratch>")
        text = ID.sub(self.name_of, text)
        text = HEAD.sub("<commit>", TIME.sub("<time>", text))
        text = NODE.sub(r"\g<1><node>", MS.sub(r"\g<1>0", text))
        value = json.loads(text)
        self.hide_version(value)
        result = value.get("result") if isinstance(value, dict) else None
        for tool in result.get("tools", []) if isinstance(result, dict) else []:
            for key in ("description", "inputSchema", "outputSchema"):
                tool.pop(key, None)
        return value

    @staticmethod
    def hide_version(value):
        info = value.get("result", {}).get("serverInfo") if isinstance(value, dict) else None
        if info and "version" in info:
            info["version"] = "<version>"
        meta = value.get("result", {}).get("_meta", {}) if isinstance(value, dict) else {}
        for entry in meta.values():
            if isinstance(entry, dict) and "version" in entry:
                entry["version"] = "<version>"

    def name_of(self, found):
        if found[0] not in self.names:
            kind = found[1]
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.names[found[0]] = f"<{kind} {self.counts[kind]}>"
        return self.names[found[0]]

    def show(self, text):
        for value, name in self.names.items():
            text = text.replace(name, value)
        return text.replace("<scratch>", self.scratch.path)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def play(lines, update):
    """The lines as they would be recorded now, and the differences."""
    options = lines[0] if lines and not {"in", "raw", "out", "end"} & set(lines[0]) else {}
    played, differences = [options] if options else [], []
    scratch = Scratch()
    scratch.env["MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS"] = "2"  # not as many as this machine has cores
    scratch.repositories(*[(name, scratch.repository(name), ["all"]) for name in options.get("repos", [])])
    client = Stdio(scratch, *options.get("args", []))
    names = Names(scratch)
    try:
        for line in lines[1:] if options else lines:
            if "in" in line:
                client.send(names.show(json.dumps(line["in"])))
                played.append(line)
            elif "raw" in line:
                client.send(line["raw"])
                played.append(line)
            elif "out" in line:
                got = names.hide(client.receive())
                played.append({"out": got})
                if got != line["out"]:
                    differences.append((line["out"], got))
            else:
                rest, code = client.finish()
                played += [{"out": names.hide(value)} for value in rest] + [{"end": code}]
                if rest or code != line.get("end"):
                    differences.append((line, {"end": code, "rest": rest}))
    except (AssertionError, OSError, ValueError) as broken:
        differences.append((NOT_A_TRANSCRIPT, str(broken)))
    finally:
        client.kill()
        scratch.close()
    return played, [] if update and not any(d[0] is NOT_A_TRANSCRIPT for d in differences) else differences


def main(arguments):
    update = "--update" in arguments
    words = [word for word in arguments if not word.startswith("--")]
    passed = failed = 0
    for path in sorted(glob.glob(os.path.join(HERE, "*.jsonl"))):
        name = os.path.splitext(os.path.basename(path))[0]
        if words and not any(word in name for word in words):
            continue
        lines = read(path)
        played, differences = play(lines, update)
        if update and not differences and played != lines:
            write(path, played)
            print(f"{name}: rewritten")
        for wanted, got in differences:
            print(f"{name}:\n  wanted {json.dumps(wanted, ensure_ascii=False)}\n  got    {json.dumps(got, ensure_ascii=False)}")
        passed, failed = passed + (not differences), failed + bool(differences)
        print(f"{name}: {'FAILED' if differences else 'ok'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main(sys.argv[1:]))
