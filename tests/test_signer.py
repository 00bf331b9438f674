"""The archive's own signing key, kept in the work folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from archiver.errors import IntegrityError
from archiver.signer import kept_signer
from exporters.production.signing_identity import make_identity, open_identity

KEY = bytes(range(32))


def made() -> bytes:
    return make_identity("archive 1").pem()


def never() -> bytes:
    raise AssertionError("there is one")


def test_it_is_made_once(tmp_path: Path) -> None:
    pem = kept_signer(tmp_path / "signer.db", KEY, made, bool)
    assert kept_signer(tmp_path / "signer.db", KEY, never, bool) == pem
    assert open_identity(pem).subject == "OU=Mailark export signer,CN=archive 1"


def test_one_that_cannot_be_used_any_more_is_replaced(tmp_path: Path) -> None:
    pem = kept_signer(tmp_path / "signer.db", KEY, made, bool)
    newer = kept_signer(tmp_path / "signer.db", KEY, made, lambda _: False)
    assert newer != pem
    assert kept_signer(tmp_path / "signer.db", KEY, never, bool) == newer


def test_nothing_of_it_is_in_clear_on_the_disk(tmp_path: Path) -> None:
    pem = kept_signer(tmp_path / "signer.db", KEY, made, bool)
    secret = pem.splitlines()[1]
    assert [path.name for path in tmp_path.iterdir() if secret[:20] in path.read_bytes()] == []
    assert (tmp_path / "signer.db").stat().st_mode & 0o777 == 0o600


def test_another_key_does_not_open_it(tmp_path: Path) -> None:
    kept_signer(tmp_path / "signer.db", KEY, made, bool)
    with pytest.raises(IntegrityError):
        kept_signer(tmp_path / "signer.db", bytes(32), never, bool)
