"""What stores do against deletion, in a line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from archiver.cli.output import store_name

if TYPE_CHECKING:
    from archiver.stores.locks import Protection


def protection_lines(found: Iterable[tuple[str, Protection]]) -> Iterator[str]:
    """A line a store, and a warning where whoever has its keys deletes for good."""
    for url, protection in found:
        yield f"store {store_name(url)}: {protection}"
        if not protection.versioned and not protection.lockable:
            yield f"warning: {store_name(url)}: what is deleted there is gone for good; turn on versioning"
