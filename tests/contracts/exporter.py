"""What every exporter promises. A form of export subclasses `ExporterContract`, defines `exporter` and `read_back`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from archiver.mime import parse
from archiver.model import Place
from exporters.interface import Exporter, Outgoing, Report
from tests.messages import samples

SEEN = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
ARRIVED = datetime(2024, 3, 4, 10, 0, tzinfo=timezone(timedelta(hours=8)))

BODIES = (
    samples.business(2_000),
    samples.attachment(bytes(range(256)) * 5, "合同.pdf"),
    samples.message("Subject: LF only\n", "From the start\n>From quoted\n>>From twice\nFrom\n", eol=b"\n"),
    samples.message("Subject: no line end", "the end without one"),
    samples.message("Subject: many line ends\n", "\n\n\n\n"),
    b"From li@example.cn Mon Mar  4 09:30:00 2024\nSubject: begins like mbox\n\nFrom x\n\n",
    b"",
    b"\n",
    b"From ",
    b"\x00\xff\r\rFrom \r\nFrom ",
)
HOSTILE = (
    "../../etc/passwd",
    "..",
    ".",
    "/absolute",
    "C:\\Windows\\system32",
    "con",
    "NUL.txt",
    "LPT1",
    "trailing dots. . .",
    "a\x00b\nc\td",
    'what? <is> "this": a|b*c',
    "合同" * 200,
    "e\u0301" * 100,
    "\u202egnp.exe",
    "~" * 300,
    "",
    " ",
    "-rf",
    "=cmd|' /C calc'!A0",
    "\ud800",
)


def place(
    account: str = "li@example.cn", folder: str = "INBOX", uid: int = 1, date: datetime | None = ARRIVED
) -> Place:
    return Place(account, folder, 1, uid, ("\\Seen",), date, SEEN, None)


def outgoing(raw: bytes, *places: Place, subject: str | None = None) -> Outgoing:
    parsed = parse(raw)
    name = hashlib.sha256(raw).hexdigest()
    return Outgoing(name, raw, places or (place(),), parsed.subject if subject is None else subject, parsed.date)


def hostile_messages() -> list[Outgoing]:
    """Every hostile text as account, as folder, as subject; the folders of an account differ by case too."""
    found = []
    for number, text in enumerate(HOSTILE):
        found += [
            outgoing(b"Subject: account %d\n\n" % number, place(account=text)),
            outgoing(b"Subject: folder %d\n\n" % number, place(folder=f"Clients/{text}/2024")),
            outgoing(b"Subject: subject %d\n\n" % number, subject=text),
            outgoing(b"Subject: case %d\n\n" % number, place(folder=f"clients/{text}/2024".upper())),
        ]
    return found


class ExporterContract:
    """Subclass, and define a fixture `exporter`, and `read_back`: the exact messages an export holds."""

    largest_file = 30_000
    """Bytes a file may have where a write has to fail: more than the export of a small message, less than of `big`."""

    def big(self) -> Outgoing:
        """A message whose export is larger than `largest_file`."""
        return outgoing(samples.attachment(bytes(60_000)), place(folder="Big"))

    forbidden = '<>:"\\|?*\0\n'
    """Signs that no name has."""

    def read_back(self, target: Path) -> Iterator[bytes]:
        """Every message in the export, as bytes, in any order."""
        raise NotImplementedError

    def check(self, report: Report, messages: list[Outgoing], target: Path, *, failed: int = 0) -> None:
        """The report's sums, its files, and every byte of every message but the failed ones."""
        problems = [problem for problem in report.failed if problem.subject.startswith("message ")]
        assert report.written + report.skipped + len(problems) == len(messages)
        assert len(problems) == failed, report.failed
        wrong = {problem.subject for problem in problems}
        expected = Counter(m.raw for m in messages if f"message {m.id[:16]}" not in wrong)
        assert Counter(self.read_back(target)) == expected
        assert all((target / file).is_file() for file in report.files)

    def test_every_byte_comes_back(self, exporter: Exporter, tmp_path: Path) -> None:
        messages = [outgoing(raw, place(uid=uid)) for uid, raw in enumerate(BODIES)]
        report = exporter.export(messages, tmp_path / "new" / "export")
        assert report.written == len(BODIES)
        self.check(report, messages, tmp_path / "new" / "export")

    def test_nothing_to_export(self, exporter: Exporter, tmp_path: Path) -> None:
        report = exporter.export([], tmp_path)
        assert (report.written, report.skipped, report.failed, report.files) == (0, 0, (), ())
        assert list(tmp_path.iterdir()) == []

    def test_a_second_run_writes_nothing(self, exporter: Exporter, tmp_path: Path) -> None:
        messages = [outgoing(raw, place(uid=uid)) for uid, raw in enumerate(BODIES)]
        exporter.export(messages, tmp_path)
        before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
        again = exporter.export(messages, tmp_path)
        assert (again.written, again.skipped, again.failed) == (0, len(BODIES), ())
        assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before

    def test_hostile_names_stay_inside_and_apart(self, exporter: Exporter, tmp_path: Path) -> None:
        messages = hostile_messages()
        target = tmp_path / "a" / "b" / "export"
        report = exporter.export(iter(messages), target)
        self.check(report, messages, target)
        assert [path for path in tmp_path.rglob("*") if path.is_file() and target not in path.parents] == []
        for path in target.rglob("*"):
            assert len(path.name.encode()) <= 126
            assert path.name == path.name.strip(" ") == path.name.rstrip(".")
            assert not set(path.name) & set(self.forbidden)
        folded = Counter(str(path).casefold() for path in target.rglob("*"))
        assert max(folded.values()) == 1

    def test_what_cannot_be_written_fails_by_name_and_the_rest_goes_on(
        self, exporter: Exporter, tmp_path: Path
    ) -> None:
        (tmp_path / "blocked@example.com").write_text("a file where a folder should be")
        messages = [
            outgoing(raw, place(account="blocked@example.com" if n % 2 else "li")) for n, raw in enumerate(BODIES)
        ]
        report = exporter.export(messages, tmp_path)
        self.check(report, messages, tmp_path, failed=len(BODIES) // 2)
        assert {problem.account for problem in report.failed} == {"blocked@example.com"}
        assert (tmp_path / "blocked@example.com").read_text() == "a file where a folder should be"

    def test_a_write_that_fails_in_the_middle_leaves_nothing_behind(self, exporter: Exporter, tmp_path: Path) -> None:
        resource = pytest.importorskip("resource", reason="file size limits are a Unix thing")
        messages = [outgoing(BODIES[0]), self.big(), outgoing(BODIES[1])]
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest_file, hard))
        try:
            report = exporter.export(messages, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.check(report, messages, tmp_path, failed=1)
        assert list(tmp_path.rglob(".*")) == []

    def test_an_interrupted_export_leaves_no_half_file(self, exporter: Exporter, tmp_path: Path) -> None:
        def broken() -> Iterator[Outgoing]:
            yield outgoing(BODIES[0])
            raise KeyboardInterrupt

        try:
            exporter.export(broken(), tmp_path)
        except KeyboardInterrupt:
            assert list(tmp_path.rglob("*.part")) == []
            assert set(self.read_back(tmp_path)) <= {BODIES[0]}
            return
        raise AssertionError("the interruption was swallowed")

    def test_a_message_without_a_place_is_exported(self, exporter: Exporter, tmp_path: Path) -> None:
        message = Outgoing("ab" * 32, BODIES[0], (), "s", None)
        self.check(exporter.export([message], tmp_path), [message], tmp_path)

    def test_a_mapped_file_is_exported(self, exporter: Exporter, tmp_path: Path) -> None:
        import mmap

        raw = samples.message("Subject: huge\n", ("From the first line\n" + "x" * 1_000 + "\n") * 3_000)
        spool = tmp_path / "spool"
        spool.write_bytes(raw)
        with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            message = Outgoing(hashlib.sha256(raw).hexdigest(), mapped, (place(),), "huge", None)
            report = exporter.export([message], tmp_path / "out")
            assert exporter.export([message], tmp_path / "out").skipped == 1
        assert report.written == 1
        assert list(self.read_back(tmp_path / "out")) == [raw]
