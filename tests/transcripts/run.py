"""Plays recorded conversations to the real binary and compares what comes back.

A transcript is one JSON value a line:
  {"args": ["--read-only"], "repos": ["one"]}   first line, optional: flags of `serve`, repositories
                                                made, "env": variables of the server
  {"in": {…}}  or  {"raw": "text"}  or  {"hex": "ff00"}   what the client sends
  {"out": {…}}                                  what the server must answer, in this order
  {"end": 0}                                    input ends; last of all, the exit code
What changes from run to run is replaced before comparing: ids become <task 1>, <wf 1>, … in the order
they are first seen (and are put back when a later "in" names them), times <time>, the scratch folder
<scratch>, the version <version>, the machine's name <node>, and every number under a key that ends in _ms becomes 0. Of a listed
tool the texts and schemas are left out (schemas/ and tests/tools hold them).

What `serve --record FILE` wrote is a transcript as well (src/app/recording.h has its further lines).
Its answers are matched by their ids, not by their order, and notifications are left out: of what ran
at the same time something else may be first today.

usage: run.py [--update] [--binary FILE] [--repos a,b] [NAME… | FILE…]
  --update   rewrites what the server answered (of a recording: with names instead of ids)
  --binary   another one than build/mahavishnu
  --repos    the repositories that a recording's client worked on, made anew and nearly empty
"""
import argparse
import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "app"))
NOT_A_TRANSCRIPT = {"expected": "a transcript"}
NOT_FIRST = {"in", "raw", "hex", "out", "end", "open", "cut"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


class Play:
    """One transcript, its server and its clients."""

    def __init__(self, lines, repositories=()):
        from harness import Scratch
        from names import Names
        self.options = lines[0] if lines and not NOT_FIRST & set(lines[0]) else {}
        self.lines = lines[1:] if self.options else lines
        self.recorded = "recorded" in self.options
        self.alone = all(line.get("on", "stdio") == "stdio" and "open" not in line for line in self.lines)
        self.scratch = Scratch()
        self.scratch.env["MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS"] = "2"  # not as many as this machine has cores
        self.scratch.env.update(self.options.get("env", {}))
        repos = [*self.options.get("repos", []), *repositories]
        self.scratch.repositories(*[(name, self.scratch.repository(name), ["all"]) for name in repos])
        self.was, self.names = Names(self.scratch), Names(self.scratch)
        self.server, self.parties = None, {}
        self.played = [self.options] if self.options else []
        self.differences = []

    def party(self, name, args=None):
        from harness import Http
        from speakers import HttpParty, LineParty
        if name in self.parties:
            return self.parties[name]
        own = self.options.get("args", [])
        if self.server is None and not self.alone:
            self.server = Http(self.scratch, *own)
        self.parties[name] = HttpParty(self.server, self.names) if name.startswith("http") else LineParty(
            self.scratch, own if args is None else args, in_process=self.alone, in_any_order=self.recorded)
        return self.parties[name]

    def run(self):
        if self.alone:
            self.party("stdio")
        try:
            for line in self.lines:
                self.play(line)
            self.finish()
        except (AssertionError, OSError, ValueError) as broken:
            self.differences.append((NOT_A_TRANSCRIPT, str(broken)))
        finally:
            for party in self.parties.values():
                party.close()
            if self.server:
                self.server.stop()
            self.scratch.close()

    def play(self, line):
        if "out" in line:
            return self.compare(line)
        self.played.append(line)
        if "open" in line:
            self.party(line["open"], line.get("args", []))
        elif "cut" in line:
            print(f"  the recording lacks {line['cut']}")
        elif "end" in line:
            self.party(line.get("on", "stdio")).end_input(line["end"])
        else:
            self.say(line)

    def say(self, line):
        party = self.party(line.get("on", "stdio"))
        if "hex" in line:
            return party.say(bytes.fromhex(line["hex"]), line)
        text = line["raw"] if "raw" in line else "" if line["in"] is None else json.dumps(line["in"])
        text = self.was.hide_known(text)
        if "in" in line and line["in"] is not None:
            self.played[-1] = {**line, "in": json.loads(text)}
        return party.say(self.names.show(text), line)

    def compare(self, line):
        if self.recorded and "method" in (line["out"] or {}) and "id" not in line["out"]:
            return
        wanted = {**line, "out": self.was.hide(line["out"])}
        got, head = self.party(line.get("on", "stdio")).answer(line)
        shown = {"out": self.names.hide(got), **head, **({"on": line["on"]} if "on" in line else {})}
        self.played.append(shown)
        if shown != wanted:
            self.differences.append((wanted, shown))

    def finish(self):
        for name, party in self.parties.items():
            ended = party.finish()
            if ended is None:
                continue
            rest, code = [self.names.hide(value) for value in ended[0]], ended[1]
            on = {"on": name} if name != "stdio" else {}
            self.played = [line for line in self.played if "end" not in line or line.get("on", "stdio") != name]
            self.played += [{"out": value, **on} for value in rest] + [{"end": code, **on}]
            if (rest and not self.recorded) or code != party.wanted_code:
                self.differences.append(({"end": party.wanted_code}, {"end": code, "rest": rest}))


def chosen(words):
    """The paths of what is to be played."""
    files = [word for word in words if os.path.isfile(word)]
    names = [word for word in words if word not in files]
    listed = sorted(glob.glob(os.path.join(HERE, "*.jsonl"))) if names or not files else []
    return files + [path for path in listed if not names
                    or any(name in os.path.splitext(os.path.basename(path))[0] for name in names)]


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--binary")
    parser.add_argument("--repos", default="")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args(arguments)
    if options.binary:  # the harness reads it when it is imported
        os.environ["MAHAVISHNU_BINARY_UNDER_TEST"] = os.path.abspath(options.binary)
    passed = failed = 0
    for path in chosen(options.words):
        name = os.path.splitext(os.path.basename(path))[0]
        lines = read(path)
        play = Play(lines, [repo for repo in options.repos.split(",") if repo])
        play.run()
        differences = play.differences
        if options.update and not any(difference[0] is NOT_A_TRANSCRIPT for difference in differences):
            differences = []
            if play.played != lines:
                write(path, play.played)
                print(f"{name}: rewritten")
        for wanted, got in differences:
            print(f"{name}:\n  wanted {json.dumps(wanted, ensure_ascii=False)}\n  got    {json.dumps(got, ensure_ascii=False)}")
        passed, failed = passed + (not differences), failed + bool(differences)
        print(f"{name}: {'FAILED' if differences else 'ok'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
