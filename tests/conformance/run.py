"""Runs the official conformance suite, and our own exact checks, against conformance_server, and what of
the suite needs no fixture against the product.

The suite is installed once from npm (package-lock.json here); it needs Node.js 22, which npm installs
as a package where the system's is older. Skipped, with the reason, where there is no npm.

A scenario passes when the suite reports success and neither a failure nor a warning. Every scenario
that the suite runs stands in exactly one of the two tables below; one of NOT_YET that passes is a
failure too, so that the table cannot rot. `run.py SCENARIO…` prints what the suite says of these.
The last line is "N passed, N failed".
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("app", "support"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
import check  # noqa: E402
from harness import BINARY, Http, Scratch  # noqa: E402
from node_packages import NodePackages  # noqa: E402

PACKAGES = NodePackages("conformance", HERE, oldest_node=22)
SUITE = os.path.join(PACKAGES.folder, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
RESULT = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT")

IN_BOTH = """
    completion-complete tools-list tools-call-simple-text tools-call-image tools-call-audio
    tools-call-embedded-resource tools-call-mixed-content tools-call-error tools-call-with-progress
    server-sse-multiple-streams resources-list resources-read-text resources-read-binary
    resources-templates-read prompts-list prompts-get-simple prompts-get-with-args
    prompts-get-embedded-resource prompts-get-with-image dns-rebinding-protection json-schema-2020-12
    """.split()
MUST_PASS = {
    "2025-11-25": IN_BOTH + """
    server-initialize logging-set-level ping tools-call-with-logging tools-call-sampling
    tools-call-elicitation elicitation-sep1034-defaults elicitation-sep1330-enums resources-subscribe
    resources-unsubscribe server-session-lifecycle server-sse-polling
    """.split(),
    "2026-07-28": IN_BOTH + """
    server-stateless sep-2164-resource-not-found caching
    input-required-result-basic-elicitation input-required-result-basic-sampling
    input-required-result-basic-list-roots input-required-result-request-state
    input-required-result-multiple-input-requests input-required-result-multi-round
    input-required-result-missing-input-response input-required-result-non-tool-request
    input-required-result-result-type input-required-result-unsupported-methods
    input-required-result-tampered-state input-required-result-capability-check
    input-required-result-ignore-extra-params input-required-result-validate-input
    http-header-validation http-custom-header-server-validation
    tasks-lifecycle tasks-capability-negotiation tasks-wire-fields tasks-request-state-removal
    tasks-mrtr-input tasks-request-headers tasks-dispatch-and-envelope tasks-required-task-error
    tasks-mrtr-composition
    """.split(),
}
NOT_YET = {
    "2025-11-25": {},
    "2026-07-28": {
        "tasks-status-notifications": "the suite itself always skips it",
    },
}

# What the product itself has to pass: all that needs no tool, resource or prompt of the fixture.
OF_PRODUCT = {
    "2025-11-25": """
    server-initialize ping tools-list resources-list prompts-list server-session-lifecycle
    server-sse-multiple-streams dns-rebinding-protection
    """.split(),
    "2026-07-28": """
    tools-list resources-list prompts-list caching sep-2164-resource-not-found http-header-validation
    input-required-result-unsupported-methods server-sse-multiple-streams dns-rebinding-protection
    """.split(),
}


class Server:
    """conformance_server on a free port, as long as the block lasts."""

    def __init__(self, binary):
        self.binary = binary

    def __enter__(self):
        self.process = subprocess.Popen([self.binary, "0"], stdout=subprocess.PIPE, text=True)
        said = re.match(r"listening on (\d+)", self.process.stdout.readline())
        if not said:
            raise RuntimeError("conformance_server did not start")
        self.port = int(said.group(1))
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.code = "killed: it did not end by SIGTERM"


def verdict(checks):
    """None when all is well, else what is not."""
    bad = [f"{one['status']} {one['id']}: {one.get('errorMessage', '')}" for one in checks
           if one["status"] in ("FAILURE", "WARNING")]
    if bad:
        return "; ".join(bad)
    return None if any(one["status"] == "SUCCESS" for one in checks) else "nothing was checked"


def run_suite(url, revision):
    """{scenario: verdict} of one set of requirements, with what is run but not scored."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([PACKAGES.node(), SUITE, "server", "--url", url, "--requirements", revision, "-o", out],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=300)
        found = {}
        for folder in sorted(os.listdir(out)):
            name = RESULT.match(folder)
            path = os.path.join(out, folder, "checks.json")
            if name and os.path.exists(path):
                with open(path, encoding="utf-8") as checks:
                    found[name.group(1)] = verdict(json.load(checks))
        return found


def judge(revision, found):
    """Lines of what is wrong, and how many scenarios are as they should be."""
    good, wrong = 0, []
    for name in MUST_PASS[revision]:
        said = found.pop(name, "it was not run")
        if said is None:
            good += 1
        else:
            wrong.append(f"{revision} {name}: {said}")
    for name, reason in NOT_YET[revision].items():
        if found.pop(name, "it was not run") is None:
            wrong.append(f"{revision} {name}: passes, so it is to leave NOT_YET ({reason})")
    wrong += [f"{revision} {name}: stands in no table" for name in found]
    return good, wrong


def judge_product():
    """The same for the product, on an empty data directory."""
    scratch = Scratch()
    server = Http(scratch, "--no-auth")
    good, wrong = 0, []
    try:
        for revision, names in OF_PRODUCT.items():
            found = run_suite(f"http://127.0.0.1:{server.port}/mcp", revision)
            said = {name: found.get(name, "it was not run") for name in names}
            good += sum(one is None for one in said.values())
            wrong += [f"product, {revision} {name}: {one}" for name, one in said.items() if one]
    finally:
        server.stop()
        scratch.close()
    return good, wrong


def show(url, names):
    for name in names:
        subprocess.run([PACKAGES.node(), SUITE, "server", "--url", url, "--scenario", name], check=False)


def main(names):
    reason = PACKAGES.missing_tool()
    if reason:
        print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    failure = PACKAGES.install()
    if failure:
        print(f"not ok npm ci\n{failure}\n0 passed, 1 failed")
        return 1
    passed, wrong = 0, []
    with Server(os.path.join(os.path.dirname(BINARY), "tests", "conformance_server")) as server:
        url = f"http://127.0.0.1:{server.port}/mcp"  # a bare root has no name for it
        if names:
            show(url, names)
            return 0
        for revision in MUST_PASS:
            good, bad = judge(revision, run_suite(url, revision))
            print(f"  {revision}: {good} of {len(MUST_PASS[revision])} scenarios, "
                  f"{len(NOT_YET[revision])} not yet")
            passed, wrong = passed + good, wrong + bad
        good, bad = check.run(server.port)
        print(f"  exact answers: {good}")
        passed, wrong = passed + good, wrong + bad
    good, bad = judge_product()
    print(f"  the product: {good} scenarios")
    passed, wrong = passed + good, wrong + bad
    if server.code != 0:
        wrong.append(f"conformance_server ended with {server.code}")
    for line in wrong:
        print(f"not ok {line}")
    print(f"{passed} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
