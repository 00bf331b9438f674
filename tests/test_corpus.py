"""Real, hostile mail on a real Dovecot: `age`, `zstd` and `tar` give back, to the byte, what the server holds."""

from __future__ import annotations

import hashlib
import imaplib
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.config import AccountSettings
from archiver.monitor import Silent
from archiver.setup import documents
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.vault.commit import furnish
from tests.kit import PASSPHRASE, archive_in, new_archive
from tests.servers.dovecot import MAIL_UID, Dovecot
from tests.servers.scripted import account
from tests.vault.test_reader import blocks, in_terminal, shell

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
FOLDERS = ["INBOX", "Archive", "Sent"]


@pytest.mark.slow
def test_the_corpus_comes_back_by_stock_tools(dovecot: Dovecot, tmp_path: Path) -> None:
    messages = _corpus()
    users = [dovecot.user("corpus"), dovecot.user("corpus")]
    for at, user in enumerate(users):
        _deliver(dovecot, user, messages[at::2])
    stores: list[Store] = [LocalStore.create(tmp_path / name, new_archive().archive) for name in ("a", "b")]
    assert not furnish(stores, {**documents(), **new_archive().objects})
    accounts = [_account(dovecot, user) for user in users]
    with archive_in(tmp_path, stores, accounts) as archive:
        report = backup(archive, Options(), Silent())
    assert report.exit_code == 0, report.as_json()
    on_server = Counter(hashlib.sha256(raw).hexdigest() for user in users for raw in _downloaded(dovecot, user))
    assert on_server.total() == len(messages) == sum(f.archived for a in report.accounts for f in a.folders)
    shell("".join(blocks("What an auditor runs")), tmp_path / "a")
    in_terminal("".join(blocks("Recovery with stock tools")), tmp_path / "a", PASSPHRASE)
    restored = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "out" / "m").glob("*.eml")}
    assert restored == set(on_server)
    print(f"{len(messages)} messages, {len(restored)} different, byte for byte by age, zstd and tar")


def _corpus() -> list[bytes]:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    return [path.read_bytes() for path in sorted(CORPUS.glob("*/*")) if path.suffix != ".md" and path.is_file()]


def _deliver(dovecot: Dovecot, user: str, messages: list[bytes]) -> None:
    """Straight into the Maildir: through APPEND Dovecot would refuse some of them."""
    for number, raw in enumerate(messages):
        folder = FOLDERS[number % len(FOLDERS)]
        place = dovecot.maildir(user) / ("" if folder == "INBOX" else f".{folder}")
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        (place / "cur" / f"{1700000000 + number}.M{number}P1.test:2,{'S' if number % 5 else ''}").write_bytes(raw)
    for path, names, files in os.walk(dovecot.maildir(user).parent):
        for name in (".", *names, *files):
            os.chown(Path(path) / name, MAIL_UID, MAIL_UID)


def _account(dovecot: Dovecot, user: str) -> AccountSettings:
    return account("127.0.0.1", dovecot.tls_port, user, ca_file=dovecot.ca_file, timeout=60.0)


def _downloaded(dovecot: Dovecot, user: str) -> list[bytes]:
    """The server's copies, fetched by another client."""
    client = imaplib.IMAP4("127.0.0.1", dovecot.port)
    client.login(user, dovecot.password)
    bodies: list[bytes] = []
    for folder in FOLDERS:
        client.select(folder, readonly=True)
        _kind, data = client.fetch("1:*", "(BODY.PEEK[])")
        bodies += [item[1] for item in data if isinstance(item, tuple) and re.search(rb"BODY\[\] \{", item[0])]
    client.logout()
    return bodies
