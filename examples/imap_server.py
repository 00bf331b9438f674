"""A small IMAP4rev1 server on loopback with its mail in memory: it needs no root, no packages, no files.

with ImapServer({"anna": Mailbox()}, "password") as server:
    imaplib.IMAP4("127.0.0.1", server.port)

python -m examples.imap_server [PORT]        # the sample mail, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import BinaryIO, Self

from examples.imap_conversation import Conversation
from examples.imap_grammar import read_command
from examples.imap_mailbox import Mailbox

EXTENSIONS = frozenset({"ID", "LITERAL+", "NAMESPACE", "UNSELECT"})
SILENCE = 1800.0  # seconds after which a silent client is sent away (RFC 3501 section 5.4)


class ImapServer:
    """Listens on 127.0.0.1, each connection a thread. accounts: user name -> mail; one password for all.

    port: 0 for any that is free.
    """

    def __init__(
        self, accounts: Mapping[str, Mailbox], password: str, port: int = 0, extensions: frozenset[str] = EXTENSIONS
    ) -> None:
        self.accounts, self.extensions = dict(accounts), extensions
        self._password = password
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="imap server", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def login(self, user: str, password: str) -> Mailbox | None:
        """The user's mail; None when the password is another."""
        return self.accounts.get(user) if password == self._password else None

    def converse(self, connection: socket.socket, stream: BinaryIO) -> None:
        """Answer commands until the client leaves."""
        talk = Conversation(self.login, self.extensions)
        connection.sendall(b"* OK ready\r\n")
        while command := read_command(stream, lambda: connection.sendall(b"+ go on\r\n")):
            connection.sendall(b"".join(talk.answer(command)))
            if command.name == "LOGOUT":
                return

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(SILENCE)
                with self._lock:
                    self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
                self.converse(connection, stream)
        finally:
            with self._lock:
                self._open.discard(connection)


def main() -> None:
    """Serve the sample mail until Ctrl-C."""
    from examples.samples import PASSWORD, accounts

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 20143
    with ImapServer(accounts(), PASSWORD, port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"IMAP on 127.0.0.1, port {server.port}, users {', '.join(server.accounts)}, password {PASSWORD}")
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
