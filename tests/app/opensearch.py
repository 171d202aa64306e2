"""The history on its way to OpenSearch, on the real binary, against a double of the documented REST API.

usage: opensearch.py [NAME…]   runs the tests whose names hold one of the words
"""
import base64
import fnmatch
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import unittest

from e2e import WithScratch, main
from harness import eventually

QUICK = {"MAHAVISHNU_OPENSEARCH_GATHER_MS": "20"}


class Cluster(http.server.ThreadingHTTPServer):
    """Templates, bulks of `create` actions, and searches with the queries that are made here.

    `status(document)` may give a document another status than its own; `refuse` answers everything.
    """

    daemon_threads = True

    allow_reuse_address = True

    def __init__(self, port=0, credentials=None, certificate=None):
        self.documents, self.requests, self.templates = {}, [], {}
        self.creates = []  # ids, each time one was to be made
        self.status, self.refuse = None, None
        self.lock = threading.Lock()
        self.expected = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = cluster.answer(self.command, self.path, self.headers, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", port), Handler)
        self.tls = certificate is not None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that was killed

    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.shutdown()
        self.server_close()

    def texts(self):
        with self.lock:
            return [document.get("message", "") for document in self.documents.values()]

    def answer(self, method, path, headers, body):
        with self.lock:
            self.requests.append((method, path))
            if self.expected and headers.get("Authorization") != self.expected:
                return 401, {"error": {"type": "security_exception", "reason": "who are you"}, "status": 401}
            if self.refuse:
                return self.refuse, {"error": {"type": "cluster_exception", "reason": "not today"}}
            if (method, path) == ("GET", "/"):
                return 200, {"name": "double", "version": {"distribution": "opensearch", "number": "2.11.1"}}
            if method == "PUT" and path.startswith("/_index_template/"):
                self.templates[path.rsplit("/", 1)[1]] = json.loads(body)
                return 200, {"acknowledged": True}
            if method == "POST" and path == "/_bulk" and headers["Content-Type"] == "application/x-ndjson":
                return 200, self.bulk(body)
            if method == "POST" and path.endswith("/_search"):
                return 200, self.search(path[1:].rsplit("/", 1)[0], json.loads(body))
            return 404, {"error": {"type": "no_handler", "reason": f"{method} {path}"}}

    def bulk(self, body):
        lines = body.decode().split("\n")
        assert lines.pop() == "", "a bulk ends with a newline"
        items = []
        for action, source in zip(lines[::2], lines[1::2]):
            create, document = json.loads(action)["create"], json.loads(source)
            key = (create["_index"], create["_id"])
            self.creates.append(create["_id"])
            told = self.status and self.status(document)
            if told:
                result = {"status": told, "error": {"type": "told", "reason": "by the test"}}
            elif key in self.documents:
                result = {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "is there"}}
            else:
                self.documents[key] = document
                result = {"status": 201, "result": "created"}
            items.append({"create": {**create, **result}})
        return {"took": 1, "errors": any("error" in item["create"] for item in items), "items": items}

    def search(self, pattern, query):
        def milliseconds(text):
            from datetime import datetime
            return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)

        def meets(document, one):
            [(kind, what)] = one.items()
            if kind == "bool":
                return (all(meets(document, part) for part in what.get("filter", []))
                        and ("should" not in what or any(meets(document, part) for part in what["should"])))
            [(field, value)] = what.items()
            if field not in document:
                return False
            if kind == "term":
                return document[field] == value
            if kind == "range":
                return all(document[field] >= bound if name == "gte" else document[field] <= bound
                           for name, bound in value.items())
            if kind == "wildcard":
                return fnmatch.fnmatch(document[field].lower(), value["value"].lower())
            assert kind == "match_phrase_prefix"
            return any(word.startswith(value["query"].lower()) for word in document[field].lower().split())

        def place(document):
            return [milliseconds(document["@timestamp"]), document["seq"], document["history"]]

        found = [document for (index, _), document in self.documents.items()
                 if fnmatch.fnmatch(index, pattern) and meets(document, query["query"])]
        found.sort(key=place, reverse=True)
        if "search_after" in query:
            found = [document for document in found if place(document) < query["search_after"]]
        hits = [{"_source": document, "sort": place(document)} for document in found[:query["size"]]]
        return {"timed_out": False, "_shards": {"total": 1, "failed": 0}, "hits": {"hits": hits}}


class OpenSearchTest(WithScratch):
    def cluster(self, **options):
        cluster = Cluster(**options)
        self.addCleanup(cluster.close)
        return cluster

    def serve_to(self, url, *flags, **env):
        return self.serve("--toolsets", "core,ops", *flags,
                          env={"MAHAVISHNU_OPENSEARCH_URL": url, **QUICK, **env})

    @staticmethod
    def settled(server):
        """All events of the history are dealt with."""
        eventually(lambda: server.tool("metrics_get")["gauges"]["opensearch_behind"] == 0, "all is sent")
        return server.tool("metrics_get")["counters"]

    def test_events_arrive_once_and_are_found_there(self):
        cluster = self.cluster()
        server = self.serve_to(cluster.url())
        failed = server.tool("task_submit", {"command": "exit 3", "wait_ms": 20000})["task"]
        server.tool("task_submit", {"command": "true", "wait_ms": 20000})
        kinds = ["task_failed", "task_running", "task_admitted"]

        def found(**question):
            return server.tool("log_search", {"source": "opensearch", **question})

        def there():
            with cluster.lock:
                return [one for one in cluster.documents.values() if one.get("task") == failed]

        eventually(lambda: len(there()) == 3, "the task's events")
        answer = found(task=failed)
        self.assertEqual(answer["source"], "opensearch")
        self.assertEqual([item["kind"] for item in answer["items"]], kinds)
        self.assertEqual([item["pool"] for item in answer["items"]], ["default"] * 3)
        self.assertTrue(all(item["node"] for item in answer["items"]))
        self.assertEqual(answer["items"], [{**item, "node": answer["items"][0]["node"]}
                                           for item in server.tool("log_search", {"task": failed})["items"]])
        self.assertEqual([item["kind"] for item in found(task=failed, level="warn")["items"]], kinds[:1])
        self.assertEqual([item["kind"] for item in found(query="TASK_FAIL")["items"]], kinds[:1])
        self.assertEqual(found(query="nothing of that kind")["items"], [])
        self.assertEqual(found(until="2001-01-01T00:00:00Z")["items"], [])
        pages, cursor = [], {}
        while True:
            page = found(task=failed, limit=1, **cursor)
            pages += [item["kind"] for item in page["items"]]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        self.assertEqual(pages, kinds)
        self.assertIn("cursor", server.tool("log_search", {"source": "opensearch", "cursor": "e1.2"},
                                            status=400)["error"]["message"])
        self.assertIn("mahavishnu-events-*", cluster.templates["mahavishnu-events"]["index_patterns"])
        counters = self.settled(server)
        self.assertEqual(counters["opensearch_indexed"], len(cluster.documents))
        self.assertEqual(len(cluster.creates), len(set(cluster.creates)))
        server.stop()

    def test_secrets_do_not_leave(self):
        cluster = self.cluster()
        server = self.serve_to(cluster.url())
        token = "ghp_abcdefghijklmnopqrstuvwxyz012345"
        server.tool("pool_spawn", {"name": token, "max_workers": 1})
        eventually(lambda: [text for text in cluster.texts() if text.startswith("[redacted] is ")], "the pool's event")
        self.assertTrue([item for item in server.tool("log_search", {})["items"] if token in item.get("text", "")])
        self.settled(server)
        self.assertEqual([text for text in cluster.texts() if token in text], [])
        server.stop()

    def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(self):
        cluster = self.cluster()
        server = self.serve_to(cluster.url(), MAHAVISHNU_OPENSEARCH_BULK_ROWS="3")
        tasks = server.tool("task_batch", {"tasks": [{"command": "true"} for _ in range(30)]})
        server.tool("task_get", {"batch": tasks["batch"], "wait_ms": 30000})
        eventually(lambda: len(cluster.documents) > 10, "some are there")
        server.signal(signal.SIGKILL)
        server.wait()
        sent_before = len(cluster.creates)
        server = self.serve_to(cluster.url())
        self.settled(server)
        self.assertGreater(len(cluster.creates), sent_before)
        self.assertEqual(server.tool("metrics_get")["counters"]["opensearch_dropped"], 0)
        local = server.tool("log_search", {"limit": 500})["items"]
        self.assertGreaterEqual(len(local), 60)

        def same():
            self.settled(server)
            local = server.tool("log_search", {"limit": 500})["items"]
            with cluster.lock:
                return len(local) == len(cluster.documents)

        eventually(same, "as many there as here")
        seqs = sorted(document["seq"] for document in cluster.documents.values())
        self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))))
        server.stop()

    def test_while_it_is_away_work_goes_on_and_all_arrives_when_it_is_back(self):
        cluster = Cluster()
        port = cluster.server_address[1]
        url = cluster.url()
        cluster.close()
        server = self.serve_to(url)
        self.assertEqual(server.tool("task_submit", {"command": "true", "wait_ms": 20000})["state"], "completed")

        def breaker():
            [one] = [one for one in server.tool("breaker_list")["items"] if one["target"] == "opensearch " + url]
            return one

        eventually(lambda: breaker()["state"] == "open", "its breaker is open")
        message = server.tool("log_search", {"source": "opensearch"}, status=503)["error"]["message"]
        self.assertIn("breaker is open", message)
        self.assertTrue(server.tool("log_search", {})["items"])
        metrics = server.tool("metrics_get")
        self.assertGreater(metrics["gauges"]["opensearch_behind"], 0)
        self.assertEqual(metrics["counters"]["opensearch_indexed"], 0)
        cluster = self.cluster(port=port)
        server.tool("breaker_reset", {"target": breaker()["target"]})
        counters = self.settled(server)
        self.assertEqual(counters["opensearch_dropped"], 0)
        self.assertIn("task_completed", [one["kind"] for one in cluster.documents.values()])
        self.assertEqual(breaker()["state"], "closed")
        server.stop()

    def test_of_a_bulk_that_half_failed_only_the_failed_come_again(self):
        cluster = self.cluster()
        seen = {}

        def status(document):
            seen[document["seq"]] = seen.get(document["seq"], 0) + 1
            if document["kind"] == "pool_put":
                return 400
            return 429 if document["kind"] == "task_running" and seen[document["seq"]] == 1 else None

        cluster.status = status
        server = self.serve_to(cluster.url())
        for _ in range(3):
            server.tool("task_submit", {"command": "true", "wait_ms": 20000})
        server.tool("pool_spawn", {"name": "p", "max_workers": 1})
        eventually(lambda: len([1 for one in list(cluster.documents.values()) if one["kind"] == "task_completed"]) == 3,
                   "three ends")
        counters = self.settled(server)
        again = {document["seq"] for document in cluster.documents.values() if document["kind"] == "task_running"}
        self.assertEqual({seq for seq, times in seen.items() if times > 1}, again)
        self.assertEqual(counters["opensearch_retried"], 3)
        self.assertGreaterEqual(counters["opensearch_rejected"], 1)
        server.stop()

    def test_with_all_sent_nobody_is_called(self):
        cluster = self.cluster()
        server = self.serve_to(cluster.url())
        self.settled(server)
        said = len(cluster.requests)
        for _ in range(20):
            server.tool("metrics_get")  # which tells nothing to the history
        self.assertEqual(len(cluster.requests), said)
        server.stop()

    def test_over_tls_with_a_user_and_a_password(self):
        certificate, key = (os.path.join(self.scratch.path, name) for name in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
                        "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        cluster = self.cluster(credentials="writer:let-me-in", certificate=(certificate, key))
        password = self.scratch.file("password", "wrong\n")
        os.chmod(password, 0o600)
        settings = {"MAHAVISHNU_OPENSEARCH_USER": "writer", "MAHAVISHNU_OPENSEARCH_PASSWORD_FILE": password,
                    "MAHAVISHNU_OPENSEARCH_CA_FILE": certificate}
        server = self.serve_to(cluster.url(), **settings)
        eventually(lambda: "opensearch.password_file" in str(server.tool("breaker_list")), "it says what is wrong")
        self.assertEqual(len(cluster.documents), 0)
        server.stop()
        self.scratch.file("password", "let-me-in\n")
        server = self.serve_to(cluster.url(), **settings)
        self.settled(server)
        self.assertGreater(len(cluster.documents), 0)
        server.stop()
        os.chmod(password, 0o644)
        done = self.scratch.run("serve", "--stdio", "--in-process",
                                env={"MAHAVISHNU_OPENSEARCH_URL": cluster.url(), **settings})
        self.assertIn("chmod 600", done.stderr)

    def test_without_a_history_there_is_nothing_to_send_from_and_that_is_said(self):
        done = self.scratch.run("serve", "--stdio", "--in-process",
                                env={"MAHAVISHNU_OPENSEARCH_URL": "http://127.0.0.1:9", "MAHAVISHNU_LOG_MAX_BYTES": "0"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("log.max_bytes", done.stderr)

    def test_doctor_asks_it(self):
        cluster = self.cluster(credentials="writer:let-me-in")
        password = self.scratch.file("password", "wrong\n")
        settings = {"MAHAVISHNU_OPENSEARCH_URL": cluster.url(), "MAHAVISHNU_OPENSEARCH_USER": "writer",
                    "MAHAVISHNU_OPENSEARCH_PASSWORD_FILE": password}

        def told(code):
            doctor = self.scratch.run("doctor", env=settings)
            self.assertEqual(doctor.returncode, code, doctor.stdout)
            [line] = [line for line in doctor.stdout.splitlines() if " opensearch " in line]
            return line

        os.chmod(password, 0o644)
        self.assertRegex(told(1), "^FAIL .*chmod 600")
        os.chmod(password, 0o600)
        self.assertRegex(told(0), r"^warn .*refuses this server \(HTTP 401\)")
        self.scratch.file("password", "let-me-in\n")
        self.assertRegex(told(0), r"^ok .*version 2\.11\.1")
        cluster.close()
        self.assertRegex(told(0), "^warn .*events wait in the history")
        self.assertEqual({request for request in cluster.requests}, {("GET", "/")})

    def test_with_none_configured_a_search_there_says_how_to_have_one(self):
        server = self.serve()
        message = server.tool("log_search", {"source": "opensearch"}, status=503)["error"]["message"]
        self.assertIn("opensearch.url", message)
        server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
