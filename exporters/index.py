"""The index beside exported files: CSV that Excel opens with Chinese intact and without running anything in it."""

from __future__ import annotations

import csv
import errno
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from archiver.mime import parse
from archiver.model import Address, MessageId, Place
from exporters import files
from exporters.interface import Outgoing

COLUMNS = ("id", "file", "account", "folder", "flags", "date", "from", "to", "subject", "message-id")
_HEAD = 256 * 1024
_CELL_LIMIT = 32_000
_BOM = "\ufeff"
# Signs that make a spreadsheet take a cell for a formula (OWASP: CSV injection), their full-width forms, and our own
# mark.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "'")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


class Index:
    """Rows by message id, a row a place; kept from run to run. more: columns of one form of export, after `COLUMNS`."""

    def __init__(self, rows: dict[str, list[list[str]]], more: Sequence[str] = (), *, foreign: bool = False) -> None:
        self._rows = rows
        self._columns = (*COLUMNS, *more)
        self._foreign = foreign

    @classmethod
    def load(cls, path: Path, more: Sequence[str] = ()) -> Index:
        """The rows of an earlier export. A file that is no such index is never written over: `save` will refuse."""
        rows: dict[str, list[list[str]]] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file)
                if tuple(next(reader, ())) != (*COLUMNS, *more):
                    return cls({}, more, foreign=True)
                for row in reader:
                    rows.setdefault(row[0] if row else "", []).append(row)
        except FileNotFoundError:
            return cls({}, more)
        except (OSError, csv.Error, UnicodeDecodeError):
            return cls({}, more, foreign=True)
        return cls(rows, more)

    def known(self, message: MessageId) -> dict[str, str]:
        """The message's first row by column; empty when it has none."""
        return dict(zip(self._columns, self._rows.get(message, [[]])[0], strict=False))

    def add(
        self, message: Outgoing, places: Sequence[tuple[Place | None, PurePosixPath]], more: Sequence[str] = ()
    ) -> None:
        """The places of a message and their files; what was known of the message is replaced."""
        parsed = parse(bytes(message.raw[:_HEAD]), truncated=len(message.raw) > _HEAD)
        known = (
            message.date.isoformat(" ", "seconds") if message.date else "",
            _people(parsed.from_),
            _people((*parsed.to, *parsed.cc)),
            message.subject,
            parsed.message_id,
            *more,
        )
        self._rows[message.id] = [
            [cell(text) for text in (message.id, str(path), *_where(place), *known)] for place, path in places
        ]

    def take(self, other: Index, messages: Iterable[MessageId]) -> None:
        """What another index tells of these messages, in the place of what was known of them."""
        for message in messages:
            self._rows[message] = other._rows[message]

    def save(self, path: Path) -> None:
        """Write the index anew when it differs from the one there. Raises OSError when it cannot."""
        if self._foreign:
            raise FileExistsError(errno.EEXIST, "another file has this name")
        out = io.StringIO(newline="")
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(self._columns)
        for rows in self._rows.values():
            writer.writerows(rows)
        content = (_BOM + out.getvalue()).encode(errors="replace")
        if self._rows and not files.holds(path, content):
            files.write(path, content, None)


def cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: a mark (') stands before what begins like one. One line,
    bounded.
    """
    text = _CONTROLS.sub(" ", text)[:_CELL_LIMIT]
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _where(place: Place | None) -> tuple[str, str, str]:
    """Account, folder and flags; labels are flags that begin with label:"""
    return (place.account, place.folder, " ".join(place.flags)) if place else ("", "", "")


def _people(addresses: Iterable[Address]) -> str:
    return "; ".join(f"{a.name} <{a.addr}>" if a.name and a.addr else a.name or a.addr for a in addresses)
