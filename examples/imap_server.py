"""A small IMAP4rev1 server on loopback with its mail in memory, for the demo: it needs no root, no packages, no files.

python -m examples.imap_server [PORT]        # the sample mail, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import re
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import cast

from imapclient.imap_utf7 import decode, encode

from examples.imap_grammar import Argument, SyntaxMistakeError, arguments, chosen, pattern, quoted, read_date
from examples.imap_mail import Account, Mail, Mailbox
from examples.imap_values import header_holds, value

CAPABILITIES = b"IMAP4rev1 ID UNSELECT LITERAL+"
LONGEST_LINE = 64 * 1024  # bytes
LARGEST_MESSAGE = 64 * 1024 * 1024  # bytes
SILENCE = 1800.0  # seconds after which a silent client is sent away (RFC 3501 section 5.4)
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")


class No(Exception):  # noqa: N818  (it is IMAP's word)
    """The command cannot be done; the server answers NO."""


class Session(socketserver.StreamRequestHandler):
    """One connection. A command NAME is the method `do_name`; its text is what stands after OK."""

    server: ImapServer
    account: Account | None = None
    mailbox: Mailbox | None = None
    timeout = SILENCE

    def handle(self) -> None:
        """Answer commands until the client leaves."""
        with contextlib.suppress(OSError):
            self.send(b"* OK [CAPABILITY %s] ready" % CAPABILITIES)
            while (pieces := self._read()) is not None and self._answer(pieces):
                pass

    def send(self, *lines: bytes) -> None:
        """Write lines, each with its CRLF."""
        self.wfile.write(b"".join(line + b"\r\n" for line in lines))

    def _read(self) -> list[bytes] | None:
        """One command: text, literal, text, …; None at the end of the connection."""
        pieces: list[bytes] = []
        while True:
            line = self.rfile.readline(LONGEST_LINE)
            if not line.endswith(b"\n"):
                return None
            line = line.rstrip(b"\r\n")
            literal = _LITERAL.search(line)
            if not literal:
                return [*pieces, line]
            if int(literal[1]) > LARGEST_MESSAGE:
                return None
            if not literal[2]:
                self.send(b"+ go on")
            pieces += [line[: literal.start()], self.rfile.read(int(literal[1]))]

    def _answer(self, pieces: list[bytes]) -> bool:
        tag, _space, rest = pieces[0].partition(b" ")
        name, _space, text = rest.partition(b" ")
        command = name.decode("ascii", "replace").lower()
        try:
            method: Callable[..., bytes] | None = getattr(self, f"do_{command}", None)
            if method is None or not tag:
                raise SyntaxMistakeError("no such command")
            if self.account is None and command not in ("capability", "id", "login", "logout", "noop"):
                raise SyntaxMistakeError("log in first")
            done = method(*arguments([text, *pieces[1:]]))
        except No as error:
            self.send(tag + b" NO " + str(error).encode())
        except (SyntaxMistakeError, TypeError, ValueError) as error:
            self.send(tag + b" BAD " + str(error).encode("ascii", "replace").splitlines()[0])
        else:
            self.send(tag + b" OK " + done)
        return command != "logout"

    def do_capability(self) -> bytes:
        self.send(b"* CAPABILITY " + CAPABILITIES)
        return b"these"

    def do_id(self, _client: Argument) -> bytes:
        self.send(b'* ID ("name" "mailark demo")')
        return b"pleased"

    def do_noop(self) -> bytes:
        return b"nothing done"

    def do_logout(self) -> bytes:
        self.send(b"* BYE until next time")
        return b"logged out"

    def do_login(self, user: bytes, password: bytes) -> bytes:
        account = self.server.accounts.get(user.decode())
        if account is None or account.password != password.decode():
            raise No("[AUTHENTICATIONFAILED] wrong user or password")
        self.account = account
        return b"[CAPABILITY %s] welcome" % CAPABILITIES

    def do_list(self, reference: bytes, name: bytes) -> bytes:
        if not name:
            self.send(b'* LIST (\\Noselect) "/" ""')
            return b"the separator"
        wanted = pattern(reference, name)
        for folder in self._account.folders:
            raw = encode(folder)
            if wanted.fullmatch(raw.decode("ascii")):
                self.send(b'* LIST () "/" ' + quoted(raw))
        return b"all"

    def do_create(self, name: bytes) -> bytes:
        try:
            self._account.create(decode(name).rstrip("/"))
        except KeyError:
            raise No("[ALREADYEXISTS] it is there") from None
        return b"made"

    def do_subscribe(self, name: bytes) -> bytes:
        self._find(name)
        return b"every folder is"

    def do_status(self, name: bytes, items: list[bytes]) -> bytes:
        mailbox = self._find(name)
        unseen = sum("\\Seen" not in mail.flags for mail in mailbox.mails)
        values = {
            b"MESSAGES": len(mailbox.mails),
            b"RECENT": 0,
            b"UIDNEXT": mailbox.uidnext,
            b"UIDVALIDITY": mailbox.uidvalidity,
            b"UNSEEN": unseen,
        }
        if unknown := [item for item in items if item.upper() not in values]:
            raise SyntaxMistakeError(f"no status item {unknown[0]!r}")
        told = b" ".join(item.upper() + b" %d" % values[item.upper()] for item in items)
        self.send(b"* STATUS " + quoted(name) + b" (" + told + b")")
        return b"that is it"

    def do_select(self, name: bytes) -> bytes:
        self._open(name)
        return b"[READ-WRITE] opened"

    def do_examine(self, name: bytes) -> bytes:
        self._open(name)
        return b"[READ-ONLY] opened"

    def do_close(self) -> bytes:
        self.mailbox = None
        return b"closed"

    do_unselect = do_close

    def do_append(self, name: bytes, *rest: Argument) -> bytes:
        flags, date, raw = [], datetime.now(UTC), rest[-1]
        for argument in rest[:-1]:
            if isinstance(argument, list):
                flags = [flag.decode("ascii") for flag in cast(list[bytes], argument)]
            else:
                date = read_date(argument)
        with self._account.lock:
            self._find(name, b"[TRYCREATE] ").add(cast(bytes, raw), flags, date)
        return b"appended"

    def do_uid(self, name: bytes, *rest: Argument) -> bytes:
        if name.upper() == b"FETCH":
            return self.do_fetch(*rest, by_uid=True)
        if name.upper() == b"SEARCH":
            return self.do_search(*rest, by_uid=True)
        raise SyntaxMistakeError("no such UID command")

    def do_fetch(self, numbers: Argument, items: Argument, *, by_uid: bool = False) -> bytes:
        wanted = cast(list[bytes], items if isinstance(items, list) else [items])
        if by_uid and b"UID" not in [item.upper() for item in wanted]:
            wanted = [b"UID", *wanted]
        for number, mail in self._chosen(cast(bytes, numbers), by_uid):
            self.send(b"* %d FETCH (" % number + b" ".join(value(mail, item) for item in wanted) + b")")
        return b"fetched"

    def do_search(self, *keys: Argument, by_uid: bool = False) -> bytes:
        """ALL, a set of numbers, UID set, and HEADER name text, which is what clients that restore ask for."""
        words = [key for key in keys if isinstance(key, bytes)]
        if [word.upper() for word in words[:1]] == [b"CHARSET"]:
            words = words[2:]
        found = list(enumerate(self._mailbox.mails, 1))
        while words:
            key, *words = words
            if key.upper() == b"HEADER" and len(words) >= 2:
                name, text, *words = words
                found = [pair for pair in found if header_holds(pair[1], name, text)]
            elif key.upper() == b"UID" and words:
                uids, *words = words
                among = chosen(uids, [mail.uid for mail in self._mailbox.mails])
                found = [pair for pair in found if pair[1].uid in among]
            elif key.upper() != b"ALL":
                raise SyntaxMistakeError("this server searches by ALL, UID and HEADER only")
        self.send(b"* SEARCH" + b"".join(b" %d" % (mail.uid if by_uid else number) for number, mail in found))
        return b"searched"

    @property
    def _account(self) -> Account:
        return cast(Account, self.account)

    @property
    def _mailbox(self) -> Mailbox:
        if self.mailbox is None:
            raise SyntaxMistakeError("no folder is open")
        return self.mailbox

    def _find(self, name: bytes, code: bytes = b"[NONEXISTENT] ") -> Mailbox:
        folder = decode(name)
        mailbox = self._account.folders.get("INBOX" if folder.upper() == "INBOX" else folder)
        if mailbox is None:
            raise No(code.decode() + "no such folder")
        return mailbox

    def _open(self, name: bytes) -> None:
        self.mailbox = None
        mailbox = self._find(name)
        self.send(
            b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            b"* %d EXISTS" % len(mailbox.mails),
            b"* 0 RECENT",
            b"* OK [UIDVALIDITY %d] its life" % mailbox.uidvalidity,
            b"* OK [UIDNEXT %d] the next" % mailbox.uidnext,
        )
        self.mailbox = mailbox

    def _chosen(self, numbers: bytes, by_uid: bool) -> list[tuple[int, Mail]]:
        with self._account.lock:
            pairs = list(enumerate(self._mailbox.mails, 1))
        among = chosen(numbers, [mail.uid if by_uid else number for number, mail in pairs])
        return [(number, mail) for number, mail in pairs if (mail.uid if by_uid else number) in among]


class ImapServer(socketserver.ThreadingTCPServer):
    """Listens on a port of its own on 127.0.0.1; `accounts`: user name -> account."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, accounts: Mapping[str, Account], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Session)
        self.accounts = dict(accounts)
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="imap server", daemon=True)

    def __enter__(self) -> ImapServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(timeout=10)


def main() -> None:
    """Serve the sample mail until Ctrl-C."""
    from examples.samples import PASSWORD, accounts

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 20143
    with ImapServer(accounts(), port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"IMAP on 127.0.0.1, port {server.port}, users {', '.join(server.accounts)}, password {PASSWORD}")
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
