"""Text of PDF attachments. They are a stranger's, so a process of its own reads them, in the cage of those that render:
it may die, and can neither write nor reach the network.
"""

from __future__ import annotations

import contextlib
import resource
import struct
import subprocess
import sys
import threading
from types import TracebackType
from typing import IO, Self

from exporters.rendition import workers_cage
from exporters.rendition.workers import environment

SIZE_LIMIT = 50 * 1024 * 1024
"""Bytes of a PDF that is looked into."""
PAGE_LIMIT = 500
TEXT_LIMIT = 1024 * 1024
"""Characters that are kept."""
_SECONDS = 20.0
_MEMORY = 1024 * 1024 * 1024
_HEAD = struct.Struct(">QQ")


class PdfReader:
    """Call it with a PDF for its text and what was wrong in one short line ("" for nothing). The process is started
    when first needed, again after it died or took too long (20 s), and ends with the context.
    """

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, pdf: bytes) -> tuple[str, str]:
        """The text, at most 1 MiB of characters of the first 500 pages."""
        if len(pdf) > SIZE_LIMIT:
            return "", "PDF too large to look into"
        process = self._process = self._process or _start()
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._seconds, end)
        timer.start()
        try:
            return _asked(process, pdf)
        except (OSError, EOFError):
            self._stop()
            return "", "PDF took too long to read" if late.is_set() else "PDF could not be read"
        finally:
            timer.cancel()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError):
                process.communicate()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd="/",  # not where attachments may lie: "-m" looks for modules there first
    )


def _asked(process: subprocess.Popen[bytes], pdf: bytes) -> tuple[str, str]:
    if process.stdin is None or process.stdout is None:  # it was started with both
        raise EOFError
    process.stdin.write(_HEAD.pack(len(pdf), 0) + pdf)
    process.stdin.flush()
    text, wrong = _HEAD.unpack(_exactly(process.stdout, _HEAD.size))
    return _exactly(process.stdout, text).decode(), _exactly(process.stdout, wrong).decode()


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _serve() -> None:
    """The other side: one PDF after the other until the pipe closes."""
    import pypdfium2  # noqa: F401 - its library is loaded before nothing can be

    workers_cage.close()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    while head := sys.stdin.buffer.read(_HEAD.size):
        text, wrong = (part.encode(errors="replace") for part in _read(sys.stdin.buffer.read(_HEAD.unpack(head)[0])))
        sys.stdout.buffer.write(_HEAD.pack(len(text), len(wrong)) + text + wrong)
        sys.stdout.buffer.flush()


def _read(pdf: bytes) -> tuple[str, str]:
    import pypdfium2

    out: list[str] = []
    size = 0
    try:
        document = pypdfium2.PdfDocument(pdf)
        pages = len(document)
        for number in range(min(pages, PAGE_LIMIT)):
            text = document[number].get_textpage().get_text_bounded().replace("\r\n", "\n").replace("\r", "\n")
            out.append(text.replace("\0", ""))
            size += len(text) + 1
            if size > TEXT_LIMIT:
                return "\n".join(out)[:TEXT_LIMIT], "text cut"
    except pypdfium2.PdfiumError as error:
        return "", "PDF is protected by a password" if "password" in str(error).lower() else "PDF could not be read"
    return "\n".join(out), "" if pages <= PAGE_LIMIT else "text cut"


if __name__ == "__main__":
    _serve()
