"""HTTPS at the real binary: certificates that are good, wrong and renewed, and clients that are slow or lost.

The clients are Python's ssl module; certificates are made by openssl.

usage: tls.py [NAME…]   runs the tests whose names hold one of the words
"""
import json
import os
import socket
import ssl
import subprocess
import sys

from e2e import WithScratch, main, request
from harness import PATIENCE, Http, eventually
from resources import META, headers

DAYS = 30


class Identity:
    """A certificate for localhost, and its key, in files."""

    def __init__(self, folder, name, days=DAYS, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        self.certificate, self.key = (os.path.join(folder, f"{name}.{part}.pem") for part in ("certificate", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", self.key, "-out",
                        self.certificate, "-days", str(days), "-subj", f"/CN={name}", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True,
                       timeout=PATIENCE)

    def flags(self):
        return ["--tls-cert", self.certificate, "--tls-key", self.key]


class TlsTest(WithScratch):
    def setUp(self):
        super().setUp()
        self.identity = Identity(self.scratch.path, "first")

    def serve(self, *flags, identity=None, **options):
        server = Http(self.scratch, *(identity or self.identity).flags(), *flags, **options)
        self.addCleanup(server.kill)
        return server

    def client(self, identity=None, **options):
        context = ssl.create_default_context(cafile=(identity or self.identity).certificate)
        for name, value in options.items():
            setattr(context, name, value)
        return context

    def connect(self, server, context=None):
        """A connection that has shaken hands."""
        plain = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self.addCleanup(plain.close)
        secure = (context or self.client()).wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(secure.close)
        return secure

    def head(self, server, method, path, **more):
        lines = {"Host": f"localhost:{server.port}", "Authorization": f"Bearer {server.token()}", **more}
        return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()),
                            "", ""]).encode()

    def post(self, server, path, message, **more):
        body = json.dumps(message).encode()
        more = {"Content-Type": "application/json", "Content-Length": len(body), **more}
        return self.head(server, "POST", path, **more) + body

    def tool(self, server, secure, tool, **arguments):
        secure.sendall(self.post(server, "/tools/call", {"name": tool, "arguments": arguments}))
        status, body = self.answer(secure)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def answer(self, secure):
        """(status, body) of the next answer."""
        file = secure.makefile("rb")
        status = int(file.readline().split()[1])
        length = 0
        while (line := file.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, file.read(length)

    def ask(self, server, context=None):
        secure = self.connect(server, context)
        secure.sendall(self.head(server, "GET", "/readyz"))
        return self.answer(secure)

    def test_calls_and_streams_are_served(self):
        server = self.serve()
        secure = self.connect(server, self.client(minimum_version=ssl.TLSVersion.TLSv1_3))
        for _ in range(3):
            done = self.tool(server, secure, "task_submit", command="seq 20000", wait_ms=20000)
            self.assertEqual(done["state"], "completed")
        wanted = {"resourceSubscriptions": ["mahavishnu://pool/later"]}
        stream = self.connect(server)
        stream.sendall(self.post(server, "/mcp", request(1, "subscriptions/listen", notifications=wanted, _meta=META),
                                 **headers(server, "subscriptions/listen")))
        lines = stream.makefile("rb")
        self.assertIn(b"200", lines.readline())
        told = iter(lines.readline, b"")  # ends with the stream
        self.assertTrue(any(b"acknowledged" in line for line in told))
        self.tool(server, secure, "pool_spawn", name="later")
        self.assertTrue(any(b"notifications/resources/updated" in line for line in told))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(secure.recv(1), b"")  # closed with a farewell, or this would fail

    def test_a_body_that_is_too_long_is_answered_before_the_end(self):
        server = self.serve()
        secure = self.connect(server)
        secure.sendall(self.head(server, "POST", "/tools/call",
                                 **{"Content-Type": "application/json", "Content-Length": 50_000_000}))
        secure.sendall(b"x" * 100_000)
        self.assertEqual(self.answer(secure)[0], 413)

    def test_old_versions_and_other_protocols_are_refused(self):
        server = self.serve()
        old = self.client(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        weak = self.client(maximum_version=ssl.TLSVersion.TLSv1_2)
        weak.set_ciphers("AES128-SHA:@SECLEVEL=0")
        other = self.client()
        other.set_alpn_protocols(["h2"])
        for context in (old, weak, other):
            with self.assertRaises(OSError):
                self.connect(server, context)
        ours = self.client()
        ours.set_alpn_protocols(["h2", "http/1.1"])
        self.assertEqual(self.connect(server, ours).selected_alpn_protocol(), "http/1.1")

    def test_plain_http_is_told_so(self):
        server = self.serve()
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
            plain.sendall(self.head(server, "GET", "/readyz"))
            status, text = self.answer(plain)
        self.assertEqual(status, 400)
        self.assertIn("https://", json.loads(text)["error"]["message"])

    def test_a_handshake_byte_by_byte_is_finished(self):
        server = self.serve()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for step in (client.do_handshake, lambda: client.write(self.head(server, "GET", "/readyz")),
                         lambda: client.read(1 << 16)):
                while True:
                    try:
                        result = step()
                        break
                    except ssl.SSLWantReadError:
                        for byte in outgoing.read():
                            plain.sendall(bytes([byte]))
                        incoming.write(plain.recv(1 << 16))
                for byte in outgoing.read():
                    plain.sendall(bytes([byte]))
        self.assertTrue(result.startswith(b"HTTP/1.1 200"))

    def test_handshakes_that_stop_end_in_time_and_hold_up_nobody(self):
        server = self.serve(env={"MAHAVISHNU_HTTP_HEADER_MS": "300"})
        stuck = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(50)]
        for number, plain in enumerate(stuck):
            self.addCleanup(plain.close)
            plain.sendall(b"\x16\x03\x01\x02\x00"[:number % 6])
        for garbage in (b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 1000, os.urandom(500)):
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
                plain.sendall(garbage)
        self.assertEqual(self.ask(server)[0], 200)
        for plain in stuck:
            with self.subTest():
                try:
                    self.assertEqual(plain.recv(100), b"")
                except ConnectionResetError:
                    pass
        self.assertEqual(server.stop(), 0)

    def test_a_renewed_certificate_is_used_without_a_restart(self):
        server = self.serve()
        open_before = self.connect(server)
        renewed = Identity(self.scratch.path, "renewed", kind=("rsa:2048",))
        with open(self.identity.key, "w", encoding="utf-8") as key:
            key.write("half a file")
        problem = eventually(lambda: json.loads(self.ask(server)[1])["tls"].get("problem"), "it was noticed")
        self.assertIn(self.identity.key, problem)
        before = self.client()  # it read the file that is replaced now
        os.replace(renewed.key, self.identity.key)
        os.replace(renewed.certificate, self.identity.certificate)
        after = self.client()

        def is_renewed():
            try:
                return "problem" not in json.loads(self.ask(server, after)[1])["tls"]
            except ssl.SSLCertVerificationError:
                return False

        eventually(is_renewed, "the new certificate is used")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(server, before)
        open_before.sendall(self.head(server, "GET", "/readyz"))
        self.assertEqual(self.answer(open_before)[0], 200)

    def test_files_that_are_wrong_say_so_at_the_start(self):
        other = Identity(self.scratch.path, "other")
        locked = os.path.join(self.scratch.path, "locked.pem")
        subprocess.run(["openssl", "pkey", "-in", other.key, "-aes256", "-passout", "pass:secret", "-out", locked],
                       check=True, capture_output=True, timeout=PATIENCE)
        good, missing = self.identity, os.path.join(self.scratch.path, "missing.pem")
        for words, said in ((["--tls-cert", good.certificate], "go together"), (["--tls-key", good.key], "go together"),
                            (["--tls-cert", missing, "--tls-key", good.key], missing),
                            (["--tls-cert", good.key, "--tls-key", good.key], good.key),
                            (["--tls-cert", good.certificate, "--tls-key", missing], missing),
                            (["--tls-cert", good.certificate, "--tls-key", other.key], "is it that of"),
                            (["--tls-cert", other.certificate, "--tls-key", locked], locked)):
            done = self.scratch.run("serve", "--http", "127.0.0.1:0", *words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(said, done.stderr)

    def test_doctor_and_status_tell_of_it(self):
        for days, grade in ((DAYS + 30, "ok"), (3, "warn")):
            identity = Identity(self.scratch.path, f"days{days}", days=days)
            env = {"MAHAVISHNU_HTTP_TLS_CERTIFICATE": identity.certificate, "MAHAVISHNU_HTTP_TLS_KEY": identity.key}
            [line] = [line for line in self.scratch.run("doctor", env=env).stdout.splitlines() if "certificate" in line]
            self.assertTrue(line.startswith(grade), line)
        self.serve()
        self.assertIn("https://127.0.0.1:", self.scratch.run("status").stdout)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
