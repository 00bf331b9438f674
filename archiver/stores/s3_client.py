"""The one place where boto3 is imported: makes its client, and translates what it raises.

Retries with back-off on connection errors, time-outs, 500, 502, 503, 504, 429 and throttling codes are botocore's own
(its "standard" mode). Error texts name codes only: messages of services may quote keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from archiver.errors import ConfigError, MailarkError, QuotaError, StoreError
from archiver.stores.s3_place import Place

Client = Any
"""A boto3 S3 client; boto3 makes its classes at run time, and has no types."""

ATTEMPTS = 5
CONNECT_TIMEOUT = 15
READ_TIMEOUT = 60
"""Seconds without a byte after which a request is given up."""

CONNECTIONS = 16

GONE = {"NoSuchKey", "404", "NotFound"}
"""What is answered for an object that is not there."""

_THROTTLED = {"SlowDown", "503", "429", "RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507", "ServiceQuotaExceededException"}
_REFUSED = {"AccessDenied", "403", "AllAccessDisabled", "UnauthorizedAccess", "MethodNotAllowed"}
_WRONG_KEYS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "401",
}
_CREDENTIALS = ("Credential", "Token", "Profile", "SSO", "Login")
_CHAIN = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile in ~/.aws/credentials."


def connect(place: Place, attempts: int = ATTEMPTS) -> Client:
    """A client for the place; nothing is sent yet. ConfigError without boto3, StoreError for a bad profile.

    Checksums are sent where we compute them and nowhere else, because services like R2, B2 and OSS do not know
    botocore's trailing ones; the payload is signed, so that every service that checks signatures checks the bytes.
    """
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigError("S3 stores need boto3", "pip install 'mailark[s3]'") from None
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": place.addressing or "auto", "payload_signing_enabled": True},
    )
    with edge(place.url, "credentials"):
        session = boto3.Session(profile_name=place.profile, region_name=place.region)
        region = session.region_name or "us-east-1"
        return session.client("s3", region_name=region, endpoint_url=place.endpoint, config=config)


@contextmanager
def edge(url: str, what: str) -> Iterator[None]:
    """Translate what boto3 and the reading of a file raise."""
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    try:
        yield
    except ClientError as error:
        raise answered(code_of(error), url, what) from error
    except BotoCoreError as error:
        raise _unanswered(type(error).__name__, url, what) from error
    except OSError as error:
        raise StoreError(f"{url}: {what}: {error.strerror or type(error).__name__}") from error


def code_of(error: Exception) -> str:
    """The code of a ClientError ("NoSuchKey"; a number where HEAD gives no more), "" for any other exception."""
    response: Any = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """The HTTP status of a ClientError, 0 for any other exception."""
    response: Any = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def was_cut(error: BaseException | None) -> bool:
    """Whether the connection broke inside the body of an answer, where botocore does not try again."""
    from botocore.exceptions import IncompleteReadError, ResponseStreamingError

    return isinstance(error, IncompleteReadError | ResponseStreamingError)


def answered(code: str, url: str, what: str) -> MailarkError:
    """What an error code of the service means for whoever runs the archive."""
    text = f"{url}: {what}: {code}"
    if code == "NoSuchBucket":
        return StoreError(text, "Make the bucket first, with versioning and, if wanted, Object Lock.")
    if code in _WRONG_KEYS:
        return StoreError(text, _CHAIN)
    if code in _REFUSED:
        return StoreError(text, f"See what is needed with: mailark store policy '{url}'")
    if code in _THROTTLED:
        return QuotaError(text, "The service asks to slow down; the next run goes on.")
    if code in _FULL:
        return QuotaError(text, "Raise this store's quota; the next run goes on.")
    if code == "RequestTimeTooSkewed":
        return StoreError(text, "Set this machine's clock.")
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "301", "IllegalLocationConstraintException"):
        return StoreError(text, "Name the bucket's region: ?region=…")
    if code in ("BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest"):
        return StoreError(text, "The bytes changed on their way; the next run sends them again.")
    return StoreError(text, "See what the service says of this code.")


def _unanswered(kind: str, url: str, what: str) -> MailarkError:
    text = f"{url}: {what}: {kind}"
    if any(word in kind for word in _CREDENTIALS):
        return StoreError(text, _CHAIN)
    if kind == "SSLError":
        return StoreError(text, "The certificate is not trusted: check the endpoint, or set AWS_CA_BUNDLE.")
    proxy = "its proxy, " if os.environ.get("HTTPS_PROXY") else ""
    return StoreError(text, f"Check the endpoint, {proxy}and the network; the next run goes on.")
