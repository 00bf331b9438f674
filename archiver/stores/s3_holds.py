"""Legal holds on new objects of a bucket with Object Lock, given with the put where the service takes them so.

On AWS the put then needs s3:PutObjectLegalHold as well as s3:PutObject (Amazon S3 User Guide, "Object Lock
considerations"). Without that right, objects are put all the same: the hold is missed and told, the mail is safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from archiver.errors import MailarkError
from archiver.stores import s3_lock
from archiver.stores.locks import NewHolds
from archiver.stores.s3_client import Client, code_of, edge
from archiver.stores.s3_place import Place

WITH_THE_PUT = {"ObjectLockLegalHoldStatus": "ON"}

Put = Callable[[Mapping[str, str]], bool]
"""Puts the object with these parameters besides its own; False when it is there already."""

_NOT_TAKEN = {"AccessDenied", "403", "NotImplemented", "501", "InvalidRequest", "InvalidArgument", "400"}
"""What is answered to a put that asks for a hold by services that do not know that, or do not allow it."""


class Holding:
    """The holds on what is put into one bucket; nothing until `begin`. Thread-safe."""

    def __init__(self, client: Client, place: Place) -> None:
        self._client, self._place = client, place
        self._holds: NewHolds | None = None
        self._lockable: bool | None = None
        self._with_the_put = True
        self._lock = threading.Lock()

    def begin(self, holds: NewHolds) -> None:
        """Ask `holds` about every put from now on."""
        self._holds = holds

    def put(self, name: str, put: Put) -> bool:
        """Put the object, held if a hold covers it. Raises what `put` raises without a hold."""
        holds = self._holds
        if holds is None or not self._is_lockable() or not holds.covers(name):
            return put({})
        try:
            if self._with_the_put and put(WITH_THE_PUT):
                return True
            written = not self._with_the_put and put({})
        except self._client.exceptions.ClientError as error:
            if code_of(error) not in _NOT_TAKEN:
                raise
            written = put({})  # is it the hold that was refused?
            self._with_the_put = False
        self._hold_after(name, holds)
        return written

    def _hold_after(self, name: str, holds: NewHolds) -> None:
        """What an earlier run has put, before the hold was known, or the service would not take with the put."""
        try:
            if not s3_lock.lock_of(self._client, self._place, name).held:
                s3_lock.hold(self._client, self._place, name, on=True)
        except MailarkError as error:
            holds.refused(name, str(error))
            if not self._with_the_put:  # neither way: every other object would be refused as well
                self._holds = None

    def _is_lockable(self) -> bool:
        """Asked once; a service that does not tell is taken for one without Object Lock."""
        with self._lock:
            if self._lockable is None:
                try:
                    with edge(self._place.url, "Object Lock"):
                        self._lockable = s3_lock.lockable(self._client, self._place)
                except MailarkError:
                    self._lockable = False
            return self._lockable
