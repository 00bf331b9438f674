"""--format eml and --format mbox: the messages as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archiver.cli.forms.interface import Form, Options, Order

if TYPE_CHECKING:
    from exporters.interface import Exporter


@contextmanager
def _eml(_order: Order, _options: Options) -> Iterator[Exporter]:
    from exporters.eml import EmlExporter

    yield EmlExporter()


@contextmanager
def _mbox(_order: Order, _options: Options) -> Iterator[Exporter]:
    from exporters.mbox import MboxExporter

    yield MboxExporter()


EML = Form("eml", _eml)
MBOX = Form("mbox", _mbox)
