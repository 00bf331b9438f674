"""Which kinds of store there are: one row a kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from archiver.errors import ConfigError
from archiver.stores import drive_url, s3_place
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.stores.local_shelf import LocalShelf
from archiver.stores.shelf import Shelf

if TYPE_CHECKING:
    from archiver.stores.drive import DriveStore
    from archiver.stores.rclone import RcloneStore
    from archiver.stores.s3 import S3Store


@dataclass(frozen=True)
class Kind:
    """How a URL of this kind is opened, and how it is made a store of an archive (given its id) once.

    shelf: opens the same kind of place for exports · identity: the URL without what may change of a store (options such
    as its class), in one spelling; it is its own identity. ConfigError for a URL that is not understood.
    """

    example: str
    open: Callable[[str], Store]
    create: Callable[[str, str], Store]
    shelf: Callable[[str], Shelf]
    identity: Callable[[str], str]


KINDS: dict[str, Kind] = {
    "file": Kind(
        "file:///srv/mailark",
        lambda url: LocalStore.open(_folder(url)),
        lambda url, archive: LocalStore.create(_folder(url), archive),
        lambda url: LocalShelf.open(_folder(url)),
        lambda url: Path(os.path.abspath(_folder(url))).as_uri(),  # noqa: PTH100 - links stay, as in the store
    ),
    "s3": Kind(
        "s3://bucket/folder?region=eu-central-1",
        lambda url: _s3().open(url),
        lambda url, archive: _s3().create(url, archive),
        lambda url: _s3_shelf(url),
        s3_place.identity,
    ),
    "drive": Kind(
        "drive://Mail%20archive",
        lambda url: _drive().open(url),
        lambda url, archive: _drive().create(url, archive),
        lambda url: _drive_shelf(url),
        drive_url.identity,
    ),
    "rclone": Kind(
        "rclone://remote:folder",
        lambda url: _rclone().open(url),
        lambda url, archive: _rclone().create(url, archive),
        lambda url: _rclone_shelf(url),
        lambda url: _rclone_identity(url),
    ),
}


def open_store(url: str) -> Store:
    """The store at this URL or plain path; ConfigError for an unknown kind, StoreError when it is not a store."""
    return _kind(url).open(url)


def create_store(url: str, archive: str) -> Store:
    """Make the place a store of the archive with this id (harmless when it is one already), and open it."""
    return _kind(url).create(url, archive)


def open_shelf(url: str) -> Shelf:
    """The place at this URL or plain path as one for exports; ConfigError for an unknown kind, and for a store."""
    return _kind(url).shelf(url)


@lru_cache(maxsize=256)
def identity(url: str) -> str:
    """The name under which a store is remembered: its URL without what may change of it, in one spelling.

    What is not understood, and what is no URL of a known kind, is its own name.
    """
    try:
        return _kind(url).identity(url) if url.partition("://")[0].lower() in KINDS else url
    except ConfigError:
        return url


def place(url: str) -> str:
    """Something that two URLs have in common when they lead to one place, as far as can be told without a network.

    Folders are compared as the system tells them apart, so that links, mounts of one disk at two places and names in
    another case are seen through.
    """
    if not url.startswith("file:"):
        return identity(url)
    folder = _folder(url)
    try:
        found = folder.stat()
    except OSError:
        return str(folder.resolve())
    return f"file {found.st_dev} {found.st_ino}"


def _kind(url: str) -> Kind:
    scheme, colon, _ = url.partition("://")
    if not url:
        raise ConfigError("a store without a URL", _known())
    if not colon:
        return KINDS["file"]
    if scheme.lower() not in KINDS:
        raise ConfigError(f"{scheme}://: unknown kind of store", _known())
    return KINDS[scheme.lower()]


def _known() -> str:
    return "Known: a path, " + ", ".join(kind.example for kind in KINDS.values())


def _s3() -> type[S3Store]:
    """Imported when there is such a store: boto3 takes a quarter of a second."""
    from archiver.stores.s3 import S3Store

    return S3Store


def _drive() -> type[DriveStore]:
    from archiver.stores.drive import DriveStore

    return DriveStore


def _rclone() -> type[RcloneStore]:
    from archiver.stores.rclone import RcloneStore

    return RcloneStore


def _s3_shelf(url: str) -> Shelf:
    from archiver.stores.s3_shelf import S3Shelf

    return S3Shelf.open(url)


def _drive_shelf(url: str) -> Shelf:
    from archiver.stores.drive_shelf import DriveShelf

    return DriveShelf.open(url)


def _rclone_shelf(url: str) -> Shelf:
    from archiver.stores.rclone_shelf import RcloneShelf

    return RcloneShelf.open(url)


def _rclone_identity(url: str) -> str:
    from archiver.stores.rclone import identity

    return identity(url)


def _folder(url: str) -> Path:
    """The folder of file:///path (RFC 8089) or of a plain path."""
    if "://" not in url:
        return Path(url).expanduser()
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise ConfigError(
            f"{url.partition('?')[0]}: a folder of this machine is file:///path, with three slashes", _known()
        )
    return Path(unquote(parts.path))
