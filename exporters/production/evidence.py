"""What the archive itself can prove of the messages in a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archiver.model import MessageId


def _nothing(_: MessageId) -> Mapping[str, Any] | None:
    return None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Laid into data/EVIDENCE of every volume.

    files: signed manifests, keys of writers, root.pem, verify_proofs.py …, by their path below data/EVIDENCE ("/"
    between levels, ASCII). proofs: for a message the line of proofs.jsonl that shows it to be in a signed manifest;
    None when there is none. instructions: the lines of VERIFY.txt that say how it is checked, without line end.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    proofs: Callable[[MessageId], Mapping[str, Any] | None] = _nothing
    instructions: tuple[str, ...] = ()
