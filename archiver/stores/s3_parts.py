"""A large file as a multipart upload: parts of its own are tried again, and nothing is seen before all are there.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html: 10,000 parts, each of 5 MiB to 5 GiB.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from archiver.stores.s3_client import status_of
from archiver.stores.s3_objects import Body, Objects

PART = 64 << 20
"""Bytes of a part, and of the largest file that is sent in one request; one part is held in memory."""

_MOST_PARTS = 10_000
ONLY = {"IfNoneMatch": "*"}


def put_in_parts(
    objects: Objects, name: str, body: Body, condition: Mapping[str, str] = ONLY, **parameters: Any
) -> bool:
    """Write the object; False when the service says, at the end, that the name is taken. Raises botocore's exceptions.

    What was sent of an upload that fails is dropped by the service; where even that cannot be said any more, a
    lifecycle rule of the bucket (AbortIncompleteMultipartUpload) does it.
    """
    where = {"Bucket": objects.place.bucket, "Key": objects.place.key(name)}
    client = objects.client
    begun = client.create_multipart_upload(**where, ContentType="application/octet-stream", **parameters)
    upload = {**where, "UploadId": begun["UploadId"]}
    try:
        parts = _send(client, upload, body)
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **condition)
    except BaseException as error:
        with suppress(client.exceptions.ClientError, OSError):
            client.abort_multipart_upload(**upload)
        if isinstance(error, client.exceptions.ClientError) and status_of(error) == 412:
            return False
        raise
    return True


def _send(client: Any, upload: dict[str, str], body: Body) -> list[dict[str, Any]]:
    """Each part with its MD5, which every service checks; the numbers and tags for the end."""
    size = max(PART, -(-body.size // _MOST_PARTS))
    sent: list[dict[str, Any]] = []
    with body.open() as file:
        while data := file.read(size):
            digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            number = len(sent) + 1
            answer = client.upload_part(**upload, PartNumber=number, Body=data, ContentMD5=digest)
            sent.append({"PartNumber": number, "ETag": answer["ETag"]})
    return sent
