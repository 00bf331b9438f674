"""An export carried onward: sealed and opened by the age command, file by file, bounded, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from archiver.errors import QuotaError, StoreError
from archiver.handover import handover as handover_module
from archiver.handover.carriers import FileByFile
from archiver.handover.handover import Handover
from archiver.handover.sealing import Sealed, sealed_name
from archiver.handover.staging import clear, staging
from archiver.stores.interface import Stat
from archiver.stores.local_shelf import LocalShelf
from archiver.stores.shelf import Put
from archiver.vault import age
from exporters.eml import EmlExporter
from exporters.interface import Exporter, Outgoing
from exporters.maildir import MaildirExporter
from exporters.mbox import MboxExporter
from tests.contracts.exporter import ARRIVED, BODIES, outgoing, place

KEY = age.X25519Identity.generate()
FORMS = [EmlExporter(), MboxExporter(), MaildirExporter()]


def letters(count: int, size: int = 10) -> list[Outgoing]:
    raws = [b"Subject: %d\n\n" % n + b"x" * size for n in range(count)]
    return [outgoing(raw, place(folder=f"合同/{n % 3}", uid=n), subject=f"合同 {n}") for n, raw in enumerate(raws)]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def unsealed(sealed: Path, folder: Path) -> dict[str, bytes]:
    """As a receiver opens it: `age -d -i KEY FILE | tar x`."""
    if shutil.which("age") is None:
        pytest.skip("needs the program age")
    folder.mkdir()
    (folder.parent / "key").write_text(f"{KEY}\n")
    line = 'age -d -i "$1" "$2" | tar -x -C "$3"'
    command = ["bash", "-eo", "pipefail", "-c", line, "sh", folder.parent / "key", sealed, folder]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return contents(folder)


def export(
    exporter: Exporter, messages: Sequence[Outgoing], carrier: FileByFile | Sealed | None, folder: Path
) -> Handover:
    handover = Handover(folder, carrier)
    handover.prepare()
    report = exporter.export(handover.watched(messages), folder)
    assert (report.written, report.failed) == (len(messages), ())
    handover.finish(())
    return handover


@pytest.mark.parametrize("exporter", FORMS)
def test_what_is_carried_is_what_the_exporter_writes(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small batches, file by file and sealed: the same names and bytes as in a folder."""
    monkeypatch.setattr(handover_module, "_MOST", 3)
    messages = [outgoing(raw, place(uid=n)) for n, raw in enumerate(BODIES)] + letters(20)
    exporter.export(messages, tmp_path / "plain")
    plain = contents(tmp_path / "plain")
    shelf = LocalShelf.open(tmp_path / "shelf")
    carrier = FileByFile(shelf)
    export(exporter, messages, carrier, tmp_path / "staged")
    assert contents(tmp_path / "shelf") == plain
    assert (carrier.carried.sent, carrier.carried.there, carrier.carried.failed) == (len(plain), 0, [])
    assert contents(tmp_path / "staged") == {}
    again = FileByFile(shelf)
    export(exporter, messages, again, tmp_path / "staged again")
    assert (again.carried.sent, again.carried.there) == (0, len(plain))
    (tmp_path / "work").mkdir()
    sealed = Sealed(
        LocalShelf.open(tmp_path / "out"),
        [KEY.recipient()],
        ["x"],
        tmp_path / "work",
        volumes=False,
        receipts=tmp_path / "receipts",
    )
    assert not sealed.there()
    export(exporter, messages, sealed, tmp_path / "work" / "export")
    assert sealed.there()
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == sealed_name(["x"]) == sealed.carried.names[0]
    assert unsealed(file, tmp_path / "opened") == plain
    assert contents(tmp_path / "work") == {}


def test_a_sealed_maildir_has_all_its_folders_and_times(tmp_path: Path) -> None:
    sealed = Sealed(
        LocalShelf.open(tmp_path), [KEY.recipient()], ["x"], tmp_path, volumes=False, receipts=tmp_path / "receipts"
    )
    export(MaildirExporter(), letters(2), sealed, tmp_path / "export")
    unsealed(tmp_path / sealed_name(["x"]), tmp_path / "opened")
    folders = list((tmp_path / "opened" / "li@example.cn" / "合同").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {"cur", "new", "tmp"}
        (file,) = (folder / "cur").iterdir()
        assert file.stat().st_mtime == ARRIVED.timestamp()


def test_the_tar_is_the_same_every_time(tmp_path: Path) -> None:
    tars = []
    for name in ("a", "b"):
        work = tmp_path / name
        work.mkdir()
        sealed = Sealed(
            LocalShelf.open(work), [KEY.recipient()], ["x"], work, volumes=False, receipts=tmp_path / "receipts"
        )
        export(EmlExporter(), letters(5), sealed, work / "export")
        tars.append(age.decrypt((work / sealed_name(["x"])).read_bytes(), [KEY]))
    assert tars[0] == tars[1]


@pytest.mark.parametrize("exporter", [EmlExporter(), MaildirExporter()])
def test_little_lies_in_the_folder_at_once(exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover_module, "BATCH", 1_000_000)
    most = 0

    class Watched(FileByFile):
        def take(self, files: Sequence[tuple[str, Path]]) -> None:
            nonlocal most
            most = max(most, sum(path.stat().st_size for _, path in files))
            super().take(files)

    messages = letters(100, 100_000)
    export(exporter, messages, Watched(LocalShelf.open(tmp_path / "shelf")), tmp_path / "staged")
    print(f"at most {most:,} bytes of {100 * 100_000:,} lay there at once")
    assert 1_000_000 <= most <= 1_200_000


def test_volumes_are_sealed_each_by_itself_the_first_one_last(tmp_path: Path) -> None:
    order = []

    class Noted(LocalShelf):
        def put_if_absent(self, name: str, file: Path) -> Put:
            order.append(name)
            return super().put_if_absent(name, file)

    sealed = Sealed(
        Noted(tmp_path / "out"), [KEY.recipient()], ["x"], tmp_path, volumes=True, receipts=tmp_path / "receipts"
    )
    handover = Handover(tmp_path / "export", sealed, volumes=True)
    handover.prepare()
    for number in (1, 2, 3):
        path = tmp_path / "export" / f"CASE_VOL{number:03d}" / "data" / "合同.txt"
        path.parent.mkdir(parents=True)
        path.write_text(str(number))
    assert not sealed.there()
    handover.finish(())
    assert sealed.there()
    assert order == [sealed_name(["x"], (), number) for number in (3, 2, 1)]
    for number in (1, 2, 3):
        found = unsealed(tmp_path / "out" / sealed_name(["x"], (), number), tmp_path / f"opened {number}")
        assert found == {f"CASE_VOL{number:03d}/data/合同.txt": str(number).encode()}


def test_sealed_volumes_of_which_one_is_gone_or_cut_are_not_taken_for_all(tmp_path: Path) -> None:
    """Those of one export belong together: one cannot be made again beside the others."""
    out = LocalShelf(tmp_path / "out")
    names = [sealed_name(["x"], (), number) for number in (1, 2, 3)]

    def again(asked: str = "x") -> Sealed:
        return Sealed(out, [KEY.recipient()], [asked], tmp_path, volumes=True, receipts=tmp_path / "receipts")

    def volumes() -> list[tuple[str, Path]]:
        (tmp_path / "data").write_text("合同")
        return [("CASE/data", tmp_path / "data")]

    for number in (3, 2, 1):
        assert not again().there(), f"{number} is still to come"
        again().volume(number, volumes(), ())
    assert again().there()
    kept = (tmp_path / "out" / names[1]).read_bytes()
    for damaged in (kept[:-1], None):
        (tmp_path / "out" / names[1]).unlink()
        if damaged:
            (tmp_path / "out" / names[1]).write_bytes(damaged)
        with pytest.raises(StoreError, match=f"{names[1]} (is gone|was cut or changed) .1 of 3 sealed files") as found:
            again().there()
        assert "run the export again" in found.value.hint
    for name in (names[0], names[2]):
        (tmp_path / "out" / name).unlink()
    assert not again().there(), "all of it was taken away: it is made anew"
    for number in (3, 2, 1):
        again().volume(number, volumes(), ())
    assert again().there()
    again("y").volume(1, volumes(), ("a message failed",))
    assert len(list((tmp_path / "receipts").iterdir())) == 1, "what is not whole has none"
    (tmp_path / "receipts").joinpath(next((tmp_path / "receipts").iterdir())).write_bytes(b"rubbish")
    assert again().there(), "names alone tell then, as on another machine"


def signed(folder: Path, order: str, outcome: str, signature: str, shelf: LocalShelf) -> FileByFile:
    """Two volumes made of this order with this outcome, carried."""
    carrier = FileByFile(shelf, ("data/query.json", "data/zfailed.csv"))
    handover = Handover(folder / f"export {order} {outcome} {signature}", carrier, volumes=True)
    for number in (1, 2):
        volume = handover.folder / f"CASE_VOL{number:03d}"
        (volume / "data").mkdir(parents=True)
        (volume / "data" / "query.json").write_text(order)
        (volume / "data" / "zfailed.csv").write_text(outcome)
        (volume / "tag.p7s").write_text(signature)
    handover.finish(())
    return carrier


def test_a_signed_volume_that_lies_there_is_not_carried_again(tmp_path: Path) -> None:
    """Signed anew it has other bytes; one that was cut is gone on with."""
    shelf = LocalShelf.open(tmp_path / "shelf")
    assert signed(tmp_path, "a", "", "1", shelf).carried.sent == 6
    again = signed(tmp_path, "a", "", "2", shelf).carried
    assert (again.sent, again.there, again.failed) == (0, 6, [])
    other = signed(tmp_path, "b", "", "3", shelf).carried
    assert (other.sent, len(other.failed)) == (0, 4)
    (tmp_path / "shelf" / "CASE_VOL001" / "tag.p7s").unlink()
    cut = signed(tmp_path, "a", "", "4", shelf).carried
    assert (cut.sent, cut.there, cut.failed) == (1, 5, [])


def test_a_volume_in_which_other_messages_failed_is_not_taken_for_the_one_that_is_made_now(tmp_path: Path) -> None:
    """Signed and handed out, it must not change; nor must anybody believe that it holds what it does not."""
    shelf = LocalShelf.open(tmp_path / "shelf")
    signed(tmp_path, "a", "message 1", "1", shelf)
    before = contents(tmp_path / "shelf")
    healed = signed(tmp_path, "a", "", "2", shelf).carried
    assert (healed.sent, healed.there) == (0, 0)
    assert [problem.subject for problem in healed.failed] == ["CASE_VOL002", "CASE_VOL001"]
    assert all("other messages failed" in problem.reason for problem in healed.failed)
    assert contents(tmp_path / "shelf") == before


def test_names_tell_nothing_and_an_incomplete_export_never_passes_for_a_complete_one() -> None:
    names = [sealed_name(["eml", "采购合同"]), sealed_name(["eml", "采购合同"], ["message 1"]), sealed_name(["eml"])]
    assert len(set(names)) == 3
    assert all(name.isascii() and len(name) == len("mailark-.tar.age") + 32 for name in names)
    assert sealed_name(["a"], ["2", "1"]) == sealed_name(["a"], ["1", "2"])
    assert sealed_name(["a", "b"]) != sealed_name(["b", "a"]) != sealed_name(["ab"])


def test_another_file_is_named_and_left_alone(tmp_path: Path) -> None:
    shelf = LocalShelf.open(tmp_path / "shelf")
    messages = letters(2)
    (file, *_) = EmlExporter().export(messages, tmp_path / "shelf").files
    (tmp_path / "shelf" / file).write_bytes(b"mine")
    carrier = FileByFile(shelf)
    export(EmlExporter(), messages, carrier, tmp_path / "staged")
    (problem,) = carrier.carried.failed
    assert problem.subject == f"the file of message {messages[0].id[:8]}"
    assert "合同" not in f"{problem.subject}{problem.reason}"
    assert (tmp_path / "shelf" / file).read_bytes() == b"mine"


def test_indexes_of_several_exports_lie_side_by_side(tmp_path: Path) -> None:
    messages = letters(4)
    for chosen, sent in ((messages[:2], 3), (messages[2:], 3), (messages[:2], 0), (messages[2:], 0)):
        carrier = FileByFile(LocalShelf.open(tmp_path / "shelf"))
        export(EmlExporter(), chosen, carrier, tmp_path / "staged")
        assert (carrier.carried.sent, carrier.carried.failed) == (sent, [])
    assert len(list((tmp_path / "shelf").glob("index*.csv"))) == 2


class Failing:
    """A shelf that is full after so many files."""

    url, parallel = "s3://full", 2

    def __init__(self, room: int, error: type[StoreError | QuotaError]) -> None:
        self.room, self.error = room, error

    def put_if_absent(self, name: str, file: Path) -> Put:
        self.room -= 1
        if self.room < 0:
            raise self.error(f"{self.url}: {name}: no", "later")
        return Put.NEW

    def stat(self, name: str) -> Stat | None:
        return None


@pytest.mark.parametrize("error", [StoreError, QuotaError])
@pytest.mark.parametrize("exporter", FORMS)
def test_a_place_that_fails_ends_the_export_without_a_subject(
    exporter: Exporter, error: type[StoreError | QuotaError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_module, "_MOST", 2)
    with pytest.raises(error) as caught:
        export(exporter, letters(9), FileByFile(Failing(2, error)), tmp_path / "staged")
    assert type(caught.value) is error
    if not isinstance(exporter, MboxExporter):  # the name of an mbox is that of its folder
        assert "合同" not in str(caught.value)


def test_staging_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with staging(tmp_path / "work" / "handover") as first, staging(tmp_path / "work" / "handover") as second:
        assert first != second
        assert [path.stat().st_mode & 0o777 for path in (first, second, first.parent)] == [0o700] * 3
        (first / "mail").write_text("plain")
        clear(first.parent)
        assert (first / "mail").exists()
    assert [path.name for path in (tmp_path / "work" / "handover").iterdir()] == ["lock"]
    clear(tmp_path / "nothing here")


DYING = """
import sys, time
from pathlib import Path
from archiver.handover.staging import staging
with staging(Path(sys.argv[1])) as folder:
    (folder / "export").mkdir()
    (folder / "export" / "mail.eml").write_text("plain")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Path]:
    """The root of a staging folder whose process was killed."""
    command = [sys.executable, "-c", DYING, str(tmp_path / "handover")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        clear(tmp_path / "handover")
        assert list((tmp_path / "handover").rglob("mail.eml"))  # it lives
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    yield tmp_path / "handover"


def test_what_a_killed_export_left_is_removed_by_the_next(dead: Path) -> None:
    assert list(dead.rglob("mail.eml"))
    with staging(dead) as folder:
        assert [path for path in dead.iterdir() if path.is_dir()] == [folder]
    assert not list(dead.rglob("mail.eml"))


def test_a_folder_where_the_export_stays_is_left_to_the_exporter(tmp_path: Path) -> None:
    export(EmlExporter(), letters(3), None, tmp_path / "new" / "out")
    assert len(contents(tmp_path / "new" / "out")) == 4
    assert (tmp_path / "new" / "out").stat().st_mode & 0o777 == 0o700
