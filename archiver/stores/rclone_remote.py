"""A folder of a remote as rclone gives it: looked at, read, uploaded once and verified. No marker, no rule for names.

There is no put that refuses to replace: a put looks first, uploads with `IgnoreExisting`, and looks again.
rclone compares size and hash after an upload; from a remote that knows no hash the object is read back. Durability is
the remote's: rclone does not ask a local disk to flush.
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
from archiver.stores.interface import Data, Stat
from archiver.stores.rclone_process import RCLONE, Rclone, Refused

EXAMPLE = "rclone://remote:folder"

ANSWER = 300.0
"""Seconds for a command that moves no content; rclone's own retries lie within."""

SLOWEST = 32 * 1024
"""Bytes a second below which a transfer is given up."""

_REMOTE = re.compile(r"(?P<remote>[\w.+@-][\w.+@ -]*):(?P<folder>[^\0]*)")
_LOCKS = 64
_CHUNK = 8 << 20
_HASHES = ("sha256", "sha1", "md5")
"""Those that Python computes as well, the best first."""

_PLAIN = {"filesOnly": True, "noModTime": True, "noMimeType": True}
_FULL = ("quota", "no space left", "insufficient storage", "disk full", "storage full")
_LATER = ("ratelimit", "rate limit", "too many requests", "429", "throttl", "slow down")
_HASH = re.compile(r"[0-9a-f]{16,}")
"""In the names that errors quote; one in sixty of them has a "429"."""
_ABSENT = ("not found", "not a directory", "is a directory", "can't find")


class Remote:
    """The folder of an rclone:// URL. The remote and its credentials are rclone's own (`rclone config`). Thread-safe.

    Every method raises StoreError and QuotaError.
    """

    def __init__(self, url: str, rclone: Rclone = RCLONE) -> None:
        self.url = url
        self.fs = fs_of(url)
        self._rclone = rclone
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._hashes: list[str] | None = None

    def put_if_absent(self, name: str, data: Data) -> bool:
        """Upload unless the name is taken; True if this call did."""
        with self._locks[hash(name) % _LOCKS]:
            return self.stat(name) is None and self.put(name, data)

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens if it is absent."""
        try:
            with self.edge(name):
                self.call("operations/deletefile", ANSWER, remote=name)
        except ObjectMissingError:
            return

    def stat(self, name: str) -> Stat | None:
        """The file's size, None if there is none."""
        try:
            with self.edge(name):
                item = self.call("operations/stat", ANSWER, remote=name, opt=_PLAIN)["item"]
        except ObjectMissingError:
            return None
        return Stat(name, int(item["Size"])) if item and not item["IsDir"] else None

    def files_below(self, folder: str, *, recurse: bool = True) -> list[Stat]:
        """The files in and below it, or in it alone, in whatever order the remote has; none without such a folder."""
        options = {"recurse": recurse, **_PLAIN}
        try:
            with self.edge("the listing"):
                fast = {"UseListR": True}
                found = self.call("operations/list", ANSWER * 4, remote=folder, opt=options, _config=fast)
        except ObjectMissingError:
            return []
        return [Stat(str(entry["Path"]), int(entry["Size"])) for entry in found["list"] or ()]

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """A range of the file; ObjectMissingError. An empty one is asked for as one byte: HTTP cannot ask for none."""
        last = "" if size is None else str(start + max(size, 1) - 1)
        range_ = f"bytes={start}-{last}" if start or size is not None else None
        timeout = ANSWER + (size or 0) / SLOWEST
        try:
            with self.edge(name):
                status, data = self._rclone.read(f"/{quote(f'[{self.fs}]')}/{quote(name)}", range_, timeout)
        except QuotaError:
            raise
        except StoreError:
            if self.stat(name) is None:  # the server of objects says 500 where there is a folder
                raise ObjectMissingError(f"{self.url} does not hold {name}") from None
            if range_ and start >= self._size(name):
                return b""
            raise
        data = data[start:] if range_ and status == 200 else data
        return data if size is None else data[:size]

    def _size(self, name: str) -> int:
        found = self.stat(name)
        return found.size if found else 0

    def put(self, name: str, data: Data) -> bool:
        """Upload and verify, whatever a look would have told; what is there is not replaced."""
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
        with self.edge(name):
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
        self.delete(name)
        raise StoreError(f"{self.url}: {name}: other bytes arrived than were sent", "Run it again.")

    def _arrived(self, name: str, path: Path, size: int) -> bool:
        found = self.stat(name)
        if found is None or found.size != size:
            return False
        return bool(self._known_hashes()) or self._reads_back(name, path, size)

    def holds(self, name: str, path: Path) -> bool:
        """Whether the file there has exactly the content of `path`: by a hash that the remote knows, else read back."""
        size, common = path.stat().st_size, [kind for kind in _HASHES if kind in self._known_hashes()]
        with self.edge(name):
            options = {**_PLAIN, "showHash": bool(common), "hashTypes": common[:1]}
            item = self.call("operations/stat", ANSWER, remote=name, opt=options)["item"]
        if not item or item["IsDir"] or int(item["Size"]) != size:
            return False
        told = (item.get("Hashes") or {}).get(common[0], "") if common else ""
        if not told:
            return self._reads_back(name, path, size)
        with path.open("rb") as file:
            return hashlib.file_digest(file, common[0]).hexdigest() == told.lower()

    def _reads_back(self, name: str, path: Path, size: int) -> bool:
        digest = hashlib.sha256()
        for start in range(0, size, _CHUNK):
            digest.update(self.read(name, start, _CHUNK))
        with path.open("rb") as file:
            return digest.digest() == hashlib.file_digest(file, "sha256").digest()

    def _known_hashes(self) -> list[str]:
        """The hashes of the remote, of which rclone itself compares one after an upload (the local side knows all)."""
        if self._hashes is None:
            with self.edge("its features"):
                self._hashes = list(self.call("operations/fsinfo", ANSWER).get("Hashes") or ())
        return self._hashes

    def call(self, command: str, timeout: float, **parameters: Any) -> dict[str, Any]:
        """A command of rclone about this folder; raises Refused (see `edge`)."""
        return self._rclone.call(command, timeout, fs=self.fs, **parameters)

    @contextmanager
    def edge(self, what: str) -> Iterator[None]:
        """Translate rclone's refusals; its texts are shortened, and queries cut off URLs, for they may hold tokens."""
        try:
            yield
        except Refused as error:
            raise self._translated(error, what) from None

    def _translated(self, error: Refused, what: str) -> MailarkError:
        reason = re.sub(r"\?\S+", "?…", error.text.splitlines()[0] if error.text else "")[:200]
        text, low = f"{self.url}: {what}: {reason or error.status}", _HASH.sub("", error.text.lower())
        if "config file" in low or "didn't find section" in low:
            return StoreError(text, "See the remotes with `rclone listremotes`; make one with `rclone config`.")
        if any(word in low for word in _FULL):
            return QuotaError(text, "Free space on this remote; the next run goes on.")
        if any(word in low for word in _LATER):
            return QuotaError(text, "The remote asks to slow down; the next run goes on.")
        if error.status == 404 or any(word in low for word in _ABSENT):
            return ObjectMissingError(text)
        return StoreError(text, f"Try it by hand: rclone lsf {self.fs}")


def fs_of(url: str) -> str:
    """rclone's own name of the place; ConfigError for one with parameters in it, which may hold passwords."""
    fs = url.partition("://")[2].rstrip("/")
    if not _REMOTE.fullmatch(fs):
        hint = f"Example: {EXAMPLE}, with a remote that `rclone config` made"
        raise ConfigError(f"{url.partition(':')[0]}://: not a configured remote and a folder", hint)
    return fs
