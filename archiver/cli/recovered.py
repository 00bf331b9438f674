"""What `recover` and `reindex` brought back, in words and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archiver.cli.output import number, plural

if TYPE_CHECKING:
    from archiver.recover import RecoverReport


def summary(report: RecoverReport) -> str:
    """The verdict in one line."""
    parts = [plural(report.commits, "commit"), plural(report.messages, "message")]
    if report.unattested:
        parts.append(f"{number(report.unattested)} of them in packs that no readable manifest names")
    if report.problems:
        parts.append(f"{plural(len(report.problems), 'problem')}, named above")
    word = "complete" if report.exit_code == 0 else f"NOT complete (exit code {report.exit_code})"
    return f"{word}: {', '.join(parts)}"


def as_values(report: RecoverReport) -> dict[str, Any]:
    """The report as plain values for JSON."""
    values = asdict(report)
    values["problems"] = [{"subject": problem.subject, "reason": problem.reason} for problem in report.problems]
    return {**values, "exit_code": report.exit_code}
