"""What a bucket does against deletion: versioning, Object Lock retention, legal hold; and how versions are purged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archiver.errors import StoreError
from archiver.stores.s3_client import Client, code_of, edge
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


@dataclass(frozen=True, slots=True)
class Protection:
    """A bucket's versioning and Object Lock; `mode` and `days` are its default retention ("" and 0: none)."""

    versioned: bool
    lockable: bool
    mode: str = ""
    days: int = 0

    def __str__(self) -> str:
        if not self.lockable:
            return "versioned, no Object Lock" if self.versioned else "neither versioned nor locked"
        default = f"{self.mode.lower()} for {self.days} days by default" if self.mode else "no default retention"
        return f"versioned, Object Lock, {default}"


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
        return Protection(versioned, lock.get("ObjectLockEnabled") == "Enabled", str(rule.get("Mode", "")), days)


def require(client: Client, place: Place) -> None:
    """StoreError when the URL asks for retention and the bucket cannot lock objects."""
    if not place.years:
        return
    with edge(place.url, "Object Lock"):
        enabled = _lock(client, place).get("ObjectLockEnabled") == "Enabled"
    if not enabled:
        raise StoreError(
            f"{place.url}: retention is wanted, and the bucket has no Object Lock",
            "Turn Object Lock on for the bucket, or take retention out of the URL.",
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


def _lock(client: Client, place: Place) -> dict[str, Any]:
    try:
        answer = client.get_object_lock_configuration(Bucket=place.bucket)
    except client.exceptions.ClientError as error:
        if code_of(error) not in _NONE:
            raise
        return {}
    return dict(answer.get("ObjectLockConfiguration") or {})
