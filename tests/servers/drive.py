"""A Google Drive in this process: a local server that speaks the published Drive v3 protocol, and its token server.

with DriveServer() as drive:
    drive.faults.append(Refuse("create", 403, "userRateLimitExceeded"))     # tests/servers/drive_faults.py
    DriveStore.create(drive.url(folder), "archive-id")
    drive.files.tree() == {"Mail archive/mailark-store.json": b"..."}

Sources: developers.google.com/workspace/drive/api/reference/rest/v3/files and …/guides/manage-uploads,
search-files, handle-errors; RFC 6749, 7523, 8628 for tokens. Names are not unique, as there.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.servers.drive_faults import Cut, Fault, Hang, Refuse, Wrong
from tests.servers.drive_files import Files, Refused, matcher
from tests.servers.drive_tokens import Tokens

__all__ = ["Cut", "DriveServer", "Fault", "Hang", "Refuse", "Wrong"]


class DriveServer:
    """Listens on a free port of 127.0.0.1. `requests` has (operation, status) of every request to the API."""

    def __init__(self, shared_drive: str | None = None, page: int = 1000) -> None:
        self.files = Files(shared_drive)
        self.tokens = Tokens()
        self.page = page
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, int]] = []
        self.connections: set[socket.socket] = set()
        self.lock = threading.RLock()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.tokens.address = self.address
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> DriveServer:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def url(self, keep: Path, name: str = "Mail archive", **options: str) -> str:
        """A store's URL at this server, logged in: `keep` is given the login of a person, its key lies beside."""
        from archiver.stores.drive_kept import Login
        from archiver.stores.drive_kept import keep as keep_login
        from archiver.stores.drive_url import parse

        files = {"keep": str(keep), "key_file": str(keep.with_name("drive.key"))}
        given = {**files, "endpoint": self.address, "writes_per_second": "100", **options}
        text = f"drive://{quote(name, safe='/:')}?" + "&".join(f"{key}={quote(value)}" for key, value in given.items())
        if "service_account" not in given:
            keep_login(parse(text), Login(self.tokens.refresh, "client", "secret", f"{self.address}/token"))
        return text

    def count(self, *operations: str) -> int:
        """How many requests of these kinds were answered with success."""
        return sum(name in operations and status < 400 for name, status in self.requests)

    def fault(self, operation: str) -> Fault | None:
        """The fault that strikes this request, if any; it is used up by that."""
        with self.lock:
            for fault in self.faults:
                if fault.strikes(operation):
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is nothing to show; anything else is a mistake of this server."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(drive: DriveServer) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Conversation,), {"drive": drive})


class _Conversation(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    drive: DriveServer

    def setup(self) -> None:
        super().setup()
        self.drive.connections.add(self.connection)

    def finish(self) -> None:
        self.drive.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        size = int(self.headers.get("content-length", 0))
        if parts.path in ("/token", "/device/code"):
            self._answer(*self.drive.tokens.answer(parts.path, parse_qs(self.rfile.read(size).decode())))
            return
        if self.headers.get("x-http-method-override") == "GET":
            self.command, query = "GET", {k: v[0] for k, v in parse_qs(self.rfile.read(size).decode()).items()}
            size = 0
        operation = self._operation(parts.path, query)
        fault = self.drive.fault(operation)
        try:
            status, headers, body = self._perform(operation, parts.path, query, size, fault)
        except Refused as refusal:
            status, headers, body = refusal.answer()
        except _Broken:
            self.drive.requests.append((operation, 599))
            self.close_connection = True
            return
        self.drive.requests.append((operation, status))
        try:
            self._answer(status, headers, body)
        except OSError:  # the client is gone
            self.close_connection = True

    def _operation(self, path: str, query: dict[str, str]) -> str:
        if path.startswith("/upload/"):
            return {"POST": "begin" if query["uploadType"] == "resumable" else "create", "PUT": "send"}[self.command]
        if path.endswith("/generateIds"):
            return "generateIds"
        if path.endswith("/files"):
            return "list" if self.command == "GET" else "folder"
        names = {"GET": "download" if query.get("alt") == "media" else "get", "PATCH": "update", "DELETE": "delete"}
        return names[self.command]

    def _perform(
        self, operation: str, path: str, query: dict[str, str], size: int, fault: Fault | None
    ) -> tuple[int, dict[str, str], bytes]:
        if isinstance(fault, Refuse) and not fault.after:
            self.rfile.read(size)
            raise Refused(fault.status, fault.reason, fault.headers)
        if isinstance(fault, Hang):
            fault.wait()
            raise _Broken
        if operation == "send":
            return self._send(query, size, fault)
        body = self.rfile.read(size)
        if len(body) < size or (isinstance(fault, Cut) and not fault.after):
            raise _Broken
        if not self.drive.tokens.good(self.headers.get("authorization", "")):
            raise Refused(401, "authError")
        with self.drive.lock:
            answer = self._do(operation, path, query, body)
        if isinstance(fault, Cut):
            raise _Broken
        if isinstance(fault, Refuse):
            raise Refused(fault.status, fault.reason, fault.headers)
        return fault.spoil(answer) if isinstance(fault, Wrong) else answer

    def _do(self, operation: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        files = self.drive.files
        id_ = path.rpartition("/")[2]
        if operation == "generateIds":
            return _json({"ids": files.generate(int(query.get("count", 10))), "space": "drive"})
        if operation == "list":
            return _json(self._page(query))
        if operation in ("create", "folder"):
            metadata, content = _parts(self.headers["content-type"], body)
            return _json(files.create(metadata, content).shown())
        if operation == "begin":
            session = files.begin(json.loads(body), int(self.headers["x-upload-content-length"]))
            location = f"{self.drive.address}/upload/drive/v3/files?uploadType=resumable&upload_id={session}"
            return 200, {"location": location}, b""
        if operation == "download":
            return files.download(id_, self.headers.get("range"))
        if operation == "get":
            return _json(files.known(id_).shown())
        if operation == "update":
            return _json(files.update(id_, json.loads(body)).shown())
        files.delete(id_)
        return 204, {}, b""

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        self.drive.files.check_corpus(query)
        found = sorted(self.drive.files.matching(matcher(query["q"])), key=lambda file: file.id)
        start = int(query.get("pageToken", 0))
        end = start + min(int(query.get("pageSize", 100)), self.drive.page)
        page: dict[str, Any] = {"incompleteSearch": False, "files": [file.shown() for file in found[start:end]]}
        return page | ({"nextPageToken": str(end)} if end < len(found) else {})

    def _send(self, query: dict[str, str], size: int, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
        """A part of an upload session, or ("bytes */N") the question how much of it arrived."""
        files = self.drive.files
        range_, _, total = self.headers["content-range"].removeprefix("bytes ").partition("/")
        start = 0 if range_ == "*" else int(range_.partition("-")[0])
        limit = fault.at if isinstance(fault, Cut) and not fault.after else size
        body = self.rfile.read(min(size, limit))
        with self.drive.lock:
            done = files.receive(query["upload_id"], start, body, int(total))
        if isinstance(fault, Cut):
            raise _Broken
        if isinstance(fault, Refuse):
            raise Refused(fault.status, fault.reason, fault.headers)
        if done is None:
            arrived = files.arrived(query["upload_id"])
            return 308, {"range": f"bytes=0-{arrived - 1}"} if arrived else {}, b""
        return fault.spoil(_json(done.shown())) if isinstance(fault, Wrong) else _json(done.shown())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Broken(Exception):  # noqa: N818
    """Close the connection without an answer."""


def _json(found: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": "application/json; charset=UTF-8"}, json.dumps(found).encode()


def _parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Metadata and content of multipart/related (RFC 2387); a plain JSON body has no content."""
    if not content_type.startswith("multipart/related"):
        return json.loads(body), b""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    _, metadata, content, end = body.split(b"--" + boundary)
    assert end.strip() == b"--"
    contents = [part.partition(b"\n\n")[2].removesuffix(b"\n") for part in (metadata, content)]
    return json.loads(contents[0]), contents[1]
