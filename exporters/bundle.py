"""The compliance bundle: messages as numbered documents in sealed volumes, with load files, lists and a report."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from archiver.errors import ConfigError, IntegrityError
from archiver.model import Problem
from exporters import files
from exporters.interface import Outgoing, Report
from exporters.production import bag
from exporters.production.assembly import Assembly, Stamp
from exporters.production.evidence import Evidence
from exporters.production.finishing import Finish, Pages, query_json
from exporters.production.intake import FAILED, Prepared, prepare
from exporters.production.journal import Entry, Journal
from exporters.production.listings import not_produced
from exporters.production.order import Order, Search, described
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
    who signed and time-stamped it, or that nobody did.
    """

    equation: str = ""
    signature: str = ""
    timestamp: str = ""


class BundleExporter:
    """`<CASE>_VOL001/`, `_VOL002/` … each a BagIt bag (RFC 8493): data/NATIVES, PDF, TEXT, ATTACHMENTS, DATA, REPORT.

    The same order over the same state of the archive gives the same bytes, but for the signature in the report, its
    hash in the manifests, the signature and the time-stamp. A run that was cut goes on where it stopped; a bundle that
    is whole is verified, and nothing is written.
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
        """A finished bundle is verified; one of another order, or a damaged one, is never touched."""
        if not files.holds(first / "data/REPORT/query.json", query_json(self._asked)):
            raise ConfigError(f"{first} is there already and holds something else", "write to another folder")
        try:
            count = int(bag.told(first)["Bag-Count"].rpartition(" ")[2])
        except (OSError, KeyError, ValueError):
            raise IntegrityError(f"{first}: {bag.INFO} is missing or unreadable", _AGAIN) from None
        lists = (SEAL_LIST,) if self._seal else ()
        for number in range(1, count + 1):
            for problem in bag.problems(volumes.folder(number), *lists):
                raise IntegrityError(f"{volumes.folder(number)}: {problem}", _AGAIN)
        failed = tuple(not_produced(first / "data/REPORT"))
        paths = tuple(volumes.folder(number).relative_to(volumes.target) for number in range(1, count + 1))
        equation = bag.told(first).get("Reconciliation", "")
        return BundleReport(0, len(self._search.hits) - len(failed), failed, paths, equation, *told(self._seal))

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
        failed = tuple(_problem(entry) for entry in journal.entries() if entry.outcome == FAILED)
        paths = tuple(volumes.folder(volume.number).relative_to(volumes.target) for volume in tally.volumes)
        written = tally.messages - skipped - len(failed)
        return BundleReport(written, skipped, failed, paths, tally.equation, *told(self._seal))


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


def _problem(entry: Entry) -> Problem:
    return Problem(f"message {entry.id[:16]}", entry.reason)
