"""A shelf in a bucket of any S3 service.

Each file goes up with its SHA-256 as metadata, by which a later export sees without reading it that it is there
already. A name is looked at before anything is sent, and the put itself is refused by the service when the name is
taken meanwhile (`If-None-Match: *`). What a service that ignores the condition has got is read back and compared; of a
large file each part's MD5, which every service checks, and the size must do.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from archiver.errors import StoreError
from archiver.stores import s3_lock
from archiver.stores.interface import Stat
from archiver.stores.marker import MARKER
from archiver.stores.s3_client import ATTEMPTS, Client, connect, edge, status_of
from archiver.stores.s3_condition import Condition
from archiver.stores.s3_objects import Body, Objects
from archiver.stores.s3_parts import PART, put_in_parts
from archiver.stores.s3_place import Place, parse_place
from archiver.stores.shelf import Put, checked_path, is_a_store, named


class S3Shelf:
    """Objects below a prefix of a bucket, which exists already."""

    parallel = 4

    def __init__(self, place: Place, client: Client) -> None:
        self.place = place
        self.url = place.url
        self._objects = Objects(place, client)
        self._condition = Condition(self._objects)

    @classmethod
    def open(cls, url: str, attempts: int = ATTEMPTS) -> S3Shelf:
        """The shelf at an s3:// URL. ConfigError when a store is there, or above it where the keys may look."""
        place = parse_place(url, shelf=True)
        shelf = cls(place, connect(place, attempts))
        shelf._refuse_stores()
        s3_lock.require(shelf._objects.client, place)
        return shelf

    def put_if_absent(self, name: str, file: Path) -> Put:
        checked_path(name)
        with edge(self.url, named(name)):
            body = Body.of(file)
            known = self._objects.head(name)
            if known is None and self._put(name, body):
                return Put.NEW
            return Put.SAME if self._holds(name, body, known or self._objects.head(name) or {}) else Put.OTHER

    def stat(self, name: str) -> Stat | None:
        checked_path(name)
        with edge(self.url, named(name)):
            size = self._objects.size(name)
        return None if size is None else Stat(name, size)

    def _put(self, name: str, body: Body) -> bool:
        """Whether it was written; False when the service found the name taken."""
        told = {"Metadata": {"sha256": body.sha256.hex()}, **self._parameters(name)}
        large = body.size > PART
        try:
            put = put_in_parts if large else Objects.put_if_none
            written = put(self._objects, name, body, **told)
        except self._objects.client.exceptions.ClientError as error:
            if not Condition.unknown(error):
                raise
            if large:
                put_in_parts(self._objects, name, body, condition={}, **told)
            else:
                self._objects.put(name, body, **told)
            written = True
        if written and not self._sound(name, body, told):
            raise StoreError(f"{self.url}: {named(name)}: other bytes came back than were sent", "Run it again.")
        return written

    def _sound(self, name: str, body: Body, told: dict[str, Any]) -> bool:
        """Whether what was just written is what was sent."""
        if body.size > PART:
            return self._objects.size(name) == body.size
        return self._condition.obeyed(name, body, **told) or self._objects.sha256(name) == body.sha256

    def _holds(self, name: str, body: Body, known: dict[str, Any]) -> bool:
        if known.get("ContentLength") != body.size:
            return False
        told = known.get("Metadata", {}).get("sha256", "")
        return bool(told == body.sha256.hex()) if told else self._objects.sha256(name) == body.sha256

    def _parameters(self, name: str) -> dict[str, Any]:
        told = self.place.parameters(name)
        return told | ({"StorageClass": self.place.storage_class} if self.place.storage_class else {})

    def _refuse_stores(self) -> None:
        """ConfigError when a marker lies in this prefix or in one above. Of those above, what the keys may not see is
        left open.
        """
        path = PurePosixPath(self.place.prefix or ".")
        for above in (path, *path.parents):
            key = "" if above == PurePosixPath() else f"{above}/"
            with edge(self.url, MARKER):
                try:
                    found = self._objects.client.head_object(Bucket=self.place.bucket, Key=key + MARKER)
                except self._objects.client.exceptions.ClientError as error:
                    if status_of(error) != 404 and (above == path or status_of(error) != 403):
                        raise
                    found = None
            if found:
                raise is_a_store(self.url)
