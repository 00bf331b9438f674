"""Passwords and passphrases that the configuration names but never holds."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from archiver.errors import AuthError, ConfigError
from archiver.toml_table import Table

Kind = Literal["command", "file", "env", "keyring"]
KINDS: tuple[Kind, ...] = ("command", "file", "env", "keyring")

TIMEOUT = 60.0
"""Seconds a password command or a keyring may take (a password manager may ask its owner first)."""

_WINDOWS = os.name == "nt"


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is found; the secret itself is read at each `reveal` and kept nowhere.

    owner: whose it is, for error texts ("account sales"). value: the command (one string goes to the system's shell, a
    tuple is run as it is), the file, the variable, or the keyring's (service, user name).
    """

    owner: str
    kind: Kind
    value: str | tuple[str, ...] = field(repr=False)

    def reveal(self) -> str:
        """The secret: first line only, line end removed.

        Raises ConfigError (no such file, variable or entry; a file others can read; the extra `keyring` is not
        installed) and AuthError (the command or the keyring failed).
        """
        readers = {"command": self._command, "file": self._file, "env": self._env, "keyring": self._keyring}
        secret = next(iter(readers[self.kind]().splitlines()), "")
        if not secret:
            raise AuthError(f"{self.owner}: the {self.kind} gave an empty secret")
        return secret

    def _command(self) -> str:
        shell = isinstance(self.value, str)  # one string is the owner's own shell line
        try:
            done = subprocess.run(
                self.value, shell=shell, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise AuthError(f"{self.owner}: the secret's command did not end within {TIMEOUT:.0f} s") from error
        except OSError as error:
            raise ConfigError(f"{self.owner}: the secret's command cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            raise AuthError(f"{self.owner}: the secret's command ended with exit status {done.returncode}")
        return _decode(done.stdout, self.owner)

    def _file(self) -> str:
        path = Path(str(self.value))
        if reason := readable_by_others(path):
            raise ConfigError(f"{self.owner}: {reason}", f"chmod 600 {path}")
        try:
            return _decode(path.read_bytes()[:65536], self.owner)
        except OSError as error:
            raise ConfigError(f"{self.owner}: cannot read {path}: {error.strerror}") from error

    def _env(self) -> str:
        try:
            return os.environ[str(self.value)]
        except KeyError:
            raise ConfigError(f"{self.owner}: the environment variable {self.value} is not set") from None

    def _keyring(self) -> str:
        service, user = tuple(self.value)
        found = find_in_keyring(self.owner, service, user)
        if found is None:
            raise ConfigError(
                f'{self.owner}: the keyring has no entry "{service}" for "{user}"', f"keyring set {service} {user}"
            )
        return found


def find_in_keyring(owner: str, service: str, user: str) -> str | None:
    """The secret of this service and user; None when there is none. Raises like `Secret.reveal`."""
    found: str | None = _ask_keyring(owner, "get_password", service, user)
    return found


def keep_in_keyring(owner: str, service: str, user: str, secret: str) -> None:
    """Keep a secret under this service and user, in place of one that is there. Raises like `Secret.reveal`."""
    _ask_keyring(owner, "set_password", service, user, secret)


def _ask_keyring(owner: str, question: str, *arguments: str) -> Any:
    """Call a function of `keyring` in a thread that nobody waits for: a locked one may wait for its owner for ever."""
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise ConfigError(
            f"{owner}: a secret in the keyring needs an extra", "pip install 'mailark[keyring]'"
        ) from error
    answer: list[Any] = []
    failure: list[str] = []

    def ask() -> None:
        try:
            answer.append(getattr(keyring, question)(*arguments))
        except keyring.errors.KeyringError as error:
            failure.append(type(error).__name__)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(TIMEOUT)
    if failure or not answer:
        raise AuthError(f"{owner}: the keyring failed ({failure[0] if failure else 'no answer in time'})")
    return answer[0]


def readable_by_others(path: Path) -> str:
    """Why a file of secrets is not safe ("" when it is, or is not there); POSIX permissions only."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if not _WINDOWS and mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"{path} can be read by others (mode {stat.S_IMODE(mode):o})"
    return ""


def secret_of(table: Table, prefix: str, owner: str, user: str, folder: Path, *, required: bool) -> Secret | None:
    """The secret a table names by one of `<prefix>_command`, `_file`, `_env` or `_keyring`; mistakes go to the table.

    user: the user name within the keyring; folder: what a relative file is relative to.
    """
    if prefix in table:
        table.raw(prefix)
        table.wrong(prefix, f"a secret does not belong into this file; use {_names(prefix)}")
        return None
    given = [kind for kind in KINDS if f"{prefix}_{kind}" in table]
    values = {kind: _value(table, f"{prefix}_{kind}", kind, user, folder) for kind in KINDS}
    if len(given) > 1:
        table.wrong(f"{prefix}_{given[1]}", f"a second source beside {prefix}_{given[0]}; keep one")
    if not given and required:
        table.wrong("", f"no source of the {prefix}: give {_names(prefix)}")
    value = values[given[0]] if given else None
    return Secret(owner, given[0], value) if value else None


def _names(prefix: str) -> str:
    names = [f"{prefix}_{kind}" for kind in KINDS]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _value(table: Table, key: str, kind: Kind, user: str, folder: Path) -> str | tuple[str, ...]:
    if kind == "command" and isinstance(table.raw(key), list):
        return table.strings(key)
    text = table.text(key)
    if not text or kind in ("command", "env"):
        return text
    if kind == "keyring":
        return (text, user)
    path = folder / Path(text).expanduser()
    if reason := readable_by_others(path):
        table.wrong(key, f"{reason}; chmod 600")
    return str(path)


def _decode(data: bytes, owner: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{owner}: the secret is not UTF-8 text") from None
