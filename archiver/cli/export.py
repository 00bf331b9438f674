"""mailark export"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from archiver.catalog.interface import Hit
from archiver.cli.forms.interface import Form, Order
from archiver.cli.forms.table import FORMS, FormCommand, own_options
from archiver.cli.messages import ids_from
from archiver.cli.output import as_json, number, plural, store_name
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish
from archiver.errors import IntegrityError, StoreError
from archiver.model import Problem

if TYPE_CHECKING:
    from archiver.opening import Archive
    from exporters.interface import Outgoing, Report


@click.command(cls=FormCommand)
@click.argument("query", nargs=-1)
@click.option("--format", "form", type=click.Choice(sorted(FORMS)), required=True, help="The form of the files.")
@click.option(
    "--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to."
)
@click.option(
    "--from", "ids", type=click.File(), metavar="FILE", help="Read full message ids from FILE (- for standard input)."
)
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    query: tuple[str, ...],
    form: str,
    target: Path,
    ids: IO[str] | None,
    json_: bool,
    **_of_forms: object,
) -> None:
    """Write messages as files: those that a query finds, or those whose ids are read.

    Existing files are never overwritten; the same export again writes nothing.
    """
    if bool(query) == (ids is not None):
        raise click.UsageError("give either a query or --from")
    options = own_options(FORMS[form], click.get_current_context())
    monitor, failures = watcher(), _Failures()
    with session.open(exclusive=False) as archive:
        order = Order(archive, " ".join(query), _chosen(archive, query, ids, failures), target, monitor)
        with FORMS[form].open(order, options) as exporter:
            with suppress(OSError):  # what is wrong with the folder, the exporter tells
                target.mkdir(
                    parents=True, exist_ok=True, mode=0o700
                )  # a new one is its owner's: the mail in it is plain
            monitor.begin("export", len(order.hits), sum(hit.size for hit in order.hits))
            report = exporter.export(_outgoing(order, failures), target)
    failures.problems.extend(report.failed)
    for problem in failures.problems:
        monitor.problem(problem)
    monitor.end("export", f"{plural(len(report.files), 'file')} in {target}")
    finish(_tell(FORMS[form], report, failures, json_=json_))


def _make_private(target: Path) -> None:
    """A new folder is its owner's, for the mail in it is plain; what is wrong with it, the exporter tells."""
    with suppress(OSError):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)


def _tell(form: Form, report: Report, failures: _Failures, *, json_: bool) -> int:
    """Print the report and its summary line; the exit code."""
    code = 7 if failures.damaged else 3 if failures.problems else 0
    if json_:
        document: dict[str, Any] = {"written": report.written, "skipped": report.skipped, **form.details(report)}
        failed = [{"subject": problem.subject, "reason": problem.reason} for problem in failures.problems]
        document |= {"failed": failed, "files": [str(path) for path in report.files], "exit_code": code}
        click.echo(as_json(document))
    word = "complete" if code == 0 else f"NOT complete (exit code {code})"
    told = f"{plural(report.written, 'message')} written, {number(report.skipped)} there already"
    more = f"; {form.told(report)}" if form.told(report) else ""
    click.echo(f"{word}: {told}, {number(len(failures.problems))} failed{more}", err=json_)
    return code


class _Failures:
    """What did not even reach the exporter."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.damaged = False


def _chosen(archive: Archive, query: Sequence[str], ids: IO[str] | None, failures: _Failures) -> list[Hit]:
    """The messages, oldest first; an id that the catalog does not know is a failure by name."""
    if ids is None:
        return list(archive.catalog.search(" ".join(query), sort="-date"))
    found = []
    for message in ids_from(ids):
        if hit := archive.catalog.get(message):
            found.append(hit)
        else:
            failures.problems.append(Problem(f"message {message}", "the archive has no message of this id"))
    return found


def _outgoing(order: Order, failures: _Failures) -> Iterator[Outgoing]:
    """Each message as it is read; one that cannot be read is noted, and the rest goes on."""
    from exporters.interface import Outgoing

    for hit in order.hits:
        try:
            raw = order.archive.vault.read(hit.id, hit.pack)
        except (IntegrityError, StoreError) as error:
            failures.damaged |= isinstance(error, IntegrityError)
            failures.problems.append(Problem(f"message {hit.id}", store_name(str(error))))
        else:
            yield Outgoing(hit.id, raw, hit.places, hit.subject, hit.date, hit.verdicts)
        order.monitor.advance("export", 1, hit.size)
