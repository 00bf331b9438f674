"""mailark export"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from archiver.catalog.interface import Hit
from archiver.cli.destination import Destination, description, destination, handed_to, place_options
from archiver.cli.forms.interface import Form, Options, Order
from archiver.cli.forms.table import FORMS, FormCommand, own_options
from archiver.cli.messages import ids_from
from archiver.cli.output import as_json, number, plural, store_name
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish
from archiver.errors import IntegrityError, StoreError
from archiver.model import Problem

if TYPE_CHECKING:
    from archiver.handover.carriers import Carried
    from archiver.monitor import Monitor
    from archiver.opening import Archive
    from exporters.interface import Outgoing, Report

_SUBJECT = len("message ") + 16  # as far as all tell of a message in the same words


@click.command(cls=FormCommand)
@click.argument("query", nargs=-1)
@click.option("--format", "form", type=click.Choice(sorted(FORMS)), required=True, help="The form of the files.")
@place_options
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
    ids: IO[str] | None,
    json_: bool,
    where: str,
    keys: tuple[str, ...],
    key_files: tuple[Path, ...],
    **_of_forms: object,
) -> None:
    """Write messages as files: those that a query finds, or those whose ids are read.

    Existing files are never overwritten; the same export again writes nothing.
    """
    if bool(query) == (ids is not None):
        raise click.UsageError("give either a query or --from")
    options = own_options(FORMS[form], click.get_current_context())
    place = destination(where, keys, key_files)
    failures = _Failures(watcher())
    with session.open(exclusive=False) as archive:
        hits = _chosen(archive, query, ids, failures)
        order = Order(archive, " ".join(query), hits, failures.monitor)
        report, carried = _export(FORMS[form], options, order, place, failures)
    for problem in (*report.failed, *carried.failed):
        failures.add(problem)
    finish(_tell(FORMS[form], report, carried, place, failures, json_=json_))


def _export(
    form: Form, options: Options, order: Order, place: Destination, failures: _Failures
) -> tuple[Report, Carried]:
    """What became of the messages, and of the files if they were carried elsewhere."""
    from archiver.handover.carriers import Carried
    from exporters.files import sweep
    from exporters.interface import Report

    asked = description(form, options, order.query, order.hits)
    with handed_to(place, order.archive, form, asked) as handover:
        if handover is None:
            return Report(0, len(order.hits), (), ()), Carried(there=1)
        with form.open(order, options) as exporter:
            handover.prepare()
            sweep(handover.folder)
            order.monitor.begin("export", len(order.hits), sum(hit.size for hit in order.hits))
            report = exporter.export(handover.watched(_outgoing(order, failures)), handover.folder)
        carried = handover.finish([*_subjects((*failures.problems, *report.failed)), *form.lacks(report)])
        count = len(report.files) if place.folder else carried.sent + carried.there
        what = "file with messages" if place.folder else "file"
        order.monitor.end("export", f"{plural(count, what, what.replace('file', 'files'))} in {place}")
        return report, carried


def _subjects(problems: Iterable[Problem]) -> list[str]:
    """What failed, each once: an export that is gone on with tells the same as one in a single run."""
    return sorted({problem.subject[:_SUBJECT] for problem in problems})


def _tell(form: Form, report: Report, carried: Carried, place: Destination, failures: _Failures, *, json_: bool) -> int:
    """Print the report and its summary line; the exit code."""
    code = 7 if failures.damaged else 3 if failures.problems or form.lacks(report) else 0
    files = carried.names if place.recipients else [str(path) for path in report.files]
    if json_:
        document: dict[str, Any] = {"written": report.written, "skipped": report.skipped, **form.details(report)}
        failed = [{"subject": problem.subject, "reason": problem.reason} for problem in failures.problems]
        document |= {
            "to": place.shelf.url,
            "sealed": bool(place.recipients),
            "sent": carried.sent,
            "there": carried.there,
        }
        click.echo(as_json(document | {"failed": failed, "files": files, "exit_code": code}))
    word = "complete" if code == 0 else f"NOT complete (exit code {code})"
    told = f"{plural(report.written, 'message')} written, {number(report.skipped)} there already"
    parts = [f"{word}: {told}, {number(len(failures.problems))} failed", form.told(report)]
    if place.folder is None:
        what = "sealed file" if place.recipients else "file"
        parts.append(f"{plural(carried.sent, what)} carried to {place}, {number(carried.there)} there already")
    click.echo("; ".join(filter(None, parts)), err=json_)
    return code


class _Failures:
    """What failed by name, told as soon as it is known."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.problems: list[Problem] = []
        self.damaged = False

    def add(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.monitor.problem(problem)


def _chosen(archive: Archive, query: Sequence[str], ids: IO[str] | None, failures: _Failures) -> list[Hit]:
    """The messages, oldest first; an id that the catalog does not know is a failure by name."""
    if ids is None:
        return list(archive.catalog.search(" ".join(query), sort="-date"))
    found = []
    for message in ids_from(ids):
        if hit := archive.catalog.get(message):
            found.append(hit)
        else:
            failures.add(Problem(f"message {message}", "the archive has no message of this id"))
    return found


def _outgoing(order: Order, failures: _Failures) -> Iterator[Outgoing]:
    """Each message as it is read; one that cannot be read is noted, and the rest goes on."""
    from exporters.interface import Outgoing

    for hit in order.hits:
        try:
            raw = order.archive.vault.read(hit.id, hit.pack)
        except (IntegrityError, StoreError) as error:
            damaged = isinstance(error, IntegrityError)
            failures.damaged |= damaged
            hint = f" ({hit.pack}: mailark check --read-data, then mailark repair)" if damaged else ""
            failures.add(Problem(f"message {hit.id}", f"{store_name(str(error))}{hint}"))
            order.unread[hit.id] = error
        else:
            yield Outgoing(hit.id, raw, hit.places, hit.subject, hit.date, hit.verdicts)
        order.monitor.advance("export", 1, hit.size)
