"""Load files, read back by a parser of their rules."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from exporters.production.loadfiles import LoadFiles, dat_line, opt_line, spoilt
from exporters.production.record import FIELDS
from tests.exporters.production.kit import read_dat

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\xae\x14"))
"""What a DAT can show as it is: a U+00FE included, for it is doubled."""


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_dat_gives_back_what_was_put_in(rows: list[list[str]]) -> None:
    data = ("\ufeff" + dat_line(["A", "B", "C"]) + "".join(map(dat_line, rows))).encode()
    assert [list(record.values()) for record in read_dat(data)] == rows


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4))
def test_no_value_breaks_out_of_its_field(values: list[str]) -> None:
    line = dat_line(values)
    assert line.endswith("\xfe\r\n") and line.count("\x14") == len(values) - 1
    assert "\r" not in line[:-2] and "\n" not in line[:-2]
    assert len(read_dat(("\ufeff" + dat_line([str(n) for n in range(len(values))]) + line).encode())[0]) == len(values)


def test_line_ends_and_signs_of_the_form() -> None:
    line = dat_line(["a\r\nb\nc", "Acme® þ\x14x"])
    assert line == "\xfea\xaeb\xaec\xfe\x14\xfeAcme(R) þþ x\xfe\r\n"
    record = dict.fromkeys(FIELDS, "") | {"SUBJECT": "Acme®", "TO": "þ@x"}
    assert spoilt(record) == "DAT: TO, SUBJECT altered for its signs, exact in manifest.jsonl"
    assert spoilt(dict.fromkeys(FIELDS, "合同\n")) == ""


def test_opt_has_seven_fields() -> None:
    record = dict.fromkeys(FIELDS, "") | {"BEGBATES": "M1", "PDFPATH": "PDF\\M1.pdf", "PAGECOUNT": "3"}
    assert opt_line(record, "VOL001") == "M1,VOL001,PDF\\M1.pdf,Y,,,3\r\n"
    assert opt_line(record | {"PDFPATH": ""}, "VOL001") == ""


def test_the_four_files(tmp_path: Path) -> None:
    record = dict.fromkeys(FIELDS, "") | {"CONTROLNUMBER": "M1", "SUBJECT": "=cmd() ® 合同", "PDFPATH": "PDF\\M1.pdf"}
    with LoadFiles(tmp_path, "VOL001") as load:
        load.add(record)
    dat = (tmp_path / "VOL001.dat").read_bytes()
    assert dat.startswith(b"\xef\xbb\xbf\xc3\xbeCONTROLNUMBER\xc3\xbe\x14") and dat.endswith(b"\xc3\xbe\r\n")
    assert read_dat(dat)[0]["SUBJECT"] == "=cmd() (R) 合同", "a load file does not alter what it can show"
    with (tmp_path / "VOL001.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["SUBJECT"] == "'=cmd() ® 合同", "no spreadsheet runs it"
    assert json.loads((tmp_path / "manifest.jsonl").read_text("utf-8")) == record
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(load.names)
