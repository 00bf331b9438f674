"""One TOML file -> typed settings. Every mistake is told with its line and key, all at once, before anything starts."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import unquote, urlsplit

from archiver.amounts import Window, parse_rate, parse_window
from archiver.authenticity.lookup import server
from archiver.errors import ConfigError
from archiver.secrets import Secret, secret_of
from archiver.sources.providers import PROVIDERS, provider_of
from archiver.stores.table import KINDS, place
from archiver.toml_table import KeyPath, Mistake, Table, positions

T = TypeVar("T")
Security = Literal["tls", "starttls", "plain"]
PORTS: dict[Security, int] = {"tls": 993, "starttls": 143, "plain": 143}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_CONFIG = 1024 * 1024
STRAGGLER_WAIT = 3600


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Where the archive lives: URLs of stores, how many must confirm a commit (`copies`), and the work folder.

    upload_limit: bytes a second that stores elsewhere share · window: the hours in which `backup` may send ·
    straggler_wait: seconds a run waits for the other stores once `copies` of them have everything · dkim: check the
    signatures of new messages · dns: servers to ask for their keys ("address" or "address:port"), none: the machine's.
    """

    stores: tuple[str, ...]
    copies: int
    work: Path
    passphrase: Secret | None
    upload_limit: int | None = None
    window: Window | None = None
    straggler_wait: int = STRAGGLER_WAIT
    dkim: bool = True
    dns: tuple[str, ...] = ()

    def store(self, url: str, folder: Path) -> str | None:
        """The configured store at the place that `url` names, whatever options either has; None when there is none.

        A relative path begins at `folder`. ConfigError: an unknown kind.
        """
        wanted = store_url(url, folder)
        return next((known for known in self.stores if known == wanted or place(known) == place(wanted)), None)


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One login. `folders` and `skip` are globs over decoded folder names ("/" between levels); `timeout`: seconds."""

    name: str
    host: str
    port: int
    security: Security
    user: str
    password: Secret
    provider: str | None
    folders: tuple[str, ...]
    skip: tuple[str, ...]
    connections: int
    timeout: float
    ca_file: Path | None

    def wants(self, folder: str) -> bool:
        """Whether a folder is to be archived: it matches `folders` (all, when none are given) and not `skip`."""
        taken = not self.folders or any(fnmatchcase(folder, glob) for glob in self.folders)
        return taken and not any(fnmatchcase(folder, glob) for glob in self.skip)


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration file as a whole."""

    path: Path
    archive: ArchiveSettings
    accounts: tuple[AccountSettings, ...]


def load(path: Path | None = None) -> Settings:
    """Read the settings: `path`, else $MAILARK_CONFIG, else the platform's own place.

    Raises ConfigError that lists every mistake.
    """
    path = (path or default_path()).expanduser().absolute()
    text = _read(path)
    mistakes: list[Mistake] = []
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(path, [_syntax(error)]) from error
    lines = positions(text)
    top = Table((), values, lines, mistakes)
    archive = _archive(_subtable(top, "archive", values, lines, mistakes), path.parent)
    accounts = _accounts(top, values, lines, mistakes, path.parent)
    top.finish()
    if mistakes:
        raise _refused(path, sorted(set(mistakes)))
    return Settings(path, archive, accounts)


def default_path() -> Path:
    """$MAILARK_CONFIG, else mailark.toml in the platform's folder for configuration."""
    given = os.environ.get("MAILARK_CONFIG")
    return Path(given) if given else _platform("APPDATA", "XDG_CONFIG_HOME", ".config") / "mailark.toml"


def default_work() -> Path:
    """The platform's folder for application data."""
    return _platform("LOCALAPPDATA", "XDG_DATA_HOME", ".local/share")


def _platform(windows: str, xdg: str, below_home: str) -> Path:
    """XDG base directories on Unix (freedesktop.org), ~/Library/Application Support on macOS, %APPDATA% on Windows."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get(windows) or home) / "mailark"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "mailark"
    return Path(os.environ.get(xdg) or home / below_home) / "mailark"


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_CONFIG:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG} bytes: not a configuration")
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration at {path}", "write one, or name it with --config or $MAILARK_CONFIG"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error


def _syntax(error: tomllib.TOMLDecodeError) -> Mistake:
    text = str(error)
    found = re.search(r"\(at line (\d+), column \d+\)", text)
    return Mistake(int(found[1]) if found else 0, "", f"not TOML: {text}")


def _refused(path: Path, mistakes: list[Mistake]) -> ConfigError:
    if len(mistakes) == 1:
        return ConfigError(f"{path}: {mistakes[0]}")
    return ConfigError("\n  ".join([f"{path}: {len(mistakes)} mistakes", *map(str, mistakes)]))


def _subtable(
    top: Table, name: str, values: Mapping[str, Any], lines: Mapping[KeyPath, int], mistakes: list[Mistake]
) -> Table:
    found = top.raw(name)
    if not isinstance(found, dict):
        top.wrong(name, "is missing" if found is None else f"must be a table: [{name}]")
        return Table((name,), {}, lines, [])
    return Table((name,), found, lines, mistakes)


def _archive(table: Table, folder: Path) -> ArchiveSettings:
    given = table.strings("stores", required=True)
    if "stores" in table and table.raw("stores") == []:
        table.wrong("stores", "names no store")
    stores = tuple(_store(table, url, folder) for url in given)
    first: dict[str, str] = {}
    for url in stores:
        if (known := first.setdefault(place(url), url)) is not url:
            table.wrong("stores", f"{_named_twice(known, url)}; a store counts as one copy only")
    copies = table.number("copies", min(2, len(stores)) or 1, 1, 100)
    if stores and copies > len(stores):
        table.wrong("copies", f"{copies} copies need as many stores, and there are {len(stores)}")
    work = table.text("work")
    passphrase = secret_of(table, "passphrase", "the archive's passphrase", "passphrase", folder, required=False)
    limit, window = _read_as(table, "upload_limit", parse_rate), _read_as(table, "window", parse_window)
    wait = table.number("straggler_wait", STRAGGLER_WAIT, 0, 24 * 3600)
    dkim, servers = table.flag("dkim", True), _dns(table)
    table.finish()
    work_folder = folder / Path(work).expanduser() if work else default_work()
    _refuse_nested(table, stores, work_folder)
    return ArchiveSettings(stores, copies, work_folder, passphrase, limit, window, wait, dkim, servers)


def _refuse_nested(table: Table, stores: Sequence[str], work: Path) -> None:
    """A folder within a store would be taken for the store's own, and be lost with it."""
    places = [Path(unquote(urlsplit(url).path)) for url in stores if url.startswith("file:")]
    own = Path(os.path.abspath(work))  # noqa: PTH100 - links stay, as in the stores
    for outer in places:
        for inner in places:
            if outer in inner.parents:
                table.wrong("stores", f"{inner} lies in the store {outer}; give it a folder beside it")
        if outer in (own, *own.parents):
            table.wrong("work", f"{own} lies in the store {outer}; give it a folder beside it")


def _dns(table: Table) -> tuple[str, ...]:
    """Servers in the form that look-ups take."""
    given = table.strings("dns")
    for one in given:
        try:
            server(one)
        except ValueError as error:
            table.wrong("dns", f'"{one}" {error}')
    return given


def _named_twice(one: str, other: str) -> str:
    """Folders as plain paths."""
    first, second = (unquote(url.removeprefix("file://")) for url in (one, other))
    return f"{first} is named twice" if one == other else f"{first} and {second} are one place"


def _read_as(table: Table, key: str, read: Callable[[str], T]) -> T | None:
    """A text that `read` understands; what its ValueError says goes to the mistakes."""
    text = table.text(key)
    try:
        return read(text) if text else None
    except ValueError as error:
        table.wrong(key, str(error))
        return None


def _store(table: Table, url: str, folder: Path) -> str:
    try:
        return store_url(url, folder)
    except ConfigError as error:
        table.wrong("stores", str(error))
        return url


def store_url(url: str, folder: Path) -> str:
    """A URL as it is; a path (relative to `folder`) or a file: URL as the one file: URL of the place it leads to.

    One place has one name, so that a store is known again. ConfigError: an unknown kind.
    """
    scheme, colon, _ = url.partition("://")
    if colon and scheme.lower() not in KINDS:
        raise ConfigError(f'"{scheme}" is not a kind of store; there are: a path, {", ".join(KINDS)}')
    if colon and scheme.lower() != "file":
        return url
    path = unquote(urlsplit(url).path) if colon else url
    return Path(os.path.abspath(folder / Path(path).expanduser())).as_uri()  # noqa: PTH100 - links stay, as in the store


def _accounts(
    top: Table, values: Mapping[str, Any], lines: Mapping[KeyPath, int], mistakes: list[Mistake], folder: Path
) -> tuple[AccountSettings, ...]:
    found = top.raw("account") or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        top.wrong("account", "accounts are written as [[account]], with two brackets")
        return ()
    tables = [Table(("account", index), item, lines, mistakes) for index, item in enumerate(found)]
    accounts = [_account(table, folder) for table in tables]
    names = [str(item.get("name", "")).casefold() for item in found]
    for index, table in enumerate(tables):
        if names[index] and names[index] in names[:index]:
            table.wrong("name", f'a second account "{found[index]["name"]}"; names must differ')
    return tuple(account for account in accounts if account)


def _account(table: Table, folder: Path) -> AccountSettings | None:
    name = table.text("name", required=True)
    if name and (len(name) > 100 or "/" in name or not name.isprintable()):
        table.wrong("name", "must be at most 100 printable characters without /")
    provider = table.choice("provider", "", [row.name for row in PROVIDERS]) or None
    host = _host(table, provider)
    security = cast(Security, table.choice("security", "tls", PORTS))
    if security == "plain" and host and host not in LOOPBACK:
        table.wrong("security", '"plain" sends the password readable to all; it is for this machine (localhost) only')
    user = table.text("user", required=True)
    password = secret_of(table, "password", f"account {name}", user, folder, required=True)
    ca_file = table.text("ca_file")
    if ca_file and not (folder / Path(ca_file).expanduser()).is_file():
        table.wrong("ca_file", "there is no such file")
    port = table.number("port", PORTS[security], 1, 65535)
    connections = table.number("connections", provider_of(provider, host).connections, 1, 16)
    timeout = table.number("timeout", 60, 1, 3600)
    globs = _globs(table, "folders"), _globs(table, "skip")
    table.finish()
    if password is None:
        return None
    ca = folder / Path(ca_file).expanduser() if ca_file else None
    return AccountSettings(name, host, port, security, user, password, provider, *globs, connections, timeout, ca)


def _host(table: Table, provider: str | None) -> str:
    """The host as given, else the first one of the provider's row."""
    hosts = provider_of(provider, "").hosts
    host = table.text("host", hosts[0] if hosts else "", required=not hosts)
    if "/" in host or (":" in host and not _is_ipv6(host)):
        table.wrong("host", "is the name of the server alone; the port has a key of its own")
    return host


def _is_ipv6(host: str) -> bool:
    try:
        return IPv6Address(host).version == 6
    except ValueError:
        return False


def _globs(table: Table, key: str) -> tuple[str, ...]:
    globs = table.strings(key)
    for glob in globs:
        if re.search(r"\[(?![!]?[^]]+\])", glob):
            table.wrong(key, f'"{glob}" has a [ that is not closed')
    return globs
