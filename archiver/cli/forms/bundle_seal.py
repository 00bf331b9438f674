"""Who signs a compliance bundle, and who time-stamps it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from archiver.cli.forms.interface import Options
from archiver.cli.session import passphrase_in
from archiver.errors import ConfigError

if TYPE_CHECKING:
    from archiver.opening import Archive
    from exporters.production.seal import Seal
    from exporters.production.signing_identity import Identity

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

SEAL_OPTIONS = (
    click.Option(
        ["--signer"],
        type=_FILE,
        help="Sign with this key and certificate (PKCS#12 or PEM) instead of the archive's own.",
    ),
    click.Option(["--signer-password-file"], type=_FILE, help="The file whose first line opens the signer's key."),
    click.Option(["--tsa"], default="", metavar="URL", help="Have it time-stamped by this authority (RFC 3161)."),
    click.Option(["--tsa-ca"], type=_FILE, help="The authority's certificates in PEM, to lie beside its time-stamp."),
)


def seal_of(archive: Archive, options: Options) -> Seal:
    """The seal as ordered. ConfigError when the extra is missing or the signer cannot be used, AuthError for a wrong
    password.
    """
    if any(find_spec(package) is None for package in ("pyhanko", "asn1crypto")):
        raise ConfigError("a compliance bundle needs an extra", "pip install 'mailark[bundle]'")
    if options["tsa_ca"] and not options["tsa"]:
        raise click.UsageError("--tsa-ca goes with --tsa")
    if options["tsa"] and not _is_address(options["tsa"]):
        raise click.UsageError("--tsa: write the address as http://HOST/… or https://HOST/…, without a password")
    if options["signer_password_file"] and not options["signer"]:
        raise click.UsageError("--signer-password-file goes with --signer")
    from exporters.production.signing import seal

    authority = options["tsa_ca"].read_bytes() if options["tsa_ca"] else b""
    return seal(_identity(archive, options), options["tsa"], authority)


def _is_address(url: str) -> bool:
    """Known before hours of rendering; a password in it would stand in the bundle, which names the authority."""
    try:
        parts = urlsplit(url)
        port_is_a_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    named = bool(parts.hostname) and parts.username is None
    return parts.scheme.lower() in ("http", "https") and named and port_is_a_number


def _identity(archive: Archive, options: Options) -> Identity:
    from archiver.signer import kept_signer
    from exporters.production.signing_identity import make_identity, open_identity

    if options["signer"]:
        password = options["signer_password_file"]
        return open_identity(options["signer"].read_bytes(), passphrase_in(password) if password else "")

    def usable(pem: bytes) -> bool:
        try:
            return bool(open_identity(pem))
        except ConfigError:  # it has expired
            return False

    name = f"archive {archive.machine.archive}"
    path = archive.work.path / "signer.db"
    return open_identity(kept_signer(path, archive.machine.database_key, lambda: make_identity(name).pem(), usable))
