"""What must outlive a crash of an upload to Drive: its id, and the address of its session."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from archiver.errors import StoreError
from archiver.stores.drive_calls import Calls

_IDS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload that is not confirmed: the file's id, the content's hash, the session's address once there is one."""

    id: str
    sha256: str
    session: str = ""


class Pending:
    """The uploads that are not confirmed, a small file each (mode 0600: a session's address lets its holder write)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str, sha256: str) -> Upload | None:
        """The upload of this content under this name that was begun and not confirmed."""
        try:
            found = Upload(**json.loads(self._path(name).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.sha256 == sha256 else None

    def save(self, name: str, upload: Upload) -> None:
        """StoreError when the folder cannot be written."""
        path = self._path(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = path.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text(json.dumps(asdict(upload)), "utf-8")
            fresh.replace(path)
        except OSError as error:
            hint = "Name a folder that can be written with ?keep=/folder in the store's URL."
            raise StoreError(f"cannot note uploads in {self._folder}: {error.strerror}", hint) from error

    def forget(self, name: str) -> None:
        """The upload is confirmed, or is not to be gone on with."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


class Ids:
    """Ids for new files, fetched some at a time; what is left over is worth nothing."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._ids: list[str] = []
        self._lock = threading.Lock()

    def take(self) -> str:
        with self._lock:
            if not self._ids:
                request = self._calls.files.generateIds(count=_IDS_AT_ONCE, space="drive", type="files")
                self._ids = list(self._calls.call(request, "asking for ids")["ids"])
            return self._ids.pop()
