"""What a compliance bundle is told of the archive: its state, its holds, how long each message is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from archiver.cli.output import one_line
from archiver.errors import ConfigError, IntegrityError, StoreError
from archiver.vault.holds import era_of, standing
from archiver.vault.inventory import Inventory, take
from exporters.interface import Outgoing
from exporters.production.order import Kept, Search

if TYPE_CHECKING:
    from archiver.cli.forms.interface import Order
    from archiver.opening import Archive


def search(order: Order) -> Search:
    """The answer to the query with the state of the archive it came from. Raises StoreError when no store answers, for
    then nobody knows which holds stand.
    """
    archive = order.archive
    inventory = inventory_of(archive)
    sealed = archive.catalog.sealed()
    holds = standing(inventory.manifests)
    hits = {hit.id: hit for hit in order.hits}
    known = [manifest.time for manifest in inventory.manifests if manifest.seq <= sealed.get(manifest.writer, 0)]

    def kept(message: str) -> Kept:
        pack = hits[message].pack
        return Kept(era_of(pack) or "", "Y" if any(hold.covers(pack) for hold in holds) else "")

    def unread(message: str) -> str:
        """In words that tell no name of a store or a pack to whoever gets the bundle."""
        if isinstance(order.unread.get(message), IntegrityError):
            return "it is damaged in the archive"
        return "no store of the archive gave it"

    def again(message: str) -> Outgoing | None:
        hit = hits.get(message)
        try:
            raw = archive.vault.read(hit.id, hit.pack) if hit else None
        except (IntegrityError, StoreError):
            raw = None
        return Outgoing(hit.id, raw, hit.places, hit.subject, hit.date, hit.verdicts) if hit and raw else None

    state = {
        "id": archive.machine.archive,
        "catalog": ", ".join(f"writer {writer} to manifest {seq}" for writer, seq in sorted(sealed.items())),
        # Names of holds are those of other matters, too, and tell an opponent what the company prepares for.
        "holds": ", ".join(f"{count} on {era}" for era, count in sorted(Counter(one.era for one in holds).items()))
        or "none",
    }
    query = order.query or "(a list of message ids)"
    return Search(query, order.hits, state, max(known, default=None), unread, again, kept)


def check_accounts(order: Order, accounts: Iterable[str]) -> None:
    """Say of which of these accounts nothing was found. ConfigError for one that the archive never had: the name of
    its custodian would silently be nowhere in a bundle that is signed.
    """
    having = {place.account for hit in order.hits for place in hit.places}
    for account in (name for name in accounts if name not in having):
        if not _known(order.archive, account):
            named = ", ".join(sorted(one.name for one in order.archive.settings.accounts))
            raise ConfigError(f"--custodian {account}: the archive has no such account", f"there are: {named}")
        click.echo(f"note: --custodian {one_line(account)}: no message found is of this account", err=True)


def _known(archive: Archive, account: str) -> bool:
    """Whether it is configured, or mail was archived of it when it was."""
    if any(one.name == account for one in archive.settings.accounts):
        return True
    found = [] if '"' in account else archive.catalog.search(f'account:"{account}"')
    return any(place.account == account for hit in found for place in hit.places)


def inventory_of(archive: Archive) -> Inventory:
    """What the manifests of all stores that answer say. Raises StoreError when there is none, or one is damaged."""
    inventory = take(archive.stores, archive.machine.root, {archive.machine.writer: archive.journal.settled()})
    if not inventory.listed:
        raise next(iter(inventory.failed.values()), StoreError("no store answers"))
    if lost := [fault for fault in inventory.faults if fault.name.startswith("manifests/")]:
        raise StoreError(f"{lost[0].name}: {lost[0].reason}", "mailark check")
    return inventory
