"""The result side by side: aligned lines with ratios, aims and whether they were met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MB = 1e6


@dataclass(frozen=True, slots=True)
class Line:
    """One measured thing on both sides, in the same unit; `aim`: the ratio (or `absolute` value) not to be exceeded."""

    what: str
    unit: str
    chain: float | None
    mailark: float | None
    aim: float | None = None
    absolute: bool = False

    @property
    def ratio(self) -> float | None:
        """Mailark / chain."""
        return None if self.mailark is None or not self.chain else self.mailark / self.chain

    @property
    def met(self) -> bool | None:
        """Whether the aim was met; None without one."""
        measured = self.mailark if self.absolute else self.ratio
        return None if self.aim is None or measured is None else measured <= self.aim


def text(lines: Sequence[Line], other: str = "chain") -> str:
    """The table as it is printed; `other` heads the column of the other side."""
    rows = [("", other, "Mailark", "ratio", "aim", "")]
    for line in lines:
        verdict = {None: "", True: "met", False: "MISSED"}[line.met]
        chain, mailark = _value(line.chain, line.unit), _value(line.mailark, line.unit)
        rows.append((line.what, chain, mailark, _ratio(line), _aim(line), verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(cell.rjust(width) for cell, width in zip(row[1:5], widths[1:5], strict=True))
        + f"  {row[5]}".rstrip()
        for row in rows
    )


def _value(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:,.3f}" if unit == "" else f"{value:,.1f} {unit}"


def _ratio(line: Line) -> str:
    return "" if line.ratio is None else f"{line.ratio:.3f}"


def _aim(line: Line) -> str:
    if line.aim is None:
        return ""
    return f"<= {line.aim:,.0f} {line.unit}" if line.absolute and line.unit else f"<= {line.aim:g}"
