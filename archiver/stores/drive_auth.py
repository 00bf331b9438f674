"""Credentials for Google Drive: the kept login of a person, or the key of a service account.

The scope is `drive.file` alone: the client sees the files it made itself and nothing else of the Drive
(developers.google.com/workspace/drive/api/guides/api-specific-auth).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archiver.errors import AuthError, ConfigError
from archiver.secrets import find_in_keyring, keep_in_keyring, readable_by_others
from archiver.stores.drive_url import Place

SCOPE = "https://www.googleapis.com/auth/drive.file"

SERVICE = "mailark drive"
"""The service's name of logins in the keyring; the user name is the place's key."""

_LARGEST_FILE = 65536


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client of the type "Desktop app" or "TVs and Limited Input devices", as Google's console exports it."""

    client_id: str
    client_secret: str
    auth_uri: str
    token_uri: str

    @classmethod
    def load(cls, path: Path) -> Client:
        """ConfigError when the file is missing or is something else."""
        found: Any = _json(path).get("installed")
        try:
            return cls(**{key: str(found[key]) for key in ("client_id", "client_secret", "auth_uri", "token_uri")})
        except (KeyError, TypeError):
            hint = 'Make a client of the type "Desktop app" in Google\'s console and download its JSON file.'
            raise ConfigError(f"{path} is not the file of an OAuth client", hint) from None


@dataclass(frozen=True, slots=True)
class Login:
    """What a login leaves behind: it lasts until the person takes the access away."""

    refresh_token: str
    client_id: str
    client_secret: str
    token_uri: str

    @classmethod
    def of(cls, text: str | bytes) -> Login:
        """From `text()`; ValueError when it is something else."""
        found = json.loads(text)
        try:
            return cls(**{key: str(found[key]) for key in cls.__slots__})
        except (KeyError, TypeError):
            raise ValueError("not a login") from None

    def text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


def keep(place: Place, login: Login) -> str:
    """Keep the login where the URL says, and tell where, in words for a person.

    ConfigError when that cannot be written, AuthError when the keyring refuses.
    """
    if place.keyring:
        keep_in_keyring(f"store {place.url}", SERVICE, place.key, login.text())
        return "the keyring"
    _write(place.token, login.text())
    return f"{place.token} (readable by this user only, not encrypted)"


def require_room(place: Place) -> None:
    """Raises what `keep` would raise, as far as that can be seen before a person has gone through the login."""
    if place.keyring:
        find_in_keyring(f"store {place.url}", SERVICE, place.key)
        return
    try:
        place.keep.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(place.keep, error) from error
    if not os.access(place.keep, os.W_OK):
        raise ConfigError(f"cannot keep the login in {place.keep}: not writable", "name another with ?keep=/folder")


def kept(place: Place) -> Login | None:
    """The login of a person; None when there is none.

    AuthError when it is damaged, ConfigError when others can read it.
    """
    owner = f"store {place.url}"
    try:
        if place.keyring:
            found = find_in_keyring(owner, SERVICE, place.key)
            return Login.of(found) if found else None
        _refuse_readable(place.token)
        return Login.of(place.token.read_bytes()[:_LARGEST_FILE])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {place.token}: {error.strerror}") from None
    except ValueError:
        raise AuthError(f"{owner}: the login kept on this machine is damaged", _again(place)) from None


def credentials(place: Place) -> Any:
    """google-auth credentials, with `drive.file` only.

    In this order: the URL's service_account, the kept login, $GOOGLE_APPLICATION_CREDENTIALS (a service account).
    AuthError when there is none of them; ConfigError when a file cannot be used or the extra is not installed.
    """
    key = place.service_account
    login = kept(place) if key is None else None
    if login is not None:
        return _person(login)
    environment = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if key is None and environment:
        key = Path(environment)
    if key is None:
        raise AuthError(f"{place.url}: nobody is logged in", _again(place))
    if place.shared_drive is None and place.folder_id is None:
        raise ConfigError(
            f"{place.url}: a service account has no space of its own", "Give a shared drive: ?shared_drive=ID"
        )
    return _service_account(key)


def _person(login: Login) -> Any:
    try:
        from google.oauth2.credentials import Credentials
    except ImportError:
        raise missing_extra() from None
    return Credentials(token=None, scopes=[SCOPE], **asdict(login))  # type: ignore[no-untyped-call]


def _service_account(key: Path) -> Any:
    try:
        from google.oauth2 import service_account
    except ImportError:
        raise missing_extra() from None
    _refuse_readable(key)
    info = _json(key)
    try:
        return service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except ValueError:  # its text may show a part of the key
        raise ConfigError(f"{key} is not the key file of a service account") from None


def missing_extra() -> ConfigError:
    """What to raise where Google's libraries are not installed."""
    return ConfigError("stores in Google Drive need an extra", "pip install 'mailark[drive]'")


def _again(place: Place) -> str:
    return f"Log in: mailark store login '{place.url}'"


def _write(path: Path, text: str) -> None:
    """Write the file, readable by its owner only from the first byte on."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot keep the login in {folder}: {error.strerror}", "name another with ?keep=/folder")


def _refuse_readable(path: Path) -> None:
    if reason := readable_by_others(path):
        raise ConfigError(reason, f"chmod 600 {path}")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()[:_LARGEST_FILE])
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} is not a JSON file") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is not a JSON object")
    return found
