"""Runs `backup` again and again in forked children and kills each with SIGKILL at a random moment.

Arguments: configuration, number of runs, seed. Before each run it awaits a line on standard input; after it, it prints
`killed` or the exit code. The modules are imported once, in the parent, so that the kills fall into the run.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import archiver.backup.allowance as allowance
import archiver.backup.drafts as drafts
import archiver.backup.filling as filling
import archiver.cli.backup
import archiver.cli.main as cli
import archiver.sources.imap
import archiver.vault.keys  # noqa: F401


def main() -> None:
    config, seed = sys.argv[1], int(sys.argv[2])
    chance = random.Random(seed)
    filling.PACK_SIZE, allowance.WRITE_SIZE = 12 * 1024, 4 * 1024  # many seals and commits in each run
    drafts.PIECE = 300  # nearly every line goes to the catalog before its pack is sealed
    usual = 0.5  # seconds a run takes that is left alone; follows what is seen
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(_run(config))
        started = time.monotonic()
        code = _ended(child, started + chance.uniform(0, 1.2 * usual))
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        else:
            usual = 0.7 * usual + 0.3 * (time.monotonic() - started)
        print("killed" if code is None else code, flush=True)


def _ended(child: int, deadline: float) -> int | None:
    """The exit code of the child, None if it still runs at the deadline."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.001)


def _run(config: str) -> int:
    try:
        cli.main(["--config", config, "backup"])
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0


if __name__ == "__main__":
    main()
