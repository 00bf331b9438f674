"""What turns laid-out families into volumes that another party can check: load files, lists, report, bags, seal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archiver import __version__
from archiver.errors import ConfigError
from exporters import files
from exporters.production import bag
from exporters.production.bag import FileNote
from exporters.production.custody import custody
from exporters.production.evidence import Evidence
from exporters.production.intake import WITHHELD
from exporters.production.journal import Entry, Journal
from exporters.production.listings import LISTS, Listings
from exporters.production.loadfiles import LoadFiles
from exporters.production.order import Order, Search
from exporters.production.record import edrm_mih
from exporters.production.report import report
from exporters.production.seal import SEAL_LIST, SIGNATURE, SIGNER_CA, TIMESTAMP, TSA_CA, Seal, told
from exporters.production.tally import Tally, VolumeTally
from exporters.production.verify_text import verify_text
from exporters.production.volumes import Volumes

REPORT = "REPORT/export-report.pdf"
Pages = Callable[[str, str], bytes]
"""A whole HTML document and its title -> PDF/A-3u."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything that is needed once all families are laid."""

    order: Order
    search: Search
    asked: Mapping[str, Any]
    volumes: Volumes
    seal: Seal | None
    evidence: Evidence
    pages: Pages
    renderer: str

    def __call__(self, journal: Journal) -> Tally:
        """Write all that is left, in every volume. Raises IntegrityError when the sum does not hold, ConfigError for a
        file that is a stranger's, OSError, QuotaError.
        """
        first = self._data(1)
        for folder in ("DATA", "REPORT"):
            (first / folder).mkdir(parents=True, exist_ok=True)
        tally = self._lists(journal)
        self._reports(tally)
        count = len(tally.volumes)
        for volume in tally.volumes:
            self._bag(volume, count, tally.equation, journal)
        self._clear(count)
        return tally

    def _data(self, number: int) -> Path:
        return self.volumes.folder(number) / "data"

    def _lists(self, journal: Journal) -> Tally:
        """The load files of each volume, and the lists, in one walk over what was written."""
        tally = Tally(int(self.asked["hits"]))
        withheld = {
            edrm_mih(entry.message_id): entry.records[0]["CONTROLNUMBER"]
            for entry in journal.entries()
            if entry.outcome == WITHHELD and entry.message_id
        }
        denied = {denial[3]: denial[0] for entry in journal.entries() for denial in entry.denials}
        with Listings(self._data(1) / "REPORT", withheld, denied) as listings:
            for number, entries in _by_volume(journal.entries()):
                self._load_files(number, entries, tally, listings)
            for message, reason in tally.missing(self.order, self.search):
                listings.failed(message, reason)
            listings.unused(tally.unused)
            if listings.near_withheld:
                tally.exceptions["near-duplicate of a withheld message"] = listings.near_withheld
            if listings.denied_elsewhere:
                tally.exceptions["same content as a document not produced"] = listings.denied_elsewhere
        if not tally.volumes:  # nothing was found, or nothing of it can be handed out: the report says so
            tally.volumes.append(VolumeTally(1))
        for volume in tally.volumes:
            self._note_load_files(volume)
        tally.reconcile()
        return tally

    def _load_files(self, number: int, entries: Iterable[Entry], tally: Tally, listings: Listings) -> None:
        folder = self._data(number) / "DATA"
        folder.mkdir(parents=True, exist_ok=True)
        evidence = self._data(number) / "EVIDENCE"
        with LoadFiles(folder, Volumes.name(number)) as load, _Proofs(evidence, self.evidence) as proofs:
            for entry in entries:
                listings.add(entry, tally.add(entry))
                if entry.records:
                    proofs.add(entry)
                for record in entry.records:
                    load.add(record)

    def _note_load_files(self, volume: VolumeTally) -> None:
        folder = self._data(volume.number) / "DATA"
        for path in sorted(folder.iterdir()):
            volume.hashes[f"DATA/{path.name}"] = bag.digest(path)

    def _reports(self, tally: Tally) -> None:
        """The same report in every volume, for each must be readable by itself."""
        title = f"Export report: {self.order.case}"
        pdf = self.pages(report(self.order, self.search, tally, self.seal, self.renderer), title)
        contents = {
            REPORT: self.seal.sign_pdf(pdf) if self.seal else pdf,
            "REPORT/query.json": query_json(self.asked),
            "REPORT/custody.jsonl": custody(self.order, self.search, tally, self.seal, self.renderer),
        }
        for volume in tally.volumes:
            self.volumes.lay(volume.number, contents)
            for name in LISTS if volume.number > 1 else ():
                shutil.copyfile(self._data(1) / "REPORT" / name, self._data(volume.number) / "REPORT" / name)

    def _bag(self, volume: VolumeTally, count: int, equation: str, journal: Journal) -> None:
        root = self.volumes.folder(volume.number)
        named, size = self._manifest(root, volume.number, journal)
        self._stray(root, named)
        info = {"Bag-Count": f"{volume.number} of {count}", "Payload-Oxum": f"{size}.{len(named)}"}
        tags = self._tags(volume, info | {"Reconciliation": equation})
        for name, content in tags.items():
            _replace(root / name, content)
        notes = [bag.noted(root, name) for name in sorted([*tags, bag.MANIFEST])]
        whole = "".join(note.line for note in notes).encode()
        _replace(root / bag.TAG_MANIFEST, whole)
        self._seal(root, whole)

    def _seal(self, root: Path, whole: bytes) -> None:
        """Sign and time-stamp the one file that stands for all."""
        for name in (SIGNATURE, TIMESTAMP, SEAL_LIST):
            (root / name).unlink(missing_ok=True)
        if self.seal is None:
            return
        made = {SIGNATURE: self.seal.sign(whole)}
        if self.seal.timestamp:
            made[TIMESTAMP] = self.seal.timestamp(whole)
        for name, content in made.items():
            _replace(root / name, content)
        _replace(root / SEAL_LIST, "".join(bag.noted(root, name).line for name in made).encode())

    def _manifest(self, root: Path, number: int, journal: Journal) -> tuple[set[str], int]:
        """Write manifest-sha256.txt; the paths it names and the bytes of all of them."""
        named, size = set(), 0
        part = root / f".{bag.MANIFEST}.part"
        with part.open("w", encoding="utf-8", newline="\n") as out:
            for note in self._payload(root, number, journal):
                out.write(note.line)
                named.add(note.path)
                size += note.size
        part.replace(root / bag.MANIFEST)
        return named, size

    def _payload(self, root: Path, number: int, journal: Journal) -> Iterator[FileNote]:
        """Documents by the hashes they were written with, everything else by what is on the disk."""
        for entry in journal.entries():
            if entry.volume == number:
                yield from entry.files
        for folder in ("DATA", "EVIDENCE", "REPORT"):
            for path in sorted((root / "data" / folder).rglob("*")):
                if path.is_file() and not path.name.endswith(".part"):
                    yield bag.noted(root, path.relative_to(root).as_posix())

    def _stray(self, root: Path, named: set[str]) -> None:
        """Take away what an earlier try of this very bundle left; anything else is a stranger's and stops all."""
        for path in sorted((root / "data").rglob("*")):
            relative = path.relative_to(root).as_posix()
            if path.is_dir() or relative in named:
                continue
            if not path.name.startswith(self.order.numbers.prefix) and not path.name.endswith(".part"):
                raise ConfigError(f"{path} is no part of this bundle", "move it away and run the export again")
            path.unlink()

    def _clear(self, count: int) -> None:
        """Take away volumes of an earlier try that needed more of them; never one that was finished."""
        for root in self.volumes.there()[count:]:
            if (root / bag.TAG_MANIFEST).exists():
                raise ConfigError(f"{root} is no part of this bundle", "move it away and run the export again")
            shutil.rmtree(root)

    def _tags(self, volume: VolumeTally, info: Mapping[str, str]) -> dict[str, bytes]:
        name = f"{self.order.case}_{Volumes.name(volume.number)}"
        signature, timestamp = told(self.seal)
        whole = {
            "Bag-Software-Agent": f"mailark {__version__}",
            "External-Identifier": name,
            "External-Description": self.order.matter,
            "Bag-Group-Identifier": self.order.case,
            **info,
            "Bates-Range": f"{volume.first} to {volume.last}" if volume.documents else "none",
            "Signature": signature,
            "Time-Stamp": timestamp,
        }
        tags = {"bagit.txt": bag.DECLARATION, bag.INFO: bag.info(whole)}
        natives = next((self._data(volume.number) / "NATIVES").glob("*"), None)
        tags["VERIFY.txt"] = verify_text(name, self.seal, self.evidence.instructions if natives else ())
        if self.seal:
            tags |= {SIGNER_CA: self.seal.authority, TSA_CA: self.seal.tsa_authority}
        return {name: content for name, content in tags.items() if content}


class _Proofs:
    """data/EVIDENCE of a volume: the archive's files, and a line of proofs.jsonl for each message in the volume."""

    def __init__(self, folder: Path, evidence: Evidence) -> None:
        self._evidence = evidence
        self._file = None
        if not evidence.files:
            return
        for path, content in evidence.files.items():
            _replace(folder / path, content)
        self._file = (folder / "proofs.jsonl").open("w", encoding="utf-8", newline="\n")

    def __enter__(self) -> _Proofs:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, entry: Entry) -> None:
        """The proof of a message, if there is one."""
        if self._file and (proof := self._evidence.proofs(entry.id)) is not None:
            self._file.write(json.dumps(dict(proof), sort_keys=True) + "\n")


def query_json(asked: Mapping[str, Any]) -> bytes:
    """query.json."""
    return (json.dumps(asked, ensure_ascii=False, indent=1) + "\n").encode(errors="replace")


def _by_volume(entries: Iterator[Entry]) -> Iterator[tuple[int, Iterator[Entry]]]:
    """The entries volume by volume; one that lies in none (failed) stands with those before it."""
    following: list[Entry] = []
    number = 1

    def run() -> Iterator[Entry]:
        yield from following
        following.clear()
        for entry in entries:
            if entry.volume > number:
                following.append(entry)
                return
            yield entry

    yield number, run()
    while following:
        number = following[0].volume
        yield number, run()


def _replace(path: Path, content: bytes) -> None:
    if not files.holds(path, content):
        files.write(path, content, None)
