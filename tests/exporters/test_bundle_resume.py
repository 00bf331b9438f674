"""A bundle that was cut goes on; one that is whole, or another's, is not touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.errors import ConfigError, IntegrityError, QuotaError
from exporters import files
from exporters.interface import Outgoing
from exporters.production.order import Order
from tests.exporters.production.kit import (
    PlainRenderer,
    Production,
    many,
)


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    messages = many(15)
    first, second = Production(tmp_path / "a", messages), Production(tmp_path / "b", messages)
    first.run()
    second.run()
    assert first.contents() == second.contents()


@pytest.mark.parametrize("at", [0, 1, 7, 14])
@pytest.mark.parametrize("volume_size", [None, 10_000])
def test_a_run_that_was_cut_goes_on(tmp_path: Path, at: int, volume_size: int | None) -> None:
    messages, order = many(15), Order("CASE-1", volume_size=volume_size)
    whole = Production(tmp_path / "whole", messages, order)
    whole.run()

    def cut() -> Iterator[Outgoing]:
        yield from messages[:at]
        raise KeyboardInterrupt

    made = Production(tmp_path / "cut", messages, order, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    assert isinstance(made.renderer, PlainRenderer)
    made.renderer.rendered.clear()
    report = made.run()
    assert (report.written, report.skipped) == (15 - at, at)
    assert len(made.renderer.rendered) == 15 - at, "what is done is not rendered again"
    assert made.contents() == whole.contents()


def test_files_that_were_damaged_meanwhile_are_made_again(tmp_path: Path) -> None:
    messages = many(10)
    whole = Production(tmp_path / "whole", messages)
    whole.run()
    made = Production(tmp_path / "cut", messages, renderer=PlainRenderer(ahead=1))

    def cut() -> Iterator[Outgoing]:
        yield from messages[:8]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    journal = made.target / ".CASE-1.unfinished.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])  # the last line was torn by the kill
    victim = sorted((made.volume() / "data/PDF").iterdir())[4]
    victim.write_bytes(b"torn")
    (made.volume() / "data/PDF/.123.part").write_bytes(b"left over")
    report = made.run()
    assert report.skipped == 4
    assert made.contents() == whole.contents()


def test_a_whole_bundle_is_verified_and_not_touched(tmp_path: Path) -> None:
    made = Production(tmp_path, many(5))
    made.run()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    report = made.run([])
    assert (report.written, report.skipped, report.failed) == (0, 5, ())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    native = next((made.volume() / "data/NATIVES").iterdir())
    native.write_bytes(native.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match=native.name):
        made.run([])


def test_another_bundle_is_never_written_over(tmp_path: Path) -> None:
    Production(tmp_path, many(5)).run()
    with pytest.raises(ConfigError, match="something else"):
        Production(tmp_path, many(6)).run()
    (tmp_path / "other/CASE-1_VOL001").mkdir(parents=True)
    with pytest.raises(ConfigError, match="something else"):
        Production(tmp_path / "other", many(6)).run()


def test_a_volume_whose_first_is_gone_is_not_touched(tmp_path: Path) -> None:
    made = Production(tmp_path, many(30), Order("CASE-1", volume_size=20_000))
    assert len(made.run().files) > 1
    made.volume(1).rename(tmp_path / "elsewhere")
    before = made.contents()
    with pytest.raises(ConfigError, match="VOL002 is there already"):
        Production(tmp_path, many(2)).run()
    assert made.contents() == before


def test_volumes_an_earlier_try_needed_are_taken_away(tmp_path: Path) -> None:
    messages = many(3)

    def cut() -> Iterator[Outgoing]:
        yield from messages[:1]
        raise KeyboardInterrupt

    made = Production(tmp_path, messages, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    (made.volume(2) / "data/PDF").mkdir(parents=True)
    assert made.run().files == (Path("CASE-1_VOL001"),)
    assert not made.volume(2).exists()


def test_an_unfinished_bundle_of_another_order_is_kept(tmp_path: Path) -> None:
    def cut() -> Iterator[Outgoing]:
        yield from many(2)
        raise KeyboardInterrupt

    made = Production(tmp_path, many(5))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    with pytest.raises(ConfigError, match="unfinished bundle of another query"):
        Production(tmp_path, many(6)).run()


def test_a_strangers_file_is_not_taken_in(tmp_path: Path) -> None:
    messages = many(3)

    def cut() -> Iterator[Outgoing]:
        yield from messages[:2]
        raise KeyboardInterrupt

    made = Production(tmp_path, messages, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    (made.volume() / "data/NATIVES/notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"notes\.txt is no part"):
        made.run()
    assert (made.volume() / "data/NATIVES/notes.txt").read_text() == "mine"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = many(4)

    def full(*_: object) -> None:
        raise QuotaError("the disk of the export is full")

    made = Production(tmp_path, messages)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(QuotaError):
            made.run()
    assert made.run().written == 4
