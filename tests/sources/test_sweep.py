"""Flags on servers without modification sequences: small folders whole, large ones by windows, removals always."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.sources.imap import ImapSource
from archiver.sources.interface import Known
from archiver.walk import plan, unsure
from tests.servers.scripted import CONDSTORE, PLAIN, ScriptedServer
from tests.sources.imap_run import find, quick

WINDOWS = {"sweep_whole": 20, "sweep_newest": 5, "sweep_turn": 10}
SEEN = ("\\Seen",)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(PLAIN) as server:
        yield server


class Sweeper:
    """Lists one folder again and again, remembering flags and the place of the sweep as a run does."""

    def __init__(self, server: ScriptedServer) -> None:
        self.source = ImapSource(server.settings(), quick(**WINDOWS))
        self.known: Known | None = None

    def run(self, full: bool = False) -> dict[int, tuple[str, ...]]:
        """One pass. Its changes of flags."""
        known = unsure(self.known) if full and self.known else self.known
        listing = self.source.listing(find(self.source), known)
        found = plan(known, listing)
        flags = dict(self.known.flags) if self.known else {}
        flags |= {row.uid: row.flags for row in (*found.fetch, *found.reflag)}
        kept = {uid: marks for uid, marks in flags.items() if uid not in found.gone}
        earlier = self.known.sweep if self.known else 0
        self.known = Known(found.status, kept, listing.sweep if listing.sweep is not None else earlier or 0)
        return {row.uid: row.flags for row in found.reflag}


def filled(server: ScriptedServer, count: int) -> Sweeper:
    for number in range(count):
        server.mailbox.append("INBOX", b"Subject: %d\r\n\r\n" % number)
    sweeper = Sweeper(server)
    sweeper.run()
    return sweeper


def test_a_small_folder_is_compared_whole(server: ScriptedServer) -> None:
    with closing(filled(server, 20).source) as source:
        sweeper = Sweeper(server)
        sweeper.source, sweeper.known = source, None
        sweeper.run()
        server.mailbox.flag("INBOX", 1, SEEN)
        assert sweeper.run() == {1: SEEN}


def test_a_large_folder_in_turn(server: ScriptedServer) -> None:
    sweeper = filled(server, 40)
    for uid in range(1, 41):
        server.mailbox.flag("INBOX", uid, SEEN)
    with closing(sweeper.source):
        turns = [sorted(sweeper.run()) for _ in range(4)]
        server.mailbox.flag("INBOX", 40, ())
        server.mailbox.flag("INBOX", 1, ())
        again = [sorted(sweeper.run()) for _ in range(4)]
    assert turns == [list(range(26, 41)), list(range(16, 26)), list(range(6, 16)), list(range(1, 6))]
    assert again == [[40], [], [], [1]]
    assert {uid for uid, flags in sweeper.known.flags.items() if flags} == set(range(2, 40))  # type: ignore[union-attr]


def test_removed_and_new_messages_are_found_in_every_run(server: ScriptedServer) -> None:
    sweeper = filled(server, 40)
    with closing(sweeper.source):
        server.mailbox.expunge("INBOX", 3)
        server.mailbox.append("INBOX", b"Subject: new\r\n\r\n", SEEN)
        sweeper.run()
        assert sweeper.known is not None
        assert set(sweeper.known.flags) == {*range(1, 42)} - {3} and sweeper.known.flags[41] == SEEN


def test_a_verified_folder_is_compared_whole(server: ScriptedServer) -> None:
    sweeper = filled(server, 60)
    server.mailbox.flag("INBOX", 1, SEEN)
    with closing(sweeper.source):
        assert sweeper.run(full=True) == {1: SEEN}


def test_a_folder_whose_first_run_was_cut_is_compared_whole_where_sequences_begin() -> None:
    """The cursor will name a modification sequence, and what changed before it is never told again."""
    with ScriptedServer(CONDSTORE) as server:
        sweeper = filled(server, 60)
        assert sweeper.known is not None
        sweeper.known = replace(sweeper.known, status=replace(sweeper.known.status, highestmodseq=0), sweep=0)
        server.mailbox.flag("INBOX", 1, SEEN)
        with closing(sweeper.source):
            assert sweeper.run() == {1: SEEN}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["flag", "expunge", "append"]), st.integers(0, 99)), max_size=25))
def test_any_history_is_known_after_one_full_turn(changes: list[tuple[str, int]]) -> None:
    with ScriptedServer(PLAIN) as server:
        sweeper = filled(server, 45)
        box = server.mailbox.box("INBOX")
        with closing(sweeper.source):
            for kind, number in changes:
                if kind == "append":
                    server.mailbox.append("INBOX", b"Subject: x\r\n\r\n")
                elif kind == "flag":
                    server.mailbox.flag("INBOX", box.mails[number % len(box.mails)].uid, SEEN)
                else:
                    server.mailbox.expunge("INBOX", box.mails[number % len(box.mails)].uid)
                sweeper.run()
                assert sweeper.known is not None
                assert set(sweeper.known.flags) == {mail.uid for mail in box.mails}
            for _ in range(10):
                sweeper.run()
            assert sweeper.known is not None
            assert dict(sweeper.known.flags) == {mail.uid: tuple(mail.flags) for mail in box.mails}
