"""What of an unfinished bundle is done, a line a message, so that a killed run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archiver.errors import ConfigError
from archiver.model import MessageId
from exporters.production.bag import FileNote
from exporters.production.intake import Copy
from exporters.production.order import same_order
from exporters.production.record import Record

Denial = tuple[str, str, str, str, str, str]
"""Control number, "withheld" or "redacted", sort of document, SHA-256, reason, basis."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one message.

    volume: where its family lies, 0 for nowhere. files: paths from the volume's root. size: bytes of them. following:
    the first Bates number that is free after it. message_id: the Message-ID, also of one that is withheld.
    """

    id: MessageId
    outcome: str
    copies: tuple[Copy, ...]
    following: int
    reason: str = ""
    volume: int = 0
    size: int = 0
    inline: int = 0
    message_id: str = ""
    summary: tuple[str, str, str, str] = ("", "", "", "")
    records: tuple[Record, ...] = ()
    files: tuple[FileNote, ...] = ()
    denials: tuple[Denial, ...] = ()


class Journal:
    """A file that grows by whole lines; the last one may be torn and is then as good as not written."""

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        """Go on with the one that is there, or begin it. ConfigError when it belongs to another bundle.

        What the same order began over another state of the archive is begun anew: nobody has got any of it, and its
        files, which are mostly the same, lie there.
        """
        self._path = path
        head = json.dumps(asked, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        begun = _first_line(path) if path.exists() else b""
        if begun not in (head, b"") and not same_order(_read(begun), _read(head)):
            raise ConfigError(
                f"an unfinished bundle of another order lies in {path.parent}",
                f"finish it, or remove it together with {path}, or write to another folder",
            )
        self._file = path.open("r+b" if begun == head else "w+b")
        self._file.write(head)
        self._file.flush()
        self._end = len(head)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def next(self) -> Entry | None:
        """The entry after those accepted; None at the end."""
        self._file.seek(self._end)
        line = self._file.readline()
        return _entry(line) if line.endswith(b"\n") else None

    def accept(self) -> None:
        """Keep the entry that `next` gave."""
        self._file.seek(self._end)
        self._end += len(self._file.readline())

    def append(self, entry: Entry) -> None:
        """Write an entry behind those accepted; whatever stood there is gone. Raises OSError."""
        self._file.seek(self._end)
        self._file.truncate()
        self._file.write(json.dumps(asdict(entry), ensure_ascii=False).encode(errors="surrogatepass") + b"\n")
        self._file.flush()
        self._end = self._file.tell()

    def entries(self) -> Iterator[Entry]:
        """All that were accepted or appended, read anew."""
        with self._path.open("rb") as file:
            file.readline()
            while file.tell() < self._end:
                yield _entry(file.readline())

    def remove(self) -> None:
        """The bundle is whole: nothing is left to go on with."""
        self._path.unlink()


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        line = file.readline()
    return line if line.endswith(b"\n") else b""


def _read(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _entry(line: bytes) -> Entry:
    values = json.loads(line.decode(errors="surrogatepass"))
    values["copies"] = tuple(tuple(copy) for copy in values["copies"])
    values["summary"] = tuple(values["summary"])
    values["records"] = tuple(values["records"])
    values["files"] = tuple(FileNote(**note) for note in values["files"])
    values["denials"] = tuple(tuple(denial) for denial in values["denials"])
    return Entry(**values)
