"""The compliance bundle: messages as numbered documents in sealed volumes, with load files, lists and a report."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from archiver.errors import ConfigError, IntegrityError
from archiver.model import MessageId, Problem
from exporters import files
from exporters.interface import Outgoing, Report
from exporters.production import bag
from exporters.production.assembly import Assembly, Stamp
from exporters.production.evidence import Evidence
from exporters.production.finishing import Finish, Pages, query_json
from exporters.production.intake import FAILED, Prepared, prepare
from exporters.production.journal import Entry, Journal
from exporters.production.listings import not_produced, unmatched
from exporters.production.numbering import Numbers
from exporters.production.order import Order, Search, described, same_order
from exporters.production.pdftext import PdfReader
from exporters.production.report import slip
from exporters.production.seal import SEAL_LIST, Seal, told
from exporters.production.volumes import Volumes
from exporters.rendition.interface import Rendition

_AGAIN = "move it away and run the export again"


class Renders(Protocol):
    """Messages to renditions, in order; some may be read ahead."""

    def render(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Rendition]]:
        """Each message with its rendition."""


@dataclass(frozen=True, slots=True)
class Press:
    """What makes pages. renderer: None when messages are not rendered; name: what RENDERER says of it. pages: HTML and
    a title to PDF/A. stamp: puts a label on each page.
    """

    pages: Pages
    stamp: Stamp
    renderer: Renders | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class BundleReport(Report):
    """As `Report`; files are the volumes. equation: the sum of the reconciliation, written out · signature, timestamp:
    who signed and time-stamped it, or that nobody did · unmatched: entries of the order's lists that match no document,
    each with the list it stands in: perhaps a slip, by which something privileged is handed out.

    Of a bundle that was there: available: the failed messages that the archive can give now · following: the first
    number that it does not use · as_of: the moment of the archive it was made of, "" when that is the archive's of now.
    """

    equation: str = ""
    signature: str = ""
    timestamp: str = ""
    unmatched: tuple[tuple[str, str], ...] = ()
    available: tuple[MessageId, ...] = ()
    following: int = 0
    as_of: str = ""


class BundleExporter:
    """`<CASE>_VOL001/`, `_VOL002/` … each a BagIt bag (RFC 8493): data/NATIVES, PDF, TEXT, ATTACHMENTS, DATA, REPORT.

    The same order over the same state of the archive gives the same bytes, but for the signature in the report, its
    hash in the manifests, the signature and the time-stamp. A run that was cut goes on where it stopped; a bundle that
    is whole is verified, and nothing is written, be it that messages which failed can be had now: the report names
    them.
    """

    def __init__(
        self, order: Order, search: Search, press: Press, *, seal: Seal | None = None, evidence: Evidence | None = None
    ) -> None:
        self._order, self._search, self._press, self._seal = order, search, press, seal
        self._evidence = evidence or Evidence()
        self._asked = described(order, search, press.name, told(seal))

    def export(self, messages: Iterable[Outgoing], target: Path) -> BundleReport:
        """As `Exporter.export`; messages must come in the order of `Search.hits`.

        Raises ConfigError when another bundle lies there, IntegrityError when the one that lies there is damaged or the
        sum of the reconciliation does not hold, QuotaError, OSError for what concerns the whole bundle.
        """
        volumes = Volumes(target, self._order.case, self._order.volume_size)
        path = target / f".{self._order.case}.unfinished.jsonl"
        if not path.exists() and (there := volumes.there()):
            return self._there(volumes, there[0])
        target.mkdir(parents=True, exist_ok=True)
        try:
            with Journal(path, self._asked) as journal:
                skipped = self._work(messages, volumes, journal)
                report = self._finish(volumes, journal, skipped)
                journal.remove()
        except OSError as error:
            files.raise_if_full(error)
            raise ConfigError(f"the bundle cannot be written: {files.reason(error)}") from error
        return report

    def _there(self, volumes: Volumes, first: Path) -> BundleReport:
        """A finished bundle is verified, and never touched; one of another order, or a damaged one, ends the export."""
        made, asked = _query(first), json.loads(query_json(self._asked))
        if not same_order(made, asked):
            raise ConfigError(f"{first} is there already and holds something else", "write to another folder")
        paths = self._verified(volumes, first)
        lists = first / "data/REPORT"
        failed = tuple(not_produced(lists))
        available = tuple(message for message, _ in failed if self._to_be_had(message))
        return BundleReport(
            0,
            len(self._search.hits) - len(failed),
            tuple(_problem(message, _told_again(reason, message in available)) for message, reason in failed),
            tuple(path.relative_to(volumes.target) for path in paths),
            bag.told(first).get("Reconciliation", ""),
            *told(self._seal),
            unmatched=tuple(unmatched(lists)),
            available=available,
            following=_following(paths, self._order.numbers),
            as_of=str(made.get("archive_as_of")) if made != asked else "",
        )

    def _verified(self, volumes: Volumes, first: Path) -> list[Path]:
        """Every volume of a finished bundle. IntegrityError for one that is not as it was."""
        try:
            count = int(bag.told(first)["Bag-Count"].rpartition(" ")[2])
        except (OSError, KeyError, ValueError):
            raise IntegrityError(f"{first}: {bag.INFO} is missing or unreadable", _AGAIN) from None
        lists = (SEAL_LIST,) if self._seal else ()
        paths = [volumes.folder(number) for number in range(1, count + 1)]
        for path in paths:
            for problem in bag.problems(path, *lists):
                raise IntegrityError(f"{path}: {problem}", _AGAIN)
        return paths

    def _to_be_had(self, message: MessageId) -> bool:
        """Whether a message that failed would be in a bundle made now."""
        found = self._search.again(message)
        return found is not None and prepare(found, self._order, self._search).outcome != FAILED

    def _work(self, messages: Iterable[Outgoing], volumes: Volumes, journal: Journal) -> int:
        """Lay every family; how many were there from an earlier try."""
        with PdfReader() as pdf_text:
            assembly = Assembly(
                self._order.numbers,
                volumes,
                stamp=self._press.stamp,
                slip=self._slip(),
                pdf_text=pdf_text,
                renderer=self._press.name,
            )
            stream = iter(messages)
            skipped, rest = _resumed(stream, volumes, journal, assembly)
            prepared = (prepare(message, self._order, self._search) for message in chain(rest, stream))
            for family, rendition in self._rendered(prepared):
                journal.append(assembly.add(family, rendition))
        return skipped

    def _rendered(self, prepared: Iterator[Prepared]) -> Iterator[tuple[Prepared, Rendition | None]]:
        """Each in its order, with its rendition if it gets one, whatever the renderer reads ahead."""
        if self._press.renderer is None:
            yield from ((family, None) for family in prepared)
            return
        waiting: deque[Prepared] = deque()

        def given() -> Iterator[Outgoing]:
            for family in prepared:
                waiting.append(family)
                if family.render is not None:
                    yield family.render

        for _, rendition in self._press.renderer.render(given()):
            while waiting[0].render is None:
                yield waiting.popleft(), None
            yield waiting.popleft(), rendition
        while waiting:
            yield waiting.popleft(), None

    def _slip(self) -> Callable[[str, str], bytes]:
        """Pages for what is not handed out, each made once."""
        made: dict[tuple[str, str], bytes] = {}

        def page(headline: str, reason: str) -> bytes:
            if (headline, reason) not in made:
                made[headline, reason] = self._press.pages(slip(headline, reason), headline)
            return made[headline, reason]

        return page

    def _finish(self, volumes: Volumes, journal: Journal, skipped: int) -> BundleReport:
        finish = Finish(
            self._order,
            self._search,
            self._asked,
            volumes,
            self._seal,
            self._evidence,
            self._press.pages,
            self._press.name,
        )
        tally = finish(journal)
        failed = tuple(_problem(entry.id, entry.reason) for entry in journal.entries() if entry.outcome == FAILED)
        paths = tuple(volumes.folder(volume.number).relative_to(volumes.target) for volume in tally.volumes)
        written = tally.messages - skipped - len(failed)
        return BundleReport(written, skipped, failed, paths, tally.equation, *told(self._seal), unmatched=tally.unused)


def _resumed(
    stream: Iterator[Outgoing], volumes: Volumes, journal: Journal, assembly: Assembly
) -> tuple[int, list[Outgoing]]:
    """Go over what is done; how many messages that is, and the first that is not."""
    done = 0
    for message in stream:
        entry = journal.next()
        if entry is None or entry.id != message.id or entry.outcome == FAILED or not _whole(entry, volumes):
            return done, [message]
        journal.accept()
        assembly.resume(entry)
        done += 1
    return done, []


def _whole(entry: Entry, volumes: Volumes) -> bool:
    """Whether every file of a family is there, byte for byte."""
    root = volumes.folder(entry.volume)
    with suppress(OSError):
        return all(
            (root / note.path).stat().st_size == note.size and bag.digest(root / note.path) == note.sha256
            for note in entry.files
        )
    return False


def _problem(message: MessageId, reason: str) -> Problem:
    return Problem(f"message {message[:16]}", reason)


def _told_again(reason: str, available: bool) -> str:
    return f"{reason} when the bundle was made; it can be had now" if available else reason


def _query(root: Path) -> dict[str, Any]:
    """The query.json of a volume; {} when there is none that can be read."""
    with suppress(OSError, ValueError):
        found = json.loads((root / "data/REPORT/query.json").read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _following(volumes: Sequence[Path], numbers: Numbers) -> int:
    """The number after the last one used; the first of the order when none is."""
    ranges = (bag.told(root).get("Bates-Range", "") for root in reversed(volumes))
    last = next((found for found in ranges if " to " in found), "").rpartition(" ")[2]
    return int(last.removeprefix(numbers.prefix)) + 1 if last else numbers.start
