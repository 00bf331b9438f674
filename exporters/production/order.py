"""What was asked for, by whom, and what the archive answered: everything that decides the bytes of a bundle."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from archiver import __version__
from archiver.errors import ConfigError
from archiver.model import MessageId, Place
from exporters.interface import Outgoing
from exporters.production.lists import Lists
from exporters.production.numbering import Numbers

_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class Found(Protocol):
    """A message as the catalog found it."""

    @property
    def id(self) -> MessageId: ...
    @property
    def places(self) -> Sequence[Place]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """How long the archive keeps a message, and the holds it lies under, in words of the archive; "" for none."""

    retention: str = ""
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What the archive answered.

    query: as it was typed. hits: every message it finds, in the order of the export. state: which archive, in which
    state, JSON. as_of: the newest moment that state knows of. unread: why a message did not come out of the archive,
    one line. again: a message read once more; None when it still cannot be had. kept: what is known of a message's
    retention.
    """

    query: str
    hits: Sequence[Found]
    state: Mapping[str, Any] = field(default_factory=dict)
    as_of: datetime | None = None
    unread: Callable[[MessageId], str] = lambda _: "not readable from the archive"
    again: Callable[[MessageId], Outgoing | None] = lambda _: None
    kept: Callable[[MessageId], Kept] = lambda _: Kept()

    def digest(self) -> str:
        """SHA-256 over the ids and places found, in order."""
        whole = hashlib.sha256()
        for hit in self.hits:
            places = sorted((place.account, place.folder, place.epoch, place.uid) for place in hit.places)
            whole.update(json.dumps([hit.id, places]).encode())
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be produced.

    case: part of file names, so letters, digits, ".", "_", "-" only. custodians: account -> the person it belongs to,
    where that is not the account's name. zone: of DATESENT and TIMESENT, None for UTC. volume_size:
    bytes of documents a volume holds at most, unless one family alone is larger; None for one volume. pdf: whether
    messages are rendered.
    """

    case: str
    matter: str = ""
    requester: str = ""
    approver: str = ""
    operator: str = ""
    custodians: Mapping[str, str] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)
    zone: ZoneInfo | None = None
    volume_size: int | None = None
    lists: Lists = field(default_factory=Lists)
    pdf: bool = True

    def __post_init__(self) -> None:
        """Raises ConfigError for a case that cannot be part of a name."""
        if not _CASE.fullmatch(self.case):
            raise ConfigError(
                f"{self.case!r} cannot be the name of a case",
                "use up to 40 letters A to Z, digits, dots, underscores and hyphens",
            )

    @property
    def zone_name(self) -> str:
        """As the time zone database writes it."""
        return self.zone.key if self.zone else "UTC"

    def custodian(self, account: str) -> str:
        """Whose account it is."""
        return self.custodians.get(account, account)

    def holders(self, places: Sequence[Place]) -> list[str]:
        """The custodians of these places, each once, in the order of first seen; never empty."""
        return list(dict.fromkeys(self.custodian(place.account) for place in by_first_seen(places))) or [""]


def by_first_seen(places: Sequence[Place]) -> list[Place]:
    """In one order, whatever order they came in."""
    return sorted(places, key=lambda place: (place.first_seen, place.account, place.folder, place.epoch, place.uid))


def described(order: Order, search: Search, renderer: str, sealed: tuple[str, str]) -> dict[str, Any]:
    """query.json: two bundles that agree in it are the same, but for signature and time-stamp."""
    return {
        "case": order.case,
        "matter": order.matter,
        "requester": order.requester,
        "approver": order.approver,
        "operator": order.operator,
        "query": search.query,
        "archive": dict(search.state),
        "archive_as_of": moment(search.as_of),
        "hits": sum(len(order.holders(hit.places)) for hit in search.hits),
        "messages": len(search.hits),
        "messages_sha256": search.digest(),
        "time_zone": order.zone_name,
        "custodians": dict(sorted(order.custodians.items())),
        "bates": {"prefix": order.numbers.prefix, "start": order.numbers.start, "digits": order.numbers.digits},
        "volume_size": order.volume_size,
        "withhold_sha256": order.lists.withhold_sha256,
        "redact_sha256": order.lists.redact_sha256,
        "pdf": order.pdf,
        "software": f"mailark {__version__}",
        "renderer": renderer,
        "signature": sealed[0],
        "timestamp": sealed[1],
    }


def same_order(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both ask for the same messages of the same archive in the same way, be the archive in another state:
    runs that found nothing new for the query, or a hold, change that alone.
    """
    return _lasting(one) == _lasting(other)


def _lasting(asked: Mapping[str, Any]) -> dict[str, Any]:
    archive = asked.get("archive")
    return {**asked, "archive_as_of": "", "archive": archive.get("id") if isinstance(archive, Mapping) else archive}


def moment(when: datetime | None) -> str:
    """RFC 3339 in UTC, to the second; "" for None."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else ""
