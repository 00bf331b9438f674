"""A new UIDVALIDITY, and a folder renamed, at a real server: what goes over the line."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.backup.linking import SAMPLE
from archiver.backup.report import FolderReport
from archiver.config import AccountSettings
from archiver.monitor import Silent
from archiver.stores.interface import Store
from tests.kit import archive_in, memory_stores
from tests.servers.dovecot import HOST, Dovecot
from tests.servers.scripted import account
from tests.sources.test_source_dovecot import WAYS, DovecotWorld

COUNT, SIZE = 1000, 6000


class Relay:
    """Passes connections on and counts the bytes that come from the server."""

    def __init__(self, port: int) -> None:
        self.received = 0
        self._to = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((HOST, self._to))
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()
        except OSError:
            return

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                self.received += len(data) if counted else 0
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


def one_run(folder: Path, stores: list[Store], settings: AccountSettings) -> dict[str, FolderReport]:
    with archive_in(folder, stores, [settings]) as archive:
        report = backup(archive, Options(), Silent())
    assert report.exit_code == 0, report.as_json()
    return {one.folder: one for one in report.accounts[0].folders}


@pytest.mark.slow
def test_only_a_sample_is_downloaded(dovecot: Dovecot, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, relay, stores = DovecotWorld(dovecot, WAYS["qresync"]), Relay(dovecot.port), memory_stores()
    settings = account(HOST, relay.port, world.user, name="a", security="plain", connections=1)
    for number in range(COUNT):
        head = f"Message-ID: <{number}@x>\r\nDate: Sat, 3 Feb 2024 04:05:06 +0000\r\nFrom: 李 <a@b.example>\r\n\r\n"
        world.append("old", head.encode() + os.urandom(SIZE // 2).hex().encode() + b"\r\n", ["\\Seen"])
    received: dict[str, int] = {}

    def run(what: str) -> dict[str, FolderReport]:
        relay.received = 0
        found = one_run(tmp_path, stores, settings)
        received[what] = relay.received
        return found

    assert run("first")["old"].new == COUNT
    assert dovecot.session(world.user).rename("old", "new")[0] == "OK"
    folder = run("renamed")["new"]
    assert (folder.new, folder.linked) == (SAMPLE, COUNT - SAMPLE)
    world._do("new", "MOVE", f"1:{COUNT}", "INBOX")
    assert run("moved")["INBOX"].new == COUNT
    world.renew("INBOX")
    folder = run("new UIDVALIDITY")["INBOX"]
    assert (folder.new, folder.linked) == (SAMPLE, COUNT - SAMPLE)
    assert folder.saved > (COUNT - SAMPLE) * SIZE
    relay.close()
    with capsys.disabled():
        print(f"\n{COUNT} messages of {SIZE} bytes: " + ", ".join(f"{k} {v:,} bytes" for k, v in received.items()))
    assert received["new UIDVALIDITY"] < received["first"] / 10 and received["renamed"] < received["first"] / 10
