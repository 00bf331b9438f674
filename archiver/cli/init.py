"""mailark init"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import click

from archiver.cli.output import as_json, plural, store_name
from archiver.cli.protection import protection_lines
from archiver.cli.session import Session, ask, passphrase_in
from archiver.config import Settings
from archiver.errors import ConfigError, StoreError

WAYS = "give --generate-passphrase, which makes one, or --passphrase-file"
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--generate-passphrase", "generate", is_flag=True, help="Make a passphrase; it stands on the recovery sheet."
)
@click.option("--passphrase-file", type=FILE, help="Take the passphrase from the first line of this file.")
@click.option("--classic", is_flag=True, help="Keys that every version of age opens, not safe from quantum computers.")
@click.option(
    "--sheet",
    type=FILE,
    default=Path("recovery-sheet"),
    show_default=True,
    help="The recovery sheet: NAME.txt and NAME.html.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    session: Session, generate: bool, passphrase_file: Path | None, classic: bool, sheet: Path, json_: bool
) -> None:
    """Make a new archive and its recovery sheet.

    The passphrase comes from --passphrase-file, from --generate-passphrase, from the configuration, or is asked for.
    A generated one is also written to the passphrase_file of the configuration, if that does not exist yet.
    """
    from archiver.setup import create_archive
    from archiver.vault.passphrase import is_generated

    if generate and passphrase_file:
        raise click.UsageError("--generate-passphrase and --passphrase-file exclude each other")
    settings = session.settings
    for url in settings.archive.stores:
        _check_place(url)
    with ExitStack() as undo:
        sheets = [_claim(undo, sheet.with_name(sheet.name + suffix)) for suffix in (".txt", ".html")]
        passphrase = _generated(undo, settings) if generate else _given(settings, passphrase_file)
        created = create_archive(settings, passphrase, classic=classic, generated=is_generated(passphrase))
        undo.pop_all()
    for path, text in zip(sheets, (created.sheet_text, created.sheet_html), strict=True):
        path.write_text(text, "utf-8")
    told = {"archive": created.archive, "fingerprint": created.fingerprint, "writer": created.writer}
    if json_:
        click.echo(as_json({**told, "sheets": [str(path) for path in sheets], "stores": list(settings.archive.stores)}))
    for line in protection_lines(created.protections):
        click.echo(line, err=True)
    click.echo(f"recovery sheet: {sheets[0]} and {sheets[1]}; print it, keep it elsewhere, delete the files", err=True)
    click.echo(f"complete: archive {created.archive} in {plural(len(settings.archive.stores), 'store')}", err=json_)


def _check_place(url: str) -> None:
    """Refuse a store's folder that cannot be made, before any store is made: half an archive would be in the way."""
    if not url.startswith("file:"):
        return
    place = Path(store_name(url))
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    if not there.is_dir():
        raise StoreError(f"{place} cannot be a store: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(f"{place} cannot be a store: {there} cannot be written")


def _claim(undo: ExitStack, path: Path) -> Path:
    """Make sure that the file can be written before there is something to write; taken back when `init` fails."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise ConfigError(f"{path} exists already", "move it away, or name another with --sheet") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    undo.callback(path.unlink)
    return path


def _given(settings: Settings, file: Path | None) -> str:
    if file:
        return passphrase_in(file)
    secret = settings.archive.passphrase
    if secret and secret.kind == "file" and not Path(str(secret.value)).exists():
        raise ConfigError(f"there is no {secret.value} with the new archive's passphrase", WAYS)
    if secret:
        return secret.reveal()
    return ask("Passphrase of the new archive", WAYS, twice=True)


def _generated(undo: ExitStack, settings: Settings) -> str:
    from archiver.vault.passphrase import new_passphrase

    passphrase, secret = new_passphrase(), settings.archive.passphrase
    if secret is not None and secret.kind == "file":
        path = _claim(undo, Path(str(secret.value)))
        path.write_text(passphrase + "\n", "ascii")
    return passphrase
