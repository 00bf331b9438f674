"""Uploads to Drive: under an id chosen before, resumed after a cut, verified, and never twice.

The id comes from files.generateIds and is written to a small file on this machine before the upload begins; the file
goes when the upload is verified. A retry, in this run or after a crash, sends the same id and is answered 409 when the
first try had arrived. Where the file is lost with the machine, the listing of the folder shows what arrived.
Protocol: developers.google.com/workspace/drive/api/guides/manage-uploads (sections Multipart and Resumable).
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archiver.errors import QuotaError, StoreError
from archiver.stores.drive_calls import Answer, Calls, Expected, Passing
from archiver.stores.drive_pending import Ids, Pending, Upload
from archiver.stores.drive_tree import FIELDS, SHARED, File
from archiver.stores.interface import Data

LARGEST_SIMPLE = 5_000_000
"""Bytes sent in one multipart request; Google takes up to 5 MB that way."""

_BYTES = "application/octet-stream"
_PIECE = 1 << 20
_RESTARTS = 3
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class _New:
    """The file that an upload is to make."""

    name: str
    parent: str
    body: memoryview
    sha256: str

    @property
    def leaf(self) -> str:
        return self.name.rpartition("/")[2]

    def metadata(self, id_: str) -> dict[str, Any]:
        return {"id": id_, "name": self.leaf, "parents": [self.parent], "mimeType": _BYTES}


class Uploader:
    """Makes files. Thread-safe for different names."""

    def __init__(self, calls: Calls, ids: Ids, pending: Pending) -> None:
        self._calls = calls
        self._ids = ids
        self._pending = pending

    def put(self, name: str, parent: str, data: Data) -> File:
        """Make the file in the folder with the id `parent`, and verify it. Expected(404): that folder is gone."""
        with _opened(data) as body:
            new = _New(name, parent, body, hashlib.sha256(body).hexdigest())
            for last in (False, True):
                found = self._make(new)
                if found is not None and found.get("trashed"):  # so is the folder it was made in
                    self._pending.forget(name)
                    self._discard(found["id"])
                    raise Expected(404)
                if found is not None and self._is_sound(found, new):
                    self._pending.forget(name)
                    return File.of(found)
                self._pending.forget(name)
                if found is not None:
                    self._discard(found["id"])
                if last:
                    break
        raise StoreError(f"{self._calls.place.url}: {name} arrived damaged, twice", "Check this machine's memory.")

    def _make(self, new: _New) -> dict[str, Any] | None:
        """Send the file under its noted id; None when that id is of no use."""
        begun = self._pending.load(new.name, new.sha256)
        upload = begun or Upload(self._ids.take(), new.sha256)
        if begun is None:
            self._pending.save(new.name, upload)
        try:
            simple = len(new.body) <= LARGEST_SIMPLE
            return self._send_simply(new, upload) if simple else self._send_in_session(new, upload)
        except Expected as answer:
            if answer.status != 409:
                self._pending.forget(new.name)
                raise
            return self._arrived_before(new, upload)
        except QuotaError:
            raise
        except StoreError:
            if begun:  # whatever is wrong, it shall not be wrong for ever because of an old note
                self._pending.forget(new.name)
            raise

    def _send_simply(self, new: _New, upload: Upload) -> dict[str, Any]:
        from googleapiclient.http import MediaInMemoryUpload

        media = MediaInMemoryUpload(bytes(new.body), mimetype=_BYTES, resumable=False)
        request = self._calls.files.create(body=new.metadata(upload.id), media_body=media, fields=FIELDS, **SHARED)
        return self._calls.call(request, new.name, write=True, expected=(404, 409))  # type: ignore[no-any-return]

    def _send_in_session(self, new: _New, upload: Upload) -> dict[str, Any]:
        """Send the content in one request; after a cut ask how much arrived, and send the rest."""
        session, start = upload.session, None
        for _ in range(_RESTARTS):
            if not session:
                session, start = self._begin_session(new, upload), 0
                self._pending.save(new.name, Upload(upload.id, upload.sha256, session))
            try:
                return self._finish_session(new, session, start)
            except Expected:  # the session is expired or unknown: begin again
                session = ""
        raise StoreError(f"{self._calls.place.url}: {new.name}: every upload session expired at once")

    def _begin_session(self, new: _New, upload: Upload) -> str:
        uri = f"{self._calls.place.endpoint}/upload/drive/v3/files?uploadType=resumable&supportsAllDrives=true&fields="
        body = json.dumps(new.metadata(upload.id)).encode()
        headers = {
            "content-type": "application/json; charset=UTF-8",
            "x-upload-content-type": _BYTES,
            "x-upload-content-length": str(len(new.body)),
        }
        answer = self._calls.persist(
            lambda: self._calls.send("POST", uri + FIELDS, headers, body, new.name, (404, 409)), write=True
        )
        if "location" not in answer.headers:
            raise StoreError(f"{self._calls.place.url}: {new.name}: Google Drive opened no upload session")
        return answer.headers["location"]

    def _finish_session(self, new: _New, session: str, start: int | None) -> dict[str, Any]:
        """Send from byte `start` on (None: ask the session); Expected(404 or 410) when the session is no more."""
        failures = 0
        furthest = start or 0
        while True:
            try:
                if start is None:
                    answer = self._put(new, session, f"bytes */{len(new.body)}", b"")
                else:
                    last = len(new.body) - 1
                    answer = self._put(new, session, f"bytes {start}-{last}/{len(new.body)}", _Once(new.body[start:]))
            except Passing as passing:
                failures += 1
                if failures >= self._calls.limits.tries:
                    raise passing.error from None
                self._calls.pause(failures - 1, passing)
                start = None
                continue
            if answer.status != 308:
                return json.loads(answer.content)  # type: ignore[no-any-return]
            start = _arrived(answer)
            failures = 0 if start > furthest else failures + 1
            furthest = max(furthest, start)
            if failures >= self._calls.limits.tries or start >= len(new.body):
                raise StoreError(f"{self._calls.place.url}: {new.name}: the upload does not move on")

    def _put(self, new: _New, session: str, content_range: str, body: bytes | _Once) -> Answer:
        headers = {"content-range": content_range, "content-length": str(len(body))}
        return self._calls.send("PUT", session, headers, body, new.name, _GONE)

    def _arrived_before(self, new: _New, upload: Upload) -> dict[str, Any] | None:
        """The file that an earlier try made under this id; None when the id belongs to something else by now."""
        request = self._calls.files.get(fileId=upload.id, fields=f"{FIELDS},parents", **SHARED)
        try:
            found: dict[str, Any] = self._calls.call(request, new.name, expected=(404,))
        except Expected:
            self._pending.forget(new.name)
            return None
        same = found["name"] == new.leaf and new.parent in found.get("parents", [])
        return found if same else None

    def _is_sound(self, found: dict[str, Any], new: _New) -> bool:
        """Whether the content arrived: by Drive's SHA-256, else its MD5 (never late), else by reading it back."""
        if int(found.get("size", 0)) != len(new.body):
            return False
        if "sha256Checksum" in found:
            return bool(found["sha256Checksum"] == new.sha256)
        if "md5Checksum" in found:
            return bool(found["md5Checksum"] == hashlib.md5(new.body, usedforsecurity=False).hexdigest())
        content = self._calls.call(self._calls.files.get_media(fileId=found["id"], **SHARED), new.name)
        return hashlib.sha256(content).hexdigest() == new.sha256

    def _discard(self, id_: str) -> None:
        request = self._calls.files.delete(fileId=id_, **SHARED)
        with suppress(Expected):
            self._calls.call(request, "a damaged upload", write=True, expected=(403, 404))


class _Once:
    """The body of a request that is sent once only: httplib2 would send it anew, from its start, when the connection
    breaks, although the session may have a part of it already. (Of its second try no byte of the body goes out.)"""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self._sent = False

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[memoryview]:
        if self._sent:
            raise ConnectionResetError(errno.ECONNRESET, "broken off")
        self._sent = True
        return (self._body[at : at + _PIECE] for at in range(0, len(self._body), _PIECE))


def _arrived(answer: Answer) -> int:
    """How many bytes the session has: "Range: bytes=0-N" in a 308, no Range when there is none."""
    found = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("range", ""))
    return int(found[1]) + 1 if found else 0


@contextmanager
def _opened(data: Data) -> Iterator[memoryview]:
    """The content without a copy of it; a file is mapped (it never changes while it is being stored)."""
    if not isinstance(data, Path):
        yield memoryview(data)
        return
    try:
        with data.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else b""
    except OSError as error:
        raise StoreError(f"cannot read {data}: {error.strerror}") from error
    yield memoryview(mapped)  # unmapped with its last reference: closing it here would fail while a slice is alive
