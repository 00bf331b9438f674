"""Time-stamps from a real `openssl ts`, over HTTP, and what can go wrong on the way."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.errors import ConfigError, ConnectError, IntegrityError, MailarkError, ProtocolError
from exporters.production.timestamp import timestamp
from tests.servers.tsa import Tsa, tsa

DATA = b"the manifest of all manifests\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    with tsa(tmp_path_factory.mktemp("tsa")) as server:
        yield server


@pytest.fixture
def authority(running: Tsa) -> Iterator[Tsa]:
    running.fault = ""
    yield running
    running.fault = ""


def verified(data: bytes, stamp: bytes, authority: bytes, folder: Path) -> bool:
    for name, content in (("data", data), ("stamp.tsr", stamp), ("ca.pem", authority)):
        (folder / name).write_bytes(content)
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "stamp.tsr", "-CAfile", "ca.pem"]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=30, check=False).returncode == 0


def test_openssl_verifies_it(authority: Tsa, tmp_path: Path) -> None:
    stamp = timestamp(DATA, authority.url)
    assert verified(DATA, stamp, authority.authority, tmp_path)
    assert not verified(DATA + b"x", stamp, authority.authority, tmp_path)


def test_each_question_is_a_new_one(authority: Tsa) -> None:
    assert timestamp(DATA, authority.url) != timestamp(DATA, authority.url)


FAULTS: dict[str, tuple[type[MailarkError], str]] = {
    "slow": (ConnectError, "cannot be reached"),
    "dripping": (ConnectError, "cannot be reached"),
    "busy": (ProtocolError, "HTTP 503"),
    "garbage": (ProtocolError, "cannot be understood"),
    "endless": (ProtocolError, "too large"),
    "refuses": (ProtocolError, "refused: rejection"),
    "other nonce": (IntegrityError, "another question"),
    "other hash": (IntegrityError, "other bytes"),
    "other signature": (IntegrityError, "signature"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_can_go_wrong(authority: Tsa, fault: str) -> None:
    kind, expected = FAULTS[fault]
    authority.fault = fault
    begin = time.monotonic()
    with pytest.raises(kind, match=expected) as caught:
        timestamp(DATA, authority.url, timeout=0.6 if fault in ("slow", "dripping") else 60)
    assert time.monotonic() - begin < 15
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


def test_an_authority_that_is_down(tmp_path: Path) -> None:
    with tsa(tmp_path) as gone:
        url = gone.url
    with pytest.raises(ConnectError):
        timestamp(DATA, url, timeout=2)


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://example.com/", "tsa.example.com", "http://", "http://[::1"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises((ConfigError, ConnectError)):
        timestamp(DATA, url, timeout=2)


def test_any_damage_to_the_answer_is_noticed(authority: Tsa, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte of a true answer changed in turn: refused, or openssl still verifies what was kept."""
    made: list[bytes] = []
    answer = Tsa.answer
    monkeypatch.setattr(Tsa, "answer", lambda self, query: made.append(answer(self, query)) or made[-1])
    timestamp(DATA, authority.url)
    (true,) = made
    kept = 0
    for at in range(0, len(true), 9):
        damaged = true[:at] + bytes([true[at] ^ 0x20]) + true[at + 1 :]

        def replayed(self: Tsa, query: bytes, damaged: bytes = damaged) -> bytes:
            return damaged

        monkeypatch.setattr(Tsa, "answer", replayed)
        with pytest.raises((ProtocolError, IntegrityError)):
            timestamp(DATA, authority.url, timeout=60)
        kept += 1
    assert kept > 50
