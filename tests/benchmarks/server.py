"""The Dovecot both sides read from: TLS on loopback, the corpus in its Maildir, caches warm, COMPRESS on offer."""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.benchmarks import corpus
from tests.benchmarks.correspondence import FOLDERS
from tests.servers import dovecot
from tests.servers.programs import HOST

ZLIB = "\nprotocol imap {{\n  mail_plugins = $mail_plugins imap_zlib\n}}\n"
BATCH = 500
TOOLS = {
    "dovecot": "dovecot-imapd",
    "mbsync": "isync",
    "restic": "restic",
    "notmuch": "notmuch",
    "openssl": "openssl",
}
"""Programs and the Debian packages they come in."""


class BenchServer(dovecot.Dovecot):
    """A Dovecot over a copy (hard links) of the corpus, so that the corpus stays as it is."""

    def __init__(self, folder: Path, made: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if ZLIB not in dovecot.CONFIG:
            dovecot.CONFIG += ZLIB
        super().__init__(folder)
        self.pid = int((self.dir / "run" / "master.pid").read_text())
        for source in made.iterdir():
            if source.is_dir():
                subprocess.run(["cp", "-al", str(source), str(self.dir / "mail" / source.name)], check=True)
        self.own_mail()

    @property
    def mail(self) -> Path:
        """The root under which each account's Maildir lies."""
        return self.dir / "mail"

    def own_mail(self) -> None:
        """Give the files to the user Dovecot reads them as."""
        subprocess.run(["chown", "-R", f"{dovecot.MAIL_UID}:{dovecot.MAIL_UID}", str(self.mail)], check=True)

    def add(self, made: corpus.Corpus, messages: int) -> corpus.Corpus:
        """New messages into the same accounts."""
        more = corpus.write(self.mail, messages=messages, accounts=made.accounts, first=made.next_thread)
        self.own_mail()
        return more

    def download(self, user: str) -> tuple[int, float]:
        """Fetch everything once with the standard library, which warms every cache; messages and seconds."""
        begin, messages = time.monotonic(), 0
        with imaplib.IMAP4_SSL(HOST, self.tls_port, ssl_context=dovecot.client_context(self.ca_file)) as session:
            session.login(user, self.password)
            for folder in FOLDERS:
                _kind, answer = session.select(dovecot.quoted(folder), readonly=True)
                count = int(answer[0] or b"0")
                for first in range(1, count + 1, BATCH):
                    session.fetch(f"{first}:{min(count, first + BATCH - 1)}", "(UID FLAGS RFC822.SIZE BODY.PEEK[])")
                messages += count
        return messages, time.monotonic() - begin


def missing() -> str:
    """What keeps the bench from running here, with the command that installs it, or an empty string."""
    tools = {
        "dovecot": "dovecot-imapd",
        "mbsync": "isync",
        "restic": "restic",
        "notmuch": "notmuch",
        "openssl": "openssl",
    }
    lacking = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if lacking:
        return f"missing for the bench: apt-get install {' '.join(lacking)}"
    return "" if os.geteuid() == 0 else "the bench starts a Dovecot of its own and needs root"
