"""The object by which a store knows whose it is: without it a bucket or remote is empty, wiped, or another one."""

from __future__ import annotations

import json

from archiver.errors import StoreError
from archiver.stores.local import MARKER

__all__ = ["MARKER", "another_archives", "archive_in", "content", "not_a_store", "sound"]


def content(archive: str) -> bytes:
    """The marker of a store of this archive; the same bytes in every kind of store."""
    return json.dumps({"mailark-store": 1, "archive": archive}).encode() + b"\n"


def sound(data: bytes) -> bool:
    """Whether these bytes name an archive."""
    try:
        return bool(json.loads(data)["archive"])
    except (ValueError, KeyError, TypeError):
        return False


def archive_in(data: bytes, url: str) -> str:
    """The id of the archive that the marker of the store at `url` names; StoreError when it is damaged."""
    if not sound(data):
        raise StoreError(f"{url}: {MARKER} is damaged", f"If this is its place: mailark repair --new {url}")
    return str(json.loads(data)["archive"])


def not_a_store(url: str) -> StoreError:
    """What to raise where the marker is missing."""
    hint = f"Is it the right place? If it is new or was emptied: mailark repair --new {url}"
    return StoreError(f"{url} is not a store: {MARKER} is missing", hint)


def another_archives(url: str) -> StoreError:
    """What to raise where a store is to be made and another archive's lies there."""
    return StoreError(f"{url} belongs to another archive", "Give each archive a place of its own.")
