"""What an s3:// URL says, and which parameters every object put there gets. No network here.

s3://BUCKET[/PREFIX][?OPTION=VALUE[&…]]; credentials never stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from archiver.errors import ConfigError, StoreError
from archiver.stores.interface import checked_prefix
from archiver.stores.shelf import checked_path

EXAMPLE = "s3://bucket/folder?region=eu-central-1"

ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
LOCKS = ("governance", "compliance")
ADDRESSING = ("path", "virtual")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_AWS = re.compile(r"s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com(?:\.cn)?")
_ERA = re.compile(r"(?:packs|catalog|keys/era)/[^/]*-([0-9]{4})[./]")


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, a prefix ("" or ending in "/") and how to go about it. `years`: of retention after an era's end."""

    url: str
    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    addressing: str | None = None
    storage_class: str | None = None
    sse: str | None = None
    kms_key: str | None = None
    lock: str = "governance"
    years: int = 0

    def key(self, name: str) -> str:
        """The key of an object in the bucket."""
        return self.prefix + name

    def parameters(self, name: str, now: datetime | None = None) -> dict[str, Any]:
        """What PutObject is told of a new object besides its bytes: encryption, storage class, retention."""
        told = self.encryption()
        if self.storage_class and name.startswith("packs/"):  # the others are read in every recovery and check
            told["StorageClass"] = self.storage_class
        if self.years:
            told["ObjectLockMode"] = self.lock.upper()
            told["ObjectLockRetainUntilDate"] = self.retained_until(name, now)
        return told

    def encryption(self) -> dict[str, Any]:
        """What PutObject is told of the encryption by the service."""
        told = {"ServerSideEncryption": self.sse, "SSEKMSKeyId": self.kms_key}
        return {name: value for name, value in told.items() if value}

    def promise(self) -> str:
        """The retention that the URL asks for, in words; "" for none."""
        return f"{self.lock} until {self.years} years after the end of its era" if self.years else ""

    def retained_until(self, name: str, now: datetime | None = None) -> datetime:
        """`years` after the end of the object's era; what belongs to no era counts as of this year."""
        era = _ERA.match(name)
        year = int(era[1]) if era else (now or datetime.now(UTC)).year
        return datetime(year + 1 + self.years, 1, 1, tzinfo=UTC)


def parse_place(url: str, *, shelf: bool = False) -> Place:
    """The place an s3:// URL names; ConfigError says which part is wrong, and repeats no value of an option.

    shelf: for exports, whose folder may have any name, as it is or with %20 and the like.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc or ":" in parts.netloc:
        raise ConfigError("s3://: a URL holds no credentials and no port", _HINT)
    if not _BUCKET.fullmatch(parts.netloc):
        raise ConfigError(f"s3://{parts.netloc}: not the name of a bucket", f"Example: {EXAMPLE}")
    place = url.partition("?")[0]
    if parts.fragment:
        raise ConfigError(f"{place.partition('#')[0]}: # has no meaning here", f"Example: {EXAMPLE}")
    prefix = _shelf_prefix(place, parts.path) if shelf else _store_prefix(place, parts.path)
    given = _options(place, parts.query)
    if "kms_key" in given and not str(given.get("sse", "")).startswith("aws:kms"):
        raise ConfigError(f"{place}: kms_key needs sse=aws:kms")
    if "lock" in given and "years" not in given:
        raise ConfigError(f"{place}: lock needs retention", "For example retention=10y&lock=governance")
    return Place(url=url, bucket=parts.netloc, prefix=f"{prefix}/" if prefix else "", **given)


def identity(url: str) -> str:
    """The URL without what may change of a store: service, bucket and prefix. ConfigError as `parse_place`.

    The names of AWS's buckets are unique in the world, those of its China regions apart (a partition of their own), so
    no region is needed. http and https, and their own ports, lead to one service.
    """
    place = parse_place(url)
    where = f"s3://{place.bucket}/{place.prefix}".rstrip("/")
    if place.endpoint is None or _AWS.fullmatch(urlsplit(place.endpoint).hostname or ""):
        china = (place.region or "").startswith("cn-") or (place.endpoint or "").endswith(".cn")
        return f"{where}?region=cn-north-1" if china else where
    parts = urlsplit(place.endpoint)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    return f"{where}?endpoint=https://{host}{port}{parts.path}"


def _store_prefix(place: str, path: str) -> str:
    """Every tool that opens an archive must be able to name what lies there."""
    prefix = path.strip("/")
    try:
        return checked_prefix(prefix)
    except StoreError:
        hint = "the folder of a store is named with letters A to Z, digits, and _ - . (no dot first)"
        raise ConfigError(f"{place}: not a name of a folder for a store", hint) from None


def _shelf_prefix(place: str, path: str) -> str:
    prefix = unquote(path).strip("/")
    try:
        return prefix and checked_path(prefix)
    except StoreError:
        hint = "no name between the slashes may be empty, . or .., or longer than 255 bytes"
        raise ConfigError(f"{place}: not a name of a folder for an export", hint) from None


def _options(place: str, query: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ConfigError(f"{place}: unknown option {name!r}", f"Known: {', '.join(_OPTIONS)}")
        field, read = _OPTIONS[name]
        if field in given:
            raise ConfigError(f"{place}: {name} is given twice")
        try:
            given[field] = read(value)
        except ValueError as error:
            raise ConfigError(f"{place}: {name}: {error}") from None
    return given


def _text(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return value


def _class(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z_]{1,30}", value):
        raise ValueError("must be a storage class of the service, like STANDARD_IA or GLACIER_IR")
    return value


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return value

    return read


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be like https://s3.example.com")
    if "@" in parts.netloc:
        raise ValueError("a URL holds no credentials; " + _HINT)
    return value.rstrip("/")


def _years(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?y", value):
        raise ValueError("must be like 10y: years after the end of an era, 99 at most")
    return int(value[:-1])


_HINT = "they come from boto3's own chain (AWS_ACCESS_KEY_ID, ~/.aws/credentials and others)"
_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "endpoint": ("endpoint", _endpoint),
    "region": ("region", _text),
    "profile": ("profile", _text),
    "addressing": ("addressing", _one_of(ADDRESSING)),
    "storage_class": ("storage_class", _class),
    "sse": ("sse", _one_of(ENCRYPTIONS)),
    "kms_key": ("kms_key", _text),
    "retention": ("years", _years),
    "lock": ("lock", _one_of(LOCKS)),
}
"""Options of the URL: the field of `Place`, and what reads the value (ValueError says what is wrong)."""
