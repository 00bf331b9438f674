"""A bundle that was cut goes on; one that is whole, or another's, is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from archiver.errors import ConfigError, IntegrityError, QuotaError
from exporters import files
from exporters.bundle import BundleReport
from exporters.interface import Outgoing
from exporters.production.numbering import Numbers
from exporters.production.order import Order, Search
from tests.exporters.production.kit import START, PlainRenderer, Production, many


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


def given(messages: Sequence[Outgoing], *failing: int) -> Callable[[], Iterator[Outgoing]]:
    """The messages that the archive can give."""
    return lambda: (message for number, message in enumerate(messages) if number not in failing)


def test_messages_that_can_be_had_since_are_named_and_the_bundle_is_not_changed(tmp_path: Path) -> None:
    """It was signed, and perhaps handed out: it must not become another one under the same name."""
    messages = many(8)
    healed: dict[str, Outgoing] = {}
    search = Search("contract", messages, {"id": "a1"}, START, again=healed.get)
    made = Production(tmp_path / "out", messages, search=search)
    first = made.run(given(messages, 2, 5)())
    assert isinstance(first, BundleReport)
    assert (first.written, first.available, first.following) == (6, (), 0)
    before = made.contents()
    still = made.run(iter(()))
    assert isinstance(still, BundleReport)
    assert (len(still.failed), still.available) == (2, ())
    healed[messages[5].id] = messages[5]
    healed[messages[2].id] = replace(messages[2], raw=b"damaged")
    now = made.run(iter(()))
    assert isinstance(now, BundleReport)
    assert (now.skipped, now.available) == (6, (messages[5].id,)), "what comes out damaged is not to be had"
    assert [("can be had now" in problem.reason) for problem in now.failed] == [False, True]
    last = made.dat()[-1]["ENDBATES"]
    assert now.following == int(last.removeprefix("MAIL")) + 1, "so that no number is given twice"
    assert made.contents() == before


def test_the_supplement_goes_on_with_the_numbers(tmp_path: Path) -> None:
    messages = many(8)
    search = Search("contract", messages, {"id": "a1"}, START, again={messages[5].id: messages[5]}.get)
    made = Production(tmp_path / "out", messages, search=search)
    made.run(given(messages, 5)())
    told = made.run(iter(()))
    assert isinstance(told, BundleReport)
    order = Order("CASE-1", numbers=Numbers("MAIL", told.following))
    more = Production(tmp_path / "more", [messages[5]], order)
    assert more.run().written == 1
    numbers = [row["BEGBATES"] for production in (made, more) for row in production.dat()]
    assert len(numbers) == len(set(numbers)) and numbers == sorted(numbers)


def test_where_no_message_could_be_had_the_supplement_has_the_first_number(tmp_path: Path) -> None:
    messages = many(2)
    search = Search("contract", messages, {"id": "a1"}, START, again={messages[1].id: messages[1]}.get)
    order = Order("CASE-1", numbers=Numbers("MAIL", 7))
    made = Production(tmp_path, messages, order, search=search)
    made.run(iter(()))
    told = made.run(iter(()))
    assert isinstance(told, BundleReport)
    assert (told.available, told.following) == ((messages[1].id,), 7), "no number was used"


def test_an_archive_that_moved_on_since_does_not_make_it_another_bundle(tmp_path: Path) -> None:
    """A run archived something else: a finished bundle stays what it is, an unfinished one is begun anew."""
    messages = many(6)
    earlier = Search("contract", messages, {"id": "a1", "catalog": "manifest 7"}, START)
    later = Search("contract", messages, {"id": "a1", "catalog": "manifest 8"}, START + timedelta(days=1))
    finished = Production(tmp_path / "finished", messages, search=earlier)
    finished.run()
    before = finished.contents()
    finished.search = later
    report = finished.run([])
    assert isinstance(report, BundleReport)
    assert (report.skipped, report.as_of) == (6, "2024-03-01T08:30:00Z")
    assert finished.contents() == before

    def cut() -> Iterator[Outgoing]:
        yield from messages[:4]
        raise KeyboardInterrupt

    unfinished = Production(tmp_path / "unfinished", messages, search=earlier, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        unfinished.run(cut())
    unfinished.search = later
    assert unfinished.run().skipped == 0
    whole = Production(tmp_path / "whole", messages, search=later)
    whole.run()
    assert unfinished.contents() == whole.contents()
    finished.search = Search("contract", messages, {"id": "another archive"}, START)
    with pytest.raises(ConfigError, match="something else"):
        finished.run([])


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
    with pytest.raises(ConfigError, match="unfinished bundle of another order"):
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
