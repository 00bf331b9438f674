"""Known state + listing -> plan. Pure: it decides, others act.

A plan never deletes anything: a message that is gone has its interval closed and stays archived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from archiver.model import FolderStatus, Row
from archiver.sources.interface import Known, Listing, continues

DOUBTFUL = 0.5
"""A share of the live places; when the server only reports more than this gone (VANISHED), it is asked for all UIDs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one folder.

    new_epoch: UIDs have a new meaning (or the folder is new): all live places of the old epoch end, all rows are
    fetched.
    fetch, reflag: rows, ascending by UID. gone: UIDs whose places end. status: the cursor, to be committed last.
    verify: the server reports most of the folder gone without having listed it; call `listing` again with
    `unsure(known)` and plan anew. `gone` is empty then.
    """

    new_epoch: bool
    fetch: tuple[Row, ...]
    reflag: tuple[Row, ...]
    gone: tuple[int, ...]
    verify: bool
    status: FolderStatus


def plan(known: Known | None, listing: Listing) -> Plan:
    """Compare. Messages of a new epoch are not linked to old ones: hashing finds the doubles without guessing."""
    if known is None or not continues(known.status, listing.status):
        return Plan(True, _ascending({row.uid: row for row in listing.rows}), (), (), False, listing.status)
    rows = {row.uid: row for row in listing.rows}
    gone = _gone(known, listing)
    fetch = {uid: row for uid, row in rows.items() if uid not in known.flags}
    reflag = {uid: row for uid, row in rows.items() if known.flags.get(uid, row.flags) != row.flags and uid not in gone}
    verify = listing.uids is None and len(gone) > DOUBTFUL * len(known.flags)
    ended = () if verify else tuple(sorted(gone))
    return Plan(False, _ascending(fetch), _ascending(reflag), ended, verify, listing.status)


def changed(known: FolderStatus | None, status: FolderStatus | None, live: int | None = None) -> bool:
    """Whether a folder must be opened, by what LIST-STATUS told of it.

    live: how many places are archived and still there; a folder of which something is missing is never passed over.
    With modification sequences equal numbers mean that nothing changed (RFC 7162 section 3.1.1); without, only that
    the set of messages is the same: the folder is opened to compare flags.
    """
    if known is None or status is None or not status.uidnext or not continues(known, status):
        return True
    if live is not None and live != status.messages:
        return True
    if (known.uidnext, known.messages) != (status.uidnext, status.messages):
        return True
    unknown = not status.highestmodseq and status.messages > 0
    return unknown or known.highestmodseq != status.highestmodseq


def unsure(known: Known) -> Known:
    """The same without a modification sequence: a source then lists every UID with its flags. To verify a folder."""
    return replace(known, status=replace(known.status, highestmodseq=0), sweep=None)


def _gone(known: Known, listing: Listing) -> frozenset[int]:
    if listing.uids is not None:
        return frozenset(known.flags.keys() - listing.uids)
    return frozenset(known.flags.keys() & listing.vanished)


def _ascending(rows: Mapping[int, Row]) -> tuple[Row, ...]:
    return tuple(rows[uid] for uid in sorted(rows))
