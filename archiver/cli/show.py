"""mailark show"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver.cli.messages import addressed, found, hit_json, place_line, verdict_line
from archiver.cli.output import as_json, clean, moment, number, one_line, plural, size
from archiver.cli.session import Session
from archiver.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from archiver.catalog.interface import Hit
    from archiver.mime import Parsed
    from archiver.model import Address
    from archiver.opening import Archive

ADDRESSES = 60
"""Addresses shown of each header, as on pages; the rest is counted."""


@click.command()
@click.argument("message", metavar="ID")
@click.option("--raw", is_flag=True, help="Write the exact bytes of the message.")
@click.option("--headers", is_flag=True, help="Print the whole header as it is in the message.")
@click.option("--json", "json_", is_flag=True, help="Print JSON (text and headers as far as they were understood).")
@click.option("--pdf", type=click.Path(dir_okay=False), metavar="FILE", help="Write it as PDF to FILE (- for output).")
@click.pass_obj
def command(session: Session, message: str, raw: bool, headers: bool, json_: bool, pdf: str | None) -> None:
    """Show one message and where it was seen.

    ID is what `search` prints, or any beginning of it that is unique and has 8 digits.
    """
    if raw + headers + json_ + (pdf is not None) > 1:
        raise click.UsageError("--raw, --headers, --json and --pdf exclude each other")
    with session.open(exclusive=False) as archive:
        hit = found(archive.catalog, message)
        data = _read(archive, hit)
        if pdf is not None:
            _write_pdf(archive, hit, data, pdf)
            return
    if raw:
        sys.stdout.buffer.write(data)
    elif headers:
        click.echo(clean(_header_block(data)))
    else:
        from archiver.mime import parse

        parsed = parse(data)
        click.echo(as_json({**hit_json(hit), "text": parsed.text}) if json_ else _page(hit, parsed))


def _read(archive: Archive, hit: Hit) -> bytes:
    try:
        return archive.vault.read(hit.id, hit.pack)
    except IntegrityError as error:
        raise IntegrityError(f"{hit.pack}: {error}", "mailark check --read-data, then mailark repair") from error


def _write_pdf(archive: Archive, hit: Hit, data: bytes, file: str) -> None:
    """The message as pages, in a new file or on standard output; what became of it on standard error."""
    from archiver.cli.forms.pdf import open_renderer
    from exporters import files
    from exporters.interface import Outgoing
    from exporters.pdf import in_words

    if file != "-" and Path(file).exists():
        raise ConfigError(f"{file} is there already", "give the name of a new file")
    message = Outgoing(hit.id, data, hit.places, hit.subject, hit.date, hit.verdicts)
    with open_renderer(archive, workers=1) as renderer:
        ((_, made),) = renderer.render([message])
    if file == "-":
        sys.stdout.buffer.write(made.pdf)
    else:
        try:
            files.write(Path(file), made.pdf, None)
        except OSError as error:
            raise ConfigError(f"{file} cannot be written: {files.reason(error)}") from error
    images = [f"remote images not shown: {made.notes.remote_images}"] if made.notes.remote_images else []
    told = filter(None, [plural(made.pages, "page"), f"tier {made.tier}", *images, in_words(made.notes)])
    click.echo(f"pdf: {', '.join(told)}", err=True)


def _header_block(data: bytes) -> str:
    """Everything before the first empty line (RFC 5322 section 2.1)."""
    return re.split(rb"\r?\n\r?\n|\r\r", data, maxsplit=1)[0].decode("utf-8", "replace")


def _page(hit: Hit, parsed: Parsed) -> str:
    lines = [
        f"From:     {_people(parsed.from_)}",
        f"To:       {_people(parsed.to)}",
        *([f"Cc:       {_people(parsed.cc)}"] if parsed.cc else []),
        f"Date:     {moment(hit.date, seconds=True)}{_whose(hit, parsed)}",
        f"Subject:  {one_line(parsed.subject)}",
        f"Id:       {hit.id}",
        f"Size:     {size(hit.size)}",
        *[f"Place:    {one_line(place_line(place))}" for place in hit.places],
        *[
            f"Attached: {one_line(a.name) or '(no name)'}  {one_line(a.type)}, {size(a.size)}"
            for a in parsed.attachments
        ],
        *[f"Signed:   {one_line(verdict_line(verdict))}" for verdict in hit.verdicts],
        *[f"Defect:   {one_line(defect)}" for defect in parsed.defects],
    ]
    return "\n".join([*lines, "", clean(parsed.text).strip("\n")])


def _people(addresses: Sequence[Address]) -> str:
    rest = len(addresses) - ADDRESSES
    more = f" … and {number(rest)} more (--headers or --json shows all)" if rest > 0 else ""
    return one_line(addressed(addresses[:ADDRESSES])) + more


def _whose(hit: Hit, parsed: Parsed) -> str:
    """Nobody may take for the sender's word what the server noted."""
    return " (of the server; the message has no usable date)" if hit.date and parsed.date is None else ""
