"""The CSV lists of a report: exceptions, what is withheld or redacted, duplicates."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from archiver.model import MessageId
from exporters.index import cell
from exporters.production.intake import FAILED
from exporters.production.journal import Entry
from exporters.production.loadfiles import BOM
from exporters.production.record import edrm_mih, exceptions

LISTS = {
    "exceptions.csv": ("control_number", "message_sha256", "exception"),
    "withheld.csv": (
        *("control_number", "status", "document", "sha256", "reason", "privilege"),
        *("family", "custodian", "date", "from", "to", "cc"),
    ),
    "duplicates.csv": ("control_number", "message_sha256", "relation", "custodian", "account", "folder", "uid", "seen"),
}
_NOT_PRODUCED = "not produced: "
_UNMATCHED = "no document matches the entry of --"


class Listings:
    """The three lists, written line by line. Raises OSError."""

    def __init__(self, folder: Path, withheld: Mapping[str, str], denied: Mapping[str, str]) -> None:
        """withheld: EDRM MIH of withheld messages -> their control numbers; denied: SHA-256 of whatever is withheld or
        redacted -> its control number.
        """
        self.near_withheld = self.denied_elsewhere = 0
        self._stack = ExitStack()
        self._writers = {}
        self._withheld, self._denied = withheld, denied
        self._first: dict[str, str] = {}
        for name, columns in LISTS.items():
            file = self._stack.enter_context((folder / name).open("w", encoding="utf-8", errors="replace", newline=""))
            file.write(BOM)
            self._writers[name] = csv.writer(file, quoting=csv.QUOTE_ALL)
            self._writers[name].writerow(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, entry: Entry, near: bool) -> None:
        """All lines of a message. near: whether a message with its Message-ID came before."""
        control = entry.records[0]["CONTROLNUMBER"] if entry.records else ""
        for record in entry.records:
            self._rows("exceptions.csv", ((record["CONTROLNUMBER"], entry.id, wrong) for wrong in exceptions(record)))
        if entry.outcome == FAILED:
            self.failed(entry.id, entry.reason)
        holder = entry.copies[0][0] if entry.copies else ""
        self._rows("withheld.csv", ((*denial, control, holder, *entry.summary) for denial in entry.denials))
        self._duplicates(entry, control)
        self._nearby(entry, control, near)
        self._elsewhere(entry)

    def failed(self, message: str, reason: str) -> None:
        """A message that is not in the bundle."""
        self._rows("exceptions.csv", [("", message, _NOT_PRODUCED + reason)])

    def unused(self, entries: Iterable[tuple[str, str]]) -> None:
        """Entries of the lists that nothing was found for."""
        self._rows("exceptions.csv", (("", "", f"{_UNMATCHED}{name}: {key}") for name, key in entries))

    def _duplicates(self, entry: Entry, control: str) -> None:
        """Every place but the first custodian's own."""
        for custodian, account, folder, uid, seen in entry.copies:
            if custodian != entry.copies[0][0]:
                row = (control, entry.id, "same bytes", custodian, account, folder, str(uid), seen)
                self._rows("duplicates.csv", [row])

    def _nearby(self, entry: Entry, control: str, near: bool) -> None:
        """A near-duplicate beside the first of its kind. One of a withheld message is an exception, as an attachment
        too: look at it.
        """
        mih = edrm_mih(entry.message_id)
        if near:
            relation = f"same Message-ID as {self._first[mih]}"
            self._rows("duplicates.csv", [(control, entry.id, relation, "", "", "", "", "")])
        if mih:
            self._first.setdefault(mih, control or entry.id)
        for record in entry.records:
            if known := self._withheld.get(record["EDRMMIH"]):
                self.near_withheld += 1
                row = (record["CONTROLNUMBER"], entry.id, f"near-duplicate of withheld {known}")
                self._rows("exceptions.csv", [row])

    def _elsewhere(self, entry: Entry) -> None:
        """The very content of a document that is not handed out, handed out as another one: a list by name does not
        reach a copy with another name, nor does withholding a message reach its attachment in another. Look at it.
        """
        for record in entry.records:
            if record["NATIVEPATH"] and (known := self._denied.get(record["SHA256HASH"])):
                self.denied_elsewhere += 1
                self._rows(
                    "exceptions.csv", [(record["CONTROLNUMBER"], entry.id, f"same content as {known}, not produced")]
                )

    def _rows(self, name: str, rows: Iterable[Sequence[str]]) -> None:
        self._writers[name].writerows([cell(value) for value in row] for row in rows)


def not_produced(folder: Path) -> Iterator[tuple[MessageId, str]]:
    """The messages that an exceptions.csv names as failed, each with why. Raises OSError."""
    for message, exception in _told(folder):
        if exception.startswith(_NOT_PRODUCED):
            yield message, exception.removeprefix(_NOT_PRODUCED)


def unmatched(folder: Path) -> Iterator[tuple[str, str]]:
    """The entries that an exceptions.csv names as matching nothing: the list, the entry. Raises OSError."""
    for _, exception in _told(folder):
        if exception.startswith(_UNMATCHED):
            name, _, key = exception.removeprefix(_UNMATCHED).partition(": ")
            yield name, key


def _told(folder: Path) -> Iterator[tuple[MessageId, str]]:
    with (folder / "exceptions.csv").open(encoding="utf-8-sig", newline="") as file:
        for _, message, exception in csv.reader(file):
            yield message, exception
