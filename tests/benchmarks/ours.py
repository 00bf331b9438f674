"""The same work done by Mailark: one `backup` into two stores on this machine, searchable when it ends."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measure import Cost, bytes_of, run
from tests.benchmarks.server import BenchServer

CONFIG = """
[archive]
stores = {stores}
copies = {copies}
work = "work"
passphrase_file = "passphrase"
"""

ACCOUNT = """
[[account]]
name = "{user}"
host = "localhost"
port = {port}
user = "{user}"
password_file = "password"
ca_file = "{ca}"
"""


class Mailark:
    """An archive in a folder of its own, of the given accounts of the server."""

    def __init__(
        self, folder: Path, server: BenchServer, users: Sequence[str], stores: Sequence[str] = ("store-a", "store-b")
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.dir, self._server, self._log = folder, server, folder / "log"
        account = "".join(ACCOUNT.format(user=user, port=server.tls_port, ca=server.ca_file) for user in users)
        config = CONFIG.format(stores=json.dumps(list(stores)), copies=len(stores))
        (folder / "mailark.toml").write_text(config + account)
        (folder / "password").touch(mode=0o600)
        (folder / "password").write_text(server.password + "\n")

    def command(self, *arguments: str) -> list[str | Path]:
        """The command line of the installed program."""
        return [Path(sys.executable).with_name("mailark"), "--config", self.dir / "mailark.toml", *arguments]

    def prepare(self) -> None:
        """Make the archive (its key derivation is not measured)."""
        run(self.command("init", "--generate-passphrase", "--sheet", str(self.dir / "sheet")), self._log)

    def once(self) -> dict[str, Cost]:
        """One backup."""
        return {"mailark": run(self.command("backup"), self._log, server=self._server.pid)}

    def stored(self) -> int:
        """Bytes of one store: one copy."""
        return bytes_of(self.dir / "store-a")

    def index(self) -> int:
        """Bytes of the catalog."""
        return bytes_of(*(self.dir / "work").glob("catalog*"))

    def details(self) -> dict[str, int]:
        """Bytes of both stores, and of everything but the catalog that stays in the work folder."""
        both = bytes_of(self.dir / "store-a", self.dir / "store-b")
        return {"stored_in_all": both, "state": bytes_of(self.dir / "work") - self.index()}
