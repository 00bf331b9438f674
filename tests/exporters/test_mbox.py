"""Messages as mboxrd files."""

from __future__ import annotations

import contextlib
import csv
import mailbox
import random
import re
import shutil
import subprocess
import sys
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


LINES = (b"From ", b">From ", b">>From x", b"From: y", b"x", b"", b"\tFrom ", b">", b"Fro")


def ended(chance: random.Random, end: bytes) -> bytes:
    """A message of odd lines that ends as messages do."""
    lines = [chance.choice(LINES) + chance.choice(LINES) for _ in range(chance.randrange(12))]
    return b"".join(line + end for line in (b"Subject: x", b"", *lines))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_python_and_git_read_every_byte(end: bytes, tmp_path: Path) -> None:
    """Two readers that are not ours; git takes the quoting of mboxrd away itself."""
    raws = [*dict.fromkeys(ended(random.Random(seed), end) for seed in range(200))]
    (file,) = MboxExporter().export([outgoing(raw) for raw in raws], tmp_path).files
    with contextlib.closing(mailbox.mbox(tmp_path / file, create=False)) as box:
        found = [re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key)) for key in box.keys()]  # noqa: SIM118
    assert found == raws
    if shutil.which("git") is None:
        pytest.skip("needs the program git")
    (tmp_path / "split").mkdir()
    command = ["git", "mailsplit", "--mboxrd", "--keep-cr", f"-o{tmp_path / 'split'}", str(tmp_path / file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    split = [path.read_bytes() for path in sorted((tmp_path / "split").iterdir())]
    assert [part.partition(b"\n")[2].removesuffix(b"\n") for part in split] == raws


MEASURED = """
import resource, sys
from pathlib import Path
from exporters.mbox import MboxExporter
from tests.contracts.exporter import outgoing
def messages(count):
    for number in range(count):
        yield outgoing(b"Subject: %d\\n\\n" % number + b"From here on it is long\\n" * 40_000)
for count in (2, 200):
    MboxExporter().export(messages(count), Path(sys.argv[1]) / str(count))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_mbox(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", MEASURED, str(tmp_path)], cwd=root, capture_output=True, check=True)
    few, many = (int(line) for line in done.stdout.split())
    size = (tmp_path / "200" / "li@example.cn" / "INBOX.mbox").stat().st_size
    print(f"{size >> 20} MiB in one mbox: {many} MiB of memory, {few} MiB for two messages")
    assert size > 180 << 20
    assert many - few < 16


def test_the_index_tells_only_of_what_is_there(tmp_path: Path) -> None:
    (file,) = MboxExporter().export([outgoing(BODIES[0])], tmp_path).files
    places = (place(folder="Sent"), place(folder="Archive"))
    MboxExporter().export([outgoing(BODIES[1]), outgoing(BODIES[2], *places)], tmp_path)
    with (tmp_path / "index-mbox.csv").open(encoding="utf-8-sig", newline="") as index:
        rows = [(row["id"], row["file"], row["folder"]) for row in csv.DictReader(index)]
    assert rows == [
        (outgoing(BODIES[0]).id, str(file), "INBOX"),
        (outgoing(BODIES[2]).id, "li@example.cn/Sent.mbox", "Sent"),
        (outgoing(BODIES[2]).id, "li@example.cn/Sent.mbox", "Archive"),
    ]


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
