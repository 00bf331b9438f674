"""An account at a scripted server and the archive of it, for runs that must keep their promises."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archiver.backup import Options, RunReport, backup
from archiver.config import AccountSettings
from archiver.monitor import Silent
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.stores.interface import Store
from tests.kit import archive_in, memory_stores
from tests.servers.scripted import ScriptedServer

FOLDERS = 6


@dataclass
class World:
    """An account with a few folders of two messages each."""

    folder: Path
    server: ScriptedServer
    stores: Sequence[Store] = field(default_factory=memory_stores)
    copies: int = 2
    source: type[ImapSource] = ImapSource
    limits: Limits = field(default_factory=lambda: Limits(attempts=2, sleep=lambda seconds: None))

    def fill(self) -> None:
        for number in range(2 * FOLDERS):
            self.server.mailbox.append(f"Folder {number % FOLDERS}", b"Subject: %d\r\n\r\ntext\r\n" % number)

    def connect(self, account: AccountSettings) -> ImapSource:
        return self.source(account, self.limits)

    def run(self, **account: int) -> RunReport:
        settings = self.server.settings(name="a", **account)
        with archive_in(self.folder, self.stores, [settings], self.copies) as archive:
            return backup(archive, Options(), Silent(), connect=self.connect, indexer=archive.catalog)

    def readable(self) -> set[str]:
        """Messages that the stores give back, by the catalog of this machine."""
        with archive_in(self.folder, self.stores, (), self.copies) as archive:
            found = list(archive.catalog.messages())
            return {hashlib.sha256(archive.vault.read(*one)).hexdigest() for one in found}

    def wanted(self) -> set[str]:
        boxes = self.server.mailbox.boxes.values()
        return {hashlib.sha256(mail.body).hexdigest() for box in boxes for mail in box.mails}
