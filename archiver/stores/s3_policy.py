"""The least that the nightly machine must be allowed in a bucket: to look, to read, to add. Not to delete.

On AWS an object may be put only with If-None-Match (condition key s3:if-none-match, Amazon S3 User Guide, "Enforce
conditional writes"), so that even with the machine's credentials nothing that is there can be overwritten.
"""

from __future__ import annotations

from typing import Any

from archiver.stores.s3_place import Place

Statement = dict[str, Any]

_COLD = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects must be asked back before they can be read (RestoreObject)."""


def policy(place: Place, *, locks: bool = False) -> dict[str, Any]:
    """An IAM policy document (version 2012-10-17) for the credentials of a machine that archives into the place.

    locks: for a person who sets and lifts legal holds and gives retentions, and adds commits with the records of them.
    """
    change = [_change_locks(place)] if locks else []
    statements = [_look(place), _bucket(place), _read(place), _add(place), _hold(place), *change, *_kms(place)]
    return {"Version": "2012-10-17", "Statement": statements}


def _look(place: Place) -> Statement:
    """To list below the prefix; and to be told 404 of what is not there. That takes the right to list, too (S3 API
    reference, HeadObject), and such a request has no s3:prefix, so that a plain condition would make it 403."""
    found = _allow("ListTheArchive", ["s3:ListBucket"], _arn(place))
    if place.prefix:
        found["Condition"] = {"StringLikeIfExists": {"s3:prefix": [f"{place.prefix}*"]}}
    return found


def _bucket(place: Place) -> Statement:
    actions = ["s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"]
    return _allow("SeeHowItIsProtected", actions, _arn(place))


def _read(place: Place) -> Statement:
    """With what `check` needs to see whether an object is retained or held, and what asks back from a cold class."""
    actions = ["s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
    if place.storage_class in _COLD:
        actions.append("s3:RestoreObject")
    return _allow("ReadObjects", actions, f"{_arn(place)}/{place.prefix}*")


def _add(place: Place) -> Statement:
    actions = ["s3:PutObject", *(["s3:PutObjectRetention"] if place.years else [])]
    found = _allow("AddObjects", actions, f"{_arn(place)}/{place.prefix}*")
    if place.endpoint is None:
        found["Condition"] = {"Null": {"s3:if-none-match": "false"}}
    return found


def _hold(place: Place) -> Statement:
    """To put new objects under the holds that stand; the condition key leaves out to lift one (Service Authorization
    Reference, "Condition keys for Amazon S3")."""
    found = _allow("HoldObjects", ["s3:PutObjectLegalHold"], f"{_arn(place)}/{place.prefix}*")
    found["Condition"] = {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}
    return found


def _change_locks(place: Place) -> Statement:
    actions = ["s3:PutObjectRetention", "s3:PutObjectLegalHold"]
    return _allow("ChangeLocks", actions, f"{_arn(place)}/{place.prefix}*")


def _kms(place: Place) -> list[Statement]:
    if not place.kms_key:
        return []
    return [_allow("UseTheKey", ["kms:GenerateDataKey", "kms:Decrypt"], place.kms_key)]


def _allow(name: str, actions: list[str], resource: str) -> Statement:
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resource}


def _arn(place: Place) -> str:
    partition = "aws-cn" if (place.region or "").startswith("cn-") else "aws"
    return f"arn:{partition}:s3:::{place.bucket}"
