"""The forms of export by name. A new one is one row here."""

from __future__ import annotations

from collections.abc import Callable

from archiver.errors import ConfigError
from exporters.eml import EmlExporter
from exporters.interface import Exporter
from exporters.mbox import MboxExporter

EXPORTERS: dict[str, Callable[[], Exporter]] = {
    "eml": EmlExporter,
    "mbox": MboxExporter,
}


def exporter(name: str) -> Exporter:
    """The exporter of this name; ConfigError names those there are."""
    try:
        return EXPORTERS[name]()
    except KeyError:
        raise ConfigError(f"there is no export form {name!r}", f"choose one of: {', '.join(EXPORTERS)}") from None
