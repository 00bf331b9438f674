"""Whether a service obeys `If-None-Match: *` (RFC 9110 section 13.1.2): asked once, on an object that is there."""

from __future__ import annotations

import threading
from typing import Any

from archiver.stores.s3_client import code_of, status_of
from archiver.stores.s3_objects import Body, Objects

_NO_CONDITION = {"NotImplemented", "InvalidArgument", "InvalidRequest", "NotSupported", "400", "501"}


class Condition:
    """The service behind `objects`; raises botocore's exceptions. Thread-safe."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._obeyed: bool | None = None
        self._deciding = threading.Lock()

    def obeyed(self, name: str, body: Body, **parameters: Any) -> bool:
        """Whether the service refuses to replace the object of this name, which has these bytes already."""
        with self._deciding:
            if self._obeyed is None:
                try:
                    self._obeyed = not self._objects.put_if_none(name, body, **parameters)
                except self._objects.client.exceptions.ClientError as error:
                    if not self.unknown(error):
                        raise
                    self._obeyed = False
            return self._obeyed

    @staticmethod
    def unknown(error: Exception) -> bool:
        """Whether the service says that it does not know the condition."""
        return code_of(error) in _NO_CONDITION or status_of(error) == 501
