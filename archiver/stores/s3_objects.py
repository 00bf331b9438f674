"""The objects of a bucket as the S3 API gives them: one request a method, with what each answer means.

Everything here raises botocore's own exceptions, except `read` and `list`; `s3_client.edge` translates them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeVar

from archiver.errors import ObjectMissingError, QuotaError, StoreError
from archiver.stores.interface import Data, Stat
from archiver.stores.s3_client import ATTEMPTS, GONE, Client, code_of, edge, status_of, was_cut
from archiver.stores.s3_place import Place

RESTORED_DAYS = 7
"""How long an object that was asked back from a cold class stays readable."""

_CHUNK = 1 << 20
_CONFLICTS = 6
"""Tries of a put that is refused because another put of the name is under way."""

_A_SHA256 = re.compile(r"[A-Za-z0-9+/]{43}=")

Readable = BufferedReader | BytesIO
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Body:
    """The content of an object: its size, its SHA-256, and how it is read, as often as needed."""

    size: int
    sha256: bytes
    open: Callable[[], Readable]

    @classmethod
    def of(cls, data: Data) -> Body:
        """Read through once; raises OSError."""

        def opened() -> Readable:
            return data.open("rb") if isinstance(data, Path) else BytesIO(data)

        with opened() as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return cls(file.seek(0, os.SEEK_END), digest, opened)


class Objects:
    """What lies below the prefix of a bucket, by its names without the prefix."""

    def __init__(self, place: Place, client: Client) -> None:
        self.place = place
        self.client = client

    def size(self, name: str) -> int | None:
        """Bytes of the object by HEAD, None when there is none."""
        head = self.head(name)
        return None if head is None else int(head["ContentLength"])

    def head(self, name: str) -> dict[str, Any] | None:
        """What the service tells of the object, None when there is none."""
        try:
            return self._call(self.client.head_object, name)  # type: ignore[no-any-return]
        except self.client.exceptions.ClientError as error:
            if code_of(error) in GONE:
                return None
            raise

    def put(self, name: str, body: Body, **parameters: Any) -> None:
        """Write the object, replacing what is there unless `parameters` have a condition."""
        with body.open() as file:
            self._call(
                self.client.put_object,
                name,
                Body=file,
                ContentLength=body.size,
                ContentType="application/octet-stream",
                ChecksumAlgorithm="SHA256",  # without it Object Lock refuses the checksum
                ChecksumSHA256=base64.b64encode(body.sha256).decode(),
                **parameters,
            )

    def put_if_none(self, name: str, body: Body, **parameters: Any) -> bool:
        """False when the service says 412: it is there. 409: another put of it is under way, so try again."""
        for attempt in range(_CONFLICTS):
            try:
                self.put(name, body, IfNoneMatch="*", **parameters)
                return True
            except self.client.exceptions.ClientError as error:
                if status_of(error) == 412:
                    return False
                if status_of(error) != 409 or attempt == _CONFLICTS - 1:
                    raise
                _pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def sha256(self, name: str) -> bytes:
        """Of the bytes that really come back; what a HEAD tells may be what the service was told."""
        digest = hashlib.sha256()
        with closing(self._call(self.client.get_object, name)["Body"]) as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
        return digest.digest()

    def told(self, name: str) -> str | None:
        """The SHA-256 in hex that the service recorded of the whole object at its put, by HEAD; None where it has none.

        ObjectMissingError. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
        """
        try:
            head = self._call(self.client.head_object, name, ChecksumMode="ENABLED")
        except self.client.exceptions.ClientError as error:
            if code_of(error) in GONE:
                raise self.missing(name) from None
            raise
        text = str(head.get("ChecksumSHA256", ""))
        if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT" or not _A_SHA256.fullmatch(text):
            return None  # of a multipart upload: a hash of hashes, with "-<parts>" behind it
        return base64.b64decode(text).hex()

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """The range, asked for again when the connection breaks in the middle of it; empty beyond the end.

        ObjectMissingError; StoreError, also where the service wants to be asked more slowly, and for an object in a
        cold storage class, which is asked back: who reads goes on with another store, or another object.
        """
        for attempt in range(ATTEMPTS):
            try:
                with edge(self.place.url, name):
                    return self._read_once(name, start, size)
            except QuotaError as error:
                raise StoreError(str(error), error.hint) from None
            except StoreError as error:
                if not was_cut(error.__cause__) or attempt == ATTEMPTS - 1:
                    raise
                _pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def list(self, prefix: str) -> Iterator[Stat]:
        """Every object, in whatever order the service has."""
        with edge(self.place.url, "the listing"):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.place.bucket, Prefix=self.place.key(prefix)):
                for entry in page.get("Contents", ()):
                    yield Stat(entry["Key"].removeprefix(self.place.prefix), entry["Size"])

    def delete(self, name: str) -> None:
        """Remove the object, or hide it below a delete marker."""
        self._call(self.client.delete_object, name)

    def missing(self, name: str) -> ObjectMissingError:
        """What to raise where the object is not."""
        return ObjectMissingError(f"{self.place.url} does not hold {name}")

    def _call(self, method: Callable[..., T], name: str, **parameters: Any) -> T:
        return method(Bucket=self.place.bucket, Key=self.place.key(name), **parameters)

    def _read_once(self, name: str, start: int, size: int | None) -> bytes:
        if start or size is not None:
            last = "" if size is None else str(start + size - 1)
            wanted = {"Range": f"bytes={start}-{last}"}
        else:
            wanted = {}
        try:
            answer = self._call(self.client.get_object, name, **wanted)
        except self.client.exceptions.ClientError as error:
            if code_of(error) in GONE:
                raise self.missing(name) from None
            if code_of(error) == "InvalidRange" or status_of(error) == 416:
                return b""
            if code_of(error) == "InvalidObjectState":
                raise self._asked_back(name) from None
            raise
        with closing(answer["Body"]) as body:  # its own "with" gives the stream below, which raises urllib3's errors
            data: bytes = body.read()
        ignored = wanted and "ContentRange" not in answer  # a service without ranges sends the whole object
        return data[start:][:size] if ignored else data

    def _asked_back(self, name: str) -> StoreError:
        """Ask for an object in a cold storage class; what to raise until it can be read."""
        wish = {"Days": RESTORED_DAYS, "GlacierJobParameters": {"Tier": "Standard"}}
        try:
            self._call(self.client.restore_object, name, RestoreRequest=wish)
        except self.client.exceptions.ClientError as error:
            if code_of(error) != "RestoreAlreadyInProgress":
                raise
        text = f"{self.place.url}: {name} lies in a cold storage class and was asked for"
        when = f"in 3 to 12 hours it can be read, for {RESTORED_DAYS} days"
        return StoreError(f"{text}: {when}", "Then start the same command again.")


def _pause(attempt: int) -> None:
    """Wait before the next attempt: longer each time, and not all at once."""
    time.sleep(min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 - only spreads requests
