"""--format pdf, and the renderer with its cache, for every command that makes pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.forms.interface import Form, Options, Order
from archiver.cli.output import number, plural

if TYPE_CHECKING:
    from archiver.opening import Archive
    from exporters.interface import Exporter, Report
    from exporters.rendition.renderer import Renderer

WORKERS = click.Option(
    ["--workers"],
    type=click.IntRange(1, 64),
    default=lambda: min(os.cpu_count() or 2, 8),
    show_default="one a processor, at most 8",
    help="Pages are made by so many processes side by side.",
)
MERGE = click.Option(["--merge"], is_flag=True, help="One PDF with bookmarks and a table of contents.")
ATTACHMENTS = click.Option(
    ["--attachments"],
    type=click.Choice(["inside", "beside"]),
    default="inside",
    show_default=True,
    help="The original inside each PDF has them; beside: also as files, a folder a message.",
)


@contextmanager
def open_renderer(archive: Archive, workers: int) -> Iterator[Renderer]:
    """A renderer that keeps what it makes, encrypted, in the work folder. ConfigError when the extra is missing."""
    from archiver.renditions import RenditionCache
    from exporters.rendition.renderer import Renderer, require

    require()
    with ExitStack() as stack:
        cache = RenditionCache(archive.work.path / "renditions.db", archive.machine.database_key)
        stack.callback(cache.close)
        yield stack.enter_context(Renderer(workers, cache))


@contextmanager
def _open(order: Order, options: Options) -> Iterator[Exporter]:
    with open_renderer(order.archive, options["workers"]) as renderer:
        beside = options["attachments"] == "beside"
        if options["merge"]:
            from exporters.pdf_merge import MergedPdfExporter

            yield MergedPdfExporter(renderer, beside=beside)
        else:
            from exporters.pdf import PdfExporter

            yield PdfExporter(renderer, beside=beside)


def _details(report: Report) -> dict[str, Any]:
    from exporters.pdf import PdfReport

    if not isinstance(report, PdfReport):
        return {}
    return {"tiers": dict(report.tiers), "remote_images": report.remote_images, "clipped": report.clipped}


def _told(report: Report) -> str:
    """The summary line's end: tiers, and what the pages do not show."""
    from exporters.pdf import PdfReport

    if not isinstance(report, PdfReport):
        return ""
    parts = [f"tier {tier}: {number(count)}" for tier, count in report.tiers.items()]
    if report.clipped:
        parts.append(f"text cut off in {plural(report.clipped, 'message')}")
    if report.remote_images:
        parts.append(f"remote images not shown in {plural(report.remote_images, 'message')}")
    return ", ".join(parts)


PDF = Form("pdf", _open, (MERGE, ATTACHMENTS, WORKERS), _details, _told)
