"""One pass of archiving: walk every account, seal packs, commit them to the stores, say what was proven complete."""

from archiver.backup.report import AccountReport, FolderReport, RunReport, StoreReport
from archiver.backup.run import Options, backup

__all__ = ["AccountReport", "FolderReport", "Options", "RunReport", "StoreReport", "backup"]
