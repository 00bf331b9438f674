"""An account's mail in memory, with the histories a server can give it: append, flag, move, expunge, rename, renew."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from archiver.sources.names import decode, encode

WHEN = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)


@dataclass
class Mail:
    """One message in a folder: `body` is the whole message; `flags` are as IMAP writes them (`\\Seen`)."""

    uid: int
    body: bytes
    flags: frozenset[str]
    date: datetime
    modseq: int
    labels: frozenset[str] = frozenset()


@dataclass
class Box:
    """One folder: `gone` has (UID, modification sequence) of what was expunged, for VANISHED (RFC 7162)."""

    raw: bytes  # its name in modified UTF-7, levels joined by "/"
    uidvalidity: int
    uidnext: int = 1
    modseq: int = 1
    mails: list[Mail] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    attributes: str = ""

    def find(self, uid: int) -> Mail:
        """The message; KeyError when there is none."""
        for mail in self.mails:
            if mail.uid == uid:
                return mail
        raise KeyError(uid)


class Mailbox:
    """All folders of an account; INBOX is always there. Folders are named by text, or by the raw bytes of IMAP.

    Thread-safe: every change is atomic.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.boxes: dict[bytes, Box] = {}
        self.subscribed: list[bytes] = []
        self._life = 1_000
        self.create("INBOX")

    def names(self) -> list[str]:
        """The folders, as a person reads them."""
        return [decode(raw) for raw in self.boxes]

    def box(self, folder: str | bytes) -> Box:
        """The folder; KeyError when there is none."""
        return self.boxes[_raw(folder)]

    def create(self, folder: str | bytes, attributes: str = "") -> Box:
        """A new, empty folder with a UIDVALIDITY no other ever had."""
        with self.lock:
            self._life += 1
            raw = _raw(folder)
            return self.boxes.setdefault(raw, Box(raw, self._life, attributes=attributes))

    def append(
        self, folder: str | bytes, body: bytes, flags: Collection[str] = (), date: datetime | None = None
    ) -> int:
        """A new message at the end of the folder, which is created when it is missing. Its UID."""
        with self.lock:
            box = self.boxes.get(_raw(folder)) or self.create(folder)
            box.modseq += 1
            box.mails.append(Mail(box.uidnext, body, frozenset(flags), date or WHEN, box.modseq))
            box.uidnext += 1
            return box.uidnext - 1

    def flag(self, folder: str | bytes, uid: int, flags: Collection[str]) -> None:
        """Set the message's flags to these."""
        with self.lock:
            box = self.box(folder)
            box.modseq += 1
            mail = box.find(uid)
            mail.flags, mail.modseq = frozenset(flags), box.modseq

    def label(self, folder: str | bytes, uid: int, labels: Collection[str]) -> None:
        """Set the message's labels (Gmail) to these: decoded names, system labels with their backslash."""
        with self.lock:
            box = self.box(folder)
            box.modseq += 1
            mail = box.find(uid)
            mail.labels, mail.modseq = frozenset(labels), box.modseq

    def expunge(self, folder: str | bytes, uid: int) -> None:
        """Remove the message."""
        with self.lock:
            box = self.box(folder)
            mail = box.find(uid)
            box.modseq += 1
            box.mails.remove(mail)
            box.gone.append((uid, box.modseq))

    def move(self, folder: str | bytes, uid: int, to: str | bytes) -> int:
        """Move the message to another folder. Its UID there."""
        with self.lock:
            mail = self.box(folder).find(uid)
            self.expunge(folder, uid)
            uid = self.append(to, mail.body, mail.flags, mail.date)
            self.box(to).find(uid).labels = mail.labels
            return uid

    def renew(self, folder: str | bytes) -> None:
        """The folder was rebuilt: a new UIDVALIDITY, and every message has another UID."""
        with self.lock:
            box = self.box(folder)
            self._life += 1
            box.uidvalidity, box.modseq, box.gone = self._life, box.modseq + 1, []
            for number, mail in enumerate(box.mails, 1):
                mail.uid, mail.modseq = number, box.modseq
            box.uidnext = len(box.mails) + 1

    def rename(self, folder: str | bytes, to: str | bytes) -> None:
        """The folder keeps its UIDVALIDITY and UIDs, as RFC 3501 section 6.3.5 has it."""
        with self.lock:
            box = self.boxes.pop(_raw(folder))
            box.raw = _raw(to)
            self.boxes[box.raw] = box

    def delete(self, folder: str | bytes) -> None:
        """Remove the folder and what is in it."""
        with self.lock:
            del self.boxes[_raw(folder)]

    def bodies(self, folder: str | bytes) -> Sequence[bytes]:
        """The messages that are in the folder now."""
        return [mail.body for mail in self.box(folder).mails]

    def count(self) -> int:
        """Messages in all folders."""
        with self.lock:
            return sum(len(box.mails) for box in self.boxes.values())


def _raw(folder: str | bytes) -> bytes:
    return folder if isinstance(folder, bytes) else encode(folder)
