"""A store in a bucket of any S3 service: AWS, R2, B2, Wasabi, MinIO, Ceph, OSS, COS and others.

An object is one PutObject with `If-None-Match: *` (RFC 9110 section 13.1.2) and its SHA-256, so that the service
refuses to replace, and refuses bytes that changed on their way. Services that ignore or refuse the condition are
recognised once per opened store, on the marker, before anything else is written; there each put looks first and reads
back what it wrote. What a HEAD tells of checksums is not believed there: some services return what they were told.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from archiver.errors import ObjectMissingError, StoreError
from archiver.stores import marker, s3_lock
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.locks import Lock, NewHolds, Protection
from archiver.stores.marker import MARKER
from archiver.stores.s3_client import ATTEMPTS, Client, connect, edge, status_of
from archiver.stores.s3_condition import Condition
from archiver.stores.s3_holds import Holding
from archiver.stores.s3_objects import Body, Objects
from archiver.stores.s3_place import Place, parse_place

LARGEST = 5 * 1024**3
"""Bytes that one PutObject takes (S3 API reference); packs are far below."""

_LOCKS = 64


class S3Store:
    """Objects below a prefix of a bucket, which exists already; `open` wants the marker, `create` writes it."""

    parallel = 4
    """Puts at once: 1.2 to 1.6 times as fast on loopback; where a request takes its time to get there, more."""

    def __init__(self, place: Place, client: Client) -> None:
        self.place = place
        self.url = place.url
        self.client = client
        self._objects = Objects(place, client)
        self._marker = b""
        self._condition = Condition(self._objects)
        self._trusted: bool | None = None
        self._protection: Protection | None = None
        self._holding = Holding(client, place)
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
            there = marker.sound(store._objects.read(MARKER))
        except ObjectMissingError:
            there = False
        if not there:
            with edge(url, MARKER):
                store._objects.put(MARKER, Body.of(marker.content(archive)), **place.encryption())
        if store.archive() != archive:
            raise marker.another_archives(url)
        return store

    def archive(self) -> str:
        """The id of the archive whose store this is, from the marker."""
        try:
            self._marker = self._objects.read(MARKER)
        except ObjectMissingError:
            raise marker.not_a_store(self.url) from None
        return marker.archive_in(self._marker, self.url)

    def protection(self) -> Protection:
        """What the bucket does against deletion and overwriting; asked once."""
        if self._protection is None:
            self._protection = s3_lock.protection(self.client, self.place)
        return self._protection

    def lock(self, name: str) -> Lock:
        """The retention and hold that the object really carries; ObjectMissingError."""
        return s3_lock.lock_of(self.client, self.place, self._checked(name))

    def promised(self, name: str, written: datetime | None) -> Lock:
        """The retention that an object put at `written` should carry."""
        return s3_lock.promised(self.place, self.protection(), name, written)

    def hold(self, name: str, *, on: bool) -> None:
        """Set or lift the object's legal hold."""
        s3_lock.hold(self.client, self.place, self._checked(name), on=on)

    def retain(self, name: str, lock: Lock) -> None:
        """Give an object that is there already the retention of `lock`."""
        s3_lock.retain(self.client, self.place, self._checked(name), lock)

    def hold_new(self, holds: NewHolds) -> None:
        """Put what `holds` covers with its legal hold from now on, if the bucket has Object Lock."""
        self._holding.begin(holds)

    def checksum(self, name: str) -> str | None:
        """SHA-256 in hex as the service verified it at the put; None where it is not told, or not to be believed.

        A service that ignores If-None-Match is one of those that record any checksum they are told. Whether it does is
        asked on the marker: a put of the same bytes. ObjectMissingError if absent.
        """
        self._checked(name)
        with edge(self.url, name):
            told = self._objects.told(name)
            return told if told and self._believed() else None

    def put_if_absent(self, name: str, data: Data) -> bool:
        self._checked(name)
        with edge(self.url, name):
            body = Body.of(data)
            if body.size > LARGEST:
                raise StoreError(f"{self.url}: {name} has {body.size} bytes; an object has {LARGEST} at most")
            careful = not self._obeys_conditions()
            put = self._put_carefully if careful else self._objects.put_if_none
            return self._holding.put(name, lambda held: put(name, body, **self.place.parameters(name), **held))

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        self._checked(name)
        if size == 0:
            if self.stat(name) is None:
                raise self._objects.missing(name)
            return b""
        return self._objects.read(name, start, size)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Read whole before the first is given: not every service lists in the order of names."""
        checked_prefix(prefix)
        found = sorted(self._objects.list(prefix), key=lambda stat: stat.name)
        yield from (stat for stat in found if stat.name != MARKER and not stat.name.endswith("/"))

    def stat(self, name: str) -> Stat | None:
        self._checked(name)
        with edge(self.url, name):
            size = self._objects.size(name)
            if size is None and self._objects.size(MARKER) is None:  # the bucket is gone or was emptied: nobody knows
                raise marker.not_a_store(self.url)
        return None if size is None else Stat(name, size)

    def delete(self, name: str) -> None:
        """In a versioned bucket the bytes stay below a delete marker; `s3_lock.purge` removes them."""
        self._checked(name)
        with edge(self.url, name):
            self._objects.delete(name)

    def _checked(self, name: str) -> str:
        if checked_name(name) == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return name

    def _obeys_conditions(self) -> bool:
        """Whether the service refuses to replace the marker (by the same bytes) when told so."""
        return self._condition.obeyed(MARKER, Body.of(self._marker), **self.place.encryption())

    def _believed(self) -> bool:
        """Whether what the service tells of checksums counts; keys that may not put leave it open, and then not."""
        if self._trusted is None:
            try:
                self._trusted = self._obeys_conditions()
            except self.client.exceptions.ClientError as error:
                if status_of(error) != 403:
                    raise
                self._trusted = False
        return self._trusted

    def _put_carefully(self, name: str, body: Body, **parameters: Any) -> bool:
        """Look, put, read back and compare. Two machines could pass the look at once; two threads cannot.

        That gap is harmless: names are hashes of the content, or belong to one writer.
        """
        with self._locks[hash(name) % _LOCKS]:
            if self._objects.size(name) is not None:
                return False
            self._objects.put(name, body, **parameters)
            if self._objects.sha256(name) != body.sha256:
                raise StoreError(f"{self.url}: {name}: other bytes came back than were sent", "Run it again.")
        return True
