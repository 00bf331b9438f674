"""--format eml, mbox and maildir: the messages as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from archiver.cli.forms.interface import Form, Options, Order

if TYPE_CHECKING:
    from exporters.interface import Exporter

EVERY_PLACE = click.Option(
    ["--every-place"], is_flag=True, help="Write a message into each of its folders, not into the first alone."
)


@contextmanager
def _eml(_order: Order, options: Options) -> Iterator[Exporter]:
    from exporters.eml import EmlExporter

    yield EmlExporter(every_place=options["every_place"])


@contextmanager
def _mbox(_order: Order, options: Options) -> Iterator[Exporter]:
    from exporters.mbox import MboxExporter

    yield MboxExporter(every_place=options["every_place"])


@contextmanager
def _maildir(_order: Order, options: Options) -> Iterator[Exporter]:
    from exporters.maildir import MaildirExporter

    yield MaildirExporter(every_place=options["every_place"])


EML = Form("eml", _eml, (EVERY_PLACE,))
MBOX = Form("mbox", _mbox, (EVERY_PLACE,))
MAILDIR = Form("maildir", _maildir, (EVERY_PLACE,))
