"""Load files: the records as review platforms take them (Concordance DAT, Opticon OPT), as people do (CSV), exact
(JSON lines).

DAT: UTF-8 with BOM, CRLF, fields parted by U+0014 and enclosed in U+00FE, a line end inside a field is U+00AE: the
defaults of Concordance, in Unicode. OPT: image key, volume, path, document break, folder break, box break, pages; one
line for a PDF of several pages, as Concordance's viewer has it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from exporters.index import cell
from exporters.production.record import FIELDS, Record

BOM = "\ufeff"
_FIELD, _QUOTE, _LINE = "\x14", "\xfe", "\xae"
_SPOILT = re.compile(f"[{_FIELD}{_QUOTE}{_LINE}]")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_CONTROLS = re.compile(r"[\x00-\x13\x15-\x1f\x7f]")


def dat_line(values: Sequence[str]) -> str:
    """A line of a DAT. A U+00FE in a value is doubled, as a quotation mark in a CSV is; a U+00AE that is no line end
    becomes "(R)", a U+0014 and other controls a blank: the form has no way to write them (see `spoilt`).
    """
    return _FIELD.join(_QUOTE + _dat_value(value) + _QUOTE for value in values) + "\r\n"


def _dat_value(value: str) -> str:
    value = value.replace(_LINE, "(R)").replace(_FIELD, " ").replace(_QUOTE, _QUOTE * 2)
    return _CONTROLS.sub(" ", _LINE_ENDS.sub(_LINE, value))


def spoilt(record: Record) -> str:
    """The exception that names the fields which a DAT cannot show as they are; "" when there are none."""
    fields = [name for name in FIELDS if _SPOILT.search(record[name])]
    return f"DAT: {', '.join(fields)} altered for its signs, exact in manifest.jsonl" if fields else ""


def opt_line(record: Record, volume: str) -> str:
    """The line of a document that has a PDF; "" for another."""
    if not record["PDFPATH"]:
        return ""
    return f"{record['BEGBATES']},{volume},{record['PDFPATH']},Y,,,{record['PAGECOUNT']}\r\n"


class LoadFiles:
    """The four files of a volume, written line by line. Raises OSError."""

    def __init__(self, folder: Path, volume: str) -> None:
        """Files `<volume>.dat`, `.opt`, `.csv` and `manifest.jsonl`; older ones are replaced."""
        self.names = (f"{volume}.dat", f"{volume}.opt", f"{volume}.csv", "manifest.jsonl")
        self._volume = volume
        self._stack = ExitStack()
        self._dat, self._opt, self._csv, self._json = (
            self._stack.enter_context((folder / name).open("w", encoding="utf-8", errors="replace", newline=""))
            for name in self.names
        )
        self._dat.write(BOM + dat_line(FIELDS))
        self._csv.write(BOM)
        self._rows = csv.writer(self._csv, quoting=csv.QUOTE_ALL)
        self._rows.writerow(FIELDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, record: Record) -> None:
        """One document in all four."""
        values = [record[name] for name in FIELDS]
        self._dat.write(dat_line(values))
        self._opt.write(opt_line(record, self._volume))
        self._rows.writerow([cell(value) for value in values])
        self._json.write(json.dumps({name: record[name] for name in FIELDS}, ensure_ascii=False) + "\n")
