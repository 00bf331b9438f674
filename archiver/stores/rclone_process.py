"""The process `rclone rcd`: started when it is first needed, spoken to over a socket of our own, stopped at exit.

Measured on a local remote: a command a call takes 50 to 70 ms before the remote is asked, a call of `rcd` 1 to 3 ms.
Its copyfile knows the size before it uploads, compares size and hash after it, and writes under a temporary name where
the remote can rename; `serve webdav` and `serve s3` would put rclone's file system layer and its caches between.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from archiver.errors import ConfigError, StoreError

START = 15.0
"""Seconds that rclone gets to open its socket."""

PART = ".mailark-part"
"""The suffix of what rclone has written half."""

# The shell ends rclone when our end of the pipe closes, which happens however this process dies.
_WATCHED = 'exec 3<&0; "$@" </dev/null & child=$!; { read -r _ <&3; kill "$child"; } 2>/dev/null & wait "$child"'

_OPTIONS = (
    "--rc-no-auth",  # the socket lies in a folder that only this user can enter
    "--rc-serve",
    "--ask-password=false",
    "--contimeout=15s",
    "--timeout=60s",
    "--low-level-retries=5",
    "--transfers=8",
    f"--partial-suffix={PART}",
    "--log-level=ERROR",
)


class Refused(Exception):  # noqa: N818 - an answer, not yet an error
    """rclone's answer was an error: `status` (HTTP) and `text`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("rclone", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Rclone:
    """One process, for any number of threads and remotes. `call` and `read` start it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def call(self, command: str, timeout: float, **parameters: Any) -> dict[str, Any]:
        """A command of rclone's remote control (https://rclone.org/rc/). Refused: it failed; StoreError: no answer."""
        body = json.dumps(parameters).encode()
        status, _, data = self._ask("POST", f"/{command}", body, {"Content-Type": "application/json"}, timeout)
        try:
            answer: dict[str, Any] = json.loads(data)
        except ValueError:
            raise Refused(status, "an answer that is not JSON") from None
        if status != 200:
            raise Refused(status, str(answer.get("error", "")))
        return answer

    def read(self, path: str, range_: str | None, timeout: float) -> tuple[int, bytes]:
        """HTTP status and bytes of an object served under `path`; Refused for an error."""
        status, headers, data = self._ask("GET", path, None, {"Range": range_} if range_ else {}, timeout)
        if status not in (200, 206):
            raise Refused(status, data[:300].decode("utf-8", "replace"))
        if int(headers.get("Content-Length", len(data))) != len(data):
            raise StoreError("rclone ended its answer too early", "Run it again.")
        return status, data

    def stop(self) -> None:
        """End the process and remove its socket; the next call starts another."""
        with self._lock:
            process, folder, self._process, self._folder = self._process, self._folder, None, None
        atexit.unregister(self.stop)
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = _Connection(self._started(), timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except TimeoutError as error:
            raise StoreError(f"rclone did not answer within {timeout:.0f} s", "Check the remote's network.") from error
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"rclone broke off: {type(error).__name__}", "Run it again.") from error
        finally:
            connection.close()

    def _started(self) -> str:
        """The socket of the running process."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return str(self._socket)

    @property
    def _socket(self) -> Path:
        assert self._folder is not None  # noqa: S101 - set before the process is
        return self._folder / "rc"

    def _start(self) -> None:
        program = find()
        if self._folder is not None:  # of a process that died
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix="mailark-rclone-"))  # 0700
        command = [program, "rcd", f"--rc-addr=unix://{self._socket}", *_OPTIONS]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the run first, then this
            )
        atexit.register(self.stop)
        end = time.monotonic() + START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise StoreError("rclone does not start", "Try it by hand: rclone rcd --rc-no-auth")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        return True


def find() -> str:
    """The program, on the path or beside Python; ConfigError when there is none."""
    beside = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    program = shutil.which("rclone", path=beside)
    if program is None:
        raise ConfigError("stores behind rclone need the program rclone", "Install it: https://rclone.org/install/")
    return program


RCLONE = Rclone()
"""The process that all stores of this program share."""
