"""The attachments of a message as files beside its rendition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archiver.mime import parse
from exporters import files
from exporters.interface import Outgoing
from exporters.names import LIMIT, safe_name

_MOST_OF_A_NAME = 200


def write_attachments(message: Outgoing, folder: Path) -> int:
    """Write each attachment into the folder, which is made when there is one; the number written now.

    What is there already is left alone: a file of the same name and other content makes the name longer. Raises
    OSError, QuotaError when the disk is full.
    """
    written = 0
    for attachment in parse(bytes(message.raw)).attachments:
        content = attachment.data()
        for name in _names(attachment.name):
            path = folder / name
            if files.holds(path, content):
                break
            if not path.exists():
                files.write(path, content, message.date)
                written += 1
                break
    return written


def _names(given: str) -> Iterator[str]:
    """The sender's name made safe, then the same with a number before its suffix: one path component each."""
    name = safe_name(given[:_MOST_OF_A_NAME], LIMIT, empty="attachment")
    yield name
    stem, suffix = Path(name).stem, Path(name).suffix[:20]
    number = 2
    while True:
        end = f" ({number}){suffix}"
        yield safe_name(stem, LIMIT - len(end.encode())) + end
        number += 1
