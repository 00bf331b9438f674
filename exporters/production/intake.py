"""A message on its way into a bundle, up to the point where it is rendered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from archiver.model import MessageId
from exporters.interface import Outgoing
from exporters.production.family import Child, Family, family
from exporters.production.lists import Ground
from exporters.production.order import Order, Search, by_first_seen, moment
from exporters.production.record import Record, child_record, message_record, people

EXPORTED, WITHHELD, FAILED = "exported", "withheld", "failed"

Copy = tuple[str, str, str, int, str]
"""A place of a message: custodian, account, folder, UID, first seen."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A document that is not handed out. number: its index in the family."""

    number: int
    what: str
    document: str
    sha256: str
    ground: Ground


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message with everything known of it but numbers and pages.

    records: of the message, then of its children, in the order of `family`. family, raw and render are None where
    nothing of the message is written, so that it needs no memory while others are rendered.
    """

    id: MessageId
    outcome: str
    copies: tuple[Copy, ...]
    reason: str = ""
    records: tuple[Record, ...] = ()
    denied: tuple[Denied, ...] = ()
    summary: tuple[str, str, str, str] = ("", "", "", "")
    """Date, From, To, Cc, for the list of what is withheld."""
    message_id: str = ""
    inline: int = 0
    parents: tuple[int, ...] = ()
    """Of each record but the first, the index of the one it is attached to."""
    family: Family | None = None
    raw: Outgoing | None = None
    render: Outgoing | None = field(default=None, repr=False)


def prepare(message: Outgoing, order: Order, search: Search) -> Prepared:
    """Hash the message anew, take it apart, and decide what of it may go out. Never raises for what is in it."""
    message = replace(message, places=tuple(by_first_seen(message.places)))
    copies = tuple(
        (order.custodian(place.account), place.account, place.folder, place.uid, moment(place.first_seen))
        for place in message.places
    )
    raw = bytes(message.raw)
    if hashlib.sha256(raw).hexdigest() != message.id:
        return Prepared(message.id, FAILED, copies, "the message is not the one that was archived")
    try:
        whole = family(message.id, raw, order.lists)
    except ValueError as error:
        return Prepared(message.id, FAILED, copies, str(error))
    parsed = whole.parsed
    records = _records(message, whole, order, search)
    prepared = Prepared(
        message.id,
        WITHHELD if whole.ground else EXPORTED,
        copies,
        records=records,
        denied=_denied(message.id, whole),
        summary=(moment(parsed.date), people(parsed.from_), people(parsed.to), people(parsed.cc)),
        message_id=parsed.message_id,
        inline=whole.inline,
        parents=tuple(child.parent for child in whole.children),
    )
    if whole.ground:
        return prepared
    return replace(prepared, family=whole, raw=message, render=_rendered(message, whole) if order.pdf else None)


def _rendered(message: Outgoing, whole: Family) -> Outgoing:
    """What the PDF is made from: a copy without what is not handed out is another message, with an id of its own, for
    the PDF carries what it was made from. No signature was ever made for it.
    """
    if whole.clean:
        return message
    digest = hashlib.sha256(whole.raw).hexdigest()
    return replace(message, id=digest, raw=whole.raw, verdicts=(), copy_of=message.id)


def _records(message: Outgoing, whole: Family, order: Order, search: Search) -> tuple[Record, ...]:
    first = message_record(message, whole, order, search)
    return (first, *(child_record(first, child, whole.ground is not None, order) for child in whole.children))


def _denied(message: MessageId, whole: Family) -> tuple[Denied, ...]:
    if whole.ground:
        first = Denied(0, "withheld", "E-mail", message, whole.ground)
        rest = (
            Denied(n, "withheld", child.kind, child.digest, whole.ground) for n, child in enumerate(whole.children, 1)
        )
        return (first, *rest)
    return tuple(_denied_child(n, child, child.ground) for n, child in enumerate(whole.children, 1) if child.ground)


def _denied_child(number: int, child: Child, ground: Ground) -> Denied:
    return Denied(number, "withheld" if ground.basis else "redacted", child.kind, child.digest, ground)
