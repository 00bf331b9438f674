"""A scripted IMAP server in this process, for what no real server does on demand: misbehaviour, and cuts at any byte.

with ScriptedServer(QRESYNC) as server:
    uid = server.mailbox.append("INBOX", b"Subject: ...")
    server.faults.append(SomeFault())           # tests/servers/imap_faults.py
    server.cut_after(1234)                      # the connection breaks after so many bytes more, once
    ImapSource(server.settings())
"""

from __future__ import annotations

import enum
import os
import socket
from collections.abc import Sequence
from typing import Any, BinaryIO

from archiver.config import AccountSettings
from archiver.secrets import Secret
from examples.imap_conversation import Conversation
from examples.imap_grammar import Command, read_command
from examples.imap_mailbox import Mail, Mailbox
from examples.imap_server import ImapServer

PLAIN: frozenset[str] = frozenset()
CONDSTORE = frozenset({"ENABLE", "CONDSTORE"})
QRESYNC = frozenset({"ENABLE", "CONDSTORE", "QRESYNC", "LIST-STATUS", "SPECIAL-USE"})
GMAIL = frozenset({"ENABLE", "CONDSTORE", "LIST-STATUS", "SPECIAL-USE", "X-GM-EXT-1"})
PASSWORD_VARIABLE = "MAILARK_TEST_PASSWORD"


class Signal(enum.Enum):
    """What a fault may put among the chunks of an answer."""

    CUT = "close the connection"
    HANG = "send nothing more and wait for the client to give up"


class Fault:
    """A way to misbehave. Subclasses replace what they need; `times` counts how often they did."""

    def __init__(self) -> None:
        self.times = 0

    def greeting(self, line: bytes) -> bytes:
        """The first line of a connection."""
        return line

    def row(self, number: int, mail: Mail, items: bytes, row: bytes) -> bytes:
        """One FETCH response; an empty one is left out."""
        return row

    def answer(self, command: Command, chunks: list[bytes]) -> Sequence[bytes | Signal]:
        """The whole answer to a command, the tagged line last."""
        return chunks


class ScriptedServer(ImapServer):
    """Has one mailbox, open to any login, and faults. `commands` has every command received."""

    def __init__(self, extensions: frozenset[str] = QRESYNC, mailbox: Mailbox | None = None) -> None:
        self.mailbox = mailbox or Mailbox()
        self.faults: list[Fault] = []
        self.commands: list[Command] = []
        self.connections = 0
        self._budget: int | None = None
        super().__init__({}, "", extensions=extensions)

    def settings(self, **changes: Any) -> AccountSettings:
        """An account at this server, over a plain connection, with a short time-out."""
        return account("127.0.0.1", self.port, "scripted", **({"security": "plain", "timeout": 5.0} | changes))

    def cut_after(self, size: int | None) -> None:
        """Break the connection when `size` more bytes have been sent, once (None: do not)."""
        with self._lock:
            self._budget = size

    def count(self, name: str) -> int:
        """How often a command came ("UID FETCH")."""
        return sum(command.name == name for command in self.commands)

    @property
    def passwords(self) -> list[str]:
        """The messages of AUTHENTICATE PLAIN that came."""
        return [command.literal.decode() for command in self.commands if command.name == "AUTHENTICATE"]

    def login(self, user: str, password: str) -> Mailbox:
        """Whoever asks."""
        return self.mailbox

    def converse(self, connection: socket.socket, stream: BinaryIO) -> None:
        """Answer as the faults have it."""
        with self._lock:
            self.connections += 1
        talk = Conversation(self.login, self.extensions, self.mailbox, self._row)
        greeting = b"* OK scripted\r\n"
        for fault in self.faults:
            greeting = fault.greeting(greeting)
        self._send(connection, greeting)
        while command := read_command(stream, lambda: self._send(connection, b"+ go on\r\n")):
            self.commands.append(command)
            chunks: Sequence[bytes | Signal] = talk.answer(command)
            for fault in self.faults:
                chunks = fault.answer(command, list(chunks))  # type: ignore[arg-type]  # a signal stays where it is
            if not self._play(connection, chunks) or command.name == "LOGOUT":
                return

    def _row(self, number: int, mail: Mail, items: bytes, row: bytes) -> bytes:
        for fault in self.faults:
            row = fault.row(number, mail, items, row)
        return row

    def _play(self, connection: socket.socket, chunks: Sequence[bytes | Signal]) -> bool:
        """Send the chunks; False when the connection is over."""
        text: list[bytes] = []
        for chunk in chunks:
            if isinstance(chunk, Signal):
                self._send(connection, b"".join(text))
                if chunk is Signal.HANG:
                    connection.recv(1 << 16)  # more commands may be under way already
                    while connection.recv(1 << 16):
                        pass
                return False
            text.append(chunk)
        return self._send(connection, b"".join(text))

    def _send(self, connection: socket.socket, data: bytes) -> bool:
        with self._lock:
            cut = self._budget is not None and self._budget <= len(data)
            if cut:
                data, self._budget = data[: self._budget], None
            elif self._budget is not None:
                self._budget -= len(data)
        connection.sendall(data)
        if cut:
            connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("cut as the test wants it")
        return True


def account(host: str, port: int, user: str, /, **changes: Any) -> AccountSettings:
    """Settings for a test server, whose password is "pw"."""
    os.environ[PASSWORD_VARIABLE] = "pw"
    values: dict[str, Any] = {
        "name": user,
        "host": host,
        "port": port,
        "security": "tls",
        "user": user,
        "password": Secret(f"account {user}", "env", PASSWORD_VARIABLE),
        "provider": None,
        "folders": (),
        "skip": (),
        "connections": 2,
        "timeout": 20.0,
        "ca_file": None,
    }
    return AccountSettings(**(values | changes))
