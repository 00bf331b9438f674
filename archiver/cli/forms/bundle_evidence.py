"""What a compliance bundle shows of the archive's signed chain: a proof for each message, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.inclusion import INSTRUCTIONS, Inclusion
from exporters.production.evidence import Evidence

if TYPE_CHECKING:
    from archiver.cli.forms.interface import Order


def evidence_of(order: Order) -> Evidence:
    """The evidence for the messages of an order; what cannot be proved is told to the monitor, by name.

    Raises IntegrityError for a chain or a signature that is wrong, StoreError when no store answers.
    """
    machine = order.archive.machine
    if machine.keyring is None:
        return Evidence()
    found = Inclusion(order.archive.vault, machine.keyring, ((hit.id, hit.pack) for hit in order.hits))
    for problem in found.problems:
        order.monitor.problem(problem)
    return Evidence(found.files, found.proof, INSTRUCTIONS if found.files else ())
