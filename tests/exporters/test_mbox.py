"""Messages as mboxrd files."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.mbox import MboxExporter, quoted, read_mbox
from tests.contracts.exporter import BODIES, ExporterContract, outgoing, place


class TestMbox(ExporterContract):
    @pytest.fixture
    def exporter(self) -> MboxExporter:
        return MboxExporter()

    def read_back(self, target: Path) -> Iterator[bytes]:
        return (raw for path in target.rglob("*.mbox") if path.is_file() for raw in read_mbox(path))


def test_one_file_a_folder_in_a_tree(tmp_path: Path) -> None:
    messages = [outgoing(BODIES[0]), outgoing(BODIES[1], place(folder="INBOX/客户")), outgoing(BODIES[2])]
    report = MboxExporter().export(messages, tmp_path)
    assert report.files == (Path("li@example.cn/INBOX.mbox"), Path("li@example.cn/INBOX/客户.mbox"))
    assert list(read_mbox(tmp_path / report.files[0])) == [BODIES[0], BODIES[2]]


def test_from_line_and_quoting_as_in_mboxrd(tmp_path: Path) -> None:
    message = outgoing(b"Subject: x\n\nFrom a\n>From b\n>> From c\n")
    (file,) = MboxExporter().export([message], tmp_path).files
    assert (tmp_path / file).read_bytes() == (
        b"From MAILER-DAEMON Mon Mar  4 02:00:00 2024\nSubject: x\n\n>From a\n>>From b\n>> From c\n\n"
    )


def test_python_reads_the_same_messages(tmp_path: Path) -> None:
    (file,) = MboxExporter().export([outgoing(raw) for raw in BODIES[:3]], tmp_path).files
    found = mailbox.mbox(tmp_path / file)
    assert [message["Subject"] is not None for message in found] == [True] * 3
    found.close()


def test_folder_and_file_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    messages = [outgoing(BODIES[0], place(folder="A")), outgoing(BODIES[1], place(folder="A.mbox/B"))]
    assert MboxExporter().export(messages, tmp_path).written == 2


def test_an_mbox_with_other_content_is_left_alone(tmp_path: Path) -> None:
    (file,) = MboxExporter().export([outgoing(BODIES[0])], tmp_path).files
    report = MboxExporter().export([outgoing(BODIES[1]), outgoing(BODIES[2], place(folder="Sent"))], tmp_path)
    assert (report.written, len(report.failed)) == (1, 1)
    assert list(read_mbox(tmp_path / file)) == [BODIES[0]]


def test_at_every_place(tmp_path: Path) -> None:
    report = MboxExporter(every_place=True).export([outgoing(BODIES[0], place(), place(folder="Sent"))], tmp_path)
    assert (report.written, len(report.files)) == (1, 2)


@given(
    st.lists(
        st.lists(st.sampled_from([b"From ", b">", b"\n", b"\r\n", b"x", b"From", b" ", b"\x00"]), max_size=30),
        max_size=5,
    )
)
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, pieces: list[list[bytes]]) -> None:
    target = tmp_path_factory.mktemp("mbox")
    messages = [outgoing(b"".join(p)) for p in pieces]
    report = MboxExporter().export(messages, target)
    found = [raw for file in report.files for raw in read_mbox(target / file)]
    assert found == [message.raw for message in messages]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_quoting_by_pieces_equals_quoting_at_once(ends: bytes) -> None:
    raw = ends.join([b"From %d" % n + b"x" * (n % 3000) for n in range(2_000)])
    assert len(list(quoted(raw))) > 1
    assert b"".join(quoted(raw)) == raw.replace(b"From ", b">From ")
