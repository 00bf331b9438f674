"""Where exports are handed over to: a folder of any kind of place that keeps a store elsewhere, but no store itself.

What lies there is plain or sealed files under the names an export has in a folder, in any script; nobody's marker, no
manifest. A place that is a store of an archive, or lies inside one, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Protocol

from archiver.errors import ConfigError, MailarkError, StoreError
from archiver.stores.interface import Stat

LONGEST_NAME = 900
"""Bytes of UTF-8 a name may have; a key of S3 has 1,024 at most, the prefix in it included."""

_SEGMENT = 255
_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8,64}(?![0-9A-Za-z])")


class Put(Enum):
    """What became of a put: the file is there now · it was there already, the same bytes · another file has the name"""

    NEW = "new"
    SAME = "same"
    OTHER = "other"


class Shelf(Protocol):
    """Two methods. Names are "/"-separated relative paths in any script (see `checked_path`). Thread-safe.

    Every method raises StoreError when the place fails, QuotaError when it is full or slows down, AuthError when it
    refuses the login.
    """

    url: str
    """How the command line names the place, without credentials."""

    parallel: int
    """How many puts at once make it faster."""

    def put_if_absent(self, name: str, file: Path) -> Put:
        """Carry the file there, whole and durable, unless the name is taken; nothing there is ever changed.

        A file that is there is compared first, by the hash that the place tells, else by reading it: nothing is sent.
        """

    def stat(self, name: str) -> Stat | None:
        """The file's size, or None if there is none."""


def checked_path(name: str) -> str:
    """The name itself when it is a relative path that cannot climb out of a folder; otherwise StoreError."""
    segments = name.split("/")
    whole = len(name.encode(errors="replace")) <= LONGEST_NAME and name.isprintable() and "\\" not in name
    if whole and all(s not in ("", ".", "..") and len(s.encode()) <= _SEGMENT for s in segments):
        return name
    raise StoreError(f"not a name of an exported file: {named(name)}")


def is_a_store(url: str) -> ConfigError:
    """What to raise where a marker lies in the place, or in a folder above it."""
    return ConfigError(f"{url} is, or lies in, a store of an archive", "Export to a place beside it.")


def named(name: str) -> str:
    """A file as an error may name it: names hold subjects, which no log shall have; the id in them tells enough."""
    found = _ID.findall(name)
    return f"the file of message {found[-1][:16]}" if found else name.rpartition(" ")[2]


@contextmanager
def discreet(name: str) -> Iterator[None]:
    """Take the name out of the errors raised about it."""
    try:
        yield
    except MailarkError as error:
        text = str(error).replace(name, named(name)).replace(name.rpartition("/")[2], named(name))
        raise type(error)(text, error.hint) from None
