"""Writes a company's mail into a Dovecot Maildir: the same for the same seed, 20,000 messages of 65 kB by default.

python -m tests.benchmarks.corpus --messages 2000 .bench/corpus-2000    # accounts bench1, bench2, … under the folder
python -m tests.benchmarks.corpus --more 100 .bench/corpus-2000         # a hundred new ones into the same accounts
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from imapclient.imap_utf7 import encode

from tests.benchmarks import correspondence, documents, envelope, words
from tests.benchmarks.correspondence import FOLDERS, Placed, size_of, thread

SEED = "trading company"
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was written: `size` in bytes with CRLF line ends, as a server counts; more goes on at `next_thread`.

    `generator`: hash of the code that wrote it, so that an old corpus is not taken for a new one.
    """

    messages: int
    size: int
    accounts: int
    next_thread: int
    generator: str = ""


def generator() -> str:
    """SHA-256 over the modules that decide what is written, shortened."""
    digest = hashlib.sha256()
    for module in (words, documents, envelope, correspondence):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def user(account: int) -> str:
    """The login of account 0, 1, …"""
    return f"bench{account + 1}"


def plan(first: int, messages: int) -> list[tuple[int, int]]:
    """(thread, messages of it) from thread `first` on, until there are exactly so many messages."""
    planned: list[tuple[int, int]] = []
    while messages > 0:
        count = min(messages, size_of(SEED, first))
        planned.append((first, count))
        messages -= count
        first += 1
    return planned


def maildir(root: Path, account: int, folder: str) -> Path:
    """The Maildir++ directory of a folder."""
    base = root / user(account) / "Maildir"
    return base if folder == "INBOX" else base / ("." + encode(folder).decode("ascii").replace("/", "."))


def write(root: Path, *, messages: int, accounts: int = 1, first: int = 0) -> Corpus:
    """Write the messages with one process a core; raises OSError as the file system does."""
    for account in range(accounts):
        for folder in FOLDERS:
            for part in ("cur", "new", "tmp"):
                (maildir(root, account, folder) / part).mkdir(parents=True, exist_ok=True)
    planned = plan(first, messages)
    chunks = [planned[start : start + CHUNK] for start in range(0, len(planned), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        size = sum(pool.map(_write_chunk, [root] * len(chunks), [accounts] * len(chunks), chunks))
    return Corpus(messages, size, accounts, planned[-1][0] + 1, generator())


def cached(folder: Path, messages: int, accounts: int = 1) -> Corpus:
    """The corpus under `folder`, written now unless it lies there."""
    stamp = folder / "corpus.json"
    if stamp.exists():
        found = Corpus(**json.loads(stamp.read_text()))
        if (found.messages, found.accounts, found.generator) == (messages, accounts, generator()):
            return found
    shutil.rmtree(folder, ignore_errors=True)
    corpus = write(folder, messages=messages, accounts=accounts)
    stamp.write_text(json.dumps(asdict(corpus)))
    return corpus


def _write_chunk(root: Path, accounts: int, planned: Sequence[tuple[int, int]]) -> int:
    size = 0
    for number, count in planned:
        for position, placed in enumerate(islice(thread(SEED, number, accounts), count)):
            size += _write_message(root, f"{placed.time}.M{number}P{position}.bench", placed)
    return size


def _write_message(root: Path, name: str, placed: Placed) -> int:
    """The name tells Dovecot both sizes (S: as stored, W: with CRLF), as its own deliveries do."""
    wire = len(placed.raw) + placed.raw.count(b"\n")
    folder = maildir(root, placed.account, placed.folder)
    path = folder / "cur" / f"{name},S={len(placed.raw)},W={wire}:2,{placed.flags}"
    path.write_bytes(placed.raw)
    os.utime(path, (placed.time, placed.time))
    return wire


def main() -> None:
    """The command line shown above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--more", type=int, default=0)
    options = parser.parse_args()
    begin = time.monotonic()
    stamp = options.folder / "corpus.json"
    if options.more:
        before = Corpus(**json.loads(stamp.read_text()))
        corpus = write(options.folder, messages=options.more, accounts=before.accounts, first=before.next_thread)
    else:
        corpus = cached(options.folder, options.messages, options.accounts)
    print(f"{corpus.messages} messages, {corpus.size / 1e6:.0f} MB, {time.monotonic() - begin:.1f} s: {options.folder}")


if __name__ == "__main__":
    main()
