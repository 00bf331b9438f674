"""BagIt 1.0 (RFC 8493): a folder whose payload lies in data/, with a list of hashes that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
INFO = "bag-info.txt"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file of a bag: path from its root with "/", size in bytes."""

    path: str
    size: int
    sha256: str

    @property
    def line(self) -> str:
        """As a manifest has it (RFC 8493 section 2.1.3). Our paths hold no sign that must be escaped."""
        return f"{self.sha256}  {self.path}\n"


def noted(root: Path, path: str) -> FileNote:
    """The note of a file that is there. Raises OSError."""
    file = root / path
    return FileNote(path, file.stat().st_size, digest(file))


def digest(path: Path) -> str:
    """SHA-256 of a file, read piece by piece. Raises OSError."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            whole.update(piece)
    return whole.hexdigest()


def info(pairs: Mapping[str, str]) -> bytes:
    """bag-info.txt (RFC 8493 section 2.2.2); a value is one line, empty ones are left out."""
    return "".join(f"{name}: {' '.join(value.split())}\n" for name, value in pairs.items() if value.strip()).encode()


def told(root: Path) -> dict[str, str]:
    """What the bag-info.txt of a bag says, by label. Raises OSError, ValueError when it is no text."""
    lines = (root / INFO).read_text("utf-8").splitlines()
    return {name: value for name, sign, value in (line.partition(": ") for line in lines) if sign}


def problems(root: Path, *others: str) -> Iterator[str]:
    """What is wrong with a bag: every file of its lists is hashed, files that no list names are found. Nothing when it
    is whole. others: further lists of the same form that must be there.
    """
    named: set[str] = set()
    for manifest in (*others, TAG_MANIFEST, MANIFEST):
        try:
            *lines, last = (root / manifest).read_bytes().decode().split("\n")
        except (OSError, UnicodeDecodeError):
            yield f"{manifest} is missing or unreadable"
            continue
        if last:
            yield f"{manifest}: the last line is torn"
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                yield f"{manifest}: a line is no line of hashes"
            else:
                named.add(found[2])
                yield from _differs(root, found[2], found[1])
    if MANIFEST not in named or "bagit.txt" not in named:
        yield f"{TAG_MANIFEST} does not name all it must"
    yield from (f"{path} is in no list" for path in _files(root) if path.startswith("data/") and path not in named)


def _differs(root: Path, path: str, expected: str) -> Iterable[str]:
    try:
        return () if digest(root / path) == expected else (f"{path} differs",)
    except OSError:
        return (f"{path} is missing or unreadable",)


def _files(root: Path) -> Iterator[str]:
    yield from (path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if not path.is_dir())
