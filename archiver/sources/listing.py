"""What has changed in a folder: by QRESYNC, by CONDSTORE (both RFC 7162), or by listing every UID with its flags.

SEARCH is never used: it is the command servers answer wrongly most often. Whichever way it goes, the number of messages
the server claims must come out; when it does not, every UID is listed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import replace

from archiver.errors import ProtocolError
from archiver.model import Folder, FolderStatus, Row
from archiver.sources import uids
from archiver.sources.interface import Known, Listing, continues
from archiver.sources.limits import Limits, printable
from archiver.sources.metadata import Found
from archiver.sources.session import Opened, Session

_METADATA = (b"INTERNALDATE", b"RFC822.SIZE")


def listing(session: Session, folder: Folder, known: Known | None) -> Listing:
    """Open the folder and tell what is new. Raises ProtocolError when the server's answers cannot be used."""
    quick = session.qresync and not session.labels(folder)  # EXAMINE itself tells flags without labels
    since = known.status if known and quick and known.status.highestmodseq else None
    opened = session.examine(folder, since)
    if known is None or not continues(known.status, opened.status):
        return _whole(session, opened, 0)
    if not opened.status.highestmodseq or not known.status.highestmodseq:
        return _swept(session, opened, known)
    changed = opened.changed if since else _changed(session, opened, known)
    vanished = uids.within(opened.vanished, known.flags.keys())
    new = _new(session, opened, known)
    rows = _merged(known.flags.keys(), changed, new)
    if len((known.flags.keys() - vanished) | new.keys()) != session.reader.exists:
        return _counted_again(session, opened, known, rows)
    return Listing(_status(session, opened, known.status.uidnext, new), list(rows.values()), None, vanished)


def _whole(session: Session, opened: Opened, uidnext: int) -> Listing:
    items = session.items(*_METADATA)
    rows = {found.uid: found.row() for found in _fetched(session, b"1:*", items)} if session.reader.exists else {}
    if len(rows) < session.reader.exists:
        rows |= {found.uid: found.row() for found in _by_number(session)}
    if session.reader.exists and not rows:
        raise ProtocolError(f"the server claims {session.reader.exists} messages and lists none")
    return Listing(_status(session, opened, uidnext, rows), list(rows.values()), frozenset(rows))


def _swept(session: Session, opened: Opened, known: Known) -> Listing:
    """Without a modification sequence to compare with: every UID, with its flags; where the server has none at all and
    the folder is large, with those of two windows."""
    if opened.status.highestmodseq or known.sweep is None or session.reader.exists <= session.limits.sweep_whole:
        return _counted_again(session, opened, known, {})
    there = frozenset(found.uid for found in _everything(session, b"(UID)"))
    newest, turn = _windows(sorted(there & known.flags.keys()), known.sweep, session.limits)
    swept = [found for window in (newest, turn) if window for found in _flags_of(session, window)]
    listed = _compared(session, opened, known, {}, there, swept)
    return replace(listed, sweep=turn[0] if turn else 0)


def _windows(known: list[int], sweep: int, limits: Limits) -> tuple[list[int], list[int]]:
    """The newest UIDs, and of the others those just below `sweep`; below the last one the turn begins anew."""
    cut = max(0, len(known) - limits.sweep_newest)
    newest, others = known[cut:], known[:cut]
    below = others[: bisect_left(others, sweep)] or others
    return newest, below[-limits.sweep_turn :]


def _flags_of(session: Session, window: list[int]) -> list[Found]:
    return _fetched(session, b"%d:%d" % (window[0], window[-1]), session.items())


def _counted_again(session: Session, opened: Opened, known: Known, rows: dict[int, Row]) -> Listing:
    """Every UID with its flags."""
    swept = _everything(session, session.items())
    return _compared(session, opened, known, rows, frozenset(found.uid for found in swept), swept)


def _compared(
    session: Session, opened: Opened, known: Known, rows: dict[int, Row], there: frozenset[int], swept: list[Found]
) -> Listing:
    """`there`, all UIDs, and `swept`, the flags told, against what is known; metadata of what is not."""
    missing = there - known.flags.keys() - rows.keys()
    rows |= {found.uid: found.row() for found in _metadata(session, missing)}
    for found in swept:
        if found.flags is not None and known.flags.get(found.uid, found.flags) != found.flags:
            rows[found.uid] = found.row()
    status = _status(session, opened, known.status.uidnext, there)
    return Listing(status, [row for uid, row in rows.items() if uid in there], there)


def _everything(session: Session, items: bytes) -> list[Found]:
    """These items of all messages. ProtocolError when there should be some and none are listed."""
    if not session.reader.exists:
        return []
    found = _fetched(session, b"1:*", items) or _by_number(session)
    if not found:
        raise ProtocolError(f"the server claims {session.reader.exists} messages and lists none")
    return found


def _changed(session: Session, opened: Opened, known: Known) -> list[Found]:
    old = known.status.highestmodseq
    if opened.status.highestmodseq == old or not session.reader.exists:
        return []
    return _fetched(session, b"1:*", session.items(), b"(CHANGEDSINCE %d)" % old)


def _new(session: Session, opened: Opened, known: Known) -> dict[int, Row]:
    """Rows from the watermark on. "n:*" always gives the last message, however low its UID; Exchange says NO."""
    first = known.status.uidnext or max(known.flags, default=0) + 1
    if opened.status.uidnext == first or not session.reader.exists:
        return {}
    reply = session.run("UID", b"FETCH", b"%d:*" % first, session.items(*_METADATA))
    found = session.found() if reply.kind in ("OK", "NO") else []
    return {item.uid: item.row() for item in found if item.uid >= first and item.size is not None}


def _merged(known: Collection[int], changed: Iterable[Found], new: dict[int, Row]) -> dict[int, Row]:
    """Changed flags of known messages and whole rows of new ones; what is neither is found by counting."""
    flagged = {item.uid: item.row() for item in changed if item.uid in known and item.flags is not None}
    return flagged | new


def _metadata(session: Session, wanted: Collection[int]) -> list[Found]:
    found: list[Found] = []
    for part, _ in uids.compact(wanted, session.provider.line):
        found += _fetched(session, part, session.items(*_METADATA))
    return [item for item in found if item.uid in wanted]


def _fetched(session: Session, what: bytes, items: bytes, *more: bytes) -> list[Found]:
    reply = session.run("UID", b"FETCH", what, items, *more)
    found = session.found()
    if reply.kind != "OK" and not found:
        session.complain(reply.text)
        raise ProtocolError(f"the folder cannot be listed: {printable(reply.text)}")
    return found


def _by_number(session: Session) -> list[Found]:
    """The same by message numbers, for servers whose UID ranges leave messages out."""
    session.run("FETCH", b"1:%d" % session.reader.exists, session.items(*_METADATA))
    return session.found()


def _status(session: Session, opened: Opened, watermark: int, seen: Collection[int]) -> FolderStatus:
    """The cursor to commit: the modification sequence from before the listing; UIDNEXT is worked out if not told."""
    told = opened.status.uidnext or max(watermark, max(seen, default=0) + 1)
    return replace(opened.status, uidnext=told, messages=session.reader.exists)
