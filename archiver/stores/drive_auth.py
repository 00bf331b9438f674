"""Who Mailark is to Google Drive: an OAuth client, and with it a person who logged in, or else a service account.

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
from archiver.stores.drive_kept import Login, again, kept
from archiver.stores.drive_private import LARGEST, refuse_readable
from archiver.stores.drive_url import Place

SCOPE = "https://www.googleapis.com/auth/drive.file"


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
        raise AuthError(f"{place.url}: nobody is logged in", again(place))
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
    refuse_readable(key)
    info = _json(key)
    try:
        return service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except ValueError:  # its text may show a part of the key
        raise ConfigError(f"{key} is not the key file of a service account") from None


def missing_extra() -> ConfigError:
    """What to raise where Google's libraries are not installed."""
    return ConfigError("stores in Google Drive need an extra", "pip install 'mailark[drive]'")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()[:LARGEST])
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} is not a JSON file") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is not a JSON object")
    return found
