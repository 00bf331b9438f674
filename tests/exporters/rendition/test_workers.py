"""Workers: whatever a message makes one do costs one attempt, and it can do nothing to the machine."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.errors import ConfigError, MailarkError
from exporters.interface import Outgoing
from exporters.rendition import workers, workers_cage, workers_seccomp
from exporters.rendition.interface import Rendition, Tier
from exporters.rendition.ladder import Failed, Step, Why
from exporters.rendition.workers import ForkServer, Worker
from tests.exporters.rendition.jobs import JOB

QUICK = Step(Tier.HTML, 0.5)
LONG = Step(Tier.HTML, 10)
SHORT = Step(Tier.HTML, 0.1)


def message(subject: str = "", raw: bytes = b"x") -> Outgoing:
    return Outgoing(hashlib.sha256(raw + subject.encode()).hexdigest(), raw, (), subject, None)


def pid(result: Rendition | Failed) -> int:
    assert isinstance(result, Rendition), result
    return int(result.pdf.split()[-1])


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer(JOB) as server:
        yield server


@pytest.fixture
def worker(server: ForkServer) -> Iterator[Worker]:
    worker = Worker(server)
    yield worker
    worker.close()


@pytest.mark.parametrize(
    ("deed", "why", "detail"),
    [
        ("hang", Why.TIME, "processor time"),
        ("hold", Why.TIME, "processor time"),
        ("crash", Why.DIED, "SIGSEGV"),
        ("leave", Why.DIED, "ended"),
        ("exit", Why.DIED, "ended"),
        ("allocate", Why.MEMORY, ""),
        ("raise", Why.REFUSED, "ValueError"),
        ("recurse", Why.REFUSED, "RecursionError"),
    ],
)
def test_what_goes_wrong_costs_one_attempt(worker: Worker, deed: str, why: Why, detail: str) -> None:
    begun = time.monotonic()
    assert worker.run(QUICK, message(f"{deed} 1")) == Failed(why, detail)
    assert time.monotonic() - begun < QUICK.cpu * workers.WALL + 30
    result = worker.run(QUICK, message())
    assert isinstance(result, Rendition)
    assert result.pdf.startswith(b"%PDF-1 1 ")


def test_a_worker_that_sleeps_is_not_blamed_for_a_busy_machine(worker: Worker) -> None:
    """The limit is processor time: waiting costs nothing until the wall clock's own, larger limit."""
    begun = time.monotonic()
    assert worker.run(SHORT, message("sleep 1")) == Failed(Why.TIME, "wall clock")
    assert time.monotonic() - begun >= SHORT.cpu * workers.WALL
    assert isinstance(worker.run(QUICK, message()), Rendition)


def test_time_of_one_job_is_not_counted_for_the_next(worker: Worker) -> None:
    first = pid(worker.run(QUICK, message()))
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert pid(worker.run(QUICK, message(raw=bytes(5_000_000)))) == first


def test_a_worker_is_replaced_after_its_jobs(worker: Worker) -> None:
    seen = [pid(worker.run(LONG, message())) for _ in range(workers.JOBS + 2)]
    assert len(set(seen)) == 2
    assert seen[workers.JOBS - 1] == seen[0] != seen[workers.JOBS]
    assert not alive(seen[0])


def test_a_crash_counts_only_when_a_fresh_process_has_it_too(worker: Worker) -> None:
    """What an old process died of may be its own age, and must not change what a message looks like."""
    first = pid(worker.run(LONG, message()))
    assert pid(worker.run(LONG, message("tired 1"))) != first


def test_a_worker_killed_from_outside_is_replaced(worker: Worker) -> None:
    first = pid(worker.run(LONG, message()))
    os.kill(first, signal.SIGKILL)
    assert pid(worker.run(LONG, message())) != first


def test_a_server_killed_from_outside_is_replaced(worker: Worker, server: ForkServer) -> None:
    first = pid(worker.run(LONG, message()))
    process = server._process
    assert process is not None
    process.kill()
    process.wait()
    assert pid(worker.run(LONG, message())) != first
    assert not alive(first)


def test_the_end_of_the_server_is_the_end_of_its_workers() -> None:
    with ForkServer(JOB) as server:
        crew = [Worker(server) for _ in range(3)]
        pids = [pid(each.run(LONG, message())) for each in crew]
        assert all(alive(each) for each in pids)
    assert not any(alive(each) for each in pids)
    with pytest.raises(MailarkError, match="closed"):
        Worker(server).run(LONG, message())


def test_a_large_message_arrives_whole(worker: Worker) -> None:
    result = worker.run(LONG, message(raw=bytes(60_000_001)))
    assert isinstance(result, Rendition)
    assert result.pdf.startswith(b"%PDF-1 60000001 ")


def test_a_renderer_that_does_not_start_says_so() -> None:
    with ForkServer("no.such.module:x") as server, pytest.raises(MailarkError, match="does not start"):
        Worker(server).run(LONG, message())
    with ForkServer("tests.exporters.rendition.unready:obey") as server:
        with pytest.raises(ConfigError, match="fonts are missing") as caught:
            Worker(server).run(LONG, message())
        assert caught.value.hint == "apt-get install fonts"


def test_a_worker_can_do_nothing_to_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILARK_PASSPHRASE", "swordfish")
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    with ForkServer("tests.exporters.rendition.jobs:say") as server:
        result = Worker(server).run(LONG, message(str(victim)))
    assert isinstance(result, Rendition)
    found = dict(line.split(": ", 1) for line in result.pdf.decode().removeprefix("%PDF-").splitlines())
    assert "MAILARK_PASSPHRASE" not in found.pop("environment")
    assert found.pop("read") == "True"
    assert len(found) == 9
    assert set(found.values()) == {"PermissionError"}
    assert victim.read_text() == "untouched"


def test_where_there_is_no_filter_python_refuses() -> None:
    for event, arguments in (
        ("socket.__new__", (None, 2, 1, 0)),
        ("subprocess.Popen", ("true", [], None, None)),
        ("os.fork", ()),
        ("open", ("/tmp/x", "w", os.O_WRONLY | os.O_CREAT)),
    ):
        with pytest.raises(PermissionError):
            workers_cage.refuse(event, arguments)
    workers_cage.refuse("open", ("/tmp/x", "r", os.O_RDONLY | os.O_CLOEXEC))
    workers_cage.refuse("import", ("os",))


@pytest.mark.parametrize("machine", [0, 1])
def test_no_jump_of_the_filter_leaves_it(machine: int) -> None:
    """The kernel refuses a program that jumps beyond its end; this also holds for the machine we are not on."""
    code = workers_seccomp.program(machine)
    lines = [code[at : at + 8] for at in range(0, len(code), 8)]
    for at, line in enumerate(lines):
        if line[0] & 7 == 5:
            assert at + 1 + max(line[2], line[3]) < len(lines)
    assert lines[-1][0] == 6


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
