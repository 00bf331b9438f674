"""Mail held in memory: accounts, folders, messages, as an IMAP server sees them (RFC 3501 section 2.3)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Mail:
    """One message in a folder; `raw` has CRLF line ends, `flags` are as IMAP writes them (`\\Seen`)."""

    uid: int
    raw: bytes
    flags: frozenset[str]
    date: datetime


@dataclass(slots=True)
class Mailbox:
    """A folder. UIDs only grow; a new UIDVALIDITY would begin a new life."""

    uidvalidity: int
    uidnext: int = 1
    mails: list[Mail] = field(default_factory=list)

    def add(self, raw: bytes, flags: Iterable[str], date: datetime) -> Mail:
        """Put a message at the end, under the next UID."""
        mail = Mail(self.uidnext, raw, frozenset(flags), date)
        self.mails.append(mail)
        self.uidnext += 1
        return mail


class Account:
    """A login with its folders; names are decoded, levels joined by "/". INBOX is always there."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.lock = threading.RLock()
        self.folders: dict[str, Mailbox] = {}
        self.create("INBOX")

    def create(self, name: str) -> Mailbox:
        """Make a folder; KeyError when it is there already."""
        with self.lock:
            if name in self.folders:
                raise KeyError(name)
            self.folders[name] = Mailbox(uidvalidity=1_700_000_000 + len(self.folders))
            return self.folders[name]

    def add(self, folder: str, raw: bytes, flags: Iterable[str], date: datetime) -> Mail:
        """Put a message into a folder, made when it is missing."""
        with self.lock:
            mailbox = self.folders.get(folder) or self.create(folder)
            return mailbox.add(raw, flags, date)

    def count(self) -> int:
        """Messages in all folders."""
        with self.lock:
            return sum(len(mailbox.mails) for mailbox in self.folders.values())
