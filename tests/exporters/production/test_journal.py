"""The journal of an unfinished bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import ConfigError
from exporters.production.bag import FileNote
from exporters.production.journal import Entry, Journal

ENTRIES = [
    Entry(
        str(number) * 64,
        "exported",
        (("Li", "sales", "INBOX", number, "2024"),),
        number,
        volume=1,
        message_id="a@x",
        summary=("", "李\ud800", "", ""),
        records=({"SUBJECT": "采购合同\n"},),
        files=(FileNote("data/x", 3, "ab"),),
        denials=(("M1", "redacted", "Attachment", "cd", "why", ""),),
    )
    for number in range(5)
]
ASKED = {"case": "合同"}


def written(path: Path) -> bytes:
    with Journal(path, ASKED) as journal:
        for entry in ENTRIES:
            journal.append(entry)
    return path.read_bytes()


def taken(path: Path) -> list[Entry]:
    """Whatever can be gone on with."""
    found = []
    with Journal(path, ASKED) as journal:
        while entry := journal.next():
            journal.accept()
            found.append(entry)
        assert list(journal.entries()) == found
    return found


def test_entries_come_back_as_they_were(tmp_path: Path) -> None:
    written(tmp_path / "j")
    assert taken(tmp_path / "j") == ENTRIES


@given(cut=st.integers(0, 5_000))
def test_cut_anywhere_it_gives_the_entries_that_were_whole(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    whole = written(path)
    path.write_bytes(whole[:cut])
    lines = max(0, whole[:cut].count(b"\n") - 1)
    assert taken(path) == ENTRIES[:lines]


def test_what_is_not_accepted_is_written_over(tmp_path: Path) -> None:
    written(tmp_path / "j")
    with Journal(tmp_path / "j", ASKED) as journal:
        journal.next()
        journal.accept()
        journal.append(ENTRIES[4])
    assert taken(tmp_path / "j") == [ENTRIES[0], ENTRIES[4]]


def test_the_journal_of_another_order_is_refused(tmp_path: Path) -> None:
    before = written(tmp_path / "j")
    with pytest.raises(ConfigError, match="another order") as raised:
        Journal(tmp_path / "j", {"case": "other"})
    assert str(tmp_path / "j") in raised.value.hint, "a hidden file: where it lies must be told"
    assert (tmp_path / "j").read_bytes() == before
