"""A company whose mail lies in a folder and in a bucket with Object Lock, for tests of holds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from archiver.backup import Options, backup
from archiver.check import Verdict, check
from archiver.monitor import Silent
from archiver.opening import Archive
from archiver.purging import PurgePlan, plan
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.stores.marker import MARKER
from archiver.stores.s3 import S3Store
from archiver.vault.commit import furnish
from archiver.vault.keys import era_of
from archiver.vault.plan import Level
from tests.kit import archive_in, new_archive
from tests.servers.s3_faults import S3Proxy
from tests.servers.scripted import ScriptedServer
from tests.small_archive import message

ERA = era_of(datetime.now(UTC))
LATER = datetime(int(ERA[-4:]) + 1, 2, 1, tzinfo=UTC)
"""When the era of the messages is over."""


class Company:
    """A folder and a locked bucket, one mailbox, a few nights."""

    def __init__(self, folder: Path, url: str, mail: ScriptedServer) -> None:
        self.folder, self.mail, self.rng = folder, mail, random.Random(4)
        archive = new_archive().archive
        self.stores: list[Store] = [LocalStore.create(folder / "local", archive), S3Store.create(url, archive)]
        assert not furnish(self.stores, new_archive().objects)

    @property
    def s3(self) -> S3Store:
        assert isinstance(self.stores[1], S3Store)
        return self.stores[1]

    def night(self, messages: int = 6) -> None:
        for _ in range(messages):
            self.mail.mailbox.append("INBOX", message(self.rng))
        with self.opened() as archive:
            assert backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code == 0

    @contextmanager
    def opened(self) -> Iterator[Archive]:
        with archive_in(self.folder, self.stores, [self.mail.settings(name="a")]) as archive:
            yield archive

    def held(self) -> set[str]:
        """The objects in the bucket that really are under a legal hold."""
        return {stat.name for stat in self.s3.list() if self.s3.lock(stat.name).held}

    def names(self) -> set[str]:
        return {stat.name for stat in self.s3.list()}

    def checked(self, level: Level = Level.FULL) -> Verdict:
        return check(self.stores, new_archive().machine.root, Silent(), level=level)

    def plan(self, now: datetime = LATER, stores: list[Store] | None = None) -> PurgePlan:
        return plan(stores or self.stores, new_archive().machine.root, ERA, Silent(), now)


def puts(proxy: S3Proxy) -> list[str]:
    """What was written, without the question whether the service obeys conditions."""
    return [path for method, path in proxy.requests if method == "PUT" and MARKER not in path]
