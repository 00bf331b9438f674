"""Other programs that make PDF of HTML: Chromium (a process a page, or one for all) and wkhtmltopdf."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from tests.benchmarks.measure import tree_cpu

PATIENCE = 60.0
"""Seconds a page may take."""
CHROMIUM = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip


class Peer(Protocol):
    """A program that makes a PDF of an HTML file."""

    name: str

    def missing(self) -> bool:
        """Whether the program is not installed."""

    def pdf(self, page: Path) -> tuple[bytes, float]:
        """The PDF, empty when there is none in time, and the seconds of processor time it took."""

    def close(self) -> None:
        """End what runs."""


class Cold:
    """One process a page; `{page}` and `{pdf}` in the command are files."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        self.name, self._command, self._folder = name, command, folder

    def missing(self) -> bool:
        """As `Peer.missing`."""
        return shutil.which(self._command[0]) is None

    def pdf(self, page: Path) -> tuple[bytes, float]:
        """As `Peer.pdf`."""
        target = self._folder / f"{self.name}.pdf"
        target.unlink(missing_ok=True)
        command = [part.format(page=page, pdf=target, profile=self._folder / "cold") for part in self._command]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        timer = time.monotonic() + PATIENCE
        while (found := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > timer:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.002)
        process.returncode = os.waitstatus_to_exitcode(found[1])
        return (target.read_bytes() if target.exists() else b"", found[2].ru_utime + found[2].ru_stime)

    def close(self) -> None:
        """Nothing runs."""


class WarmChromium:
    """One Chromium, told by its debugging pipe to open and print page after page.

    https://chromedevtools.github.io/devtools-protocol/ (Target, Page); messages end with a zero byte.
    """

    name = "Chromium, warm"

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "warm"
        self._process: subprocess.Popen[bytes] | None = None
        self._number, self._buffer = 0, b""

    def missing(self) -> bool:
        """As `Peer.missing`."""
        return shutil.which(CHROMIUM[0]) is None

    def pdf(self, page: Path) -> tuple[bytes, float]:
        """As `Peer.pdf`."""
        if self._process is None:
            self._start()
        assert self._process is not None
        before = tree_cpu(self._process.pid)
        self._ask("Page.navigate", self._session, url=page.as_uri())
        self._until(lambda message: message.get("method") == "Page.loadEventFired")
        answer = self._ask("Page.printToPDF", self._session, printBackground=True, paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(answer["data"]), tree_cpu(self._process.pid) - before

    def close(self) -> None:
        """End Chromium."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _start(self) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", *CHROMIUM, "--remote-debugging-pipe",
             f"--user-data-dir={self._profile}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[to_read, to_write], start_new_session=True,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        target = self._ask("Target.createTarget", "", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", "", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable", self._session)

    def _ask(self, method: str, session: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._write, json.dumps(message).encode() + b"\0")
        result: dict[str, Any] = self._until(lambda message: message.get("id") == number).get("result", {})
        return result

    def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            while b"\0" not in self._buffer:
                piece = os.read(self._read, 1 << 20)
                if not piece:
                    raise RuntimeError("Chromium has ended")
                self._buffer += piece
            line, _, self._buffer = self._buffer.partition(b"\0")
            message: dict[str, Any] = json.loads(line)
            if wanted(message):
                return message


def peers(folder: Path) -> list[Peer]:
    """Those to compare with; `folder` takes their files."""
    printing = ["--user-data-dir={profile}", "--no-pdf-header-footer", "--print-to-pdf={pdf}", "{page}"]
    quiet = [
        "--quiet",
        "--disable-javascript",
        "--load-error-handling",
        "ignore",
        "--load-media-error-handling",
        "ignore",
    ]
    return [
        WarmChromium(folder),
        Cold("Chromium, cold", [*CHROMIUM, *printing], folder),
        Cold("wkhtmltopdf, cold", ["wkhtmltopdf", *quiet, "{page}", "{pdf}"], folder),
    ]
