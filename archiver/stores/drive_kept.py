"""A person's login to Google Drive between runs: in the keyring, or in a file encrypted under a key of its own.

The key (Fernet's: 32 random bytes in URL-safe base64, github.com/fernet/spec) lies in another folder than the logins:
a copy of one folder alone gives no login away. Who can read both as this user has it; the keyring is stronger.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from cryptography.fernet import Fernet, InvalidToken

from archiver.errors import AuthError, ConfigError
from archiver.secrets import find_in_keyring, keep_in_keyring
from archiver.stores import drive_private
from archiver.stores.drive_url import Place

SERVICE = "mailark drive"
"""The service's name of logins in the keyring; the user name is the place's key."""

_ENCRYPTED = "fernet"
_OTHER_FOLDER = "Name another folder with ?keep=/folder in the store's URL."
_OTHER_FILE = "Name another file with ?key_file=/path in the store's URL."


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
    """Keep the login where the URL says, and tell where, in words for a person. Makes the key file where there is none.

    ConfigError when a file cannot be written or the key not be used, AuthError when the keyring refuses.
    """
    if place.keyring:
        keep_in_keyring(f"store {place.url}", SERVICE, place.key, login.text())
        return "the keyring"
    encrypted = {_ENCRYPTED: _ready_key(place).encrypt(login.text().encode()).decode()}
    drive_private.replace(place.token, json.dumps(encrypted).encode(), _OTHER_FOLDER)
    return f"{place.token}, encrypted under the key in {place.key_file}"


def require_room(place: Place) -> None:
    """Raises what `keep` would raise, as far as that can be seen before a person has gone through the login."""
    if place.keyring:
        find_in_keyring(f"store {place.url}", SERVICE, place.key)
        return
    drive_private.make_folder(place.keep, _OTHER_FOLDER)
    _ready_key(place)


def kept(place: Place) -> Login | None:
    """The login of a person; None when there is none. One that lies there unencrypted is encrypted by this.

    AuthError when it is damaged or its key is gone, ConfigError when others can read it or its key.
    """
    try:
        if place.keyring:
            found = find_in_keyring(f"store {place.url}", SERVICE, place.key)
            return Login.of(found) if found else None
        data = drive_private.read(place.token)
        return _opened(place, data) if data is not None else None
    except ValueError:
        raise AuthError(f"{place.url}: the login kept on this machine is damaged", again(place)) from None
    except InvalidToken:
        reason = f"the login kept on this machine is damaged, or {place.key_file} is not its key"
        raise AuthError(f"{place.url}: {reason}", again(place)) from None


def again(place: Place) -> str:
    """The hint that names the command which logs in."""
    return f"Log in: mailark store login '{place.url}'"


def _opened(place: Place, data: bytes) -> Login:
    """ValueError or InvalidToken when it is damaged."""
    found = json.loads(data)
    if not isinstance(found, dict) or _ENCRYPTED not in found:
        login = Login.of(data)  # as versions before wrote it
        keep(place, login)
        return login
    key = _key(place)
    if key is None:
        raise AuthError(f"{place.url}: the key of its login is not in {place.key_file}", again(place))
    return Login.of(key.decrypt(str(found[_ENCRYPTED])))


def _ready_key(place: Place) -> Fernet:
    """The key, made now where there is none; several logins share it, so it is never written over."""
    key = _key(place)
    if key is None:
        drive_private.create(place.key_file, Fernet.generate_key() + b"\n", _OTHER_FILE)
        key = _key(place)  # another process may have been first
    if key is None:
        raise ConfigError(f"{place.key_file} is removed again and again", _OTHER_FILE)
    return key


def _key(place: Place) -> Fernet | None:
    """None when there is no file; ConfigError when it cannot be used."""
    if place.key_file.is_relative_to(place.keep):
        raise ConfigError(f"the key {place.key_file} must not lie where the logins lie", _OTHER_FILE)
    data = drive_private.read(place.key_file)
    try:
        return Fernet(data.strip()) if data is not None else None
    except ValueError:
        hint = f"Move it away, then log in: mailark store login '{place.url}'"
        raise ConfigError(f"{place.key_file} is not a key of logins", hint) from None
