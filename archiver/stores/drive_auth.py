"""Credentials for Google Drive: the stored login of a person, or the key of a service account.

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
from archiver.secrets import readable_by_others
from archiver.stores.drive_url import Place

SCOPE = "https://www.googleapis.com/auth/drive.file"
MISSING_EXTRA = ConfigError("stores in Google Drive need an extra", "pip install 'mailark[drive]'")

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

    def save(self, path: Path) -> None:
        """Write the file, readable by its owner only from the first byte on."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = path.with_name(path.name + ".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            raise ConfigError(f"cannot keep the login in {path.parent}: {error.strerror}") from error

    @classmethod
    def load(cls, path: Path) -> Login:
        """AuthError when the file is damaged, ConfigError when others can read it."""
        _refuse_readable(path)
        try:
            found = _json(path)
            return cls(**{key: str(found[key]) for key in cls.__slots__})
        except KeyError:
            raise AuthError(f"the login in {path} is damaged", "Log in again: mailark store login URL") from None


def credentials(place: Place) -> Any:
    """google-auth credentials, with `drive.file` only.

    In this order: the URL's service_account, the stored login, $GOOGLE_APPLICATION_CREDENTIALS (a service account).
    AuthError when there is none of them; ConfigError when a file cannot be used or the extra is not installed.
    """
    key = place.service_account
    if key is None and place.token.exists():
        return _person(Login.load(place.token))
    environment = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if key is None and environment:
        key = Path(environment)
    if key is None:
        raise AuthError(f"{place.url}: nobody is logged in", f"Log in: mailark store login '{place.url}'")
    if place.shared_drive is None and place.folder_id is None:
        raise ConfigError(
            f"{place.url}: a service account has no space of its own", "Give a shared drive: ?shared_drive=ID"
        )
    return _service_account(key)


def _person(login: Login) -> Any:
    try:
        from google.oauth2.credentials import Credentials
    except ImportError:
        raise MISSING_EXTRA from None
    return Credentials(token=None, scopes=[SCOPE], **asdict(login))  # type: ignore[no-untyped-call]


def _service_account(key: Path) -> Any:
    try:
        from google.oauth2 import service_account
    except ImportError:
        raise MISSING_EXTRA from None
    _refuse_readable(key)
    info = _json(key)
    try:
        return service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except ValueError:  # its text may show a part of the key
        raise ConfigError(f"{key} is not the key file of a service account") from None


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
