"""The renderer: order, bounds, cache; and every message gets a page."""

from __future__ import annotations

import hashlib
import io
import mmap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from archiver.errors import MailarkError
from exporters.interface import Outgoing
from exporters.rendition import renderer, renderer_job
from exporters.rendition.interface import Tier
from exporters.rendition.renderer import AHEAD, Renderer
from tests.exporters.rendition.jobs import JOB


class Memory(dict[str, bytes]):
    """A cache that keeps everything."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


def message(subject: str = "", number: int = 0, raw: bytes = b"") -> Outgoing:
    raw = raw or b"%d" % number
    return Outgoing(hashlib.sha256(raw + subject.encode()).hexdigest(), raw, (), subject, None)


def rendering(workers: int = 2, cache: Memory | None = None, job: str = JOB, version: str = "1") -> Renderer:
    return Renderer(workers, cache, job=job, fingerprint=lambda: version)


def test_every_message_gets_a_page_in_order() -> None:
    words = ["", "crash 1", "raise 1 2", "raise 1 2 3", "allocate 1", "leave 1 2", "recurse 1", "clip 1", "clip 1 1b"]
    messages = [message(words[number % len(words)], number) for number in range(60)]
    with rendering() as made:
        done = list(made.render(iter(messages)))
    assert [given for given, _ in done] == messages
    tiers = [rendition.tier for _, rendition in done[: len(words)]]
    assert tiers == [Tier.HTML, *[Tier(tier) for tier in "2332321"[:6]], Tier.WIDE, Tier.TEXT]


def test_messages_are_read_only_as_far_as_needed() -> None:
    """A look-ahead of a fixed number of messages, and of bytes."""
    read: list[int] = []

    def many(size: int, count: int) -> Iterator[Outgoing]:
        for number in range(count):
            read.append(number)
            yield message("", number, raw=bytes(size))

    with rendering() as made:
        for size, count, most in ((10, 200, AHEAD * 2 + 1), (40_000_000, 8, 4)):
            read.clear()
            ahead = [len(read) - done for done, _ in enumerate(made.render(many(size, count)))]
            assert max(ahead) <= most
            assert max(ahead) >= 2


def test_one_that_takes_long_does_not_stop_the_others() -> None:
    started = threading.Event()

    def messages() -> Iterator[Outgoing]:
        yield message("sleep 1")
        for number in range(AHEAD):
            yield message("", number)
        started.set()

    def first() -> None:
        with suppress(MailarkError):
            next(made.render(messages()))

    with rendering() as made:
        thread = threading.Thread(target=first)
        thread.start()
        assert started.wait(60)  # seconds; the first message sleeps for minutes
    thread.join()


def test_leaving_in_the_middle_ends_everything_at_once() -> None:
    begun = time.monotonic()
    with rendering() as made:
        for _given, rendition in made.render([message(), *(message("sleep 1", n) for n in range(20))]):
            assert rendition.tier == Tier.HTML
            break
    assert time.monotonic() - begun < 60  # those asleep would be waited for five minutes each
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("render")]


def test_what_the_messages_raise_comes_out() -> None:
    def broken() -> Iterator[Outgoing]:
        yield message()
        raise KeyboardInterrupt

    with rendering() as made, pytest.raises(KeyboardInterrupt):
        list(made.render(broken()))


def test_kept_renditions_need_no_worker() -> None:
    cache = Memory()
    messages = [message("", number) for number in range(5)]
    with rendering(cache=cache) as made:
        first = list(made.render(messages))
    assert len(cache) == 5
    with rendering(cache=cache, job="no.such.module:x") as made:
        assert list(made.render(messages)) == first
    with rendering(cache=cache, version="2") as made:
        list(made.render(messages))
    assert len(cache) == 10


def test_a_damaged_entry_is_made_again() -> None:
    cache = Memory()
    with rendering(cache=cache) as made:
        ((_, first),) = made.render([message()])
        cache[next(iter(cache))] = b"damaged"
        ((_, second),) = made.render([message()])
    assert first.pdf.split()[:2] == second.pdf.split()[:2]
    assert next(iter(cache.values())) != b"damaged"


def test_a_renderer_that_can_do_nothing_is_an_error_without_content() -> None:
    with rendering(job="tests.exporters.rendition.jobs:broken") as made, pytest.raises(MailarkError) as caught:
        list(made.render([message()]))
    assert "secret" not in str(caught.value)


def test_a_mapped_file_is_rendered(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.write_bytes(bytes(3_000_000))
    with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        given = Outgoing("ab" * 32, mapped, (), "", None)
        with rendering(1) as made:
            ((_, rendition),) = made.render([given])
    assert rendition.pdf.startswith(b"%PDF-1 3000000 ")


def test_a_message_beyond_all_bounds_is_never_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "LARGEST", 1_000)
    with rendering(1) as made:
        ((given, rendition),) = made.render([message(raw=bytes(1_001))])
    assert len(given.raw) == 1_001
    assert rendition.tier == Tier.HEADER
    assert int(rendition.pdf.split()[1]) > 25 * 1024 * 1024


def test_a_bare_page_shows_nothing_but_the_id_and_holds_the_message() -> None:
    raw = b"Subject: secret words\r\n\r\nmore secret words\r\n"
    given = Outgoing("ab" * 32, raw, (), "secret words", None)
    made = renderer_job.render(given, Tier.HEADER, bare=True)
    with pypdfium2.PdfDocument(made.pdf) as document:
        text = document[0].get_textpage().get_text_range()
    assert "secret" not in text
    assert given.id[:16] in text
    with pikepdf.open(io.BytesIO(made.pdf)) as document:
        (name,) = document.attachments
        assert document.attachments[name].get_file().read_bytes() == raw


def test_a_message_that_cannot_even_be_embedded_gets_a_page() -> None:
    class Unreadable(bytes):
        def __len__(self) -> int:
            raise ValueError("a defect")

    made = renderer_job.render(Outgoing("ab" * 32, Unreadable(b"x"), (), "", None), Tier.HEADER, bare=True)
    assert made.pdf.startswith(b"%PDF-")
    assert (made.tier, made.pages) == (Tier.HEADER, 1)
