"""The Target of an IMAP account: APPEND (RFC 3501 section 6.3.11) of what the folder does not hold yet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from archiver.config import AccountSettings
from archiver.errors import ProtocolError
from archiver.labels import parted
from archiver.model import Body, Folder
from archiver.sources import names
from archiver.sources.connection import Connection
from archiver.sources.fetching import Fetching
from archiver.sources.holdings import Holdings, canonical, message_id, with_crlf
from archiver.sources.limits import MIB, Limits, printable
from archiver.sources.session import Reply, Session

_NAMESPACE = re.compile(rb'\(\(("(?:\\.|[^"\\])*") +("(?:\\.|[^"\\])*"|NIL)', re.IGNORECASE)
_KEYWORD = re.compile(r"[^\x00-\x20\x7f-\uffff(){%*\"\\\]]+")
_SYSTEM = {"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WINDOW = 100
"""Messages read ahead when one has to be compared: a second restore asks for the neighbours next."""


class ImapTarget:
    """A login that messages are appended to. One connection, made when first needed; not thread-safe."""

    def __init__(self, settings: AccountSettings, limits: Limits | None = None) -> None:
        self._connection = Connection(settings, limits or Limits())
        self._style: tuple[str, str] | None = None
        self._holdings: dict[str, Holdings] = {}

    def holds(self, folder: str, message: Body) -> bool:
        """Whether the folder has the message already, line ends aside. Reads at most a window of the folder a call."""
        digest, size = canonical(message)
        if digest not in self._held(folder).digests:
            self._connection.trying(lambda: self._look(folder, message, size))
        return digest in self._held(folder).digests

    def append(self, folder: str, message: Body, flags: Sequence[str], date: datetime | None) -> None:
        """Append, creating the folder when it is missing. After a cut it looks first whether the message has arrived.

        Raises ProtocolError when the server does not take the message, QuotaError when the account is full.
        """
        attempts = itertools.count()
        self._connection.trying(lambda: self._append_once(next(attempts) > 0, folder, message, flags, date))
        self._held(folder).digests.add(canonical(message)[0])

    def close(self) -> None:
        """Log out; never raises."""
        self._connection.close()

    def _append_once(
        self, again: bool, folder: str, message: Body, flags: Sequence[str], date: datetime | None
    ) -> None:
        if again:
            self._holdings.pop(folder, None)
            if self.holds(folder, message):
                return
        self._append(self._raw(folder), message, flags, date)

    def _look(self, folder: str, message: Body, size: int) -> None:
        """Read the candidates and their neighbours into the folder's digests."""
        holdings = self._held(folder)
        wanted = holdings.by_size(len(message), size) or self._by_id(folder, holdings, message)
        if wanted:
            rows = holdings.window(wanted, _WINDOW + len(wanted), 8 * MIB)
            limits, line = self._connection.limits, self._connection.provider.line
            holdings.read(Fetching(rows, limits, line, lambda again: self._opened(folder, again)).run(), rows)

    def _append(self, raw: bytes, message: Body, flags: Sequence[str], date: datetime | None) -> None:
        when, reply = _internaldate(date), None
        for body, marks in _forms(message, _settable(flags)):
            reply = self._sent(raw, body, marks, when)
            if reply.kind == "OK":
                return
            if b"TOOBIG" in reply.text.upper():
                break
        raise ProtocolError(f"the server does not take the message: {printable(reply.text if reply else b'')}")

    def _sent(self, raw: bytes, body: Body, flags: tuple[str, ...], when: bytes) -> Reply:
        session = self._connection.session()
        marks = b"(%s)" % " ".join(flags).encode("ascii")
        reply = session.append(names.quote(raw), marks, when, body)
        if reply.kind == "NO":
            session.complain(reply.text)
            if session.run("CREATE", names.quote(raw)).kind == "OK":
                session.run("SUBSCRIBE", names.quote(raw))
                reply = session.append(names.quote(raw), marks, when, body)
        return reply

    def _held(self, folder: str) -> Holdings:
        if folder not in self._holdings:
            self._holdings[folder] = self._connection.trying(lambda: self._listed(folder))
        return self._holdings[folder]

    def _listed(self, folder: str) -> Holdings:
        try:
            session = self._opened(folder, True)
        except ProtocolError:  # there is no such folder yet
            return Holdings(())
        if not session.reader.exists:
            return Holdings(())
        session.run("UID", b"FETCH", b"1:*", b"(UID RFC822.SIZE)")
        return Holdings(found.row() for found in session.found())

    def _by_id(self, folder: str, holdings: Holdings, message: Body) -> set[int]:
        """For servers whose sizes are approximate. The folder's Message-IDs are read once."""
        name = message_id(message)
        if not name:
            return set()
        if holdings.ids is None and holdings.unread:
            session = self._opened(folder, False)
            holdings.ids = {}
            session.run("UID", b"FETCH", b"1:*", b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            for found in session.found():
                if found.body:
                    holdings.ids.setdefault(message_id(found.body), set()).add(found.uid)
        return holdings.by_id(name)

    def _opened(self, folder: str, again: bool) -> Session:
        return self._connection.opened(Folder(folder, self._raw(folder)), again)[0]

    def _raw(self, folder: str) -> bytes:
        """The server's name for it: its delimiter, and the prefix of the personal namespace (RFC 2342)."""
        if self._style is None:
            self._style = _style(self._connection.session())
        delimiter, prefix = self._style
        return names.to_server(folder, delimiter, prefix)


def _style(session: Session) -> tuple[str, str]:
    if session.offers("NAMESPACE"):
        for word, parts in session.run("NAMESPACE").lines:
            if word == "NAMESPACE" and (match := _NAMESPACE.match(bytes(parts[0]))):
                return names.unquote(match[2]).decode("latin-1"), names.decode(names.unquote(match[1]))
    for word, parts in session.run("LIST", b'""', b'""').lines:
        if word == "LIST" and (found := re.search(rb'\) +("(?:\\.|[^"\\])*") ', bytes(parts[0]))):
            return names.unquote(found[1]).decode("latin-1"), ""
    return "/", ""


def _settable(flags: Sequence[str]) -> tuple[str, ...]:
    """Flags a client may set; labels are none, whatever they look like."""
    return tuple(flag for flag in parted(flags)[0] if flag.lower() in _SYSTEM or _KEYWORD.fullmatch(flag))


def _forms(message: Body, flags: tuple[str, ...]) -> Iterator[tuple[Body, tuple[str, ...]]]:
    """As it was; then without the keywords some servers refuse; then with the line ends some servers insist on."""
    yield message, flags
    plain = tuple(flag for flag in flags if flag.startswith("\\"))
    if plain != flags:
        yield message, plain
    canonical_form = with_crlf(message)
    if len(canonical_form) != len(message):
        yield canonical_form, plain


def _internaldate(date: datetime | None) -> bytes:
    """date-time of RFC 3501 section 9, with English months whatever the locale; empty for None."""
    if date is None:
        return b""
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    month = _MONTHS[aware.month - 1]
    return f'"{aware.day:02d}-{month}-{aware.year:04d} {aware:%H:%M:%S %z}"'.encode("ascii")
