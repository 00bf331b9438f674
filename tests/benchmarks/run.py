"""`make bench`: mbsync, restic and notmuch against one `mailark backup`, in one run on one Dovecot; then into a bucket.

python -m tests.benchmarks.run [--messages 2000] [--part chain|stores] [--only chain|mailark] [--defaults] [--profile]
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from tests.benchmarks import corpus, profiler, server, stores, table
from tests.benchmarks.measure import Cost
from tests.benchmarks.ours import Mailark
from tests.benchmarks.peers import Peers
from tests.benchmarks.table import MB, Line

MORE = 100
USERS = [corpus.user(0)]
AIMS = {"backup": 0.2, "no-op": 0.5, f"+{MORE}": 0.5}
"""The passes, and the share of the chain's wall time each may take."""

MEMORY_AIM, STORED_AIM, INDEX_AIM = 400, 0.4, 0.15


class Side(Protocol):
    """Either side of the comparison."""

    def prepare(self) -> None:
        """What is done once and not measured."""

    def once(self) -> dict[str, Cost]:
        """One pass; what each tool of it cost."""

    def stored(self) -> int:
        """Bytes of one copy of the archive."""

    def index(self) -> int:
        """Bytes of the search index."""

    def details(self) -> dict[str, int]:
        """Other bytes worth knowing."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one side cost in each pass, tool by tool, and what lay on the disk after the first (bytes)."""

    passes: dict[str, dict[str, Cost]]
    stored: int
    index: int
    details: dict[str, int]

    def whole(self, name: str) -> Cost:
        """A pass as a whole, its tools run one after the other."""
        first, *others = self.passes[name].values()
        return sum(others, first)


def measure(sides: dict[str, Side], bench: server.BenchServer, made: corpus.Corpus) -> dict[str, Result]:
    """Every pass on every side before the mail changes."""
    passes: dict[str, dict[str, dict[str, Cost]]] = {side: {} for side in sides}
    sizes: dict[str, tuple[int, int, dict[str, int]]] = {}
    for each in sides.values():
        each.prepare()
    for name in AIMS:
        if name.startswith("+"):
            bench.add(made, MORE)
        for side, each in sides.items():
            passes[side][name] = each.once()
            sizes.setdefault(side, (each.stored(), each.index(), each.details()))
            costs = ", ".join(f"{tool} {cost.wall:.1f} s" for tool, cost in passes[side][name].items())
            print(f"{name}: {costs}", file=sys.stderr, flush=True)
    return {side: Result(passes[side], *sizes[side]) for side in sides}


def lines(chain: Result | None, ours: Result | None, raw: int) -> Iterator[Line]:
    """The table's lines with the aims; `raw`: bytes of the mail."""

    def pair(get: Callable[[Result], float]) -> tuple[float | None, float | None]:
        return (None if chain is None else get(chain), None if ours is None else get(ours))

    for name, aim in AIMS.items():
        yield Line(f"{name}: wall", "s", *pair(partial(_spent, name, "wall")), aim)
        yield Line(f"{name}: CPU", "s", *pair(partial(_spent, name, "cpu")))
        yield Line(f"{name}: CPU of the server", "s", *pair(partial(_spent, name, "server_cpu")))
    yield Line("memory at its peak (Pss)", "MB", *pair(lambda side: side.whole("backup").pss / MB))
    each = pair(lambda side: side.whole("backup").memory / MB)
    yield Line("memory, each process's own peak", "MB", *each, MEMORY_AIM, absolute=True)
    yield Line("stored, one copy", "MB", *pair(lambda side: side.stored / MB), STORED_AIM)
    yield Line("index", "MB", *pair(lambda side: side.index / MB))
    yield Line("index / raw mail", "", *pair(lambda side: side.index / raw), INDEX_AIM, absolute=True)


def _spent(name: str, field: str, side: Result) -> float:
    return float(getattr(side.whole(name), field))


def main() -> int:
    """The command line shown above."""
    options = _options()
    if reason := server.missing() or (stores.missing() if options.part != "chain" else ""):
        print(reason, file=sys.stderr)
        return 1
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another bench is running in {folder}; give this one a --folder of its own", file=sys.stderr)
            return 1
        return compare(options, folder)


def compare(options: argparse.Namespace, folder: Path) -> int:
    """Run what the options ask for; the folder is ours alone."""
    made = corpus.cached(folder / f"corpus-{options.messages}", options.messages)
    bench = server.BenchServer(folder / "dovecot", folder / f"corpus-{options.messages}")
    try:
        messages, seconds = bench.download(USERS[0])
        print(f"{messages} messages, {made.size / MB:.0f} MB; a plain download takes {seconds:.1f} s", file=sys.stderr)
        if options.profile:
            print(profiler.backup(Mailark(folder / "mailark", bench, USERS)))
            return 0
        found = {"corpus": asdict(made), "machine": _machine(), "plain_download": seconds}
        if options.part != "stores":
            results = measure(_sides(options, folder, bench), bench, made)
            print(table.text(list(lines(results.get("chain"), results.get("mailark"), made.size))), flush=True)
            found |= {side: asdict(result) for side, result in results.items()}
        if options.part != "chain":
            into = stores.measure(folder, bench, USERS)
            print(table.text(list(stores.lines(into)), "other"), flush=True)
            found["stores"] = asdict(into)
    finally:
        bench.stop()
    path = options.json or folder / f"result-{options.messages}.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(f"written: {path}", file=sys.stderr)
    return 0


def _sides(options: argparse.Namespace, folder: Path, bench: server.BenchServer) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    if options.only != "mailark":
        sides["chain"] = Peers(folder / "peers", bench, USERS[0], tuned=not options.defaults)
    if options.only != "chain":
        sides["mailark"] = Mailark(folder / "mailark", bench, USERS)
    return sides


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--part", choices=("chain", "stores"))
    parser.add_argument("--only", choices=("chain", "mailark"))
    parser.add_argument("--defaults", action="store_true", help="mbsync as it comes, not tuned")
    parser.add_argument("--profile", action="store_true", help="where the time of `mailark backup` goes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    return parser.parse_args()


def _machine() -> dict[str, str | int | None]:
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
