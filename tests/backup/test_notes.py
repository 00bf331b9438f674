"""Changes that bring no message (flags, ended places, links) are made durable piece by piece, and a cut loses none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from archiver.backup import Options, backup, changes, filling
from archiver.batches import Batch, Batches
from archiver.errors import QuotaError
from archiver.monitor import Silent
from archiver.stores.interface import Store
from tests.kit import archive_in, memory_stores
from tests.servers.scripted import ScriptedServer

MESSAGES = 300


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "NOTES", 20)
    monkeypatch.setattr(changes, "AT_ONCE", 7)


def run(folder: Path, stores: list[Store], server: ScriptedServer) -> int:
    with archive_in(folder, stores, [server.settings(name="a")]) as archive:
        return backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code


def places(folder: Path, stores: list[Store]) -> tuple[dict[int, tuple[str, ...]], ...]:
    """Flags by UID of the folder's live places: as the state has them, and as the catalog has them."""
    with archive_in(folder, stores) as archive:
        current, _ = archive.state.folders("a")
        (live,) = [one for one in archive.catalog.live_folders() if one.folder == "INBOX"]
        found = {uid: tuple(flags.split()) for uid, _, flags in live.places}
        return dict(archive.state.known(current["INBOX"]).flags), found


def on_server(server: ScriptedServer) -> dict[int, tuple[str, ...]]:
    return {mail.uid: tuple(sorted(mail.flags)) for mail in server.mailbox.box("INBOX").mails}


@pytest.mark.parametrize("cut", [None, 1, 3, 8, 20])
@pytest.mark.parametrize("renewed", [False, True])
def test_many_changes_in_one_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int | None, renewed: bool
) -> None:
    stores, rng = memory_stores(), random.Random(cut)
    with ScriptedServer() as server:
        for number in range(MESSAGES):
            server.mailbox.append("INBOX", b"Message-ID: <%d@x>\r\nDate: today\r\n\r\n%d" % (number, number))
        assert run(tmp_path, stores, server) == 0
        uids = list(on_server(server))
        for uid in rng.sample(uids, MESSAGES // 2):
            server.mailbox.expunge("INBOX", uid)
        for uid in rng.sample(list(on_server(server)), MESSAGES // 3):
            server.mailbox.flag("INBOX", uid, ["\\Seen", "\\Flagged"])
        if renewed:
            server.mailbox.renew("INBOX")
        batches, calls, record = [], 0, Batches.record

        def watched(self: Batches, batch: Batch) -> None:
            nonlocal calls
            calls += 1
            if calls == cut:
                raise QuotaError("the disk is full")
            batches.append(len(batch.gone) + len(batch.reflagged) + len(batch.places))
            record(self, batch)

        with monkeypatch.context() as patch:
            patch.setattr(Batches, "record", watched)
            code = run(tmp_path, stores, server)
        assert code == (6 if cut is not None and calls >= cut else 0)
        assert max(batches, default=0) <= filling.NOTES + changes.AT_ONCE
        assert run(tmp_path, stores, server) == 0
        expected = on_server(server)
    in_state, in_catalog = places(tmp_path, stores)
    assert {uid: tuple(sorted(flags)) for uid, flags in in_state.items()} == expected
    assert {uid: tuple(sorted(flags)) for uid, flags in in_catalog.items()} == expected
    print(f"{sum(batches)} changes in {len(batches)} batches, cut at {cut}, renewed {renewed}")
