"""Labels as flags of places: written and read back, told by Gmail, searched, shown and restored."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archiver.backup import Options, backup
from archiver.catalog.sqlite import SqliteCatalog
from archiver.cli.messages import place_line
from archiver.labels import flag_of, folders_of, label_of, parted
from archiver.model import Place
from archiver.monitor import Silent
from archiver.restore import copies, restore
from archiver.sources.imap import ImapSource
from archiver.sources.interface import Known
from archiver.sources.target import ImapTarget
from archiver.walk import plan
from tests.catalog.entries import KEY, message, place
from tests.kit import archive_in, memory_stores
from tests.servers.imap_faults import Rows
from tests.servers.scripted import GMAIL, QRESYNC, ScriptedServer
from tests.sources.imap_run import find, quick

ALL = "[Gmail]/All Mail"


@given(st.text())
@example("100%41 %20 %%")
@example("\ud800")
def test_any_label_comes_back(label: str) -> None:
    flag = flag_of(label)
    assert label_of(flag) == label
    assert flag.split() == [flag] and flag.isprintable()


def test_flags_and_labels_are_parted() -> None:
    flags = ("\\Seen", "label:%", "$label1", flag_of("采购 合同"), "Label:x")
    assert parted(flags) == (("\\Seen", "$label1", "Label:x"), ("%", "采购 合同"))
    assert flag_of("采购 合同") == "label:采购%20合同"


def test_folders_of_labels() -> None:
    labels = ("\\Inbox", "\\Important", "\\Sent", "合同/2024", "\\Draft", "\\Starred", "INBOX")
    assert folders_of(labels) == ("INBOX", "Sent", "合同/2024", "Drafts")


def gmail(extensions: frozenset[str] = GMAIL) -> ScriptedServer:
    server = ScriptedServer(extensions)
    server.mailbox.create(ALL, "\\All")
    for number in range(1, 5):
        body = b"Message-ID: <%d@x>\r\nSubject: PI %d\r\n\r\ntext\r\n" % (number, number)
        server.mailbox.append(ALL, body, ["\\Seen"] if number == 1 else [])
    server.mailbox.label(ALL, 1, ["\\Inbox", "合同/2024 夏", "\\Important"])
    server.mailbox.label(ALL, 2, ["合同/2024 夏", "a_b"])
    server.mailbox.label(ALL, 3, ["\\Starred"])
    return server


@pytest.mark.parametrize("extensions", [GMAIL, GMAIL | QRESYNC, GMAIL - {"CONDSTORE"}], ids=["gmail", "more", "less"])
def test_labels_come_with_lists_changes_and_messages(extensions: frozenset[str]) -> None:
    with gmail(extensions) as server, closing(ImapSource(server.settings(), quick())) as source:
        first = plan(None, source.listing(find(source, ALL), None))
        flags = {row.uid: row.flags for row in first.fetch}
        assert flags[1] == ("\\Seen", "label:\\Important", "label:\\Inbox", "label:合同/2024%20夏") and flags[4] == ()
        assert {item.uid: item.flags for item in source.fetch(find(source, ALL), first.fetch)} == flags  # type: ignore[union-attr]
        server.mailbox.label(ALL, 1, [])
        found = plan(Known(first.status, flags), source.listing(find(source, ALL), Known(first.status, flags)))
        assert [(row.uid, row.flags) for row in found.reflag] == [(1, ("\\Seen",))]


def test_a_change_told_without_labels_takes_none_away() -> None:
    """Another session's STORE is told unasked, as UID and FLAGS alone (RFC 7162 section 3.2.4)."""
    with gmail() as server, closing(ImapSource(server.settings(), quick())) as source:
        first = plan(None, source.listing(find(source, ALL), None))
        known = Known(first.status, {row.uid: row.flags for row in first.fetch})
        server.mailbox.label(ALL, 2, ["a_b"])
        server.faults = [Rows(lambda row, mail: row + b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n", uid=2)]
        found = plan(known, source.listing(find(source, ALL), known))
        assert [(row.uid, row.flags) for row in found.reflag] == [(2, ("label:a_b",))]


def test_other_folders_are_not_asked_for_labels() -> None:
    with ScriptedServer(QRESYNC | {"X-GM-EXT-1"}) as server, closing(ImapSource(server.settings(), quick())) as source:
        server.mailbox.append("INBOX", b"Subject: x\r\n\r\n")
        source.listing(find(source), None)
        assert not any(b"X-GM-LABELS" in command.args for command in server.commands)


@pytest.fixture
def catalog(tmp_path: Path) -> SqliteCatalog:
    catalog = SqliteCatalog.open(tmp_path / "catalog.db", KEY)
    for number, labels in enumerate([("\\Inbox", "合同/2024 夏"), ("A_b%", "x y"), ("Axb",), ()], 1):
        flags = ("\\Flagged", *map(flag_of, labels))
        catalog.add([message(number), place(number, folder=ALL, uid=number, flags=flags)])
    catalog.add([message(5), place(5, folder="合同/2024 夏", uid=5), message(6), place(6, folder="INBOX", uid=6)])
    catalog.seal("w", 1)
    return catalog


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('label:"合同/2024 夏"', {1}),
        ("label:合同/*", {1}),
        ("label:合同/2024?夏", {1}),
        ("label:合同", set()),
        (r"label:\Inbox", {1}),
        ("label:inbox", {1}),
        ("label:a_b%", {2}),
        ("label:a?b*", {2, 3}),
        ("label:A_b", set()),
        ('label:"x y"', {2}),
        ("label:*", {1, 2, 3}),
        ("label:x*b", set()),
        ('label:"*b% x*"', set()),
        ("label:%", set()),
        ("-label:* folder:*", {4, 5, 6}),
        ("folder:inbox", {1, 6}),
        ("folder:合同/*", {1, 5}),
        ("folder:[Gmail]/*", {1, 2, 3, 4}),
        ("label:inbox flag:flagged", {1}),
        ("label:inbox folder:合同*", {1}),
        ("label:inbox label:axb", set()),
        ("flag:inbox", set()),
    ],
)
def test_search(catalog: SqliteCatalog, query: str, found: set[int]) -> None:
    assert {hit.id for hit in catalog.search(query)} == {message(number).id for number in found}


def test_shown_readably() -> None:
    now = datetime.now(UTC)
    line = place_line(Place("a", ALL, 1, 7, ("\\Seen", "label:\\Inbox", "label:a%20b"), None, now, None))
    assert line.endswith("(\\Seen; labels: Inbox, a b)")
    line = place_line(Place("a", "INBOX", 1, 7, (), None, now, None))
    assert line.endswith("(no flags)")


def test_from_gmail_into_folders_elsewhere(tmp_path: Path) -> None:
    with gmail() as server, ScriptedServer() as other:
        account = server.settings(name="a")
        with archive_in(tmp_path, memory_stores(), [account]) as archive:
            report = backup(archive, Options(), Silent(), connect=lambda account: ImapSource(account, quick()))
            assert report.exit_code == 0
            assert len(archive.catalog.search("label:合同*")) == 2
            wanted = copies(archive.catalog.search(""), None)
            one_folder = copies(archive.catalog.search(""), "Back")
            assert {copy.folder for copy in one_folder} == {"Back"}
            assert {flag for copy in (*wanted, *one_folder) for flag in copy.flags} == {"\\Seen"}
            with closing(ImapTarget(other.settings(), quick())) as target:
                for appended in (6, 0):
                    report = restore(archive.vault, wanted, target, Silent())  # type: ignore[assignment]
                    assert report.appended == appended and report.exit_code == 0  # type: ignore[attr-defined]
        bodies = [mail.body for mail in server.mailbox.box(ALL).mails]
        assert sorted(other.mailbox.bodies("合同/2024 夏")) == bodies[:2]
        assert other.mailbox.bodies("INBOX") == bodies[:1] and other.mailbox.bodies("a_b") == bodies[1:2]
        assert sorted(other.mailbox.bodies(ALL)) == bodies[2:]
        assert not any(b"label:" in command.args for command in other.commands)
        assert other.mailbox.box("INBOX").mails[0].flags == {"\\Seen"}


def test_a_target_never_sends_labels() -> None:
    with ScriptedServer() as server, closing(ImapTarget(server.settings(), quick())) as target:
        target.append("INBOX", b"Subject: x\r\n\r\n", ["label:x", "\\Seen"], None)
        assert server.mailbox.box("INBOX").mails[0].flags == {"\\Seen"}
