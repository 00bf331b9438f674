"""A time-stamping authority on the loopback interface (RFC 3161 over HTTP), answered by `openssl ts -reply`, that can
be slow, refuse, lie or be full of garbage.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from asn1crypto import core, tsp

from tests.servers.programs import HOST, ports

CONFIGURATION = """
[ req ]
distinguished_name = name
[ name ]
[ authority ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[ stamper ]
extendedKeyUsage = critical, timeStamping
[ tsa ]
serial = {folder}/serial
signer_digest = sha256
digests = sha256
default_policy = 1.2.3.4.1
ess_cert_id_alg = sha256
"""


class Tsa:
    """fault: "" or one of "slow" (never ends), "dripping", "busy" (HTTP 503), "garbage", "endless", "refuses",
    "other nonce", "other hash", "other signature". authority: its certificate in PEM. asked: number of requests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault = ""
        self.asked = 0
        self.url = ""
        (folder / "serial").write_text("01")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
        for name in ("ca", "stamper"):
            self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
        self._certify("ca", "authority", "-signkey", "ca.key")
        self._certify("stamper", "stamper", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
        self.authority = (folder / "ca.pem").read_bytes()

    def _certify(self, name: str, section: str, *issuer: str) -> None:
        subject = ("-subj", f"/CN=Test {name}")
        self._openssl("req", "-new", "-config", "tsa.cnf", "-key", f"{name}.key", *subject, "-out", "request")
        extensions = ("-extfile", "tsa.cnf", "-extensions", section)
        self._openssl("x509", "-req", "-in", "request", "-days", "30", *issuer, *extensions, "-out", f"{name}.pem")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)

    def answer(self, query: bytes) -> bytes:
        """The DER of the answer to a query, with what the fault makes of it."""
        if self.fault == "garbage":
            return Random(7).randbytes(300)
        if self.fault == "refuses":
            status = {"status": "rejection", "status_string": ["secret text"], "fail_info": {"bad_request"}}
            refusal = bytes(tsp.PKIStatusInfo(status).dump())
            return b"\x30" + bytes([len(refusal)]) + refusal
        request = tsp.TimeStampReq.load(query)
        if self.fault == "other nonce":
            request["nonce"] = core.Integer(request["nonce"].native ^ 1)
        if self.fault == "other hash":
            request["message_imprint"]["hashed_message"] = bytes(32)
        (self.folder / "query").write_bytes(request.dump(force=True))
        signer = ("-signer", "stamper.pem", "-inkey", "stamper.key", "-chain", "ca.pem")
        reply = ("-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query", *signer, "-out", "reply")
        self._openssl("ts", *reply)
        made = (self.folder / "reply").read_bytes()
        return self._with_other_signature(made) if self.fault == "other signature" else made

    def _with_other_signature(self, reply: bytes) -> bytes:
        """The same answer, its last bytes (the signature) changed."""
        return reply[:-4] + bytes(byte ^ 0x55 for byte in reply[-4:])


@contextmanager
def tsa(folder: Path, url: str = "") -> Iterator[Tsa]:
    """A running authority that keeps its keys in `folder`; `url`: where one was that has ended."""
    served = Tsa(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            served.asked += 1
            query = self.rfile.read(int(self.headers["Content-Length"]))
            right = self.headers["Content-Type"] == "application/timestamp-query"
            if served.fault == "busy" or not right:
                self.send_error(503 if right else 415)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            with suppress(OSError):
                self._send(query)

        def _send(self, query: bytes) -> None:
            if served.fault == "slow":
                time.sleep(20)
            elif served.fault == "endless":
                for _ in range(2_000):
                    self.wfile.write(bytes(1024))
            elif served.fault == "dripping":
                for byte in range(200):
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.1)
            else:
                self.wfile.write(served.answer(query))

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing."""

    port = urlsplit(url).port
    server = ThreadingHTTPServer((HOST, port), Handler) if port else _bound(Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    served.url = f"http://{HOST}:{server.server_address[1]}/tsr"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def _bound(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    for port in ports():
        with suppress(OSError):
            return ThreadingHTTPServer((HOST, port), handler)
    raise OSError("no port is free")
