"""Messages as .eml files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from archiver.errors import QuotaError
from exporters import files
from exporters.eml import EmlExporter, file_name
from exporters.index import COLUMNS
from exporters.interface import Exporter
from exporters.maildir import MaildirExporter
from exporters.mbox import MboxExporter
from exporters.names import PATH_LIMIT, units
from tests.contracts.exporter import ARRIVED, BODIES, ExporterContract, hostile_messages, outgoing, place


def rows(target: Path) -> list[dict[str, str]]:
    with (target / "index.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class TestEml(ExporterContract):
    @pytest.fixture
    def exporter(self) -> EmlExporter:
        return EmlExporter()

    def read_back(self, target: Path) -> Iterator[bytes]:
        return (path.read_bytes() for path in target.rglob("*.eml") if path.is_file())


def test_tree_names_and_time(tmp_path: Path) -> None:
    message = outgoing(BODIES[0], place(folder="客户/Müller GmbH/2024"))
    (file,) = EmlExporter().export([message], tmp_path).files
    assert file == Path(f"li@example.cn/客户/Müller GmbH/2024/2024-03-04 {message.subject} {message.id[:8]}.eml")
    assert (tmp_path / file).stat().st_mtime == ARRIVED.timestamp()


def test_a_long_subject_is_cut_between_characters() -> None:
    name = file_name(outgoing(BODIES[0], subject="合同" * 100), None, PurePosixPath("li/INBOX"))
    assert 110 <= len(name.encode()) <= 120
    assert name.startswith("2024-03-04 合同合同")


@pytest.mark.parametrize(
    "level", ["Clients and suppliers in Shenzhen", "采购部门的客户和供应商往来邮件", "𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷"]
)
@pytest.mark.parametrize("exporter", [EmlExporter(), MboxExporter(), MaildirExporter()])
def test_paths_fit_into_the_limit_of_windows(exporter: Exporter, level: str, tmp_path: Path) -> None:
    """Below a target of 59 characters, and each folder in a directory of its own."""
    folders = ["/".join(f"{level} {n}" for n in range(depth)) + end for depth in range(1, 30) for end in ("", "x", "y")]
    messages = [
        outgoing(b"Subject: %d\n\n" % n, place(account="someone.with.a.long.name@a-long-domain.example", folder=folder))
        for n, folder in enumerate(folders)
    ]
    messages = [replace(message, subject=f"{level} " * 30) for message in messages]
    report = exporter.export(messages, tmp_path)
    assert (report.written, report.failed) == (len(folders), ())
    assert len({path.parent if path.suffix == ".eml" else path for path in report.files}) == len(folders)
    assert max(units(str(path)) for path in report.files) <= PATH_LIMIT
    assert exporter.export(messages, tmp_path).skipped == len(folders)


def test_a_message_is_written_once_and_every_place_is_a_row(tmp_path: Path) -> None:
    places = (place(), place(folder="Archive", uid=7), place(account="wang@example.cn"))
    report = EmlExporter().export([outgoing(BODIES[0], *places)], tmp_path)
    assert len(report.files) == 1
    assert [(row["account"], row["folder"]) for row in rows(tmp_path)] == [(p.account, p.folder) for p in places]
    assert {row["file"] for row in rows(tmp_path)} == {str(report.files[0])}


def test_at_every_place(tmp_path: Path) -> None:
    report = EmlExporter(every_place=True).export([outgoing(BODIES[0], place(), place(folder="Archive"))], tmp_path)
    assert [file.parent.name for file in report.files] == ["INBOX", "Archive"]
    assert report.written == 1


def test_the_index_tells_the_messages(tmp_path: Path) -> None:
    EmlExporter().export([outgoing(BODIES[0])], tmp_path)
    raw = (tmp_path / "index.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    (row,) = rows(tmp_path)
    assert tuple(row) == COLUMNS
    assert row["from"] == "Li Wei <li@example.cn>"
    assert row["to"] == "王芳 <wang@example.com>; Peter Smith <peter@example.org>"
    assert row["date"] == "2024-03-04 09:30:00+08:00"
    assert row["message-id"] == "118.1709516@example.cn"
    assert "采购合同" in row["subject"]


def test_the_index_grows_with_later_exports(tmp_path: Path) -> None:
    EmlExporter().export([outgoing(BODIES[0])], tmp_path)
    EmlExporter().export([outgoing(BODIES[1])], tmp_path)
    EmlExporter().export([outgoing(BODIES[0])], tmp_path)
    assert sorted(row["id"] for row in rows(tmp_path)) == sorted(outgoing(raw).id for raw in BODIES[:2])


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    messages = hostile_messages()
    messages += [
        outgoing(b"From: =1+1 <a@b>\nTo: @x\n\n%d" % n, subject=sign + "1+1") for n, sign in enumerate("=+-@\t＝' ")
    ]
    EmlExporter().export(messages, tmp_path)
    cells = [value for row in rows(tmp_path) for value in row.values()]
    assert [text for text in cells if text.lstrip()[:1] in tuple("=+-@\t\r＝＋－＠") and text.strip()] == []
    assert any(text.startswith("'=") for text in cells)


def test_a_foreign_index_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("my own list\n")
    report = EmlExporter().export([outgoing(BODIES[0])], tmp_path)
    assert report.written == 1
    assert [problem.subject for problem in report.failed] == ["index.csv"]
    assert (tmp_path / "index.csv").read_text() == "my own list\n"


def test_a_file_with_the_same_name_is_left_alone(tmp_path: Path) -> None:
    (file,) = EmlExporter().export([outgoing(BODIES[0])], tmp_path).files
    (tmp_path / file).write_bytes(b"changed by someone")
    report = EmlExporter().export([outgoing(BODIES[0])], tmp_path)
    assert report.written == 1
    assert report.files[0].name.endswith(f"{outgoing(BODIES[0]).id[:16]}.eml")
    assert (tmp_path / file).read_bytes() == b"changed by someone"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_export() -> None:
    with pytest.raises(OSError) as caught, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    with pytest.raises(QuotaError):
        files.raise_if_full(caught.value)


def test_a_dangling_link_where_a_folder_should_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "li@example.cn").mkdir()
    (tmp_path / "li@example.cn" / "INBOX").symlink_to(tmp_path / "nowhere" / "loop")
    report = EmlExporter().export([outgoing(BODIES[0]), outgoing(BODIES[1], place(folder="Sent"))], tmp_path)
    assert (report.written, len(report.failed)) == (1, 1)
