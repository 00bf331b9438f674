"""The work folder of an export that was cut: found again, one process at a time, gone when nobody comes back."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from archiver.cli.destination import Destination, handed_to
from archiver.cli.forms.plain import EML
from archiver.errors import LockedError, StoreError
from archiver.handover.carriers import FileByFile
from archiver.handover.sealing import Sealed, sealed_name
from archiver.handover.staging import KEPT, clear, kept, staging
from archiver.opening import WorkFolder
from archiver.stores.local_shelf import LocalShelf
from archiver.stores.shelf import Put
from archiver.vault import age

NAME, OTHER = "0" * 32, "1" * 32
KEY = age.X25519Identity.generate()


def cut(root: Path, name: str = NAME) -> Path:
    """What a cut export left: a journal and a volume."""
    with pytest.raises(KeyboardInterrupt), kept(root, name) as work:
        (work.folder / "export" / "CASE_VOL001").mkdir(parents=True)
        (work.folder / "export" / ".CASE.unfinished.jsonl").write_text("{}")
        raise KeyboardInterrupt
    return root / name


def aged(folder: Path, seconds: float) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (time.time() - seconds,) * 2)


def test_it_is_found_again_and_gone_when_all_is_done(tmp_path: Path) -> None:
    folder = cut(tmp_path)
    with kept(tmp_path, NAME) as again:
        assert again.found and (again.folder, again.empty) == (folder, False)
        assert folder.stat().st_mode & 0o777 == 0o700
        again.done = True
    assert not folder.exists()
    with kept(tmp_path, NAME) as new:
        assert not new.found and new.empty
    assert not folder.exists(), "there is nothing to go on with"


def test_other_commands_leave_it_until_nobody_came_back_for_long(tmp_path: Path) -> None:
    old, young = cut(tmp_path, NAME), cut(tmp_path, OTHER)
    aged(old, KEPT + 60)
    aged(young, KEPT - 60)
    clear(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)
    aged(young, KEPT + 60)
    with kept(tmp_path, OTHER) as mine:
        clear(tmp_path)
        assert not mine.found and mine.folder.exists(), "it was too old, and is made anew"


def test_a_journal_that_grows_keeps_it_young(tmp_path: Path) -> None:
    """The export may have run for longer than such a folder is kept before it was cut."""
    folder = cut(tmp_path)
    aged(folder, KEPT + 60)
    os.utime(folder / "export" / ".CASE.unfinished.jsonl")
    clear(tmp_path)
    assert folder.exists()


@pytest.mark.parametrize("done", [True, False])
def test_killed_while_it_is_removed_it_does_not_look_like_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    """Handed over, or too old: half of a bundle that is gone is none to go on with."""

    def killed(folder: Path, **_: object) -> None:
        (folder / "export" / ".CASE.unfinished.jsonl").unlink()
        raise KeyboardInterrupt

    folder = cut(tmp_path)
    aged(folder, 0 if done else KEPT + 60)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            if done:
                with kept(tmp_path, NAME) as work:
                    work.done = True
            else:
                clear(tmp_path)
    with kept(tmp_path, NAME) as again:
        assert not again.found
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_half_a_sealed_file_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "sealed.part").write_bytes(b"half")
    clear(tmp_path)
    assert not (tmp_path / NAME).exists()


def test_two_runs_of_one_export_do_not_meet(tmp_path: Path) -> None:
    with kept(tmp_path, NAME), kept(tmp_path, OTHER), staging(tmp_path):
        with pytest.raises(LockedError), kept(tmp_path, NAME):
            raise AssertionError
        clear(tmp_path)
        assert (tmp_path / NAME).exists()


def test_a_sealed_file_that_could_not_be_carried_is_carried_by_the_next_try(tmp_path: Path) -> None:
    """Sealing it once more would give other bytes, and cost all over again."""

    class Cut(LocalShelf):
        def put_if_absent(self, name: str, file: Path) -> Put:
            raise KeyboardInterrupt

    (tmp_path / "mail.eml").write_bytes(b"mail")
    first = Sealed(
        Cut(tmp_path / "out"), [KEY.recipient()], ["x"], tmp_path, volumes=False, receipts=tmp_path / "receipts"
    )
    assert not first.there()
    first.take([("mail.eml", tmp_path / "mail.eml")])
    with pytest.raises(KeyboardInterrupt):
        first.finish((), ())
    name = sealed_name(["x"])
    waiting = tmp_path / f"{name}.waiting"
    sealed = waiting.read_bytes()
    again = Sealed(
        LocalShelf(tmp_path / "out"), [KEY.recipient()], ["x"], tmp_path, volumes=False, receipts=tmp_path / "receipts"
    )
    assert again.there()
    assert (again.carried.sent, again.carried.names) == (1, [name])
    assert (tmp_path / "out" / name).read_bytes() == sealed and not waiting.exists()


def test_volumes_that_lie_there_are_not_sealed_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    for sent, there in ((1, 0), (0, 1)):
        sealed = Sealed(
            LocalShelf(tmp_path / "out"),
            [KEY.recipient()],
            ["x"],
            tmp_path,
            volumes=True,
            receipts=tmp_path / "receipts",
        )
        sealed.volume(2, [("VOL/a", tmp_path / "a")], ["message 1"])
        assert (sealed.carried.sent, sealed.carried.there) == (sent, there)
        assert sealed.carried.names == [sealed_name(["x"], ["message 1"], 2)]
    carrier = FileByFile(LocalShelf(tmp_path / "plain"))
    carrier.volume(1, [("VOL/a", tmp_path / "a")], ())
    assert (tmp_path / "a").exists(), "what is left of a volume is looked at by the next try"


class Refusing(LocalShelf):
    """A place that takes nothing, under the name of one that does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.refuses = True

    def put_if_absent(self, name: str, file: Path) -> Put:
        if self.refuses:
            raise StoreError(f"{self.url}: no")
        return super().put_if_absent(name, file)


def test_nothing_plain_of_a_sealed_export_is_kept_and_it_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf, handover = Refusing(tmp_path / "out"), tmp_path / "work" / "handover"
    place = Destination(shelf, [KEY.recipient()])
    archive = cast(Any, SimpleNamespace(work=WorkFolder(handover.parent)))

    def export() -> bool:
        """Whether the messages were written once more."""
        with handed_to(place, archive, EML, ["eml", "from:anna"]) as way:
            if way is None:
                return False
            way.prepare()
            (way.folder / "mail.eml").write_bytes(b"mail")
            way.finish(())
        return True

    with pytest.raises(StoreError):
        export()
    assert "kept, sealed, for 7 days" in capsys.readouterr().err
    (left,) = (path for path in handover.rglob("*") if path.is_file() and path.name != "lock")
    assert left.name.endswith(".tar.age.waiting") and b"mail" not in left.read_bytes()[200:]
    sealed = left.read_bytes()
    shelf.refuses = False
    assert not export()
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [sealed]
    assert [path.name for path in handover.iterdir()] == ["lock"]
    assert not export(), "it lies there now"
