"""`make bench-bundle`: a compliance bundle of 1,000 messages out of an archive, verified with tools that are not ours.

python -m tests.benchmarks.bundle [--messages 1000] [--folder .bench/bundle]

The mail is the bench's, in two accounts. The bundle has volumes of 50 MB, ten withheld messages and the time-stamp of a
local authority. It is verified by the commands of each VERIFY.txt as they stand; ordered again, which only verifies it;
made once more from nothing and compared; then one byte is changed in a file of each kind. Ends with 1 unless all holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks import corpus
from tests.benchmarks.measure import Cost, bytes_of, run
from tests.benchmarks.ours import Mailark
from tests.benchmarks.server import BenchServer
from tests.benchmarks.table import MB
from tests.exporters.production.kit import read_dat
from tests.servers import tsa as authorities
from tests.servers.tsa import Tsa

TOOLS = {"dovecot": "dovecot-imapd", "openssl": "openssl", "pdfsig": "poppler-utils", "sha256sum": "coreutils"}
COMMAND = re.compile(r"(sha256sum|python3?|openssl|pdfsig) ")
COMMANDS = 9
WITHHELD = 10
SIGNED = {
    "data/REPORT/export-report.pdf",
    "manifest-sha256.txt",
    "seal-sha256.txt",
    "tagmanifest-sha256.txt",
    "tagmanifest-sha256.txt.p7s",
    "tagmanifest-sha256.txt.tsr",
}
"""What may differ between two bundles of one order: the signature in the report, and what follows from it."""


@dataclass
class Findings:
    """figures: (what, how much), as printed · wrong: whatever is not as it should be."""

    figures: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, figure: str) -> None:
        """One line of the table, shown when it is known."""
        self.figures.append((what, figure))
        print(f"{what:<48} {figure}", flush=True)

    def cost(self, what: str, cost: Cost, messages: int) -> None:
        """A measured command."""
        rate = f"{messages / cost.wall:.1f} messages/s" if messages else ""
        memory = f"memory {cost.pss / MB:.0f} MB (Pss)"
        self.add(what, ", ".join(filter(None, (f"{cost.wall:.1f} s", f"CPU {cost.cpu:.1f} s", rate, memory))))

    def need(self, holds: bool, otherwise: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(otherwise)
            print(f"WRONG: {otherwise}", flush=True)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of the bench's mail. fingerprint: of its root key · ids: those that are ordered."""

    mailark: Mailark
    fingerprint: str
    ids: Sequence[str]

    def order(self, target: Path, tsa: Tsa) -> Cost:
        """Make the bundle below `target`, or verify the one that is there."""
        (self.mailark.dir / "ids").write_text("".join(f"{message}\n" for message in self.ids))
        lines = ["sha256,reason,basis", *(f"{message},advice,attorney-client" for message in self.ids[:WITHHELD])]
        (self.mailark.dir / "withheld.csv").write_text("\n".join(lines) + "\n")
        (self.mailark.dir / "tsa.pem").write_bytes(tsa.authority)
        named = {"--from": "ids", "--withhold": "withheld.csv", "--tsa-ca": "tsa.pem"}
        words = [word for option, name in named.items() for word in (option, str(self.mailark.dir / name))]
        form = ("--format", "bundle", "--case", "BENCH", "--volume-size", "50MB", "--tsa", tsa.url)
        return run(self.mailark.command("export", *form, *words, "--to", str(target)), self.mailark.dir / "log")

    def forget_renditions(self) -> None:
        """So that every page is made anew."""
        for path in (self.mailark.dir / "work").glob("renditions.db*"):
            path.unlink()


@contextmanager
def archived(folder: Path, messages: int) -> Iterator[Archive]:
    """The server and the archive; a few more messages than wanted are written, for some are the same."""
    corpus.cached(folder / "corpus", messages + messages // 5 + 20, accounts=2)
    bench = BenchServer(folder / "dovecot", folder / "corpus")
    try:
        mailark = Mailark(folder / "mailark", bench, [corpus.user(0), corpus.user(1)])
        mailark.prepare()
        mailark.once()
        yield Archive(mailark, json.loads(_said(mailark, "reindex", "--json"))["fingerprint"], _ids(mailark, messages))
    finally:
        bench.stop()


def _ids(mailark: Mailark, messages: int) -> list[str]:
    found = _said(mailark, "search", "--ids", "--limit", "0", "after:2000").split()
    return sorted(found)[:messages]


def _said(mailark: Mailark, *arguments: str) -> str:
    return subprocess.run(mailark.command(*arguments), capture_output=True, text=True, check=True).stdout


def commands(volume: Path, fingerprint: str) -> list[str]:
    """What VERIFY.txt has typed at a shell; FINGERPRINT is the one word it leaves to the reader."""
    lines = (volume / "VERIFY.txt").read_text("utf-8").splitlines()
    return [line.replace("FINGERPRINT", fingerprint) for line in lines if COMMAND.match(line)]


def typed(command: str, volume: Path) -> tuple[int, float]:
    """Exit code and seconds of a command at a shell that has this Python first."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    begin = time.monotonic()
    done = subprocess.run(["bash", "-c", command], cwd=volume, env=environment, capture_output=True)
    return done.returncode, time.monotonic() - begin


def verify(volumes: Sequence[Path], fingerprint: str, found: Findings) -> None:
    """Every command in every volume."""
    seconds: dict[str, float] = {}
    for volume in volumes:
        lines = commands(volume, fingerprint)
        found.need(len(lines) == COMMANDS, f"{volume.name}: {len(lines)} commands in VERIFY.txt, not {COMMANDS}")
        for line in lines:
            code, spent = typed(line, volume)
            found.need(code == 0, f"{volume.name}: {line} ends with {code}")
            seconds[_short(line)] = seconds.get(_short(line), 0.0) + spent
    for name, spent in seconds.items():
        found.add(f"verified: {name}", f"{spent:.1f} s")


def _short(command: str) -> str:
    """The program and what it is given to do, as `openssl cms`."""
    program, *words = command.split()
    if program == "sha256sum":
        return f"{program} {words[-1]}"
    return f"{program} {next(Path(word).name for word in words if not word.startswith('-'))}"


def read_back(volumes: Sequence[Path], found: Findings) -> None:
    """The load files by a parser of our own tests that knows the form only; hashes, the sum, the tiers."""
    tiers: Counter[str] = Counter()
    documents = pages = 0
    for volume in volumes:
        (path,) = (volume / "data/DATA").glob("*.dat")
        for record in read_dat(path.read_bytes()):
            documents += 1
            pages += int(record["PAGECOUNT"] or 0)
            tiers[record["PDFTIER"] or "none"] += record["DOCTYPE"] == "E-mail"
            if native := record["NATIVEPATH"].replace("\\", "/"):
                content = (volume / "data" / native).read_bytes()
                same = hashlib.sha256(content).hexdigest() == record["SHA256HASH"]
                found.need(same, f"{native} is not what the load file says")
    info = (volumes[0] / "bag-info.txt").read_text("utf-8").replace("\n ", " ")
    equation = next(line.partition(": ")[2] for line in info.splitlines() if line.startswith("Reconciliation"))
    hits, *parts = map(int, re.findall(r"\d+", equation))
    found.need(hits == sum(parts) and parts[2] == 0, f"the sum: {equation}")
    found.add("the sum", equation)
    counted = ", ".join(f"{tier}: {count}" for tier, count in sorted(tiers.items()))
    found.add("documents, pages, tiers", f"{documents:,}, {pages:,}, {counted} (withheld)")


def compare(one: Path, other: Path, found: Findings) -> None:
    """Two bundles of one order: what differs, and that it is what may."""
    hashes = [
        {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(root)}
        for root in (one, other)
    ]
    differing = {path for path in hashes[0].keys() | hashes[1].keys() if hashes[0].get(path) != hashes[1].get(path)}
    names = {path.partition("/")[2] for path in differing}
    found.need(names == SIGNED, f"two runs differ in {sorted(names ^ SIGNED)}")
    for path in (path for path in differing if path.endswith("/manifest-sha256.txt")):
        lines = set((one / path).read_text("utf-8").splitlines()) ^ set((other / path).read_text("utf-8").splitlines())
        found.need({line.split("  ", 1)[1] for line in lines} == {"data/REPORT/export-report.pdf"}, f"{path} differs")
    found.add("made twice", f"{len(differing)} of {len(hashes[0]):,} files differ: signature, time-stamp, their hashes")


def _files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.is_file() and path.name != "signer.pem"]


def flip(volume: Path, fingerprint: str, found: Findings) -> None:
    """One byte of one file of each kind: every file beside data, and each folder's files by the ends of their names."""
    chance = random.Random("bytes")
    kinds: dict[str, list[Path]] = {}
    for path in _files(volume):
        relative = path.relative_to(volume)
        kind = f"{relative.parent}/*{path.suffix}" if relative.parts[0] == "data" else path.name
        kinds.setdefault(kind, []).extend([path] if path.stat().st_size else [])
    tools = [line for line in commands(volume, fingerprint) if not re.search("bagit|pdfsig|x509", line)]
    chosen = {kind: chance.choice(paths) for kind, paths in kinds.items() if paths}
    missed = [kind for kind, path in chosen.items() if not _found(path, volume, tools, chance)]
    found.need(not missed, f"a changed byte is not found in {missed}")
    found.add("one changed byte in each kind of file", f"{len(chosen) - len(missed)} of {len(chosen)} kinds found")


def _found(path: Path, volume: Path, tools: Sequence[str], chance: random.Random) -> bool:
    whole = path.read_bytes()
    at = chance.randrange(len(whole))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    try:
        return any(typed(tool, volume)[0] for tool in tools)
    finally:
        path.write_bytes(whole)


def measure(archive: Archive, folder: Path, tsa: Tsa, found: Findings) -> None:
    """All of it, on one archive."""
    one, other, count = folder / "one", folder / "other", len(archive.ids)
    found.cost(f"a bundle of {count:,} messages", archive.order(one, tsa), count)
    volumes = sorted(one.glob("BENCH_VOL*"))
    found.add("volumes, files, size", f"{len(volumes)}, {len(_files(one)):,}, {bytes_of(*volumes) / MB:.0f} MB")
    read_back(volumes, found)
    verify(volumes, archive.fingerprint, found)
    asked = tsa.asked
    found.cost("ordered again: verified, not written", archive.order(one, tsa), 0)
    found.need(tsa.asked == asked == len(volumes), f"the authority was asked {tsa.asked} times")
    archive.forget_renditions()
    found.cost("once more from nothing", archive.order(other, tsa), count)
    compare(one, other, found)
    flip(volumes[0], archive.fingerprint, found)


def main() -> int:
    """The command line shown above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path(".bench/bundle"))
    options = parser.parse_args()
    if lacking := [package for tool, package in TOOLS.items() if shutil.which(tool) is None]:
        print(f"missing for the bench: apt-get install {' '.join(lacking)}", file=sys.stderr)
        return 1
    folder, found = options.folder.absolute(), Findings()
    for name in ("one", "other", "tsa"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "tsa").mkdir(parents=True)
    with archived(folder, options.messages) as archive, authorities.tsa(folder / "tsa") as tsa:
        measure(archive, folder, tsa, found)
    (folder / "result.json").write_text(json.dumps({"figures": found.figures, "wrong": found.wrong}, indent=2) + "\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
