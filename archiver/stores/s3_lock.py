"""What a bucket does against deletion: versioning, Object Lock retention, legal hold; and how versions are purged."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from archiver.errors import ObjectMissingError, StoreError
from archiver.stores.locks import Lock, Protection
from archiver.stores.s3_client import GONE, Client, code_of, edge
from archiver.stores.s3_place import Place

_NONE = {
    "ObjectLockConfigurationNotFoundError",
    "ObjectLockConfigurationNotFound",
    "NoSuchObjectLockConfiguration",
    "NotImplemented",
    "InvalidRequest",
    "MethodNotAllowed",
}
"""What services answer that have no Object Lock, or none on this bucket."""


def protection(client: Client, place: Place) -> Protection:
    """Ask the bucket; StoreError when it may not be asked (s3:GetBucketVersioning and its like are missing)."""
    with edge(place.url, "versioning and Object Lock"):
        try:
            versioned = client.get_bucket_versioning(Bucket=place.bucket).get("Status") == "Enabled"
        except client.exceptions.ClientError as error:
            if code_of(error) not in _NONE:
                raise
            versioned = False
        lock = _lock(client, place)
        rule = lock.get("Rule", {}).get("DefaultRetention", {})
        days = int(rule.get("Days") or 365 * int(rule.get("Years") or 0))
        enabled = lock.get("ObjectLockEnabled") == "Enabled"
        return Protection(versioned, enabled, str(rule.get("Mode", "")), days, place.promise())


def require(client: Client, place: Place) -> None:
    """StoreError when the URL asks for retention and the bucket cannot lock objects."""
    if not place.years:
        return
    with edge(place.url, "Object Lock"):
        enabled = lockable(client, place)
    if not enabled:
        raise StoreError(
            f"{place.url}: retention is wanted, and the bucket has no Object Lock",
            "Turn Object Lock on for the bucket, or take retention out of the URL.",
        )


def lockable(client: Client, place: Place) -> bool:
    """Whether the bucket has Object Lock. Raises botocore's exceptions."""
    return bool(_lock(client, place).get("ObjectLockEnabled") == "Enabled")


def lock_of(client: Client, place: Place, name: str) -> Lock:
    """The lock of the object's current version; ObjectMissingError if absent.

    One request, and a second one for an object that shows no retention: a HEAD does not show it to whoever lacks
    s3:GetObjectRetention, and that is no proof that there is none.
    """
    with edge(place.url, name):
        try:
            head = client.head_object(Bucket=place.bucket, Key=place.key(name))
        except client.exceptions.ClientError as error:
            if code_of(error) in GONE:
                raise ObjectMissingError(f"{place.url} does not hold {name}") from None
            raise
        mode, until = head.get("ObjectLockMode", ""), head.get("ObjectLockRetainUntilDate")
        if not mode:
            mode, until = _retention(client, place, name)
        return Lock(str(mode), until, head.get("ObjectLockLegalHoldStatus") == "ON", head["LastModified"])


def promised(place: Place, protection: Protection, name: str, written: datetime | None) -> Lock:
    """The retention that the URL, else the bucket's default, gives to an object put at `written`.

    The default may be younger than the object, so no day is asked of it. A day of grace, for the clocks of this machine
    and of the service may stand on two sides of a new year.
    """
    if place.years:
        put = written - timedelta(days=1) if written else None
        return Lock(place.lock.upper(), place.retained_until(name, put))
    return Lock(protection.mode if protection.lockable else "")


def retain(client: Client, place: Place, name: str, lock: Lock) -> None:
    """Give the object's current version this retention (needs s3:PutObjectRetention).

    It can be made longer, not shorter: StoreError where the service refuses.
    """
    with edge(place.url, name):
        client.put_object_retention(
            Bucket=place.bucket,
            Key=place.key(name),
            Retention={"Mode": lock.mode, "RetainUntilDate": lock.until},
            ChecksumAlgorithm="SHA256",
        )


def hold(client: Client, place: Place, name: str, *, on: bool) -> None:
    """Set or lift the legal hold on the object's current version (needs s3:PutObjectLegalHold)."""
    with edge(place.url, name):
        client.put_object_legal_hold(
            Bucket=place.bucket,
            Key=place.key(name),
            LegalHold={"Status": "ON" if on else "OFF"},
            ChecksumAlgorithm="SHA256",
        )


def purge(client: Client, place: Place, name: str) -> int:
    """Remove every version and delete marker of the object for good; how many there were.

    StoreError while one of them is retained or held; the object is hidden by a delete marker then, and stays.
    """
    key = place.key(name)
    with edge(place.url, name):
        client.delete_object(Bucket=place.bucket, Key=key)
        pages = list(client.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=key))
        found = [
            entry["VersionId"]
            for kind in ("Versions", "DeleteMarkers")  # markers last: an object must not come back halfway
            for page in pages
            for entry in page.get(kind, ())
            if entry["Key"] == key
        ]
        for version in found:
            client.delete_object(Bucket=place.bucket, Key=key, VersionId=version)
    return len(found)


def _retention(client: Client, place: Place, name: str) -> tuple[str, datetime | None]:
    try:
        found = client.get_object_retention(Bucket=place.bucket, Key=place.key(name)).get("Retention") or {}
    except client.exceptions.ClientError as error:
        if code_of(error) not in _NONE:
            raise
        return "", None
    return str(found.get("Mode", "")), found.get("RetainUntilDate")


def _lock(client: Client, place: Place) -> dict[str, Any]:
    try:
        answer = client.get_object_lock_configuration(Bucket=place.bucket)
    except client.exceptions.ClientError as error:
        if code_of(error) not in _NONE:
            raise
        return {}
    return dict(answer.get("ObjectLockConfiguration") or {})
