"""At a terminal: passphrases are asked for and not shown, progress is drawn, Ctrl-C ends cleanly."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time

from archiver.cli.output import width
from tests.cli.sandbox import PROGRAM, Sandbox, message

CHOSEN = "correct horse battery staple"
UNASKED = 'stores = ["first"]\nwork = "work"\n'


def at_terminal(sandbox: Sandbox, *arguments: str, answers: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the program with a terminal of 120 columns, answer its prompts in turn; exit code and all that was shown."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 120))
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", str(PROGRAM), *arguments],
        cwd=sandbox.home,
        env={**sandbox.environment, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown, waiting, left = b"", b"", list(answers)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.1)[0]:
            try:
                waiting += os.read(master, 65536)
            except OSError:  # the program has ended and closed its side
                break
            if waiting.endswith(b": ") and left:
                os.write(master, left.pop(0).encode() + b"\n")
                shown, waiting = shown + waiting, b""
    os.close(master)
    return process.wait(timeout=10), (shown + waiting).decode("utf-8", "replace")


def test_a_passphrase_is_asked_for_twice_and_then_each_time_and_never_shown(sandbox: Sandbox) -> None:
    sandbox.write_config(archive=UNASKED)
    code, shown = at_terminal(sandbox, "init", answers=(CHOSEN, CHOSEN))
    assert (code, "complete: archive" in shown, CHOSEN in shown) == (0, True, False), shown
    code, shown = at_terminal(sandbox, "backup", answers=(CHOSEN,))
    assert (code, "complete: 2 accounts" in shown, CHOSEN in shown) == (0, True, False), shown
    code, shown = at_terminal(sandbox, "status", answers=("wrong " + CHOSEN,))
    assert (code, "error: " in shown) == (4, True), shown


def test_progress_is_drawn_and_the_table_fits_the_terminal(sandbox: Sandbox) -> None:
    sandbox.init()
    for number in range(300):
        sandbox.server.append(sandbox.users["sales"], "Many", message(f"采购合同的第{number}次修订" * 9, "x" * 3000))
    code, shown = at_terminal(sandbox, "backup")
    assert code == 0, shown
    assert "sales/Many" in shown
    assert "/300" in shown
    assert "messages/s" in shown
    assert "complete: " in shown.splitlines()[-1]
    code, shown = at_terminal(sandbox, "search", "--limit", "3", "修订")
    assert code == 0
    rows = [line for line in shown.splitlines() if "采购合同" in line]
    assert len(rows) == 3
    assert max(width(row) for row in rows) <= 120
    assert all("…" in row for row in rows)


def test_ctrl_c_at_a_prompt_is_130(sandbox: Sandbox) -> None:
    sandbox.write_config(archive=UNASKED)
    code, shown = at_terminal(sandbox, "init", answers=("\x03",))
    assert (code, "Traceback" in shown) == (130, False), shown
    assert not (sandbox.home / "recovery-sheet.txt").exists()
