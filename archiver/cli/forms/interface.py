"""What a form of export is to the command line: how its exporter is made, and the options that are its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from archiver.catalog.interface import Hit
    from archiver.errors import MailarkError
    from archiver.model import MessageId
    from archiver.monitor import Monitor
    from archiver.opening import Archive
    from exporters.interface import Exporter, Report


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be exported.

    query: as it was typed, "" when ids were given · hits: the messages, oldest first · unread: grows while the
    messages are read: why one could not be.
    """

    archive: Archive
    query: str
    hits: Sequence[Hit]
    monitor: Monitor
    unread: dict[MessageId, MailarkError] = field(default_factory=dict)


Options = Mapping[str, Any]
"""The values of a form's own options, by the names click gives them."""

Opener = Callable[[Order, Options], "AbstractContextManager[Exporter]"]


def _nothing(_report: Report) -> dict[str, Any]:
    return {}


def _silent(_report: Report) -> str:
    return ""


def _all(_report: Report) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Form:
    """One row of the table.

    open: the exporter, for as long as the export lasts; it raises ConfigError when an extra is missing, and imports
    what is heavy itself, for this module is imported whenever an export's help is shown · options: given with another
    form they are a mistake in the usage; two forms may share the same option object · details: what the report says
    beyond the counts, for JSON · told: the same as the end of the summary line, "" for nothing.
    lacks: what was ordered and could not be done, besides messages that failed: with any of it the exit code is 3.
    volumes: of a form that reads its files again until its end, and makes folders that are volumes, the files in each
    that tell what was ordered and what came of it (see `handover.FileByFile`).
    """

    name: str
    open: Opener
    options: tuple[click.Option, ...] = ()
    details: Callable[[Report], dict[str, Any]] = _nothing
    told: Callable[[Report], str] = _silent
    lacks: Callable[[Report], Sequence[str]] = _all
    volumes: Sequence[str] = ()
