"""mailark show"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from archiver.cli.messages import addressed, found, hit_json, place_line, verdict_line
from archiver.cli.output import as_json, clean, moment, one_line, size
from archiver.cli.session import Session

if TYPE_CHECKING:
    from archiver.catalog.interface import Hit
    from archiver.mime import Parsed


@click.command()
@click.argument("message", metavar="ID")
@click.option("--raw", is_flag=True, help="Write the exact bytes of the message.")
@click.option("--headers", is_flag=True, help="Print the whole header as it is in the message.")
@click.option("--json", "json_", is_flag=True, help="Print JSON (text and headers as far as they were understood).")
@click.pass_obj
def command(session: Session, message: str, raw: bool, headers: bool, json_: bool) -> None:
    """Show one message and where it was seen.

    ID is what `search` prints, or any beginning of it that is unique and has 8 digits.
    """
    if raw + headers + json_ > 1:
        raise click.UsageError("--raw, --headers and --json exclude each other")
    with session.open(exclusive=False) as archive:
        hit = found(archive.catalog, message)
        data = archive.vault.read(hit.id, hit.pack)
    if raw:
        sys.stdout.buffer.write(data)
    elif headers:
        click.echo(clean(_header_block(data)))
    else:
        from archiver.mime import parse

        parsed = parse(data)
        click.echo(as_json({**hit_json(hit), "text": parsed.text}) if json_ else _page(hit, parsed))


def _header_block(data: bytes) -> str:
    """Everything before the first empty line (RFC 5322 section 2.1)."""
    return re.split(rb"\r?\n\r?\n|\r\r", data, maxsplit=1)[0].decode("utf-8", "replace")


def _page(hit: Hit, parsed: Parsed) -> str:
    lines = [
        f"From:     {one_line(addressed(parsed.from_))}",
        f"To:       {one_line(addressed(parsed.to))}",
        *([f"Cc:       {one_line(addressed(parsed.cc))}"] if parsed.cc else []),
        f"Date:     {moment(hit.date, seconds=True)}",
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
