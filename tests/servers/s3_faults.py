"""A proxy on loopback before an S3 server, which misbehaves as it is told and counts what goes through it.

with S3Proxy(server.port) as proxy:
    proxy.faults.append(Answer(503, "SlowDown", times=2))
    S3Store.open(server.url(bucket, port=proxy.port))
    proxy.count("PUT")

The Host header goes through unchanged, so that signatures stay right.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers.programs import HOST


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Response:
    """One answer; `sent` is how many bytes of the body are really sent before the connection is cut."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    sent: int | None = None


Forward = Callable[[Request], Response]


@dataclass
class Fault:
    """Strikes the next `times` requests of the method whose path matches. Subclasses say how."""

    method: str = "PUT"
    path: str = ""
    times: int = 1
    struck: int = field(default=0, init=False)

    def wants(self, request: Request) -> bool:
        if self.struck >= self.times or request.method != self.method or not re.search(self.path, request.path):
            return False
        self.struck += 1
        return True

    def strike(self, request: Request, forward: Forward) -> Response | None:
        """The answer to give, None to cut the connection without any."""
        raise NotImplementedError


@dataclass
class Hang(Fault):
    """Nothing happens, and the connection stays, until `release`; then it is cut."""

    _free: threading.Event = field(default_factory=threading.Event, init=False)

    def strike(self, request: Request, forward: Forward) -> Response | None:
        self._free.wait(60)
        return None

    def release(self) -> None:
        self._free.set()


@dataclass
class Answer(Fault):
    """The server is not asked; this error is given."""

    status: int = 500
    code: str = "InternalError"

    def strike(self, request: Request, forward: Forward) -> Response | None:
        text = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>as the test wants it</Message></Error>"
        body = b"" if request.method == "HEAD" else text.encode()
        return Response(self.status, [("Content-Type", "application/xml")], body)


class Header(Answer):
    """Of the requests with a header: its name stands where the path does."""

    def wants(self, request: Request) -> bool:
        if self.struck >= self.times or request.method != self.method or self.path not in request.headers:
            return False
        self.struck += 1
        return True


class Cut(Fault):
    """The connection breaks before the server gets anything."""

    def strike(self, request: Request, forward: Forward) -> Response | None:
        return None


class LostAnswer(Fault):
    """The server does it; the connection breaks before the client hears of it."""

    def strike(self, request: Request, forward: Forward) -> Response | None:
        forward(request)
        return None


class HalfBody(Fault):
    """Half of the answer's body arrives, then the connection breaks."""

    def strike(self, request: Request, forward: Forward) -> Response | None:
        answer = forward(request)
        return Response(answer.status, answer.headers, answer.body, len(answer.body) // 2)


class Spoiled(Fault):
    """One bit of the body changes on its way to the server."""

    def strike(self, request: Request, forward: Forward) -> Response | None:
        middle = len(request.body) // 2
        body = request.body[:middle] + bytes([request.body[middle] ^ 1]) + request.body[middle + 1 :]
        return forward(Request(request.method, request.path, request.headers, body))


class S3Proxy:
    """Listens on a free port; `requests` are all that came, as (method, path)."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> S3Proxy:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str, path: str = "") -> int:
        """How many requests of the method came for paths that match."""
        return sum(found == method and re.search(path, where) is not None for found, where in self.requests)

    def answer(self, request: Request) -> Response | None:
        """What the client gets; None: a broken connection."""
        with self._lock:
            self.requests.append((request.method, request.path))
            fault = next((fault for fault in self.faults if fault.wants(request)), None)
        return fault.strike(request, self._forward) if fault else self._forward(request)

    def _forward(self, request: Request) -> Response:
        connection = http.client.HTTPConnection(HOST, self.upstream, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("expect", "connection"):
                    connection.putheader(name, value)
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            return Response(answer.status, answer.getheaders(), answer.read())


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: S3Proxy

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.owner.answer(Request(self.command, self.path, self.headers, body))
        if answer is None:
            self._cut()
            return
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(answer.body[: answer.sent])
        if answer.sent is not None:
            self.wfile.flush()
            self._cut()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve  # noqa: N815

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""
