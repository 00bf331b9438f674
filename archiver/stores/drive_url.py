"""The URL of a store in Google Drive, and where this machine keeps what belongs to it.

drive://Mail%20archive                                    a folder of My Drive that Mailark makes
drive://Backups/Mail?client=/etc/mailark/client.json      a folder in a folder
drive://Mail?shared_drive=0AbCd&service_account=/etc/mailark/robot.json
drive://id:1AbCd…                                         a folder by its id (it is never made)
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from archiver.errors import ConfigError

GOOGLE = "https://www.googleapis.com"
EXAMPLE = "drive://Mail%20archive"
OPTIONS = ("shared_drive", "service_account", "client", "login", "keep", "key_file", "writes_per_second", "endpoint")

_ID = re.compile(r"[A-Za-z0-9_-]{4,128}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_WRITES = 100.0


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in a Drive and how it is reached.

    folders: names from the top of the drive · folder_id: instead of names · shared_drive: its id, None for My Drive ·
    service_account, client: key files from Google's console · keep: this machine's folder for logins and unfinished
    uploads · key_file: with the key that encrypts the logins · keyring: the login is in the system's keyring instead ·
    endpoint: where the API is.
    """

    url: str
    folders: tuple[str, ...]
    folder_id: str | None
    shared_drive: str | None
    service_account: Path | None
    client: Path | None
    keyring: bool
    keep: Path
    key_file: Path
    writes_per_second: float
    endpoint: str

    @property
    def token(self) -> Path:
        """The file with the login of a person, encrypted, mode 0600."""
        return self.keep / f"{self.key}.token.json"

    @property
    def uploads(self) -> Path:
        """The folder with a small file for each upload that is not confirmed yet."""
        return self.keep / f"{self.key}.uploads"

    @property
    def key(self) -> str:
        """Under which this machine keeps what belongs to the folder: same folder, same key, whatever else it says."""
        where = "\0".join([self.folder_id or "/".join(self.folders), self.shared_drive or "", self.endpoint])
        return hashlib.sha256(where.encode()).hexdigest()[:16]


def parse(url: str) -> Place:
    """The place that a drive: URL names; ConfigError for anything that is not understood."""
    scheme, _, rest = url.partition("://")
    where, _, query = rest.partition("?")
    if scheme.lower() != "drive" or "#" in url:
        raise _wrong(url, "not a drive:// URL (write # as %23)")
    options = _options(url, query)
    folders = tuple(unquote(part) for part in where.split("/"))
    folder_id = folders[0].removeprefix("id:") if folders[0].startswith("id:") else None
    if folder_id is not None and (len(folders) > 1 or not _ID.fullmatch(folder_id)):
        raise _wrong(url, "an id stands alone: drive://id:1AbC…")
    if folder_id is None and not all(part.strip() and part.isprintable() and len(part) <= 200 for part in folders):
        raise _wrong(url, "it names no folder")
    shared = options.get("shared_drive")
    if shared is not None and not _ID.fullmatch(shared):
        raise _wrong(url, "shared_drive is an id, the last part of the drive's address in a browser")
    return Place(
        url=url,
        folders=() if folder_id else folders,
        folder_id=folder_id,
        shared_drive=shared,
        service_account=_path(options.get("service_account")),
        client=_path(options.get("client")),
        keyring=_in_keyring(url, options.get("login", "file")),
        keep=_path(options.get("keep")) or _default_keep(),
        key_file=_path(options.get("key_file")) or _default_key_file(),
        writes_per_second=_pace(url, options.get("writes_per_second", "2")),
        endpoint=_endpoint(url, options.get("endpoint", GOOGLE)),
    )


def identity(url: str) -> str:
    """The URL without what may change of a store: the folder, its drive, and whose Drive it is. ConfigError as `parse`.

    A folder's id and a shared drive are the same for everybody; My Drive is that of the login which lies in `keep`.
    """
    place = parse(url)
    where = f"id:{place.folder_id}" if place.folder_id else "/".join(quote(part, safe="") for part in place.folders)
    told = {"shared_drive": place.shared_drive or "", "endpoint": place.endpoint if place.endpoint != GOOGLE else ""}
    if not place.folder_id and not place.shared_drive and place.keep != _default_keep():
        told["keep"] = str(place.keep)
    options = urlencode({name: value for name, value in told.items() if value})
    return f"drive://{where}" + (f"?{options}" if options else "")


def _options(url: str, query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name, value in pairs:
        if name not in OPTIONS:
            raise _wrong(url, f'unknown option "{name}"; there are {", ".join(OPTIONS)}')
        if not value or names.count(name) > 1:
            raise _wrong(url, f'the option "{name}" wants one value')
    return dict(pairs)


def _in_keyring(url: str, login: str) -> bool:
    if login not in ("file", "keyring"):
        raise _wrong(url, "login is file or keyring")
    return login == "keyring"


def _endpoint(url: str, endpoint: str) -> str:
    """Tokens travel to the endpoint: only TLS, or this machine."""
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise _wrong(url, "endpoint must be https://")
    return endpoint.rstrip("/")


def _pace(url: str, text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= _MOST_WRITES:
        raise _wrong(url, f"writes_per_second is a number up to {_MOST_WRITES:.0f}")
    return pace


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _default_keep() -> Path:
    """XDG base directories (freedesktop.org): what must outlive a run and belongs to one machine."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mailark" / "drive"


def _default_key_file() -> Path:
    """XDG base directories: what belongs to the configuration, for it must not lie where the logins lie."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mailark" / "drive.key"


def _wrong(url: str, reason: str) -> ConfigError:
    """Of the URL the folder alone: what stands in an option may be secret."""
    return ConfigError(f"{re.split('[?#]', url)[0]}: {reason}", f"For example {EXAMPLE}")
