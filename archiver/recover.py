"""From one store and the passphrase back to a working machine; and the catalog made anew from the stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from archiver.catalog import lines
from archiver.catalog.sqlite import SqliteCatalog
from archiver.config import Settings
from archiver.entries import entry_of
from archiver.errors import ConfigError, IntegrityError, MailarkError, StoreError
from archiver.model import Entry, MessageEntry, MessageId, Problem
from archiver.monitor import Monitor
from archiver.opening import WorkFolder, open_stores
from archiver.state import State
from archiver.stores.interface import Store
from archiver.vault import keys, signing
from archiver.vault.commit import furnish
from archiver.vault.keys import KeyRing, Machine
from archiver.vault.manifest import Manifest
from archiver.vault.pack import PackReader
from archiver.vault.recipe import Recipe
from archiver.vault.vault import Vault


@dataclass(slots=True)
class RecoverReport:
    """What came back. `unattested`: messages found in packs that no manifest names, so that nobody vouches for them."""

    archive: str = ""
    fingerprint: str = ""
    writer: str = ""
    commits: int = 0
    messages: int = 0
    places: int = 0
    unattested: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return 7 if self.problems or self.unattested else 0


@dataclass(slots=True)
class Losses:
    """Packs that no store has, and messages in other packs that cannot be put together without them."""

    packs: set[str]
    messages: set[MessageId] = field(default_factory=set)

    def concern(self, entry: Entry) -> bool:
        """Whether the line speaks of a message that cannot be read."""
        return isinstance(entry, MessageEntry) and (entry.pack in self.packs or entry.id in self.messages)


def recover(settings: Settings, passphrase: str, monitor: Monitor) -> RecoverReport:
    """Set this machine up from the configured stores, as a new writer with a chain of its own.

    Raises AuthError for a wrong passphrase, ConfigError when the work folder holds an archive already, StoreError when
    no store answers. Damage that leaves something readable is in the report.
    """
    work = WorkFolder(settings.archive.work)
    with work.locked():
        if work.machine.exists():
            raise ConfigError(
                f"there is an archive in {work.path} already", "nothing was changed; use `mailark reindex`"
            )
        stores = open_stores(settings.archive.stores)
        ring = _unlock(stores, passphrase)
        name, enrolment, machine = ring.enrol(year=datetime.now(UTC).year)
        report = RecoverReport(machine.archive, signing.fingerprint(machine.root), machine.writer)
        _discard_rests(work)
        state = State.open(work.state, machine.database_key)
        catalog = SqliteCatalog.open(work.catalog, machine.database_key)
        try:
            _fill(catalog, Vault(stores, machine.root, machine.keyring), stores, report, monitor)
            _remember(catalog, state, report)
        finally:
            catalog.close()
            state.close()
        _enrol(stores, {name: enrolment})
        machine.save(work.machine, passphrase)
    return report


def reindex(catalog: SqliteCatalog, machine: Machine, stores: Sequence[Store], monitor: Monitor) -> RecoverReport:
    """Make the catalog anew from the stores."""
    report = RecoverReport(machine.archive, signing.fingerprint(machine.root), machine.writer)
    catalog.forget_all()
    _fill(catalog, Vault(stores, machine.root, machine.keyring), stores, report, monitor)
    return report


def _unlock(stores: Sequence[Store], passphrase: str) -> KeyRing:
    """The keys, from the first store that has them sound."""
    failures: list[MailarkError] = []
    for store in stores:
        try:
            names = [found.name for found in store.list("keys/")]
            ring = keys.unlock(store.get, names, passphrase)
            ring.check_root(store.get(signing.ROOT))
            return ring
        except (StoreError, IntegrityError) as error:
            failures.append(error)
    raise failures[0]


def _enrol(stores: Sequence[Store], objects: dict[str, bytes]) -> None:
    """One store that knows the new writer is enough to go on; the others get it by the next push or `repair`."""
    failed = furnish(stores, objects)
    if len(failed) == len(stores):
        raise next(iter(failed.values()))


def _discard_rests(work: WorkFolder) -> None:
    """Databases without `machine.age` are of a recovery that was cut, or of a machine whose key is gone."""
    for database in (work.state, work.catalog):
        for suffix in ("", "-wal", "-shm", "-journal"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)


def _fill(
    catalog: SqliteCatalog, vault: Vault, stores: Sequence[Store], report: RecoverReport, monitor: Monitor
) -> None:
    """Every commit's lines in the order of its chain; then the packs that no readable commit spoke of."""
    there = _packs(stores)
    manifests: list[Manifest] = []
    try:
        manifests.extend(vault.manifests())
    except (IntegrityError, StoreError) as error:
        _note(report, monitor, Problem("manifests", str(error)))
    attested = {ref.name for manifest in manifests for ref in manifest.objects}
    losses = _losses(vault, there, attested, report, monitor)
    for manifest in manifests:
        _take_commit(catalog, vault, manifest, losses, report, monitor)
    known = catalog.packs()
    for name in sorted(there - known):
        _take_pack(catalog, vault, name, name in attested, report, monitor)


def _take_commit(
    catalog: SqliteCatalog, vault: Vault, manifest: Manifest, losses: Losses, report: RecoverReport, monitor: Monitor
) -> None:
    """The lines of one commit, without those of messages that are lost: a later pack may have them, or the server."""
    try:
        for document in vault.lines(manifest):
            catalog.add(entry for entry in lines.load(document) if not losses.concern(entry))
    except (IntegrityError, StoreError) as error:
        catalog.rollback()
        _note(report, monitor, Problem(manifest.name, str(error)))
        return
    catalog.seal(manifest.writer, manifest.seq)
    report.commits += 1
    report.messages += manifest.messages
    monitor.advance("catalog", manifest.messages, 0)


def _losses(vault: Vault, there: set[str], attested: set[str], report: RecoverReport, monitor: Monitor) -> Losses:
    """Packs that manifests name and no store has, and messages elsewhere of which they held a segment."""
    losses = Losses({name for name in attested - there if name.startswith("packs/")})
    for name in sorted(losses.packs):
        _note(report, monitor, Problem(name, "no store that answers has it; what a server still has is fetched again"))
    eras = {name.split("/")[1] for name in losses.packs}  # no segment is shared across eras
    for name in sorted(there & attested):
        if name.split("/")[1] in eras:
            try:
                losses.messages.update(_resting_on(vault.pack(name), losses.packs))
            except (IntegrityError, StoreError) as error:
                _note(report, monitor, Problem(name, str(error)))
    if losses.messages:
        text = f"{len(losses.messages)} messages in other packs lack an attachment that lay in those"
        _note(report, monitor, Problem("packs", text))
    return losses


def _resting_on(pack: PackReader, lost: set[str]) -> Iterator[MessageId]:
    for member in pack.names():
        if member.startswith("m/") and member.endswith(".json"):
            recipe = Recipe.parse(pack.read(member))
            if any(part.pack in lost for part in recipe.parts):
                yield recipe.sha256


def _remember(catalog: SqliteCatalog, state: State, report: RecoverReport) -> None:
    """What the lost machine knew of the servers: the places that were live, so that nothing is fetched again."""
    for folder in catalog.live_folders():
        state.adopt(folder.account, folder.folder, folder.epoch, folder.uidvalidity, folder.places)
        report.places += len(folder.places)


def _packs(stores: Sequence[Store]) -> set[str]:
    """The packs in all stores that answer."""
    names: set[str] = set()
    for store in stores:
        try:
            names.update(found.name for found in store.list("packs/"))
        except StoreError:
            continue
    return names


def _take_pack(
    catalog: SqliteCatalog, vault: Vault, name: str, attested: bool, report: RecoverReport, monitor: Monitor
) -> None:
    """Read the whole pack: its messages are parsed again, its own lines tell their places."""
    try:
        entries = list(_lines_of_pack(vault, name))
        catalog.add(entries)
        catalog.seal("", 0)
    except (IntegrityError, StoreError) as error:
        _note(report, monitor, Problem(name, str(error)))
        return
    messages = sum(isinstance(entry, MessageEntry) for entry in entries)
    report.messages += messages
    report.unattested += 0 if attested else messages


def _lines_of_pack(vault: Vault, name: str) -> Iterator[Entry]:
    reader = vault.pack(name)
    for member in sorted(reader.names()):
        kind, _, rest = member.partition("/")
        if kind == "c":
            yield from lines.load(reader.read(member))
        elif kind == "m" and not member.endswith(".json"):
            message = rest.partition(".")[0]
            yield entry_of(message, vault.read(message, name), name)


def _note(report: RecoverReport, monitor: Monitor, problem: Problem) -> None:
    report.problems.append(problem)
    monitor.problem(problem)
