"""A store in a bucket of any S3 service: AWS, R2, B2, Wasabi, MinIO, Ceph, OSS, COS and others.

An object is one PutObject with `If-None-Match: *` (RFC 9110 section 13.1.2) and its SHA-256, so that the service
refuses to replace, and refuses bytes that changed on their way. Services that ignore or refuse the condition are
recognised once per opened store, on the marker, before anything else is written; there each put looks first and reads
back what it wrote. What a HEAD tells of checksums is not believed there: some services return what they were told.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeVar

from archiver.errors import ObjectMissingError, QuotaError, StoreError
from archiver.stores import marker, s3_lock
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.marker import MARKER
from archiver.stores.s3_client import ATTEMPTS, Client, code_of, connect, edge, status_of, was_cut
from archiver.stores.s3_place import Place, parse_place

LARGEST = 5 * 1024**3
"""Bytes that one PutObject takes (S3 API reference); packs are far below."""

RESTORED_DAYS = 7
"""How long an object that was asked back from a cold class stays readable."""

_CHUNK = 1 << 20
_LOCKS = 64
_CONFLICTS = 6
_GONE = {"NoSuchKey", "404", "NotFound"}
_NO_CONDITION = {"NotImplemented", "InvalidArgument", "InvalidRequest", "NotSupported", "400", "501"}

Readable = BufferedReader | BytesIO
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Body:
    """The content of an object: its size, its SHA-256, and how it is read, as often as needed."""

    size: int
    sha256: bytes
    open: Callable[[], Readable]

    @classmethod
    def of(cls, data: Data) -> _Body:
        def opened() -> Readable:
            return data.open("rb") if isinstance(data, Path) else BytesIO(data)

        with opened() as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return cls(file.seek(0, os.SEEK_END), digest, opened)


class S3Store:
    """Objects below a prefix of a bucket, which exists already; `open` wants the marker, `create` writes it."""

    def __init__(self, place: Place, client: Client) -> None:
        self.place = place
        self.url = place.url
        self.client = client
        self._marker = b""
        self._obeys: bool | None = None
        self._deciding = threading.Lock()
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    @classmethod
    def open(cls, url: str, attempts: int = ATTEMPTS) -> S3Store:
        """The store at this URL; StoreError when its marker is missing, or retention is wanted and cannot be had."""
        place = parse_place(url)
        store = cls(place, connect(place, attempts))
        store.archive()
        s3_lock.require(store.client, place)
        return store

    @classmethod
    def create(cls, url: str, archive: str, attempts: int = ATTEMPTS) -> S3Store:
        """Make the place a store of the archive with this id; StoreError if it is another's or there is no bucket.

        Nothing changes when it is this archive's already; a damaged marker is written again.
        """
        place = parse_place(url)
        store = cls(place, connect(place, attempts))
        s3_lock.require(store.client, place)
        try:
            there = marker.sound(store._read(MARKER, 0, None))
        except ObjectMissingError:
            there = False
        if not there:
            with edge(url, MARKER):
                store._put(MARKER, _Body.of(marker.content(archive)))
        if store.archive() != archive:
            raise marker.another_archives(url)
        return store

    def archive(self) -> str:
        """The id of the archive whose store this is, from the marker."""
        try:
            self._marker = self._read(MARKER, 0, None)
        except ObjectMissingError:
            raise marker.not_a_store(self.url) from None
        return marker.archive_in(self._marker, self.url)

    def protection(self) -> s3_lock.Protection:
        """What the bucket does against deletion and overwriting."""
        return s3_lock.protection(self.client, self.place)

    def put_if_absent(self, name: str, data: Data) -> bool:
        self._checked(name)
        with edge(self.url, name):
            body = _Body.of(data)
            if body.size > LARGEST:
                raise StoreError(f"{self.url}: {name} has {body.size} bytes; an object has {LARGEST} at most")
            return self._put_conditionally(name, body) if self._obeys_conditions() else self._put_carefully(name, body)

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        self._checked(name)
        if size == 0:
            if self.stat(name) is None:
                raise self._missing(name)
            return b""
        return self._read(name, start, size)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Read whole before the first is given: not every service lists in the order of names."""
        checked_prefix(prefix)
        found: list[Stat] = []
        with edge(self.url, "the listing"):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.place.bucket, Prefix=self.place.key(prefix)):
                entries = page.get("Contents", ())
                found += [Stat(entry["Key"].removeprefix(self.place.prefix), entry["Size"]) for entry in entries]
        found.sort(key=lambda stat: stat.name)
        yield from (stat for stat in found if stat.name != MARKER and not stat.name.endswith("/"))

    def stat(self, name: str) -> Stat | None:
        self._checked(name)
        with edge(self.url, name):
            size = self._size(name)
            if size is None and self._size(MARKER) is None:  # the bucket is gone or was emptied: nobody knows
                raise marker.not_a_store(self.url)
        return None if size is None else Stat(name, size)

    def delete(self, name: str) -> None:
        """In a versioned bucket the bytes stay below a delete marker; `s3_lock.purge` removes them."""
        self._checked(name)
        with edge(self.url, name):
            self._call(self.client.delete_object, name)

    def _checked(self, name: str) -> str:
        if checked_name(name) == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return name

    def _call(self, method: Callable[..., T], name: str, **parameters: Any) -> T:
        return method(Bucket=self.place.bucket, Key=self.place.key(name), **parameters)

    def _missing(self, name: str) -> ObjectMissingError:
        return ObjectMissingError(f"{self.url} does not hold {name}")

    def _size(self, name: str) -> int | None:
        """Bytes of the object by HEAD, None when there is none; what the service refuses is raised."""
        try:
            return int(self._call(self.client.head_object, name)["ContentLength"])
        except self.client.exceptions.ClientError as error:
            if code_of(error) in _GONE:
                return None
            raise

    def _read(self, name: str, start: int, size: int | None) -> bytes:
        """The range, asked for again when the connection breaks in the middle of it."""
        for attempt in range(ATTEMPTS):
            try:
                with edge(self.url, name):
                    return self._read_once(name, start, size)
            except StoreError as error:
                if not was_cut(error.__cause__) or attempt == ATTEMPTS - 1:
                    raise
                _pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def _read_once(self, name: str, start: int, size: int | None) -> bytes:
        if start or size is not None:
            last = "" if size is None else str(start + size - 1)
            wanted = {"Range": f"bytes={start}-{last}"}
        else:
            wanted = {}
        try:
            answer = self._call(self.client.get_object, name, **wanted)
        except self.client.exceptions.ClientError as error:
            if code_of(error) in _GONE:
                raise self._missing(name) from None
            if code_of(error) == "InvalidRange" or status_of(error) == 416:
                return b""
            if code_of(error) == "InvalidObjectState":
                raise self._asked_back(name) from None
            raise
        with closing(answer["Body"]) as body:  # its own "with" gives the stream below, which raises urllib3's errors
            data: bytes = body.read()
        ignored = wanted and "ContentRange" not in answer  # a service without ranges sends the whole object
        return data[start:][:size] if ignored else data

    def _asked_back(self, name: str) -> QuotaError:
        """Ask for an object in a cold storage class; what to raise until it can be read."""
        wish = {"Days": RESTORED_DAYS, "GlacierJobParameters": {"Tier": "Standard"}}
        try:
            self._call(self.client.restore_object, name, RestoreRequest=wish)
        except self.client.exceptions.ClientError as error:
            if code_of(error) != "RestoreAlreadyInProgress":
                raise
        text = f"{self.url}: {name} lies in a cold storage class and was asked for"
        return QuotaError(text, f"Try again in 3 to 12 hours; then it can be read for {RESTORED_DAYS} days.")

    def _put(self, name: str, body: _Body, **condition: str) -> None:
        with body.open() as file:
            self._call(
                self.client.put_object,
                name,
                Body=file,
                ContentLength=body.size,
                ContentType="application/octet-stream",
                ChecksumAlgorithm="SHA256",  # without it Object Lock refuses the checksum
                ChecksumSHA256=base64.b64encode(body.sha256).decode(),
                **(self.place.parameters(name) if name != MARKER else {}),
                **condition,
            )

    def _put_conditionally(self, name: str, body: _Body) -> bool:
        """False when the service says 412: it is there. 409: another put of it is under way."""
        for attempt in range(_CONFLICTS):
            try:
                self._put(name, body, IfNoneMatch="*")
                return True
            except self.client.exceptions.ClientError as error:
                if status_of(error) == 412:
                    return False
                if status_of(error) != 409 or attempt == _CONFLICTS - 1:
                    raise
                _pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def _obeys_conditions(self) -> bool:
        """Whether the service refuses to replace the marker (by the same bytes) when told so."""
        with self._deciding:
            if self._obeys is None:
                try:
                    self._obeys = not self._put_conditionally(MARKER, _Body.of(self._marker))
                except self.client.exceptions.ClientError as error:
                    if code_of(error) not in _NO_CONDITION and status_of(error) != 501:
                        raise
                    self._obeys = False
            return self._obeys

    def _put_carefully(self, name: str, body: _Body) -> bool:
        """Look, put, read back and compare. Two machines could pass the look at once; two threads cannot.

        That gap is harmless: names are hashes of the content, or belong to one writer.
        """
        with self._locks[hash(name) % _LOCKS]:
            if self._size(name) is not None:
                return False
            self._put(name, body)
            digest = hashlib.sha256()
            with closing(self._call(self.client.get_object, name)["Body"]) as file:
                while piece := file.read(_CHUNK):
                    digest.update(piece)
            if digest.digest() != body.sha256:
                raise StoreError(f"{self.url}: {name}: other bytes came back than were sent", "Run it again.")
        return True


def _pause(attempt: int) -> None:
    """Wait before the next attempt: longer each time, and not all at once."""
    time.sleep(min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 - only spreads requests
