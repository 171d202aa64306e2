"""The clients that a transcript speaks for: on stdio, on the server's socket, over HTTP."""
import http.client
import json

from harness import PATIENCE, Stdio

SESSION = "Mcp-Session-Id"


def key_of(message):
    """By what an answer is found again: its id."""
    return json.dumps(message["id"]) if isinstance(message, dict) and "id" in message else "batch"


def is_notification(message):
    return isinstance(message, dict) and "method" in message and "id" not in message


class LineParty:
    """A client on stdio, which may be a bridge to the socket."""

    def __init__(self, scratch, args, in_process, in_any_order):
        self.client = Stdio(scratch, *args, in_process=in_process)
        self.in_any_order, self.aside = in_any_order, {}
        self.wanted_code = None

    def say(self, text, _line):
        self.client.send(text)

    def answer(self, line):
        """What the server says next; in a recording, its answer to the same request."""
        if not self.in_any_order:
            return self.client.receive(), {}
        wanted = key_of(line["out"])
        while not self.aside.get(wanted):
            got = self.client.receive()
            if got is None:
                return None, {}
            if not is_notification(got):
                self.aside.setdefault(key_of(got), []).append(got)
        return self.aside[wanted].pop(0), {}

    def end_input(self, code):
        self.client.process.stdin.close()
        self.wanted_code = code

    def finish(self):
        """(what was said and not asked for, exit code); None: its end is not in the transcript."""
        if self.wanted_code is None:
            return None
        rest, code = self.client.finish()
        return [each for kept in self.aside.values() for each in kept] + rest, code

    def close(self):
        self.client.kill()


class HttpParty:
    """One request and what comes back."""

    def __init__(self, server, names):
        self.server, self.names = server, names
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self.response = None

    def say(self, text, line):
        request = line["http"]
        headers = {name: self.names.show(value) for name, value in request.get("headers", {}).items()}
        headers["Authorization"] = f"Bearer {self.server.token()}"
        self.connection.request(request["method"], request["path"], text, headers)

    def answer(self, _line):
        head = {}
        if self.response is None:
            self.response = self.connection.getresponse()
            head["status"] = self.response.status
            session = self.response.headers.get(SESSION)
            if session:
                self.names.remember(session, "session")
                head["headers"] = {SESSION: self.names.names[session]}
        if self.response.headers.get_content_type() != "text/event-stream":
            body = self.response.read()
            return (json.loads(body) if body else None), {"http": head}
        for event in self.response:
            if event.startswith(b"data:") and event[5:].strip():  # without data it is no message
                message = json.loads(event[5:])
                if not is_notification(message):
                    return message, {}
        return None, {}

    def finish(self):
        return None

    def close(self):
        self.connection.close()
