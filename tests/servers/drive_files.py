"""What lies in the Drive of the local server: files, folders, upload sessions, and the language of queries."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

FOLDER = "application/vnd.google-apps.folder"
BLOCK = 256 * 1024
"""Sessions keep whole blocks of a cut request."""


class Refused(Exception):  # noqa: N818
    """An error answer in the form of the v3 API."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        error = {"domain": "global", "reason": self.reason, "message": "secret-free text"}
        body = {"error": {"code": self.status, "errors": [error], "message": "text"}} if self.reason else {}
        return self.status, {"content-type": "application/json", **self.headers}, json.dumps(body).encode()


@dataclass
class Item:
    """A file or folder."""

    id: str
    name: str
    parents: list[str]
    mime: str
    created: str
    content: bytes = b""
    trashed: bool = False
    properties: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """The representation of the API; numbers of 64 bits are strings."""
        found: dict[str, Any] = {
            "kind": "drive#file",
            "id": self.id,
            "name": self.name,
            "mimeType": self.mime,
            "parents": self.parents,
            "createdTime": self.created,
            "trashed": self.trashed,
        }
        if self.mime != FOLDER:
            found["size"] = str(len(self.content))
            found["sha256Checksum"] = hashlib.sha256(self.content).hexdigest()
            found["md5Checksum"] = hashlib.md5(self.content).hexdigest()
        return found


@dataclass
class Session:
    """A resumable upload."""

    metadata: dict[str, Any]
    total: int
    content: bytearray = field(default_factory=bytearray)
    done: Item | None = None


class Files:
    """top: the id under which everything lies, "root" or a shared drive's."""

    def __init__(self, shared_drive: str | None = None) -> None:
        self.shared_drive = shared_drive
        self.top = shared_drive or "root"
        self.items: dict[str, Item] = {self.top: Item(self.top, "top", [], FOLDER, "")}
        self.sessions: dict[str, Session] = {}
        self.expired: set[str] = set()
        self.generated: set[str] = set()
        self.may_delete = True
        self._number = itertools.count(1)

    def generate(self, count: int) -> list[str]:
        if not 1 <= count <= 1000:
            raise Refused(400, "invalidParameter")
        ids = [f"1id{next(self._number):030d}" for _ in range(count)]
        self.generated.update(ids)
        return ids

    def create(self, metadata: dict[str, Any], content: bytes) -> Item:
        id_ = metadata.get("id") or self.generate(1)[0]
        if id_ not in self.generated:
            raise Refused(400, "invalid")
        if id_ in self.items:
            raise Refused(409, "fileIdInUse")
        parents = metadata.get("parents", [self.top])
        if any(parent not in self.items for parent in parents):
            raise Refused(404, "notFound")
        number = next(self._number)
        created = f"2026-11-23T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z"
        item = Item(
            id_, metadata["name"], parents, metadata.get("mimeType", "application/octet-stream"), created, content
        )
        item.trashed = any(self.items[parent].trashed for parent in parents)
        self.items[id_] = item
        return item

    def known(self, id_: str) -> Item:
        if id_ not in self.items:
            raise Refused(404, "notFound")
        return self.items[id_]

    def update(self, id_: str, change: dict[str, Any]) -> Item:
        """Rename or (un)trash; what lies in a folder goes with it."""
        item = self.known(id_)
        item.name = change.get("name", item.name)
        if "trashed" in change:
            for each in [item, *self.below(id_)]:
                each.trashed = change["trashed"]
        return item

    def delete(self, id_: str) -> None:
        """For good, with everything in it."""
        self.known(id_)
        if not self.may_delete:
            raise Refused(403, "insufficientFilePermissions")
        for each in [*self.below(id_), self.items[id_]]:
            self.items.pop(each.id, None)

    def tree(self) -> dict[str, bytes]:
        """Content by path, of what is not in the trash; the last of several of one path."""
        files = [item for item in self.items.values() if item.mime != FOLDER and not item.trashed]
        return {self.path(item): item.content for item in files}

    def path(self, item: Item) -> str:
        above = self.items[item.parents[0]]
        return item.name if above.id == self.top else f"{self.path(above)}/{item.name}"

    def at(self, path: str) -> list[Item]:
        """The files and folders of this path, in the order of their making."""
        return [item for item in self.items.values() if item.id != self.top and self.path(item) == path]

    def below(self, id_: str) -> list[Item]:
        found = [item for item in self.items.values() if id_ in item.parents]
        return found + [deeper for item in found for deeper in self.below(item.id)]

    def download(self, id_: str, range_: str | None) -> tuple[int, dict[str, str], bytes]:
        """RFC 9110 section 14: one range from a first byte on."""
        item = self.known(id_)
        if item.mime == FOLDER:
            raise Refused(403, "fileNotDownloadable")
        if range_ is None:
            return 200, {"content-type": item.mime}, item.content
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", range_).groups()  # type: ignore[union-attr]
        if int(first) >= len(item.content):
            raise Refused(416, "requestedRangeNotSatisfiable")
        part = item.content[int(first) : int(last) + 1 if last else None]
        return 206, {"content-range": f"bytes {first}-{int(first) + len(part) - 1}/{len(item.content)}"}, part

    def matching(self, wanted: Callable[[Item], bool]) -> Iterator[Item]:
        return (item for item in self.items.values() if item.id != self.top and wanted(item))

    def check_corpus(self, query: dict[str, str]) -> None:
        """A shared drive is listed with its id and the parameters that say that the client knows shared drives."""
        known = query.get("supportsAllDrives") == query.get("includeItemsFromAllDrives") == "true"
        right = query.get("corpora") == "drive" and query.get("driveId") == self.shared_drive
        if self.shared_drive and not (known and right):
            raise Refused(404, "notFound")
        parent = re.search(r"'([^']+)' in parents", query["q"])
        if parent and parent[1] not in self.items:
            raise Refused(404, "notFound")

    def begin(self, metadata: dict[str, Any], total: int) -> str:
        if metadata.get("id") in self.items:
            raise Refused(409, "fileIdInUse")
        if any(parent not in self.items for parent in metadata.get("parents", [])):
            raise Refused(404, "notFound")
        key = f"session{next(self._number)}"
        self.sessions[key] = Session(metadata, total)
        return key

    def arrived(self, key: str) -> int:
        return len(self.sessions[key].content)

    def receive(self, key: str, start: int, body: bytes, total: int) -> Item | None:
        """Take what came; the file when all is there. Of a part only whole blocks are kept."""
        if key in self.expired or key not in self.sessions:
            raise Refused(404, "notFound")
        session = self.sessions[key]
        if session.done is not None:
            return session.done
        if total != session.total or start > len(session.content):
            raise Refused(400, "badRequest")
        if body:
            del session.content[start:]
            session.content += body
        if len(session.content) < total:
            del session.content[len(session.content) // BLOCK * BLOCK :]
            return None
        session.done = self.create(session.metadata, bytes(session.content))
        return session.done


def matcher(query: str) -> Callable[[Item], bool]:
    """The part of the query language that matters here: terms joined by "and"."""
    terms = [_term(term.strip()) for term in query.split(" and ")]
    return lambda item: all(term(item) for term in terms)


def _term(term: str) -> Callable[[Item], bool]:
    if found := re.fullmatch(r"'([^']+)' in parents", term):
        return lambda item: found[1] in item.parents
    if found := re.fullmatch(r"trashed ?= ?(true|false)", term):
        return lambda item: item.trashed == (found[1] == "true")
    if found := re.fullmatch(r"name ?= ?'([^']*)'", term):
        return lambda item: item.name == found[1]
    if found := re.fullmatch(r"mimeType ?= ?'([^']*)'", term):
        return lambda item: item.mime == found[1]
    raise Refused(400, "invalid")
