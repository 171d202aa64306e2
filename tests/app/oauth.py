"""Tokens of an authorization server at the real binary: which come in, which do not, and why.

The issuer is this file's: its keys are made and its tokens are signed by openssl, its metadata and
its keys are served over HTTP.

usage: oauth.py [NAME…]   runs the tests whose names hold one of the words
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time

from access import WithTokens, bearer, call
from e2e import HELLO, JSON, main, request
from harness import PATIENCE, Stdio, eventually

RESOURCE = "https://tools.example/mcp"
METADATA = "https://tools.example/.well-known/oauth-protected-resource/mcp"
CHALLENGE = f'resource_metadata="{METADATA}", scope="tools:read tools:run"'
SCOPES = "tools:read=read,tools:run=run,tools:admin=admin"


def b64url(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words, given=b""):
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def raw_signature(der):
    """r and s of an ECDSA signature as JWS has them: 32 bytes each."""
    at, numbers = 2, []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)


class Key:
    """A key pair of the issuer; `algorithm` is RS256, PS256 or ES256."""

    def __init__(self, folder, kid, algorithm="RS256", bits=2048):
        self.kid, self.algorithm = kid, algorithm
        self.file = os.path.join(folder, f"{kid}.pem")
        kind = (["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if algorithm == "ES256"
                else ["RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"])
        openssl("genpkey", "-algorithm", *kind, "-out", self.file)
        self.public_pem = openssl("pkey", "-in", self.file, "-pubout")

    def jwk(self, **more):
        key = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        if self.algorithm == "ES256":
            point = openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")[-64:]
            key.update(kty="EC", crv="P-256", x=b64url(point[:32]), y=b64url(point[32:]))
        else:
            modulus = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().partition("=")[2]
            key.update(kty="RSA", n=b64url(bytes.fromhex(modulus)), e="AQAB")
        return {**key, **more}

    def sign(self, text):
        padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
        done = openssl("dgst", "-sha256", *(padding if self.algorithm == "PS256" else []), "-sign", self.file,
                       given=text.encode())
        return raw_signature(done) if self.algorithm == "ES256" else done


class Issuer:
    """Serves metadata and keys on a port of its own; `down` answers 503, stop() refuses connections."""

    def __init__(self, scratch, oidc=False):
        self.folder, self.down, self.asked = scratch.path, False, []
        self.keys, self.oidc = [Key(self.folder, "first")], oidc
        self.port = 0
        self.start()

    def start(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                body = None if issuer.down else issuer.document(self.path)
                text = json.dumps(body).encode()
                self.send_response(503 if issuer.down else 404 if body is None else 200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text)
                except ConnectionError:
                    pass  # it had read enough

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def document(self, path):
        metadata = "/.well-known/openid-configuration" if self.oidc else "/.well-known/oauth-authorization-server"
        if path == metadata:
            return {"issuer": self.url, "jwks_uri": self.url + "/keys?v=1"}
        return {"keys": [key.jwk() for key in self.keys]} if path == "/keys?v=1" else None

    def fetches(self):
        return self.asked.count("/keys?v=1")

    def claims(self, **changes):
        now = int(time.time())
        claims = {"iss": self.url, "aud": RESOURCE, "sub": "alice", "scope": "tools:read tools:run",
                  "iat": now, "exp": now + 600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, header=None, text=None, **changes):
        """`header`: what its header says besides; `text`: claims as they are, instead of changed ones."""
        key = key or self.keys[0]
        head = {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        signed = b64url(head) + "." + b64url(text.encode() if text else self.claims(**changes))
        return signed + "." + b64url(key.sign(signed))


class WithIssuer(WithTokens):
    oidc = False

    def setUp(self):
        super().setUp()
        self.issuer = Issuer(self.scratch, self.oidc)
        self.addCleanup(lambda: self.issuer.stop())

    def environment(self, **more):
        return {"MAHAVISHNU_HTTP_OAUTH_ISSUER": self.issuer.url, "MAHAVISHNU_HTTP_OAUTH_RESOURCE": RESOURCE,
                "MAHAVISHNU_HTTP_OAUTH_SCOPES": SCOPES, "MAHAVISHNU_HTTP_OAUTH_PAUSE": "100ms",
                **{f"MAHAVISHNU_HTTP_OAUTH_{name}": value for name, value in more.items()}}

    def start(self, *flags, ready=True, **more):
        server = self.serve(*flags, env=self.environment(**more))
        if ready:
            eventually(lambda: self.told(server)["keys"] > 0, "it has the issuer's keys")
        return server

    def told(self, server):
        """What /readyz says of the issuer."""
        return json.loads(server.request("GET", "/readyz")[2])["oauth"]

    def status(self, server, token):
        """Status of a call, once its key is not looked for any more."""
        def settled():
            status, headers, body = server.request("POST", "/tools/call", call("repo_list"), bearer(token))
            if status == 503:
                self.assertEqual(headers["Retry-After"], "1")
                return None
            return status, headers, body

        return eventually(settled, "the token is judged")

    def refused(self, server, token, said=""):
        status, headers, body = self.status(server, token)
        self.assertEqual(status, 401, (said, body))
        self.assertEqual(headers["WWW-Authenticate"], f'Bearer error="invalid_token", {CHALLENGE}')
        message = json.loads(body)["error"]["message"]
        self.assertIn(said, message)
        if len(token) > 20:
            self.assertNotIn(token[:20], message)

    def taken(self, server, token):
        status, _, body = self.status(server, token)
        self.assertEqual(status, 200, body)


class MetadataTest(WithIssuer):
    def test_the_document_and_the_challenges_are_those_of_the_specification(self):
        server = self.start()
        wanted = {"resource": RESOURCE, "authorization_servers": [self.issuer.url],
                  "bearer_methods_supported": ["header"], "resource_name": "Mahavishnu",
                  "scopes_supported": ["tools:read", "tools:run", "tools:admin"]}
        root = "/.well-known/oauth-protected-resource"
        for path in (root, root + "/mcp", root + "/mcp/readonly", root + "/mcp/x/ops"):
            status, headers, body = server.request("GET", path)
            self.assertEqual((status, headers["Content-Type"]), (200, "application/json"), path)
            self.assertEqual(json.loads(body), wanted, path)
        self.assertEqual(server.request("GET", root + "/other")[0], 404)
        self.assertEqual(server.request("POST", root, "{}", JSON)[0], 405)
        self.assertEqual(server.request("GET", root, headers={"Host": "evil.example"})[0], 403)
        for path in ("/mcp", "/mcp/readonly", "/tools/call", "/metrics"):
            status, headers, _ = server.request("POST", path, "{}", JSON)
            self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer " + CHALLENGE), path)
        server.stop()

    def test_without_an_issuer_there_is_none(self):
        server = self.serve()
        self.assertEqual(server.request("GET", "/.well-known/oauth-protected-resource")[0], 401)
        status, headers, _ = server.request("POST", "/mcp", "{}", bearer(self.issuer.token()))
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, 'Bearer error="invalid_token"'))
        self.assertEqual(self.issuer.asked, [])
        server.stop()

    def test_settings_that_make_no_sense_are_refused(self):
        for settings, said in (({"RESOURCE": ""}, "http.oauth.resource"), ({"RESOURCE": "mcp"}, "http.oauth.resource"),
                               ({"ISSUER": "http://issuer.example"}, "not https"),
                               ({"JWKS_URL": "http://issuer.example/keys"}, "not https"),
                               ({"ALGORITHMS": "RS256,none"}, "none of"), ({"ALGORITHMS": "HS256"}, "none of"),
                               ({"SCOPES": "tools"}, "SCOPE=read"), ({"SCOPES": "x=root"}, "read, run and admin")):
            done = self.scratch.run("serve", "--http", "127.0.0.1:0", env=self.environment(**settings))
            self.assertEqual(done.returncode, 1, settings)
            self.assertIn(said, done.stderr, settings)
        done = self.scratch.run("serve", "--http", "127.0.0.1:0", "--no-auth", env=self.environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn("--no-auth", done.stderr)


class TokenTest(WithIssuer):
    def test_good_tokens_of_every_kind_come_in_beside_our_own(self):
        self.issuer.keys += [Key(self.scratch.path, "second", "ES256"), Key(self.scratch.path, "third", "PS256")]
        server = self.start()
        for key in self.issuer.keys:
            self.taken(server, self.issuer.token(key))
        self.taken(server, self.issuer.token(aud=["https://other.example", RESOURCE]))
        self.taken(server, self.issuer.token(header={"typ": None}))
        self.taken(server, self.issuer.token(nbf=int(time.time()) - 5, iat=None))
        self.taken(server, self.issuer.token(exp=int(time.time()) - 30))  # within the leeway
        self.taken(server, self.issuer.token(scope=None, scp=["tools:run"]))
        self.taken(server, self.token("ci"))
        self.taken(server, server.token())
        self.assertEqual(self.issuer.fetches(), 1)
        task = self.asked(server, self.issuer.token(), "task_submit", command="true", wait_ms=20000)[1]
        self.assertEqual(task["state"], "completed")
        self.assertEqual([one["task"] for one in server.tool("task_list", {"caller": "oauth:run:alice"})["items"]],
                         [task["task"]])
        server.stop()

    def test_claims_that_are_not_good_are_refused_and_say_why(self):
        server = self.start()
        now = int(time.time())
        for changes, said in (({"exp": now - 120}, "expired"), ({"exp": None}, "expires"), ({"exp": "soon"}, "expires"),
                              ({"exp": -1}, "expires"), ({"exp": 1e300}, "expires"), ({"nbf": now + 120}, "not valid yet"),
                              ({"iat": now + 120}, "not valid yet"), ({"nbf": "now"}, "no time"),
                              ({"iss": self.issuer.url + "/"}, "issuer"), ({"iss": None}, "issuer"),
                              ({"iss": [self.issuer.url]}, "issuer"), ({"aud": "https://tools.example"}, "audience"),
                              ({"aud": None}, "audience"), ({"aud": []}, "audience"), ({"aud": [RESOURCE, 1]}, "audience"),
                              ({"aud": {"a": RESOURCE}}, "audience"), ({"aud": RESOURCE + "/"}, "audience"),
                              ({"sub": None}, "subject"), ({"sub": ""}, "subject"), ({"sub": 7}, "subject"),
                              ({"sub": "x" * 129}, "subject"), ({"sub": "a\nb"}, "subject")):
            self.refused(server, self.issuer.token(**changes), said)
        self.assertEqual(self.issuer.fetches(), 1)
        server.stop()

    def test_forged_and_broken_tokens_are_refused(self):
        key = self.issuer.keys[0]
        other = Key(self.scratch.path, "other")
        other.kid = key.kid
        server = self.start()
        good = self.issuer.token()
        head, claims, signature = good.split(".")
        secret = b64url({"alg": "HS256", "typ": "JWT", "kid": key.kid}) + "." + claims
        confused = secret + "." + b64url(hmac.new(key.public_pem, secret.encode(), hashlib.sha256).digest())
        none = b64url({"alg": "none"}) + "." + claims + "."
        admin = b64url(self.issuer.claims(scope="tools:admin"))
        twice = json.dumps(self.issuer.claims())[:-1] + ', "scope": "tools:admin"}'
        flipped = ("B" if signature[9] == "A" else "A")
        for token, said in ((none, "algorithm"), (none + signature, "algorithm"), (confused, "algorithm"),
                            (b64url({"alg": "None"}) + "." + claims + "." + signature, "algorithm"),
                            (self.issuer.token(header={"alg": "RS512"}), "algorithm"),
                            (self.issuer.token(header={"alg": ["RS256"]}), "algorithm"),
                            (self.issuer.token(header={"alg": None}), "algorithm"),
                            (self.issuer.token(header={"alg": "PS256"}), ""), (self.issuer.token(header={"alg": "ES256"}), ""),
                            (f"{head}.{admin}.{signature}", "signature"),
                            (f"{head}.{claims}.{signature[:9]}{flipped}{signature[10:]}", "signature"),
                            (f"{head}.{claims}.{signature[:-4]}", "signature"), (f"{head}.{claims}.", "signature"),
                            (self.issuer.token(other), "signature"),
                            (self.issuer.token(other, header={"jwk": other.jwk()}), "signature"),
                            (self.issuer.token(other, header={"jku": self.issuer.url + "/evil"}), "signature"),
                            (self.issuer.token(header={"crit": ["exp"], "exp": 1}), "demands"),
                            (self.issuer.token(header={"b64": False}), "demands"),
                            (self.issuer.token(header={"typ": "logout+jwt"}), "type"),
                            (self.issuer.token(header={"kid": 7}), "key id"),
                            (self.issuer.token(text=twice), "claims"), (self.issuer.token(text='["x"]'), "claims"),
                            (good + "=", "Base64url"), (f"{head}=.{claims}.{signature}", "header"),
                            (f"{head}.{claims}.{signature}.x.y", ""), ("..", "header"), ("a.b.c", "header"),
                            (self.issuer.token(note="x" * 9000), "8192")):
            self.refused(server, token, said)
        self.assertNotIn("/evil", self.issuer.asked)
        self.taken(server, good)
        server.stop()

    def test_scopes_bounds_and_their_challenges(self):
        self.scratch.repositories(("api", self.scratch.repository("api"), ["node"]),
                                  ("web", self.scratch.repository("web"), ["node"]))
        server = self.start("--toolsets", "all", REPOSITORIES_CLAIM="repos")
        reader = self.issuer.token(scope="openid tools:read", repos="api web")
        runner = self.issuer.token(scope="tools:run", repos=["api"])
        needs = 'Bearer error="insufficient_scope", scope="{}", resource_metadata="' + METADATA + '"'

        status, headers, body = server.request("POST", "/tools/call", call("task_submit", command="true"), bearer(reader))
        self.assertEqual((status, headers["WWW-Authenticate"]), (403, needs.format("tools:run")), body)
        told = {**bearer(reader), "Accept": "application/json, text/event-stream"}
        told["Mcp-Session-Id"] = server.request("POST", "/mcp", json.dumps(HELLO), told)[1]["Mcp-Session-Id"]
        status, headers, body = server.request(
            "POST", "/mcp", json.dumps(request(1, "tools/call", name="pool_spawn", arguments={"name": "p"})), told)
        self.assertEqual((status, headers["WWW-Authenticate"]), (403, needs.format("tools:admin")), body)
        self.assertIn("scope admin", json.loads(body)["result"]["content"][0]["text"])

        status, task = self.asked(server, runner, "task_submit", command="true", repo="api", wait_ms=20000)
        self.assertEqual((status, task["state"]), (200, "completed"), task)
        status, headers, body = server.request("POST", "/tools/call", call("task_submit", command="true", repo="web"),
                                               bearer(runner))
        self.assertEqual((status, headers["WWW-Authenticate"]), (403, None), body)
        bound = self.issuer.token(scope="tools:admin", repos=["api"])  # who is bound administers nothing
        self.assertIn("scope admin", self.denied(server, bound, "pool_spawn", name="p"))
        self.refused(server, self.issuer.token(scope="tools:run"), "repos")
        self.refused(server, self.issuer.token(scope="tools:run", repos=[]), "repos")
        status, headers, body = self.status(server, self.issuer.token(scope="openid", repos=["api"]))
        self.assertEqual((status, headers["WWW-Authenticate"]), (403, f'Bearer error="insufficient_scope", {CHALLENGE}'), body)
        server.stop()

    def test_two_tokens_of_one_subject_keep_their_rights_apart(self):
        server = self.start()
        reader, runner = self.issuer.token(scope="tools:read"), self.issuer.token(scope="tools:run")
        for _ in range(3):
            self.assertEqual(self.asked(server, runner, "task_submit", command="true")[0], 200)
            self.denied(server, reader, "task_submit", command="true")
        server.stop()

    def test_no_token_reaches_log_or_errors(self):
        server = self.start("--log-level", "trace")
        good, bad = self.issuer.token(), self.issuer.token(iss="https://other.example")
        self.taken(server, good)
        self.refused(server, bad)
        server.request("POST", "/mcp", "{", bearer(good))
        server.stop()
        for token in (good, bad):
            for part in token.split("."):
                self.assertNotIn(part, server.log())


class KeysTest(WithIssuer):
    oidc = True  # the other way to find them

    def test_an_issuer_that_is_down_at_the_start_is_found_later(self):
        self.issuer.stop()
        server = self.start(ready=False)
        token = self.issuer.token()
        status, headers, body = server.request("POST", "/tools/call", call("repo_list"), bearer(token))
        self.assertEqual((status, headers["Retry-After"]), (503, "1"), body)
        self.assertEqual(server.tool("repo_list")["items"], [])  # others are not kept
        eventually(lambda: self.told(server).get("problem"), "it says that there are no keys")
        self.issuer.start()
        self.taken(server, token)
        self.assertEqual(self.told(server), {"keys": 1})
        server.stop()

    def test_doctor_asks_for_the_keys(self):
        doctor = self.scratch.run("doctor", env=self.environment())
        self.assertRegex(doctor.stdout, rf"(?m)^ok +oauth +{self.issuer.url} lists 1 keys")
        self.issuer.down = True
        self.assertRegex(self.scratch.run("doctor", env=self.environment()).stdout, r"(?m)^warn +oauth .*503")
        self.assertRegex(self.scratch.run("doctor", env=self.environment(RESOURCE="")).stdout,
                         r"(?m)^FAIL +oauth +http.oauth.resource")

    def test_without_an_http_door_nobody_is_asked(self):
        client = Stdio(self.scratch, env=self.environment())
        self.addCleanup(client.kill)
        self.assertIn("result", client.ask(HELLO))
        client.finish()
        self.assertEqual(self.issuer.asked, [])

    def test_a_server_that_ends_waits_for_no_issuer(self):
        self.issuer.stop()
        with socket.create_server(("127.0.0.1", self.issuer.port)) as silent:
            silent.settimeout(PATIENCE)
            server = self.start(ready=False)
            asking, _ = silent.accept()
            with asking:
                began = time.monotonic()
                server.stop()
                self.assertLess(time.monotonic() - began, 8)  # it would wait 10 s for an answer
        self.issuer.start()

    def test_keys_stay_in_force_while_the_issuer_is_down(self):
        server = self.start(KEEP_KEYS="1s")
        before = self.issuer.fetches()
        self.issuer.down = True
        eventually(lambda: "503" in self.told(server).get("problem", ""), "it noticed")
        self.taken(server, self.issuer.token(sub="bob"))
        self.issuer.down = False
        eventually(lambda: "problem" not in self.told(server), "it has them again")
        self.assertGreater(self.issuer.fetches(), before)
        server.stop()

    def test_a_rotated_key_is_found_and_a_former_one_forgotten(self):
        server = self.start(PAUSE="1h")  # the fetch at the start counts
        earlier = int(time.time()) - 60
        old, new = self.issuer.token(iat=earlier), Key(self.scratch.path, "new")
        self.taken(server, old)
        self.refused(server, self.issuer.token(new, iat=earlier), "does not list")
        status, headers, _ = server.request("POST", "/tools/call", call("repo_list"), bearer(self.issuer.token(new)))
        self.assertEqual(status, 503)
        self.assertGreater(int(headers["Retry-After"]), 3000)
        self.assertEqual(self.issuer.fetches(), 1)
        server.stop()

        server = self.start()
        self.taken(server, old)
        fetched = self.issuer.fetches()
        self.issuer.keys = [new]
        self.taken(server, self.issuer.token())
        self.assertGreater(self.issuer.fetches(), fetched)
        self.refused(server, old, "does not list")  # though it had been found good
        server.stop()

    def test_metadata_of_another_issuer_and_keys_that_are_none_are_not_used(self):
        def answered(document):
            self.issuer.document = document
            server = self.start(ready=False)
            problem = eventually(lambda: self.told(server).get("problem"), "it says why")
            self.assertEqual(self.status_now(server), 503)
            server.stop()
            return problem

        url = self.issuer.url
        self.assertIn("another issuer", answered(lambda _: {"issuer": "https://honest.example", "jwks_uri": url + "/keys"}))
        self.assertIn("jwks_uri", answered(lambda _: {"issuer": url}))
        self.assertIn("not https", answered(lambda _: {"issuer": url, "jwks_uri": "http://10.0.0.1/keys"}))
        keys = {"issuer": url, "jwks_uri": url + "/keys"}
        weak = Key(self.scratch.path, "weak", bits=1024)
        for listed in ({}, {"keys": 1}, {"keys": []}, {"keys": [weak.jwk()]}, {"keys": [self.issuer.keys[0].jwk(use="enc")]},
                       {"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}]}, {"keys": [{}] * 65}):
            self.assertIn("key set", answered(lambda path, listed=listed: listed if path == "/keys" else keys))
        self.assertIn("longer than", answered(lambda path: {"keys": ["x" * 300000]} if path == "/keys" else keys))

    def status_now(self, server):
        return server.request("POST", "/tools/call", call("repo_list"), bearer(self.issuer.token()))[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
