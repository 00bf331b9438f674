"""What every command starts from: the settings and, where it is asked for, the passphrase."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from archiver.config import AccountSettings, Settings, load
from archiver.errors import ConfigError
from archiver.secrets import Secret

if TYPE_CHECKING:
    from archiver.opening import Archive


@dataclass
class Session:
    """One call of the program."""

    config: Path | None = None
    debug: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The configuration; ConfigError lists every mistake in it."""
        return load(self.config)

    def accounts(self, names: tuple[str, ...] = ()) -> tuple[AccountSettings, ...]:
        """The accounts of these names, all when none are given."""
        known = {account.name: account for account in self.settings.accounts}
        if not known:
            raise ConfigError(f"{self.settings.path} names no account", "add an [[account]] table")
        if unknown := [name for name in names if name not in known]:
            raise ConfigError(f"no account named {', '.join(unknown)}; there are: {', '.join(known)}")
        return tuple(account for name, account in known.items() if not names or name in names)

    def open(self, *, exclusive: bool, offline: bool = False) -> AbstractContextManager[Archive]:
        """The archive of the settings; `exclusive` for commands that change something, `offline` for those that read
        this machine's records alone."""
        from archiver.opening import open_archive

        return open_archive(self.settings, self.passphrase(), exclusive=exclusive, offline=offline)

    def passphrase(self) -> str:
        """The archive's passphrase: from the configuration, else asked for at a terminal."""
        return self.passphrase_of(self.settings)

    @staticmethod
    def passphrase_of(settings: Settings) -> str:
        """As `passphrase`, of settings that may come from elsewhere than the file."""
        if secret := settings.archive.passphrase:
            return secret.reveal()
        return ask(
            "Passphrase of the archive", "set passphrase_command, passphrase_file or another source in [archive]"
        )


def configured(settings: Settings, url: str) -> str:
    """The configured store that a user means: by its URL, with or without the options, or a path from here."""
    found = settings.archive.store(url, Path.cwd())
    if found is None:
        raise ConfigError(f"{url}: not a store of {settings.path}", "see `mailark store list`")
    return found


def passphrase_in(file: Path) -> str:
    """The first line of a file that only its owner can read."""
    return Secret("the passphrase", "file", str(file)).reveal()


def ask(question: str, instead: str, *, twice: bool = False) -> str:
    """A secret typed at a terminal; without one, ConfigError says what to give `instead`."""
    if not sys.stdin.isatty():
        raise ConfigError("a passphrase is needed and there is no terminal to ask at", instead)
    return str(click.prompt(question, hide_input=True, err=True, confirmation_prompt=twice))


def finish(code: int) -> NoReturn:
    """End the program with this exit code."""
    click.get_current_context().exit(code)
