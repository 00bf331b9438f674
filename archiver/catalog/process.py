"""The catalog fed by a process of its own: indexing is a third of a first run, and Python runs one thread at a time.

The process reads frames from its standard input: kind (1 byte), length (8 bytes, big-endian), content; and answers
with one line when its input ends. When the writer dies the input ends without a seal: nothing more is committed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from archiver.catalog.lines import verdict_texts
from archiver.catalog.sqlite import SqliteCatalog
from archiver.errors import MailarkError
from archiver.model import MessageId, Verdict

LINES, AHEAD, NAME, SEAL, ROLLBACK = b"L", b"A", b"N", b"S", b"R"
PIECE = 1024 * 1024
DONE = "done"
PATIENCE = 600.0
"""Seconds the process may take for what it was given last."""


class CatalogProcess:
    """Takes documents of catalog lines and seals, as the catalog at `path` does itself; started by the first of them.

    It ends without a seal of its own: what is not sealed when the writer closes or dies is not in the catalog.

    Raises MailarkError when the process fails; what was not sealed is then not in the catalog.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path, self._key = path, key
        self._process: subprocess.Popen[bytes] | None = None

    def add_lines(self, document: bytes) -> None:
        """Hand over lines; returns when the process has read them, not when it has indexed them."""
        self._pieces(LINES, document)

    def add_ahead(self, document: bytes) -> None:
        """Hand over lines of messages whose pack has no name yet."""
        self._pieces(AHEAD, document)

    def name(self, pack: str, verdicts: Mapping[MessageId, Iterable[Verdict]]) -> None:
        """Hand over the name of the pack of the messages that went ahead, and the verdicts on some of these."""
        texts = {id_: verdict_texts(found) for id_, found in verdicts.items()}
        self._send(NAME, json.dumps([pack, texts]).encode("ascii"))

    def rollback(self) -> None:
        """Have everything dropped that is not sealed."""
        self._send(ROLLBACK, b"")

    def seal(self, writer: str, seq: int) -> None:
        """Hand over a seal; it is carried out after what was handed over before."""
        self._send(SEAL, f"{writer} {seq}".encode("ascii"))

    def close(self) -> None:
        """Wait until everything is done."""
        if self._process is not None:
            _check(self._end())

    def _pieces(self, kind: bytes, document: bytes) -> None:
        start = 0
        while start < len(document):  # the process takes a piece at a time into its memory
            end = document.find(b"\n", start + PIECE) + 1 or len(document)
            self._send(kind, document[start:end])
            start = end

    def _send(self, kind: bytes, content: bytes) -> None:
        try:
            self._write(kind + len(content).to_bytes(8, "big"), content)
        except OSError:
            answer = self._end()
            _check(answer or b"its process ended early")

    def _write(self, *pieces: bytes) -> None:
        if self._process is None:
            command = [sys.executable, "-m", "archiver.catalog.process"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
            path = str(self._path).encode("utf-8", "surrogateescape")
            self._write(self._key, len(path).to_bytes(8, "big"), path)
        stream = cast(BinaryIO, self._process.stdin)
        for piece in pieces:
            stream.write(piece)
        stream.flush()

    def _end(self) -> bytes:
        """The last word of the process; b"" when it was not started. MailarkError when it does not come to an end."""
        process, self._process = self._process, None
        if process is None:
            return b""
        try:
            return process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise MailarkError("the catalog's process does not come to an end") from None


def _check(answer: bytes) -> None:
    text = answer.decode("utf-8", "replace").strip()
    if text != DONE:
        raise MailarkError(text or "the catalog's process died")


def serve(stream: BinaryIO) -> str:
    """Carry out what comes in; DONE, or what went wrong."""
    key, path = _exactly(stream, 32), _content(stream)
    with SqliteCatalog.open(Path(path.decode("utf-8", "surrogateescape")), key) as catalog:
        while kind := stream.read(1):
            _carry_out(catalog, kind, _content(stream))
    return DONE


def _carry_out(catalog: SqliteCatalog, kind: bytes, content: bytes) -> None:
    if kind == LINES:
        catalog.add_lines(content)
    elif kind == AHEAD:
        catalog.add_ahead(content)
    elif kind == NAME:
        pack, texts = json.loads(content)
        catalog.name(pack, {id_: [Verdict(*one) for one in found] for id_, found in texts.items()})
    elif kind == SEAL:
        writer, seq = content.decode("ascii").split()
        catalog.seal(writer, int(seq))
    else:
        catalog.rollback()


def _content(stream: BinaryIO) -> bytes:
    return _exactly(stream, int.from_bytes(_exactly(stream, 8), "big"))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise MailarkError("the run was cut off")
    return data


def main() -> None:
    try:
        answer = serve(sys.stdin.buffer)
    except MailarkError as error:
        answer = str(error)
    except Exception as error:  # a defect: its text may hold some of a message
        answer = f"unexpected {type(error).__name__}"
    with suppress(OSError):  # whoever asked may have ended
        os.write(1, f"{answer}\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
