"""One IMAP connection: connect, TLS, log in, what the server can do, one command at a time or several under way.

IMAPClient connects and negotiates TLS; commands go through its imaplib object, answers through `reader.Reader`. After a
ConnectError the session is of no use any more: close it and open another.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import CapabilityError, IMAPClientError

from archiver.config import AccountSettings
from archiver.errors import AuthError, ConfigError, ConnectError, ProtocolError, QuotaError
from archiver.model import Body, Folder, FolderStatus
from archiver.sources import auth, uids
from archiver.sources.limits import Limits, printable, throttled
from archiver.sources.metadata import Found, parse
from archiver.sources.names import quote
from archiver.sources.providers import Provider
from archiver.sources.reader import Line, Reader

IDENTITY = b'("name" "Mailark" "vendor" "Mailark" "version" "1")'
LABELLED = {"\\all", "\\trash", "\\junk"}
"""Attributes of Gmail's folders that together have every message once; which folder it is in, its labels tell."""

_CODE = re.compile(rb"\[([A-Z-]+) +(-?\d+)\]", re.IGNORECASE)
_UNSAFE = re.compile(rb"unsafe login", re.IGNORECASE)
_NOT_CONNECTED = re.compile(rb"authenticated but not connected", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """How a command ended: `kind` is OK, NO or BAD, `text` the server's words, `lines` the untagged responses."""

    kind: str
    text: bytes
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Opened:
    """What EXAMINE told. UIDs in `vanished` and flags in `changed` come with QRESYNC only (RFC 7162 section 3.2.5)."""

    status: FolderStatus
    vanished: list[uids.Range] = field(default_factory=list)
    changed: list[Found] = field(default_factory=list)


class Session:
    """A logged-in connection. Raises AuthError, ConnectError, QuotaError (too many connections) when it is made."""

    def __init__(self, settings: AccountSettings, provider: Provider, limits: Limits) -> None:
        self.provider = provider
        self.limits = limits
        self._settings = settings
        self.closed = False
        self._found: list[Found] = []
        self._identified = False
        self._labelled = False
        self._client = _connect(settings)
        self._imap: Any = self._client._imap
        self._imap.debug = 0  # IMAPClient's 5 writes every body to the log
        self._imap._log = lambda _line: None  # keeps the LOGIN line otherwise
        self.reader = Reader(self._imap, limits)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def offers(self, capability: str) -> bool:
        """Whether the server advertises a capability."""
        return capability in self._capabilities

    def labels(self, folder: Folder) -> bool:
        """Whether the folder's messages are told apart by labels (Gmail's X-GM-EXT-1)."""
        return self.offers("X-GM-EXT-1") and any(word.lower() in LABELLED for word in folder.attributes)

    def items(self, *more: bytes) -> bytes:
        """What to FETCH: UID and flags, labels where the open folder has them, and `more`."""
        labels = (b"X-GM-LABELS",) if self._labelled else ()
        return b"(%s)" % b" ".join((b"UID", b"FLAGS", *labels, *more))

    def login(self, user: bytes, password: bytes) -> None:
        """LOGIN with quoted strings. Raises AuthError."""
        reply = self.run("LOGIN", user, password)
        if reply.kind != "OK":
            raise self._refused(reply.text.replace(password[1:-1], b"***"))

    def authenticate(self, mechanism: str, answer: Callable[[bytes], bytes]) -> None:
        """AUTHENTICATE without an initial response. Raises AuthError."""
        try:
            self._imap.authenticate(mechanism, answer)
        except imaplib.IMAP4.error as error:
            raise self._refused(str(error).encode()) from None
        except OSError as error:
            raise ConnectError(f"{self._settings.host}: {type(error).__name__} at login") from None

    def run(self, name: str, *args: bytes) -> Reply:
        """One command, to its end. FETCH responses are to be had from `found` afterwards. Raises ConnectError."""
        self._found.clear()
        self.reader.lines.clear()
        self.reader.on_fetch = self._keep
        tag = self.send(name, *args)
        while (done := self.finished(tag)) is None:
            self.step()
        return Reply(*done, list(self.reader.lines))

    def append(self, name: bytes, flags: bytes, date: bytes, message: Body) -> Reply:
        """APPEND of the bytes as they are; `name` is quoted, `date` may be empty. Raises ConnectError."""
        self._imap.literal = message  # sent by imaplib when the server asks to go on
        return self.run("APPEND", *(arg for arg in (name, flags, date) if arg))

    def found(self) -> list[Found]:
        """FETCH responses of the last `run`."""
        return list(self._found)

    def send(self, name: str, *args: bytes) -> bytes:
        """Start a command and give its tag. Raises ConnectError."""
        try:
            return cast(bytes, self._imap._command(name, *args))
        except (OSError, imaplib.IMAP4.error) as error:
            raise ConnectError(f"{self._settings.host}: {type(error).__name__} while sending") from None

    def step(self) -> None:
        """Read one response. Raises ConnectError."""
        self._imap._get_response()

    def finished(self, tag: bytes) -> tuple[str, bytes] | None:
        """(OK, NO or BAD; text) when the command is complete."""
        done = self._imap.tagged_commands[tag]
        if done is None:
            return None
        del self._imap.tagged_commands[tag]
        return done[0], done[1][0]

    def run_all(self, name: str, commands: Sequence[tuple[bytes, ...]], depth: int = 50) -> list[Reply]:
        """Many commands, `depth` under way at a time; replies in order, each with the lines that came before it."""
        self.reader.lines.clear()
        replies: list[Reply] = []
        tags: list[bytes] = []
        while len(replies) < len(commands):
            while len(tags) < len(commands) and len(tags) - len(replies) < depth:
                tags.append(self.send(name, *commands[len(tags)]))
            self.step()
            if done := self.finished(tags[len(replies)]):
                replies.append(Reply(*done, list(self.reader.lines)))
                self.reader.lines.clear()
        return replies

    def examine(self, folder: Folder, since: FolderStatus | None = None) -> Opened:
        """Open a folder to read; with `since` (QRESYNC) also what has changed. ProtocolError when it cannot be.

        No command that changes anything is ever sent, nor CLOSE, which would expunge after SELECT.
        """
        self.reader.exists = 0
        self._labelled = self.labels(folder)
        reply = self._examine(folder, since)
        if reply.kind != "OK" and _UNSAFE.search(reply.text):
            self._identify()
            reply = self._examine(folder, since)
        if reply.kind != "OK":
            self.complain(reply.text)
            raise ProtocolError(f"{folder.name} cannot be opened: {printable(reply.text)}")
        self._imap.state, self._imap.is_readonly = "SELECTED", True
        codes = _codes(reply)
        vanished = [pair for word, rest in reply.lines if word == "VANISHED" for pair in uids.parse(_text(rest))]
        modseq = codes["HIGHESTMODSEQ"] if self.condstore else 0
        status = FolderStatus(codes["UIDVALIDITY"], codes["UIDNEXT"], self.reader.exists, modseq)
        return Opened(status, vanished, self.found())

    def close(self) -> None:
        """Say goodbye without waiting for the answer; never raises."""
        self.closed = True
        try:
            self._client.socket().settimeout(2.0)
            self._imap.send(b"X LOGOUT\r\n")
            self._imap.shutdown()
        except (OSError, ValueError, imaplib.IMAP4.error):
            pass

    def _begin(self) -> None:
        self._capabilities = frozenset(str(word) for word in self._imap.capabilities)
        if self.provider.identify:
            self._identify()
        auth.log_in(self, self._settings, self.provider)
        self._imap.state = "AUTH"
        self._capabilities |= self._ask_capabilities()
        if self.offers("ID") and not self._identified:
            self._identify()
        enabled = self._enable()
        self.qresync = self.provider.qresync and "QRESYNC" in enabled
        self.condstore = self.provider.condstore and (self.offers("CONDSTORE") or self.offers("QRESYNC"))

    def _ask_capabilities(self) -> frozenset[str]:
        reply = self.run("CAPABILITY")
        if _NOT_CONNECTED.search(reply.text):
            raise self._refused(reply.text)
        words = b" ".join(_text(rest) for word, rest in reply.lines if word == "CAPABILITY")
        return frozenset(words.decode("ascii", "replace").upper().split())

    def _identify(self) -> None:
        """ID (RFC 2971). What the server thinks of it does not matter."""
        self._identified = True
        self.run("ID", IDENTITY)

    def _enable(self) -> frozenset[str]:
        """ENABLE (RFC 5161), before any folder is open; IMAP4rev2 never, for some servers' rev2 is broken."""
        wanted = b"QRESYNC" if self.offers("QRESYNC") and self.provider.qresync else b"CONDSTORE"
        if not self.offers("ENABLE") or not self.offers(wanted.decode()):
            return frozenset()
        reply = self.run("ENABLE", wanted)
        words = b" ".join(_text(rest) for word, rest in reply.lines if word == "ENABLED")
        return frozenset(words.decode("ascii", "replace").upper().split())

    def _examine(self, folder: Folder, since: FolderStatus | None) -> Reply:
        try:
            args = [quote(folder.raw)]
        except ValueError as error:
            raise ProtocolError(f"{folder.name}: its name has {error}") from None
        if since is not None:
            args.append(b"(QRESYNC (%d %d))" % (since.uidvalidity, since.highestmodseq))
        elif self.condstore:
            args.append(b"(CONDSTORE)")
        word = "EXAMINE" if self.provider.examine else "SELECT"
        reply = self.run(word, *args)
        return self.run(word, args[0]) if reply.kind == "BAD" and len(args) > 1 else reply

    def _keep(self, parts: list[Body]) -> None:
        try:
            found = parse(parts)
        except ValueError as error:
            raise ConnectError(f"the server's answer to FETCH cannot be read: {error}") from None
        if found is not None:
            if self._labelled and not found.labelled:
                found.flags = None  # what the server tells unasked has no labels, which does not mean there are none
            self._found.append(found)

    def complain(self, text: bytes) -> None:
        """Raise QuotaError when the server's words are about too much."""
        if throttled(text) is not None:
            raise QuotaError(f"{self._settings.host} asks to slow down: {printable(text)}", "a later run resumes")

    def _refused(self, text: bytes) -> AuthError | QuotaError:
        if throttled(text) is not None:
            return QuotaError(f"{self._settings.host} takes no login now: {printable(text)}", "a later run resumes")
        return AuthError(f"{self._settings.host} refused the login: {printable(text)}", self.provider.hint)


def _connect(settings: AccountSettings) -> IMAPClient:
    context = None if settings.security == "plain" else _context(settings)
    wait = SocketTimeout(connect=min(30.0, settings.timeout), read=settings.timeout)
    where, at_once = f"{settings.host}:{settings.port}", settings.security == "tls"
    try:
        client = IMAPClient(settings.host, settings.port, ssl=at_once, ssl_context=context, timeout=wait)
        if settings.security == "starttls":
            client.starttls(context)
        return client
    except CapabilityError:
        raise ConnectError(f"{where} does not offer STARTTLS", 'try security = "tls" and its port') from None
    except ssl.SSLCertVerificationError as error:
        hint = "name the certificate of the company's own authority with ca_file"
        raise ConnectError(f"{where}: the certificate is not trusted: {error.verify_message}", hint) from None
    except (OSError, ValueError, imaplib.IMAP4.error, IMAPClientError) as error:
        if (wait_for := throttled(str(error).encode())) is not None:
            raise QuotaError(f"{where} has too many connections; it asks for {wait_for:.0f} s") from None
        raise ConnectError(f"{where} cannot be reached: {type(error).__name__}", "check host, port, network") from None


def _context(settings: AccountSettings) -> ssl.SSLContext:
    try:
        return _trusting(settings.ca_file)
    except OSError as error:
        raise ConfigError(f"account {settings.name}: ca_file cannot be read: {type(error).__name__}") from None


@lru_cache(maxsize=16)
def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates are always verified: by the system's authorities and those of `ca_file`.

    Shared by all connections of a run: reading the system's authorities takes 30 ms of CPU.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _codes(reply: Reply) -> dict[str, int]:
    """Numbers in response codes (RFC 3501 section 7.1); -1, 0 and absent ones are 0. The last one of a kind counts."""
    codes = {"UIDVALIDITY": 0, "UIDNEXT": 0, "HIGHESTMODSEQ": 0}
    for text in [_text(rest) for word, rest in reply.lines if word == "OK"] + [reply.text]:
        for name, number in _CODE.findall(text):
            codes[name.upper().decode("ascii")] = max(0, int(number))
    return codes


def _text(parts: list[Body]) -> bytes:
    return b"".join(bytes(part) for part in parts)
