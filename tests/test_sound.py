"""What the real run archives passes the real check, through a store that was away, a wiped one and a new one."""

from __future__ import annotations

import random
from pathlib import Path

from archiver.backup import Options, backup
from archiver.check import Verdict, check
from archiver.config import AccountSettings
from archiver.monitor import Silent
from archiver.opening import Archive
from archiver.repair import repair
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from tests.kit import archive_in, memory_stores
from tests.servers.scripted import QRESYNC, ScriptedServer
from tests.small_archive import message


def checked(archive: Archive, stores: list[Store]) -> Verdict:
    machine = archive.machine
    return check(
        stores,
        machine.root,
        Silent(),
        keyring=machine.keyring,
        read_data=True,
        heads={machine.writer: archive.journal.settled()},
    )


def test_a_week_of_runs_is_sound(tmp_path: Path) -> None:
    server = ScriptedServer(QRESYNC)
    rng = random.Random(8)
    away = {"now": False}
    one, two, inner = memory_stores(3)
    three = FaultyStore(inner, lambda operation, name: Fault(When.BEFORE) if away["now"] else None)
    stores: list[Store] = [one, two, three]
    account = server.settings(name="a")

    def connect(settings: AccountSettings) -> ImapSource:
        return ImapSource(settings, Limits(attempts=1, sleep=lambda seconds: None))

    def night(number: int, copies: int = 2) -> tuple[int, Verdict]:
        for _ in range(30):
            server.mailbox.append("INBOX" if rng.random() < 0.5 else "合同", message(rng), {"\\Seen"})
        with archive_in(tmp_path, stores, [account], copies) as archive:
            report = backup(archive, Options(), Silent(), connect=connect, indexer=archive.catalog)
            return report.exit_code, checked(
                archive, [store for store in stores if store is not three or not away["now"]]
            )

    try:
        for number in range(1, 7):
            away["now"] = number in (3, 4)
            code, verdict = night(number)
            assert code == (8 if away["now"] else 0)
            assert verdict.all_faults == []
            assert (verdict.commits, verdict.messages) == (number, 30 * number)
        assert isinstance(two, MemoryStore)
        assert isinstance(inner, MemoryStore)
        two.objects.clear()
        stores.append(MemoryStore("new"))
        assert night(7, copies=4)[0] == 0
    finally:
        server.stop()
    with archive_in(tmp_path, stores, [account]) as archive:
        assert repair(stores, archive.machine.root, Silent()).exit_code == 0
        verdict = checked(archive, stores)
        assert verdict.all_faults == []
        assert verdict.messages == 210
    assert two.objects == inner.objects
    print(
        f"7 runs, {verdict.commits} commits, {verdict.messages} messages, {len(inner.objects)} objects a store, sound"
    )
