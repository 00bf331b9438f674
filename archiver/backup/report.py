"""What a run found and did. A run is complete only if, in every folder, on the server = archived and nothing failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from archiver.errors import MailarkError
from archiver.model import Problem

_WORST_FIRST = (7, 1, 9, 8, 6, 4, 5, 2, 3)
"""Exit codes, the one to report first: damage before loss of copies before what a later run mends by itself."""


@dataclass(frozen=True, slots=True)
class FolderReport:
    """One folder at the end of a run. `new` and `size` (bytes) are what this run fetched.

    linked, saved: messages of a new epoch, and their bytes, that were found again and needed no download.
    """

    folder: str
    on_server: int
    archived: int
    failed: tuple[Problem, ...] = ()
    new: int = 0
    size: int = 0
    gone: int = 0
    changed: bool = True
    linked: int = 0
    saved: int = 0

    @property
    def complete(self) -> bool:
        return not self.failed and self.on_server == self.archived


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One account at the end of a run.

    error: what stopped it, if something did · notes: what an administrator should know of it, failure or not.
    """

    account: str
    folders: tuple[FolderReport, ...]
    error: MailarkError | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.error is not None:
            return self.error.exit_code
        return 0 if all(folder.complete for folder in self.folders) else 3


@dataclass(frozen=True, slots=True)
class StoreReport:
    """One store at the end of a run: how many commits it still lacks, and what is wrong with it.

    waits: nothing failed, the hours in which the run may send were over · full: its disk or quota is full, or it asks
    to slow down · hint: what to do about the reason.
    """

    url: str
    lacks: int
    reason: str = ""
    waits: bool = False
    full: bool = False
    hint: str = ""

    @property
    def wanting(self) -> bool:
        """Whether it lacks something, or is away on a night that brought nothing new to it."""
        return bool(self.lacks or (self.reason and not self.waits))


@dataclass(frozen=True, slots=True)
class RunReport:
    """The whole run. `settled` is false when fewer than `copies` stores hold everything that was archived.

    notes: what an administrator should know of it, though no message is missing.
    """

    started: datetime
    ended: datetime
    accounts: tuple[AccountReport, ...]
    stores: tuple[StoreReport, ...] = ()
    settled: bool = True
    error: MailarkError | None = None
    catalog_problem: str = ""
    dry_run: bool = False
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 only if every message on every server is archived in enough stores, and every store has all of it."""
        codes = {account.exit_code for account in self.accounts}
        if self.error is not None:
            codes.add(self.error.exit_code)
        wanting = [store for store in self.stores if store.wanting]
        if wanting or not self.settled:
            codes.add(6 if wanting and all(store.waits or store.full for store in wanting) else 8)
        if self.catalog_problem:
            codes.add(1)
        return next((code for code in _WORST_FIRST if code in codes), 0)

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON: lists, numbers, strings; times in RFC 3339."""
        return {
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat(),
            "exit_code": self.exit_code,
            "dry_run": self.dry_run,
            "settled": self.settled,
            "error": _error(self.error),
            "catalog_problem": self.catalog_problem,
            "notes": list(self.notes),
            "accounts": [_account(account) for account in self.accounts],
            "stores": [asdict(store) for store in self.stores],
        }


def _account(account: AccountReport) -> dict[str, Any]:
    return {
        "account": account.account,
        "exit_code": account.exit_code,
        "error": _error(account.error),
        "notes": list(account.notes),
        "folders": [_folder(folder) for folder in account.folders],
    }


def _folder(folder: FolderReport) -> dict[str, Any]:
    values = asdict(folder)
    values["failed"] = [{"uid": problem.uid, "reason": problem.reason} for problem in folder.failed]
    values["complete"] = folder.complete
    return values


def _error(error: MailarkError | None) -> dict[str, Any] | None:
    return None if error is None else {"code": error.exit_code, "message": str(error), "hint": error.hint}
