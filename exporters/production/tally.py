"""The sums of a bundle, counted once more from what was really written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from archiver.errors import IntegrityError
from archiver.model import MessageId
from exporters.production.intake import EXPORTED, FAILED, WITHHELD
from exporters.production.journal import Entry
from exporters.production.order import Order, Search
from exporters.production.record import edrm_mih, exceptions

RULE = (
    "A hit is a message in the mailbox of one custodian; several folders of one custodian count once. Messages are the "
    "same when all their bytes are (SHA-256). Of such messages one is produced, for the custodian where it was seen "
    "first; each further custodian's copy is counted as a duplicate and listed in duplicates.csv with all its places. "
    "Messages that share a Message-ID (EDRM MIH) and differ in any byte are all produced, and listed there too."
)


@dataclass(slots=True)
class VolumeTally:
    """One volume: how many documents, pages, files and bytes, and the first and last Bates number."""

    number: int
    documents: int = 0
    pages: int = 0
    files: int = 0
    size: int = 0
    first: str = ""
    last: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the load files, by path below data/."""


@dataclass(slots=True)
class Tally:
    """hits = exported + withheld + failed + duplicates. All are copies, as `RULE` defines a hit; of a message that is
    exported, withheld or failed one copy counts as that, the others as duplicates.
    """

    hits: int
    exported: int = 0
    withheld: int = 0
    failed: int = 0
    duplicates: int = 0
    messages: int = 0
    natives: int = 0
    attachments: int = 0
    redacted: int = 0
    withheld_attachments: int = 0
    inline: int = 0
    near_duplicates: int = 0
    earliest: str = ""
    latest: str = ""
    renditions: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    custodians: Counter[str] = field(default_factory=Counter)
    collected: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """(custodian, account) -> moments at which a message was first seen: the earliest and the latest."""
    volumes: list[VolumeTally] = field(default_factory=list)
    unused: tuple[tuple[str, str], ...] = ()
    """Entries of the lists that match nothing: the list, the entry."""
    _ids: set[MessageId] = field(default_factory=set)
    _message_ids: set[str] = field(default_factory=set)
    _listed: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> bool:
        """Count a message; True when another one with its Message-ID was counted before. Raises IntegrityError for one
        that comes twice.
        """
        if entry.id in self._ids:
            raise IntegrityError(f"message {entry.id} was given twice for one bundle")
        self._ids.add(entry.id)
        self._outcome(entry.outcome, max(1, len({copy[0] for copy in entry.copies})))
        for custodian in dict.fromkeys(copy[0] for copy in entry.copies):
            self.custodians[custodian] += 1
        self._collected(entry)
        self.messages += 1
        self.inline += entry.inline
        self._listed.update((entry.id, *(denial[3] for denial in entry.denials)))
        for record in entry.records:
            self._listed.add(record["FILENAME"])
            self.exceptions.update(kind(exception) for exception in exceptions(record))
        if entry.volume:
            self._documents(entry)
        return self._near(entry)

    def missing(self, order: Order, search: Search) -> list[tuple[MessageId, str]]:
        """The messages that were found and never came, with why; they are counted as failed."""
        gone = [hit for hit in search.hits if hit.id not in self._ids]
        for hit in gone:
            self._outcome(FAILED, len(order.holders(hit.places)))
            self._listed.add(hit.id)
        self.unused = tuple((name, key) for name, key in order.lists.entries() if key not in self._listed)
        return [(hit.id, search.unread(hit.id)) for hit in gone]

    def reconcile(self) -> None:
        """Raises IntegrityError unless the sum holds: then no bundle may be made of it."""
        if self.hits != self.exported + self.withheld + self.failed + self.duplicates:
            raise IntegrityError(f"the sum does not hold: {self.equation}", "run the export again")

    @property
    def equation(self) -> str:
        """The sum, written out."""
        found = f"{self.hits} {'hit' if self.hits == 1 else 'hits'} = {self.exported} exported"
        return f"{found} + {self.withheld} withheld + {self.failed} failed + {self.duplicates} duplicates"

    def _outcome(self, outcome: str, copies: int) -> None:
        self.exported += outcome == EXPORTED
        self.withheld += outcome == WITHHELD
        self.failed += outcome == FAILED
        self.duplicates += copies - 1

    def _collected(self, entry: Entry) -> None:
        for custodian, account, _, _, seen in entry.copies:
            span = self.collected.setdefault((custodian, account), [seen, seen])
            span[:] = [min(span[0], seen), max(span[1], seen)]

    def _documents(self, entry: Entry) -> None:
        first = entry.records[0]
        if len(self.volumes) < entry.volume:
            self.volumes.append(VolumeTally(entry.volume, first=first["BEGBATES"]))
        volume = self.volumes[-1]
        volume.documents += len(entry.records)
        volume.files += len(entry.files)
        volume.size += entry.size
        volume.pages += sum(int(record["PAGECOUNT"] or 0) for record in entry.records)
        volume.last = entry.records[-1]["ENDBATES"]
        self.natives += any(note.path.startswith("data/NATIVES/") for note in entry.files)
        self.attachments += len(entry.records) - 1
        denied = Counter(denial[1] for denial in entry.denials if denial[0] != first["CONTROLNUMBER"])
        self.redacted += denied["redacted"]
        self.withheld_attachments += denied["withheld"]
        if first["PDFTIER"]:
            self.renditions += 1
            self.tiers[first["PDFTIER"]] += 1
        if sent := first["DATESENT_UTC"]:
            self.earliest, self.latest = min(self.earliest or sent, sent), max(self.latest, sent)

    def _near(self, entry: Entry) -> bool:
        known = edrm_mih(entry.message_id)
        near = bool(known) and known in self._message_ids
        self._message_ids.add(known)
        self.near_duplicates += near
        return near


def kind(exception: str) -> str:
    """The sort of an exception, by which they are counted: without the names of fields."""
    return "DAT: signs altered" if exception.startswith("DAT:") else exception


def beginning(volumes: Sequence[VolumeTally]) -> str:
    """The Bates range of all volumes; "" when there are no documents."""
    return f"{volumes[0].first} to {volumes[-1].last}" if volumes else ""
