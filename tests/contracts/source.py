"""What every Source must do, whatever the server can. Subclass it and give it a world; see tests/sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

import pytest

from archiver.errors import ProtocolError
from archiver.model import Fetched, Folder, Refused
from archiver.sources.imap import ImapSource
from archiver.sources.interface import GONE
from tests.sources.imap_run import Memory, find, run

WHEN = datetime(2023, 12, 31, 23, 59, 58, tzinfo=timezone(timedelta(hours=8)))


class World(Protocol):
    """A server with one account, as its owner sees it. Messages are counted from 1 in their order in the folder."""

    def source(self) -> ImapSource:
        """A new login to the account."""

    def append(self, folder: str, body: bytes, flags: Sequence[str] = (), date: datetime | None = None) -> None:
        """Deliver a message, into a new folder if it is missing."""

    def flag(self, folder: str, number: int, flags: Sequence[str]) -> None:
        """Set a message's flags to these."""

    def expunge(self, folder: str, number: int) -> None:
        """Remove a message."""

    def move(self, folder: str, number: int, to: str) -> None:
        """Move a message to another folder."""

    def delete(self, folder: str) -> None:
        """Remove a folder."""

    def renew(self, folder: str) -> None:
        """Give the folder another UIDVALIDITY."""


def mail(number: int) -> bytes:
    return f"Message-ID: <{number}@example.com>\r\nSubject: 合同 {number}\r\n\r\nbody {number}\r\n".encode()


class SourceContract:
    """Inherited by the tests of each kind of source and server."""

    @pytest.fixture
    def world(self) -> Iterator[World]:
        raise NotImplementedError

    def test_every_folder_and_its_status(self, world: World) -> None:
        for name in ("INBOX", "合同/2024", "合同/2024/出口 & 进口", "Sent Messages"):
            world.append(name, mail(1))
        with closing(world.source()) as source:
            folders = source.folders()
        found = {folder.name: folder for folder in folders}
        assert found.keys() >= {"INBOX", "合同/2024", "合同/2024/出口 & 进口", "Sent Messages"}
        assert folders[0].name == "INBOX"
        status = found["合同/2024"].status
        assert status and (status.messages, status.uidnext, status.uidvalidity > 0) == (1, 2, True)

    def test_bytes_flags_and_dates_come_as_they_are(self, world: World) -> None:
        odd = b"Subject: \xff\xfe\x80\r\n\r\n)\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n{5}\r\nA1 OK\r\n"
        world.append("INBOX", odd, ["\\Seen", "$Label"], WHEN)
        with closing(world.source()) as source:
            folder = find(source)
            items = {item.uid: item for item in source.fetch(folder, source.listing(folder, None).rows)}
        first = items[1]
        assert isinstance(first, Fetched)
        assert (first.body, first.flags, first.date) == (odd, ("$Label", "\\Seen"), WHEN)

    def test_a_second_pass_fetches_nothing(self, world: World) -> None:
        for number in range(30):
            world.append("INBOX", mail(number))
        memory = Memory()
        with closing(world.source()) as source:
            run(source, memory)
            again = run(source, memory)
        assert len(memory.bodies) == 30
        assert (again.new_epoch, again.fetch, again.reflag, again.gone) == (False, (), (), ())

    def test_new_changed_removed(self, world: World) -> None:
        for number in range(1, 21):
            world.append("INBOX", mail(number))
        memory = Memory()
        with closing(world.source()) as source:
            run(source, memory)
        world.flag("INBOX", 3, ["\\Answered", "\\Seen"])
        world.flag("INBOX", 4, [])
        world.expunge("INBOX", 10)
        world.move("INBOX", 1, "归档")
        world.append("INBOX", mail(99))
        with closing(world.source()) as source:
            plan = run(source, memory)
            moved = Memory()
            run(source, moved, find(source, "归档"))
        assert [row.uid for row in plan.fetch] == [21]
        assert [(row.uid, row.flags) for row in plan.reflag] == [(3, ("\\Answered", "\\Seen"))]
        assert plan.gone == (1, 10)
        assert list(moved.bodies.values()) == [mail(1)]

    def test_all_removed_and_one_new(self, world: World) -> None:
        for number in range(1, 6):
            world.append("INBOX", mail(number))
        memory = Memory()
        with closing(world.source()) as source:
            run(source, memory)
        for _ in range(5):
            world.expunge("INBOX", 1)
        world.append("INBOX", mail(6))
        with closing(world.source()) as source:
            run(source, memory)
        assert (list(memory.bodies.values()), memory.epochs, len(memory.archived)) == ([mail(6)], 1, 6)

    def test_an_empty_folder(self, world: World) -> None:
        memory = Memory()
        with closing(world.source()) as source:
            assert run(source, memory).fetch == ()
            assert run(source, memory).fetch == ()
        world.append("INBOX", mail(1))
        with closing(world.source()) as source:
            run(source, memory)
        assert (memory.bodies, memory.epochs) == ({1: mail(1)}, 1)

    def test_another_uidvalidity_is_a_new_epoch(self, world: World) -> None:
        for number in range(1, 4):
            world.append("INBOX", mail(number))
        memory = Memory()
        with closing(world.source()) as source:
            run(source, memory)
        world.renew("INBOX")
        with closing(world.source()) as source:
            assert run(source, memory).new_epoch
        assert sorted(memory.bodies.values()) == [mail(1), mail(2), mail(3)]
        assert (memory.epochs, len(memory.archived)) == (2, 3)

    def test_a_message_forgotten_by_an_earlier_run_is_found(self, world: World) -> None:
        for number in range(1, 10):
            world.append("INBOX", mail(number))
        memory = Memory()
        with closing(world.source()) as source:
            run(source, memory)
            del memory.flags[4], memory.bodies[4]
            assert [row.uid for row in run(source, memory).fetch] == [4]
        assert memory.bodies[4] == mail(4)

    def test_messages_that_are_gone_are_refused_as_gone(self, world: World) -> None:
        for number in range(1, 4):
            world.append("INBOX", mail(number))
        with closing(world.source()) as source:
            folder = find(source)
            rows = source.listing(folder, None).rows
        world.expunge("INBOX", 2)
        with closing(world.source()) as source:
            items = list(source.fetch(folder, rows))
        assert sorted(item.uid for item in items if isinstance(item, Fetched)) == [1, 3]
        assert [item for item in items if isinstance(item, Refused)] == [Refused(2, GONE)]

    def test_a_folder_that_is_gone_is_a_protocol_error(self, world: World) -> None:
        world.append("临时", mail(1))
        with closing(world.source()) as source:
            folder = find(source, "临时")
        world.delete("临时")
        with closing(world.source()) as source:
            with pytest.raises(ProtocolError):
                source.listing(folder, None)
            assert isinstance(find(source), Folder)

    def test_reading_leaves_no_trace(self, world: World) -> None:
        """Nothing is marked as read, and \\Recent is left to the owner's own program."""
        for number in range(1, 4):
            world.append("INBOX", mail(number))
        memory = Memory()
        with closing(world.source()) as source:
            run(source, memory)
        with closing(world.source()) as source:
            rows = source.listing(find(source), None).rows
        assert {row.flags for row in rows} == {()}
        assert set(memory.flags.values()) == {()}

    def test_abandoned_fetches_do_no_harm(self, world: World) -> None:
        for number in range(1, 40):
            world.append("INBOX", mail(number), date=datetime(2020, 1, 1, tzinfo=UTC))
        memory = Memory()
        with closing(world.source()) as source:
            folder = find(source)
            rows = source.listing(folder, None).rows
            items = source.fetch(folder, rows)
            next(items)
            items.close()  # type: ignore[attr-defined]  # a generator
            run(source, memory)
        assert len(memory.bodies) == 39
