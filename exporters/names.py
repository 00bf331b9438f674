"""Names of files and folders that are valid, and different, on every platform a file may be copied to.

Rules: Windows (Naming Files, Paths, and Namespaces: reserved signs and names, no trailing dot or blank), macOS and
Windows (case does not distinguish), Linux (255 bytes a name), archives and sync tools (Unicode NFC).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

LIMIT = 120
"""UTF-8 bytes of a file name."""
FOLDER_LIMIT = 80
"""UTF-8 bytes of a folder name."""
LEVELS = 12
"""Folder levels that are kept; deeper ones are joined into the last."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)


def safe_name(text: str, limit: int = LIMIT, *, empty: str = "_") -> str:
    """One path component made from any text: at most `limit` bytes of UTF-8, NFC, never empty, never "." or ".."."""
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = unicodedata.normalize("NFC", text)
    text = " ".join(_FORBIDDEN.sub("_", text).split()).strip(" .")
    text = text.encode()[:limit].decode(errors="ignore").strip(" .")
    if _RESERVED.match(text):
        text = ("_" + text).encode()[:limit].decode(errors="ignore").strip(" .")
    return text or empty


def folded(name: str) -> str:
    """Equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


class Directory:
    """Which folder of an account lies in which directory of the export, so that no two share one by accident.

    Names that differ by case only, or that became alike by making them safe, are told apart by a sign made from the
    original.
    """

    def __init__(self, *taken: str) -> None:
        self._owners: dict[tuple[str, str], tuple[str, ...]] = {("", folded(name)): ("", name) for name in taken}
        self._paths: dict[tuple[str, ...], PurePosixPath] = {}

    def path(self, account: str, folder: str) -> PurePosixPath:
        """The directory of a folder (levels joined by "/"), relative to the target."""
        levels = [level for level in folder.split("/") if level] or ["_"]
        levels[LEVELS - 1 :] = ["/".join(levels[LEVELS - 1 :])] if len(levels) >= LEVELS else []
        return self._below((account, *levels))

    def file(self, account: str, folder: str, suffix: str) -> PurePosixPath:
        """The file that stands for a whole folder, beside the directories of its subfolders."""
        path = self.path(account, folder)
        return path.parent / self._claim(str(path.parent), path.name, suffix, (account, folder, suffix))

    def _below(self, levels: tuple[str, ...]) -> PurePosixPath:
        known = self._paths.get(levels)
        if known is None:
            parent = self._below(levels[:-1]) if len(levels) > 1 else PurePosixPath()
            name = self._claim("" if len(levels) == 1 else str(parent), safe_name(levels[-1], FOLDER_LIMIT), "", levels)
            known = self._paths[levels] = parent / name
        return known

    def _claim(self, parent: str, name: str, suffix: str, owner: tuple[str, ...]) -> str:
        """`name` + `suffix` if nobody else has it in this parent, else with a sign of the owner in between."""
        sign = ""
        while self._owners.setdefault((parent, folded(name + sign + suffix)), owner) != owner:
            digest = hashlib.sha256("\0".join(owner).encode(errors="surrogatepass")).hexdigest()
            sign = f"~{digest[: max(4, len(sign) * 2)]}"
        return name + sign + suffix
