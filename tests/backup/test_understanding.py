"""Messages understood by a process of their own: the same lines, whatever happens to the process."""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.backup import understanding
from archiver.backup.understanding import Here, ReaderProcess, Understood
from archiver.catalog import lines
from archiver.entries import PARSED_HEAD, entry_of
from archiver.model import HUGE, Body, MessageEntry
from archiver.understanding import MEMORY

FRAGILE = "tests.backup.fragile"
PLAIN = b"Subject: plain\r\n\r\ntext\r\n"
REAL = b"archiver.understanding"


def digest(body: Body) -> str:
    return hashlib.sha256(body).hexdigest()


def line(body: Body) -> bytes:
    return lines.dump([entry_of(digest(body), body)])


def mail(number: int, size: int = 0) -> bytes:
    head = f"Subject: {number}\r\nMessage-ID: <{number}@x>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    return (head + f"第 {number} 份合同, contract {number}\r\n" * (1 + size // 32)).encode()


def doing(what: str, number: int = 0) -> bytes:
    return f"Subject: {what} {number}\r\n\r\ndo: {what}\r\n".encode()


def processes(module: bytes = REAL) -> list[int]:
    """Those children of this process which understand messages and are alive."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if int(status[1]) == os.getpid() and status[0] != b"Z" and module in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


@pytest.fixture(scope="module")
def shared() -> Iterator[ReaderProcess]:
    reader = ReaderProcess()
    yield reader
    reader.close()


@pytest.fixture
def made() -> Iterator[Callable[..., ReaderProcess]]:
    readers: list[ReaderProcess] = []

    def make(*arguments: object, **options: float) -> ReaderProcess:
        readers.append(ReaderProcess(*arguments, **options))  # type: ignore[arg-type]
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def entries(found: Sequence[Understood]) -> list[MessageEntry]:
    return [one for one in lines.load(b"".join(each.wait() for each in found)) if isinstance(one, MessageEntry)]


# -- the same lines


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"Subject: {text}\n\n{text}".encode()))
)
def test_the_lines_are_those_that_are_made_here(shared: ReaderProcess, bodies: list[bytes]) -> None:
    found = [shared.submit(digest(body), body) for body in bodies]
    assert [one.wait() for one in found] == [line(body) for body in bodies]
    assert [Here().submit(digest(body), body).wait() for body in bodies] == [line(body) for body in bodies]


def test_of_a_huge_message_only_the_beginning_is_handed_over(shared: ReaderProcess) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(mail(1, 1000))
        file.truncate(HUGE)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
            job = shared.submit(digest(body), body)
            assert len(getattr(job, "part")) == PARSED_HEAD  # noqa: B009
            assert job.wait() == line(body)
    (entry,) = entries([job])
    assert entry.size == HUGE
    assert "only the beginning was parsed" in entry.defects


def test_a_message_just_not_huge_is_read_whole(shared: ReaderProcess) -> None:
    body = b"Content-Type: application/x; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUFB" * (
        HUGE // 4 - 100
    )
    assert shared.submit(digest(body), body).wait() == line(body)


@pytest.mark.slow
def test_many_threads_hand_over_more_than_both_pipes_hold(made: Callable[..., ReaderProcess]) -> None:
    """Nobody takes a line before all are handed over, and each line is as large as its message."""
    reader, held = made(), []
    bodies = [mail(number, 300_000 if number % 5 else 3_000_000) for number in range(160)]

    def hand_over(body: bytes) -> Understood:
        job = reader.submit(digest(body), body)
        held.append(reader._held)
        return job

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(hand_over, bodies, timeout=300))
    assert [one.wait() for one in found] == [line(body) for body in bodies]
    print(f"{sum(map(len, bodies)) / 1e6:.0f} MB, at most {max(held) / 1e6:.0f} MB on their way")
    assert max(held) <= understanding.IN_FLIGHT + 8 * 3_100_000


def test_a_message_larger_than_what_may_be_on_its_way_is_taken(
    made: Callable[..., ReaderProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(understanding, "IN_FLIGHT", 1000)
    reader = made()
    bodies = [mail(number, 100_000) for number in range(20)]
    assert [reader.submit(digest(body), body).wait() for body in bodies] == [line(body) for body in bodies]


# -- what a message does to the process


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("abort", "its process died"),
        ("eat", "its process died"),
        ("lie", "its process died"),
        ("stammer", "its process died"),
        ("spin", "too much processor time"),
    ],
)
def test_a_message_costs_its_own_line_only(made: Callable[..., ReaderProcess], what: str, why: str) -> None:
    bodies = [mail(1), mail(2), doing(what), mail(3), mail(4), doing(what, 2), mail(5)]
    expect(made(FRAGILE, seconds=0.5), why, bodies)


def test_a_message_that_stops_the_process_costs_its_own_line_only(made: Callable[..., ReaderProcess]) -> None:
    """The clock ends it, twice; it must be longer than a start takes, on a busy machine, too."""
    expect(made(FRAGILE, clock=5.0), "its process died", [mail(1), doing("stop"), mail(2)])


def expect(reader: ReaderProcess, why: str, bodies: Sequence[bytes]) -> None:
    """Each message has its line; those that do something have the line that says why they have no other."""
    found = [reader.submit(digest(body), body) for body in bodies]
    for body, one in zip(bodies, found, strict=True):
        if b"do: " not in body:
            assert one.wait() == line(body)
            continue
        assert one.wait() == lines.dump([MessageEntry(digest(body), len(body), "", defects=(f"not parsed: {why}",))])


def test_a_process_that_is_no_help_is_done_without(made: Callable[..., ReaderProcess]) -> None:
    """What five messages in a row do is not the fault of the sixth."""
    reader = made(FRAGILE)
    bodies = [doing("abort", number) for number in range(7)]
    found = entries([reader.submit(digest(body), body) for body in bodies])
    assert [bool(one.subject) for one in found] == 5 * [False] + 2 * [True]
    assert not processes(FRAGILE.encode())


def test_who_kills_the_process_each_time_changes_no_line(made: Callable[..., ReaderProcess]) -> None:
    reader = made(FRAGILE)
    bodies = [mail(1), doing("kill"), mail(2)]
    found = [reader.submit(digest(body), body) for body in bodies]
    assert [one.wait() for one in found] == [line(body) for body in bodies]


@pytest.mark.parametrize("module", ["archiver.nothing", "archiver.errors"])
def test_without_a_process_messages_are_understood_here(made: Callable[..., ReaderProcess], module: str) -> None:
    reader = made(module)
    found = [reader.submit(digest(body), body) for body in map(mail, range(30))]
    assert [one.wait() for one in found] == [line(body) for body in map(mail, range(30))]


def test_where_no_process_can_be_made_messages_are_understood_here(
    made: Callable[..., ReaderProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert made().submit(digest(PLAIN), PLAIN).wait() == line(PLAIN)


# -- kills from outside


class Killer:
    """Kills what understands messages, at random moments, until told to end."""

    def __init__(self, seed: int, pause: float) -> None:
        self.kills = 0
        self._chance, self._pause = random.Random(seed), pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._chance.uniform(0, self._pause)):
            for pid in processes():
                os.kill(pid, self._chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                self.kills += 1


@pytest.mark.slow
def test_kills_at_random_moments_change_no_line(made: Callable[..., ReaderProcess]) -> None:
    reader, began = made(), time.monotonic()
    reader.submit(digest(PLAIN), PLAIN).wait()
    start = time.monotonic() - began  # most processes must live to give a line, or they are done without
    bodies: list[bytes] = []
    found: list[Understood] = []
    deadline = time.monotonic() + 300
    with Killer(3, max(1.0, 4 * start)) as killer, ThreadPoolExecutor(4) as pool:
        while killer.kills < 20 and time.monotonic() < deadline:
            some = [mail(len(bodies) + number, 60_000) for number in range(100)]
            found += pool.map(lambda body: reader.submit(digest(body), body), some)
            bodies += some
    assert [one.wait() for one in found] == [line(body) for body in bodies]
    print(f"{killer.kills} kills, {len(bodies)} messages")
    assert killer.kills >= 20


# -- its life


def test_it_has_no_secrets_little_memory_and_a_session_of_its_own(
    made: Callable[..., ReaderProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILARK_PASSPHRASE", "geheim")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    before = set(processes())
    made().submit(digest(PLAIN), PLAIN).wait()
    (pid,) = set(processes()) - before
    folder = Path(f"/proc/{pid}")
    assert b"geheim" not in (folder / "environ").read_bytes()
    assert os.getsid(pid) == pid
    assert f"Max address space         {MEMORY} " in (folder / "limits").read_text()
    assert sorted(int(one.name) for one in (folder / "fd").iterdir()) == [0, 1, 2]
    assert (folder / "cwd").resolve() == Path("/")


def test_it_is_started_by_the_first_message_and_ended_by_close(made: Callable[..., ReaderProcess]) -> None:
    before = set(processes())
    reader = made()
    assert set(processes()) == before
    reader.submit(digest(PLAIN), PLAIN).wait()
    assert len(set(processes()) - before) == 1
    reader.close()
    assert set(processes()) == before


ORPHAN = """
import os, signal, sys, time
from archiver.backup.understanding import ReaderProcess
reader = ReaderProcess()
reader.submit("0" * 64, b"Subject: x").wait()
print(reader._pipes._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_when_the_run_is_killed() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    pid, deadline = int(done.stdout), time.monotonic() + 60
    while time.monotonic() < deadline:
        if REAL not in (Path(f"/proc/{pid}/cmdline").read_bytes() if Path(f"/proc/{pid}").exists() else b""):
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("it lives on")
