"""A store on any remote that rclone knows: OneDrive, SFTP, WebDAV, Azure, a NAS and some seventy others.

rclone has no put that refuses to replace: a put looks first, uploads with `IgnoreExisting`, and looks again. Two
machines that put one name in the same second can both succeed; names are hashes of the content or belong to one
writer, so the bytes are the same. rclone compares size and hash after an upload; from a remote that knows no hash the
object is read back. Durability is the remote's: rclone does not ask a local disk to flush.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from archiver.errors import ConfigError, MailarkError, ObjectMissingError, QuotaError, StoreError
from archiver.stores import marker
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.marker import MARKER
from archiver.stores.rclone_process import PART, RCLONE, Rclone, Refused

EXAMPLE = "rclone://remote:folder"

ANSWER = 300.0
"""Seconds for a command that moves no content; rclone's own retries lie within."""

SLOWEST = 32 * 1024
"""Bytes a second below which a transfer is given up."""

_REMOTE = re.compile(r"(?P<remote>[\w.+@-][\w.+@ -]*):(?P<folder>[^\0]*)")
_LOCKS = 64
_CHUNK = 8 << 20
_PLAIN = {"filesOnly": True, "noModTime": True, "noMimeType": True}
_FULL = ("quota", "no space left", "insufficient storage", "disk full", "storage full")
_LATER = ("ratelimit", "rate limit", "too many requests", "429", "throttl", "slow down")
_ABSENT = ("not found", "not a directory", "is a directory", "can't find")


class RcloneStore:
    """Objects below a folder of a remote. The remote and its credentials are rclone's own (`rclone config`)."""

    def __init__(self, url: str, rclone: Rclone = RCLONE) -> None:
        self.url = url
        self.fs = _fs(url)
        self._rclone = rclone
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._hashes: bool | None = None

    @classmethod
    def open(cls, url: str, rclone: Rclone = RCLONE) -> RcloneStore:
        """The store at this URL; StoreError when its marker is missing, ConfigError when rclone is."""
        store = cls(url, rclone)
        store.archive()
        return store

    @classmethod
    def create(cls, url: str, archive: str, rclone: Rclone = RCLONE) -> RcloneStore:
        """Make the folder a store of the archive with this id; StoreError if it is another's.

        Nothing changes when it is this archive's already; a damaged marker is written again.
        """
        store = cls(url, rclone)
        found = store._stat(MARKER)
        if found is not None and not marker.sound(store._read(MARKER, 0, None)):
            store._delete(MARKER)
            found = None
        if found is None:
            store._put(MARKER, marker.content(archive))
        if store.archive() != archive:
            raise marker.another_archives(url)
        return store

    def archive(self) -> str:
        """The id of the archive whose store this is, from the marker."""
        try:
            return marker.archive_in(self._read(MARKER, 0, None), self.url)
        except ObjectMissingError:
            raise marker.not_a_store(self.url) from None

    def put_if_absent(self, name: str, data: Data) -> bool:
        self._checked(name)
        with self._locks[hash(name) % _LOCKS]:
            return self._stat(name) is None and self._put(name, data)

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        return self._read(self._checked(name), start, size)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Read whole before the first is given: remotes list in no order."""
        folder = checked_prefix(prefix).rpartition("/")[0]
        options = {"recurse": True, **_PLAIN}
        try:
            with self._edge("the listing"):
                fast = {"UseListR": True}
                found = self._call("operations/list", ANSWER * 4, remote=folder, opt=options, _config=fast)
        except ObjectMissingError:
            return
        stats = [Stat(str(entry["Path"]), int(entry["Size"])) for entry in found["list"] or ()]
        stats.sort(key=lambda stat: stat.name)
        own = (MARKER,) if not folder else ()
        yield from (s for s in stats if s.name.startswith(prefix) and s.name not in own and not s.name.endswith(PART))

    def stat(self, name: str) -> Stat | None:
        found = self._stat(self._checked(name))
        if found is None and self._stat(MARKER) is None:  # unmounted or emptied: nobody knows what it holds
            raise marker.not_a_store(self.url)
        return found

    def delete(self, name: str) -> None:
        self._delete(self._checked(name))

    def _delete(self, name: str) -> None:
        try:
            with self._edge(name):
                self._call("operations/deletefile", ANSWER, remote=name)
        except ObjectMissingError:
            return

    def _checked(self, name: str) -> str:
        if checked_name(name) == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return name

    def _stat(self, name: str) -> Stat | None:
        try:
            with self._edge(name):
                item = self._call("operations/stat", ANSWER, remote=name, opt=_PLAIN)["item"]
        except ObjectMissingError:
            return None
        return Stat(name, int(item["Size"])) if item and not item["IsDir"] else None

    def _read(self, name: str, start: int, size: int | None) -> bytes:
        """An empty range is asked for as one byte: HTTP cannot ask for none."""
        last = "" if size is None else str(start + max(size, 1) - 1)
        range_ = f"bytes={start}-{last}" if start or size is not None else None
        timeout = ANSWER + (size or 0) / SLOWEST
        try:
            with self._edge(name):
                status, data = self._rclone.read(f"/{quote(f'[{self.fs}]')}/{quote(name)}", range_, timeout)
        except QuotaError:
            raise
        except StoreError:
            if self._stat(name) is None:  # the server of objects says 500 where there is a folder
                raise ObjectMissingError(f"{self.url} does not hold {name}") from None
            if range_ and start >= self._size(name):
                return b""
            raise
        data = data[start:] if range_ and status == 200 else data
        return data if size is None else data[:size]

    def _size(self, name: str) -> int:
        found = self._stat(name)
        return found.size if found else 0

    def _put(self, name: str, data: Data) -> bool:
        if isinstance(data, Path):
            return self._upload(name, data)
        with tempfile.TemporaryDirectory(prefix="mailark-rclone-") as folder:
            path = Path(folder) / "object"
            path.write_bytes(data)
            return self._upload(name, path)

    def _upload(self, name: str, path: Path) -> bool:
        """Upload, and see that all of it arrived; what did not is removed again."""
        try:
            size = path.stat().st_size
        except OSError as error:
            raise StoreError(f"{self.url}: {name}: {error.strerror}") from error
        source = path.absolute()
        with self._edge(name):
            self._rclone.call(
                "operations/copyfile",
                ANSWER + size / SLOWEST,
                srcFs=str(source.parent),
                srcRemote=source.name,
                dstFs=self.fs,
                dstRemote=name,
                _config={"IgnoreExisting": True},
            )
        if self._arrived(name, source, size):
            return True
        self._delete(name)
        raise StoreError(f"{self.url}: {name}: other bytes arrived than were sent", "Run it again.")

    def _arrived(self, name: str, path: Path, size: int) -> bool:
        found = self._stat(name)
        if found is None or found.size != size:
            return False
        return self._remote_knows_hashes() or self._reads_back(name, path, size)

    def _reads_back(self, name: str, path: Path, size: int) -> bool:
        digest = hashlib.sha256()
        for start in range(0, size, _CHUNK):
            digest.update(self._read(name, start, _CHUNK))
        with path.open("rb") as file:
            return digest.digest() == hashlib.file_digest(file, "sha256").digest()

    def _remote_knows_hashes(self) -> bool:
        """Whether rclone itself compares a hash after an upload (the local side knows all of them)."""
        if self._hashes is None:
            with self._edge("its features"):
                self._hashes = bool(self._call("operations/fsinfo", ANSWER).get("Hashes"))
        return self._hashes

    def _call(self, command: str, timeout: float, **parameters: Any) -> dict[str, Any]:
        return self._rclone.call(command, timeout, fs=self.fs, **parameters)

    @contextmanager
    def _edge(self, what: str) -> Iterator[None]:
        """Translate rclone's refusals; its texts are shortened, and queries cut off URLs, for they may hold tokens."""
        try:
            yield
        except Refused as error:
            raise self._translated(error, what) from None

    def _translated(self, error: Refused, what: str) -> MailarkError:
        reason = re.sub(r"\?\S+", "?…", error.text.splitlines()[0] if error.text else "")[:200]
        text, low = f"{self.url}: {what}: {reason or error.status}", error.text.lower()
        if "config file" in low or "didn't find section" in low:
            return StoreError(text, "See the remotes with `rclone listremotes`; make one with `rclone config`.")
        if any(word in low for word in _FULL):
            return QuotaError(text, "Free space on this remote; the next run goes on.")
        if any(word in low for word in _LATER):
            return QuotaError(text, "The remote asks to slow down; the next run goes on.")
        if error.status == 404 or any(word in low for word in _ABSENT):
            return ObjectMissingError(text)
        return StoreError(text, f"Try it by hand: rclone lsf {self.fs}")


def identity(url: str) -> str:
    """The URL in one spelling: "a//b/" is "a/b"; a leading "/" stays, for it means another folder. ConfigError."""
    remote, _, folder = _fs(url).partition(":")
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    return f"rclone://{remote}:{'/' * folder.startswith('/')}{'/'.join(parts)}"


def _fs(url: str) -> str:
    """rclone's own name of the place; ConfigError for one with parameters in it, which may hold passwords."""
    fs = url.partition("://")[2].rstrip("/")
    if not _REMOTE.fullmatch(fs):
        hint = f"Example: {EXAMPLE}, with a remote that `rclone config` made"
        raise ConfigError(f"{url.partition(':')[0]}://: not a configured remote and a folder", hint)
    return fs
