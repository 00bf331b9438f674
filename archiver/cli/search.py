"""mailark search"""

from __future__ import annotations

import click

from archiver.cli.messages import hit_json, hits_table
from archiver.cli.output import as_json, plural
from archiver.cli.session import Session

SHOWN = 50
SORTS = ("date", "-date", "relevance", "size")


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--ids", is_flag=True, help="Print full message ids only, one a line (for `export --from -`).")
@click.option(
    "--limit", type=click.IntRange(0), help=f"Messages at most; 0 for all.  [default: {SHOWN} in a table, else all]"
)
@click.option(
    "--sort", type=click.Choice(SORTS), default="date", show_default=True, help="Newest first, oldest first, …"
)
@click.pass_obj
def command(session: Session, query: tuple[str, ...], json_: bool, ids: bool, limit: int | None, sort: str) -> None:
    """Find messages.

    Words must all occur: 采购合同, invoice. A phrase stands in "quotes". Narrow with from: to: subject: folder:
    account: file: after: before: and others (docs/operating.md lists them).
    """
    if json_ and ids:
        raise click.UsageError("--json and --ids exclude each other")
    most = (None if ids or json_ else SHOWN) if limit is None else limit or None
    with session.open(exclusive=False, offline=True) as archive:
        hits = list(archive.catalog.search(" ".join(query), limit=most and most + 1, sort=sort))
    more, hits = most is not None and len(hits) > most, hits[:most]
    if json_:
        click.echo(as_json({"query": " ".join(query), "messages": [hit_json(hit) for hit in hits], "more": more}))
    elif ids:
        click.echo("".join(f"{hit.id}\n" for hit in hits), nl=False)
    elif hits:
        click.echo(hits_table(hits))
    rest = "; there are more: raise --limit, or 0 for all" if more else ""
    click.echo(f"{plural(len(hits), 'message')}{rest}", err=ids or json_)
