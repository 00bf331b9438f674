"""Exports killed at any moment: what is left on the machine, who sees it meanwhile, how it ends."""

from __future__ import annotations

import base64
import random
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sandbox import PROGRAM, WHEN, Sandbox, company, message
from tests.servers.dovecot import Dovecot

WORDS = "zanzibarquokka"
"""Stands in subjects, texts, names and contents of attachments, and nowhere else on this machine."""
COUNT = 24
KILLS = 6
UNLIKE = {
    "data/REPORT/export-report.pdf",
    "manifest-sha256.txt",
    "tagmanifest-sha256.txt",
    "tagmanifest-sha256.txt.p7s",
    "seal-sha256.txt",
}
"""What is not the same in two runs (docs/compliance.md)."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot) -> Sandbox:
    home = tmp_path_factory.mktemp("company")
    sandbox = company(home, dovecot, home)
    for number in range(COUNT):
        raw = message(f"{WORDS} {number}", f"{WORDS} text {number}\n" * (1 + number % 7 * 30))
        dovecot.append(sandbox.users["sales"], "INBOX", _with_attachment(raw, number), [], WHEN)
    assert sandbox.run("init", "--generate-passphrase").code == 0
    assert sandbox.run("backup").code == 0
    return sandbox


def _with_attachment(raw: bytes, number: int) -> bytes:
    head, _, text = raw.partition(b"\r\n\r\n")
    content = base64.encodebytes(f"{WORDS} attached {number}".encode() * 50).replace(b"\n", b"\r\n")
    name = f"{WORDS}-{number}.txt".encode()
    body = b"--b\r\nContent-Type: text/plain\r\n\r\n" + text + b"\r\n--b\r\nContent-Type: text/plain; name=" + name
    body += b"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n" + content + b"--b--\r\n"
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-"))
    return head + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + body


def _start(archive: Sandbox, target: Path, aside: Path, *options: str) -> subprocess.Popen[bytes]:
    """An export whose temporary files, if any, would go `aside`, as would those in the folder it is run in."""
    environment = {**archive.environment, "TMPDIR": str(aside), "HOME": str(aside), "XDG_CACHE_HOME": str(aside)}
    return subprocess.Popen(
        [PROGRAM, "export", WORDS, "--to", target, "--workers", "2", *options],
        cwd=aside,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _holding(folder: Path) -> list[Path]:
    """The files that have the words in their name or, in plain or in base64, in their content."""
    signs = [WORDS.encode(), WORDS.encode("utf-16-be")]
    signs += [base64.b64encode(b" " * lead + WORDS.encode())[4 : 4 + 12] for lead in (3, 4, 5)]
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and (WORDS in path.name or any(sign in path.read_bytes() for sign in signs))
    ]


def _seen_by_all() -> Iterator[str]:
    """Command lines and environments of all processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ", "comm"):
            try:
                yield (folder / name).read_bytes().decode(errors="replace")
            except OSError:
                continue


def _contents(target: Path) -> dict[str, bytes]:
    return {
        path.relative_to(target).as_posix(): path.read_bytes() for path in sorted(target.rglob("*")) if path.is_file()
    }


@pytest.mark.slow
def test_a_bundle_killed_again_and_again(archive: Sandbox, tmp_path: Path) -> None:
    """No mail is left outside the target, none is seen by others, and the end is that of an undisturbed run."""
    aside = tmp_path / "aside"
    aside.mkdir()
    options = ("--format", "bundle", "--case", "C")
    whole = _start(archive, tmp_path / "whole", aside, *options)
    begun = time.monotonic()
    assert whole.wait(300) == 0, whole.stdout and whole.stdout.read()
    seconds = time.monotonic() - begun
    chance, target, killed, ended = random.Random(7), tmp_path / "killed", 0, 0
    while killed < KILLS:
        process = _start(archive, target, aside, *options)
        time.sleep(chance.uniform(0.2, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            ended += 1
            shutil.rmtree(target)
            seconds *= 0.8
        else:
            killed += 1
    last = _start(archive, target, aside, *options)
    told = last.communicate(timeout=300)[0].decode()
    assert last.returncode == 0, told
    first, second = _contents(tmp_path / "whole/C_VOL001"), _contents(target / "C_VOL001")
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} <= UNLIKE
    assert [path.name for path in target.iterdir()] == ["C_VOL001"]
    print(f"{killed} times killed; {ended} runs had ended before and were begun anew")
    assert _holding(aside) == []
    assert _holding(archive.home) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["eml", "mbox", "pdf"])
def test_nothing_of_a_killed_export_lies_elsewhere_or_open(archive: Sandbox, tmp_path: Path, form: str) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    chance, target = random.Random(form), tmp_path / "out"
    for _ in range(4):
        command: list[str | Path] = [PROGRAM, "export", WORDS, "--to", target, "--format", form]
        environment = {**archive.environment, "TMPDIR": str(aside), "HOME": str(aside), "XDG_CACHE_HOME": str(aside)}
        process = subprocess.Popen(
            command, cwd=aside, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        time.sleep(chance.uniform(0.4, 3))
        own = f"export\0{WORDS}"
        assert not [text for text in _seen_by_all() if WORDS in text and own not in text]
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, cwd=aside, env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert WORDS not in (done.stdout + done.stderr).decode()
    assert _holding(aside) == []
    assert _holding(archive.home) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert not list(target.rglob(".*.part"))
