"""One message in pieces, BODY.PEEK[]<offset.length> of RFC 3501 section 6.4.5, spooled to disk: for huge ones."""

from __future__ import annotations

import mmap
import tempfile
from datetime import datetime

from archiver.model import Body, Fetched, Refused
from archiver.sources.interface import GONE
from archiver.sources.limits import Limits, printable, spooling
from archiver.sources.metadata import Found
from archiver.sources.session import Reply, Session

CREDIBLE = 0.9
"""SIZE is approximate on some servers; a message that ends before this share of it is taken for cut off."""


class Pieces:
    """A message on its way in. After a ConnectError `run` goes on, with another session, where `offset` is."""

    def __init__(self, uid: int, hint: int, limits: Limits) -> None:
        self.offset = 0
        self._uid = uid
        self._hint = hint
        self._limits = limits
        with spooling():  # unbuffered: what does not fit is told where it is written
            self._spool = tempfile.TemporaryFile(buffering=0, dir=limits.spool)  # noqa: SIM115  # closed by `close`
        self._flags: tuple[str, ...] = ()
        self._date: datetime | None = None

    def run(self, session: Session) -> Fetched | Refused:
        """Fetch what is missing. An empty piece is the end, whatever SIZE said. Raises ConnectError, QuotaError."""
        while self.offset <= self._limits.largest:
            reply, found = self._ask(session)
            if found is None or found.body is None:
                if reply.kind != "OK":
                    session.complain(reply.text)
                return self._ended(reply, found)
            if not self._fits(found):
                return self._refused("the server does not give messages in pieces")
            self._flags, self._date = found.flags or self._flags, found.date or self._date
            with spooling():
                self._append(found.body)
            self.offset += len(found.body)
            if found.origin < 0 or not len(found.body):
                return self._whole()
        return self._refused(f"it is larger than {self._limits.largest} bytes")

    def close(self) -> None:
        """Give up the spooled bytes; a body that was handed out stays valid."""
        self._spool.close()

    def _ask(self, session: Session) -> tuple[Reply, Found | None]:
        part = session.items(b"INTERNALDATE", b"BODY.PEEK[]<%d.%d>" % (self.offset, self._limits.piece))
        reply = session.run("UID", b"FETCH", b"%d" % self._uid, part)
        mine = [found for found in session.found() if found.uid == self._uid]
        return reply, next((found for found in mine if found.body is not None), mine[0] if mine else None)

    def _append(self, piece: Body) -> None:
        """All of the piece; a write to a disk that is nearly full takes a part first."""
        self._spool.seek(self.offset)
        with memoryview(piece) as view:
            written = 0
            while written < len(view):
                written += self._spool.write(view[written:])

    def _fits(self, found: Found) -> bool:
        """A piece begins where it was asked for; a body without an offset is all of it, good only as the first."""
        if found.origin < 0:
            return self.offset == 0
        return found.origin == self.offset and len(found.body or b"") <= self._limits.piece

    def _ended(self, reply: Reply, found: Found | None) -> Fetched | Refused:
        """No piece came: past the end some servers say NIL or NO."""
        if self.offset and self.offset >= self._hint:
            return self._whole()
        if reply.kind != "OK":
            return self._refused(f"the server says {reply.kind}: {printable(reply.text)}")
        return self._refused(GONE if found is None else "the server gives no body for it")

    def _whole(self) -> Fetched | Refused:
        if self.offset < self._hint * CREDIBLE:
            return self._refused(f"the server gives {self.offset} of {self._hint} bytes")
        return Fetched(self._uid, self._flags, self._date, self._body())

    def _body(self) -> Body:
        if self.offset > self._limits.huge:
            return mmap.mmap(self._spool.fileno(), self.offset, access=mmap.ACCESS_READ)
        self._spool.seek(0)
        return self._spool.read(self.offset) or b""

    def _refused(self, reason: str) -> Refused:
        return Refused(self._uid, reason)
