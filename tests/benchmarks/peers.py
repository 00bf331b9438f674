"""The chain people put together today: mbsync fetches into a Maildir, restic seals it, notmuch makes it searchable."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.measure import Cost, bytes_of, run
from tests.benchmarks.server import BenchServer

# Without these mbsync compresses, which a loopback does not need, and syncs each file to the disk.
TUNED = {"global": "FSync no\n", "account": "DisableExtensions COMPRESS=DEFLATE\nPipelineDepth 50\n"}

MBSYNC = """
{globals}
IMAPAccount bench
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {ca}
{account}
IMAPStore far
Account bench

MaildirStore near
Path {dir}/mail/
Inbox {dir}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
Expunge None
SyncState *
"""

NOTMUCH = (
    "[database]\npath={dir}/index\nmail_root={dir}/mail\n[new]\ntags=\nignore=.mbsyncstate;.uidvalidity\n[search]\n"
)


class Peers:
    """mbsync, restic and notmuch in a folder of their own, against one account of the server."""

    def __init__(self, folder: Path, server: BenchServer, user: str, *, tuned: bool = True) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._dir, self._server, self._log = folder, server, folder / "log"
        for part in ("mail", "index", "repository", "cache"):
            (folder / part).mkdir(parents=True)
        extra = TUNED if tuned else {"global": "", "account": ""}
        fields = {"port": server.tls_port, "user": user, "password": server.password, "ca": server.ca_file}
        text = MBSYNC.format(dir=folder, globals=extra["global"], account=extra["account"], **fields)
        (folder / "mbsyncrc").write_text(text)
        (folder / "notmuch-config").write_text(NOTMUCH.format(dir=folder))
        self._restic_env = {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": str(folder / "repository")}
        self._restic = ("restic", "--cache-dir", folder / "cache", "--quiet")

    def prepare(self) -> None:
        """Make restic's repository (its key derivation is not measured)."""
        run([*self._restic, "init"], self._log, env=self._restic_env)

    def fetch(self) -> Cost:
        """mbsync alone."""
        return run(["mbsync", "-c", self._dir / "mbsyncrc", "-a"], self._log, server=self._server.pid)

    def once(self) -> dict[str, Cost]:
        """The whole chain, one after the other as a nightly script runs them."""
        fetched = self.fetch()
        sealed = run([*self._restic, "backup", self._dir / "mail"], self._log, env=self._restic_env)
        env = {"NOTMUCH_CONFIG": str(self._dir / "notmuch-config"), "XAPIAN_CJK_NGRAM": "1"}
        indexed = run(["notmuch", "new", "--quiet"], self._log, env=env)
        return {"mbsync": fetched, "restic": sealed, "notmuch": indexed}

    def stored(self) -> int:
        """Bytes of restic's repository: one copy."""
        return bytes_of(self._dir / "repository")

    def index(self) -> int:
        """Bytes of notmuch's database."""
        return bytes_of(self._dir / "index")

    def details(self) -> dict[str, int]:
        """Bytes of the Maildir, which lies there unencrypted."""
        return {"mirror": bytes_of(self._dir / "mail")}
