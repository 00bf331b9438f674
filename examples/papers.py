"""Real small documents made by code: a PDF of lines, a spreadsheet, a list as CSV. The same bytes every time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

_MOMENT = (2024, 1, 1, 0, 0, 0)  # a zip holds times; a fixed one keeps the bytes the same


def pdf(*lines: str) -> bytes:
    """One A4 page of Helvetica; ASCII only (ISO 32000-1, sections 7.5 and 9)."""
    shown = "\n".join(f"({line.translate({40: '[', 41: ']', 92: '/'})}) Tj T*" for line in lines)
    content = f"BT /F1 11 Tf 56 780 Td 16 TL\n{shown}\nET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start, count = len(out), len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, start)
    return bytes(out)


def xlsx(rows: Sequence[Sequence[str | float]]) -> bytes:
    """A workbook of one sheet (ECMA-376): text as inline strings, numbers as numbers."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    office = "http://schemas.openxmlformats.org"
    main = f"{office}/spreadsheetml/2006/main"
    relations = f"{office}/package/2006/relationships"
    documents = f"{office}/officeDocument/2006/relationships"
    cells = "".join("<row>" + "".join(map(_cell, row)) + "</row>" for row in rows)
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return _zip(
        {
            "[Content_Types].xml": f'{head}<Types xmlns="{office}/package/2006/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
            f'<Override PartName="/xl/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
            "_rels/.rels": f'{head}<Relationships xmlns="{relations}"><Relationship Id="r1" '
            f'Type="{documents}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/_rels/workbook.xml.rels": f'{head}<Relationships xmlns="{relations}"><Relationship Id="r1" '
            f'Type="{documents}/worksheet" Target="sheet1.xml"/></Relationships>',
            "xl/workbook.xml": f'{head}<workbook xmlns="{main}" xmlns:r="{documents}"><sheets>'
            '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/sheet1.xml": f'{head}<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def _zip(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), text)
    return out.getvalue()


def csv(rows: Sequence[Sequence[str | float]]) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheet programs write Chinese."""
    return ("\ufeff" + "".join(",".join(map(str, row)) + "\r\n" for row in rows)).encode()
