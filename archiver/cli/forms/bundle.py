"""--format bundle: the compliance bundle, with everything the command line says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.forms.bundle_seal import SEAL_OPTIONS, seal_of
from archiver.cli.forms.interface import Form, Options, Order
from archiver.cli.forms.pdf import WORKERS, open_renderer
from archiver.cli.output import plural

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from exporters.bundle import Press
    from exporters.interface import Exporter, Report
    from exporters.production.lists import Lists
    from exporters.production.order import Order as Production

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

OPTIONS = (
    click.Option(["--case"], metavar="NAME", help="The case; it begins the names of the volumes. Must be given."),
    click.Option(["--matter"], default="", metavar="TEXT", help="What the case is about, for the report."),
    click.Option(["--requester"], default="", metavar="NAME", help="Who asked for the messages."),
    click.Option(["--approver"], default="", metavar="NAME", help="Who allowed that they are handed out."),
    click.Option(["--operator"], default="", metavar="NAME", help="Who makes the export."),
    click.Option(
        ["--custodian", "custodians"],
        multiple=True,
        metavar="ACCOUNT=PERSON",
        help="Whose account it is, where that is not the account's name. May be repeated.",
    ),
    click.Option(["--bates-prefix"], default="MAIL", show_default=True, help="The beginning of every number."),
    click.Option(["--bates-start"], type=click.IntRange(0), default=1, show_default=True, help="The first number."),
    click.Option(
        ["--volume-size"], metavar="SIZE", help='Begin another volume after so many bytes of documents, as "4GB".'
    ),
    click.Option(["--withhold"], type=_FILE, help="CSV of messages and attachments that are privileged."),
    click.Option(["--redact"], type=_FILE, help="CSV of attachments that a page stands for."),
    click.Option(
        ["--time-zone"], default="UTC", show_default=True, metavar="ZONE", help='Of the dates, as "Asia/Shanghai".'
    ),
    click.Option(["--no-pdf"], is_flag=True, help="Make no pages of the messages."),
)


@contextmanager
def _open(order: Order, options: Options) -> Iterator[Exporter]:
    from archiver.cli.forms.bundle_archive import check_accounts, search
    from archiver.cli.forms.bundle_evidence import evidence_of
    from exporters.bundle import BundleExporter

    production = _production(options)
    check_accounts(order, production.custodians)
    with ExitStack() as stack:
        press = stack.enter_context(_press(order, options))
        seal, evidence = seal_of(order.archive, options), evidence_of(order)
        yield BundleExporter(production, search(order), press, seal=seal, evidence=evidence)


def _production(options: Options) -> Production:
    """The order as typed; ConfigError for what cannot be."""
    from archiver.amounts import parse_size
    from exporters.production.numbering import Numbers
    from exporters.production.order import Order as Production

    if not options["case"]:
        raise click.UsageError("--format bundle needs --case NAME")
    try:
        volume_size = parse_size(options["volume_size"]) if options["volume_size"] else None
    except ValueError as error:
        raise click.UsageError(f"--volume-size {error}") from None
    return Production(
        options["case"],
        matter=options["matter"],
        requester=options["requester"],
        approver=options["approver"],
        operator=options["operator"],
        custodians=_custodians(options["custodians"]),
        numbers=Numbers(options["bates_prefix"], options["bates_start"]),
        zone=_zone(options["time_zone"]),
        volume_size=volume_size,
        lists=_lists(options),
        pdf=not options["no_pdf"],
    )


def _custodians(pairs: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        account, sign, person = pair.partition("=")
        if not (sign and account.strip() and person.strip()):
            raise click.UsageError(f"--custodian {pair}: write ACCOUNT=PERSON")
        found[account.strip()] = person.strip()
    return found


def _zone(name: str) -> ZoneInfo | None:
    """The zone; None for UTC, which needs no time zone database."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.UsageError(
            f"--time-zone {name}: not in this machine's time zone database, write one like Asia/Shanghai"
        ) from None


def _lists(options: Options) -> Lists:
    from exporters.production.lists import read_lists

    withhold, redact = (options[name].read_bytes() if options[name] else None for name in ("withhold", "redact"))
    return read_lists(withhold, redact)


@contextmanager
def _press(order: Order, options: Options) -> Iterator[Press]:
    """Pages for reports always; for messages unless they are not wanted."""
    from exporters.bundle import Press
    from exporters.rendition.renderer import require
    from exporters.rendition.renderer_identity import name

    require()
    if options["no_pdf"]:
        yield Press(_pages, _stamp, name="none")
        return
    with open_renderer(order.archive, options["workers"]) as renderer:
        yield Press(_pages, _stamp, renderer, name())


def _pages(html: str, title: str) -> bytes:
    from exporters.rendition.engine import lay_out
    from exporters.rendition.pdfa import finish_document
    from exporters.rendition.renderer_identity import name

    return finish_document(lay_out(html, {}), title, name())


def _stamp(pdf: bytes, labels: Sequence[str]) -> bytes:
    from exporters.rendition.overlay import stamp

    return stamp(pdf, labels)


def _details(report: Report) -> dict[str, Any]:
    from exporters.bundle import BundleReport

    if not isinstance(report, BundleReport):
        return {}
    details = {"reconciliation": report.equation, "signature": report.signature, "timestamp": report.timestamp}
    later: dict[str, Any] = {}
    if report.available:
        later = {"available_now": list(report.available), "next_number": report.following}
    if report.unmatched:
        later["unmatched"] = [{"list": name, "entry": entry} for name, entry in report.unmatched]
    return details | later | ({"archive_as_of": report.as_of} if report.as_of else {})


def _told(report: Report) -> str:
    """The summary line's end: the sum, and the fingerprint that the receiver must get another way."""
    from exporters.bundle import BundleReport

    if not isinstance(report, BundleReport):
        return ""
    told = [report.equation, report.signature, report.timestamp]
    if report.as_of:
        told.append(f"made of the archive as of {report.as_of}, which has changed since")
    if report.unmatched:
        count = plural(len(report.unmatched), "entry of", "entries of") + " --withhold and --redact"
        word = "matches" if len(report.unmatched) == 1 else "match"
        told.append(f"{count} {word} no document, see exceptions.csv: is something handed out that should not be?")
    if report.available:
        whole = "is not changed: order them anew into another folder"
        count = plural(len(report.available), "message")
        told.append(f"{count} that failed can be had now, the bundle {whole}, --bates-start {report.following}")
    return "; ".join(told)


def _lacks(report: Report) -> list[str]:
    from exporters.bundle import BundleReport

    return [f"--{name} {entry}" for name, entry in report.unmatched] if isinstance(report, BundleReport) else []


_TELLING = ("data/REPORT/query.json", "data/REPORT/exceptions.csv")
BUNDLE = Form("bundle", _open, (*OPTIONS, *SEAL_OPTIONS, WORKERS), _details, _told, _lacks, _TELLING)
