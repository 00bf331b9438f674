"""mailark recover"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from textwrap import wrap

import click

from archiver.cli.output import as_json
from archiver.cli.progress import watcher
from archiver.cli.recovered import as_values, summary
from archiver.cli.session import Session, finish, passphrase_in
from archiver.config import ArchiveSettings, Settings, default_path, default_work, store_url
from archiver.errors import ConfigError


@click.command()
@click.option("--store", "stores", multiple=True, metavar="URL", help="A store that is left (may be repeated).")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Where this machine keeps its records.")
@click.option(
    "--passphrase-file", type=click.Path(dir_okay=False, path_type=Path), help="Read the passphrase from this file."
)
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(
    session: Session, stores: tuple[str, ...], work: Path | None, passphrase_file: Path | None, json_: bool
) -> None:
    """Bring everything back from one store and the recovery sheet.

    Compare the root fingerprint it prints with the one on the sheet. This machine becomes a new writer of the
    archive. What --store and --work do not say is taken from the configuration; where there is none, one is written.
    """
    from archiver.recover import recover

    settings, is_new = _settings(session, stores, work)
    passphrase = passphrase_in(passphrase_file) if passphrase_file else session.passphrase_of(settings)
    report = recover(settings, passphrase, watcher())
    if is_new:
        _write(settings)
        click.echo(f"wrote {settings.path}; add the accounts to it", err=True)
    elif settings.archive != session.settings.archive:
        click.echo(
            f"{settings.path} is as it was; for this archive it must say:\n{_text(settings)}", err=True, nl=False
        )
    if json_:
        click.echo(as_json(as_values(report)))
    click.echo(f"root fingerprint: {' '.join(wrap(report.fingerprint, 4))}", err=json_)
    click.echo(summary(report), err=json_)
    finish(report.exit_code)


def _settings(session: Session, stores: tuple[str, ...], work: Path | None) -> tuple[Settings, bool]:
    """The settings to recover with, and whether there is no file of them yet."""
    path = (session.config or default_path()).expanduser().absolute()
    urls = tuple(store_url(url, Path.cwd()) for url in stores)
    place = work.absolute() if work else None
    if path.exists():
        known = session.settings
        archive = replace(known.archive, work=place or known.archive.work)
        if urls:
            archive = replace(archive, stores=urls, copies=min(archive.copies, len(urls)))
        return replace(known, archive=archive), False
    if not urls:
        raise ConfigError(f"there is no configuration at {path}, and no --store", "mailark recover --store URL")
    return Settings(path, ArchiveSettings(urls, min(2, len(urls)), place or default_work(), None), ()), True


def _text(settings: Settings) -> str:
    """The table of these settings. A JSON text is a TOML text too unless it is escaped beyond ASCII controls."""
    stores, work = (
        json.dumps(value, ensure_ascii=False) for value in (settings.archive.stores, str(settings.archive.work))
    )
    return f"[archive]\nstores = {stores}\nwork = {work}\n"


def _write(settings: Settings) -> None:
    """A first configuration."""
    settings.path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(settings.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(_text(settings))
