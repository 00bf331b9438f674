"""The store in Google Drive when Drive, the network or this machine misbehaves: no double, no loss, bounded time."""

from __future__ import annotations

import time

import pytest

from archiver.errors import AuthError, MailarkError, QuotaError, StoreError
from archiver.stores.drive import DriveStore
from archiver.stores.drive_calls import Limits
from archiver.stores.drive_errors import judge, reason_of
from tests.contracts.store import PACK
from tests.servers.drive import DriveServer, Hang, Refuse, Wrong
from tests.stores.on_drive import FAST, LARGE, PATH, SMALL, notes


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["multipart", "session"])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (429, "rateLimitExceeded"),
        (429, ""),
        (500, "backendError"),
        (502, ""),
        (503, "backendError"),
        (504, ""),
        (408, ""),
    ],
)
def test_what_passes_is_tried_again(
    drive: DriveServer, store: DriveStore, url: str, data: bytes, status: int, reason: str
) -> None:
    """Each kind of request refused twice, then once more after it was done."""
    for operation in ("generateIds", "folder", "list", "get", "create", "begin", "send", "download"):
        drive.faults += [Refuse(operation, status, reason, times=2), Refuse(operation, status, reason, after=True)]
    assert store.put_if_absent(PACK, data)
    assert store.get(PACK) == data
    assert not store.put_if_absent(PACK, data)
    assert drive.files.tree()[PATH] == data
    assert len(drive.files.at(PATH)) == len(drive.files.at("Mail archive/packs")) == 1
    assert not notes(url)


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (403, "storageQuotaExceeded", QuotaError),
        (403, "teamDriveFileLimitExceeded", QuotaError),
        (403, "numChildrenInNonRootLimitExceeded", QuotaError),
        (403, "dailyLimitExceeded", QuotaError),
        (403, "insufficientFilePermissions", StoreError),
        (403, "insufficientPermissions", AuthError),
        (403, "appNotAuthorizedToFile", StoreError),
        (403, "accessNotConfigured", StoreError),
        (403, "domainPolicy", StoreError),
        (403, "", StoreError),
        (400, "badRequest", StoreError),
    ],
)
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["multipart", "session"])
def test_what_does_not_pass_is_final(
    drive: DriveServer, store: DriveStore, data: bytes, status: int, reason: str, error: type[MailarkError]
) -> None:
    operation = "create" if data is SMALL else "begin"
    drive.faults.append(Refuse(operation, status, reason, times=99))
    with pytest.raises(error) as caught:
        store.put_if_absent(PACK, data)
    assert caught.type is error
    assert caught.value.hint
    assert reason in str(caught.value)
    assert sum(name == operation for name, _ in drive.requests) == 1
    drive.faults.clear()
    assert store.put_if_absent(PACK, data)
    assert len(drive.files.at(PATH)) == 1


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [(403, "userRateLimitExceeded", QuotaError), (429, "", QuotaError), (503, "", StoreError)],
)
def test_what_does_not_pass_in_time_is_given_up(
    drive: DriveServer, store: DriveStore, status: int, reason: str, error: type[MailarkError]
) -> None:
    store.put_if_absent("keys/a", SMALL)
    for operation in ("create", "list", "download", "delete", "send"):
        drive.faults.append(Refuse(operation, status, reason, times=999))
    calls = [
        (error, lambda: store.put_if_absent(PACK, SMALL)),
        (error, lambda: store.delete("keys/a")),
        (StoreError, lambda: list(store.list())),  # a store that cannot be read has failed, whyever
        (StoreError, lambda: store.get("keys/a")),
        (StoreError, lambda: store.stat("x/y")),
    ]
    for expected, call in calls:
        drive.requests.clear()
        with pytest.raises(expected) as caught:
            call()
        assert caught.type is expected
        assert 0 < sum(code == status for _, code in drive.requests) <= FAST.tries


def test_retry_after_is_obeyed_and_an_unreasonable_one_ends_the_try(drive: DriveServer, store: DriveStore) -> None:
    drive.faults.append(Refuse("create", 429, "rateLimitExceeded", retry_after=1))
    slow = DriveStore.open(store.url, Limits(timeout=60.0, tries=5, wait=0.001, longest_wait=0.3))
    began = time.monotonic()
    assert slow.put_if_absent(PACK, SMALL)
    assert time.monotonic() - began >= 1.0
    drive.faults.append(Refuse("create", 429, "rateLimitExceeded", retry_after=3600))
    with pytest.raises(QuotaError):
        slow.put_if_absent("keys/a", SMALL)


def test_a_listing_that_drive_calls_incomplete_is_no_listing(drive: DriveServer, store: DriveStore) -> None:
    drive.faults.append(Wrong("list", lambda page: page.update(incompleteSearch=True), times=9))
    with pytest.raises(StoreError, match="only in part"):
        list(store.list())


def test_a_silent_server_is_given_up(drive: DriveServer, store: DriveStore) -> None:
    quick = DriveStore.open(store.url, Limits(timeout=1.0, tries=2, wait=0.001, longest_wait=0.001))
    hang = Hang("list", times=9)
    drive.faults.append(hang)
    with pytest.raises(StoreError, match="connection failed"):
        list(quick.list())
    hang.release()


def test_a_refused_token_is_refreshed_once(drive: DriveServer, store: DriveStore) -> None:
    store.put_if_absent(PACK, SMALL)
    drive.tokens.revoke()
    issued = len(drive.tokens.issued)
    assert store.get(PACK) == SMALL
    assert len(drive.tokens.issued) == issued + 1
    for operation, error, call in [
        ("create", AuthError, lambda: store.put_if_absent("keys/a", SMALL)),
        ("download", StoreError, lambda: store.get(PACK)),
    ]:
        drive.faults.append(Refuse(operation, 401, "authError", times=9))
        with pytest.raises(error) as caught:
            call()
        assert caught.type is error
        assert "mailark store login" in caught.value.hint
        assert drive.faults[-1].struck == 2


def test_a_login_that_was_taken_away_is_an_auth_error_and_shows_no_token(
    drive: DriveServer, store: DriveStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    drive.tokens.revoke()
    drive.tokens.refused = "invalid_grant"
    with pytest.raises(AuthError, match="invalid_grant") as caught:
        store.put_if_absent(PACK, SMALL)
    shown = f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r} {caplog.text}"
    assert not any(secret in shown for secret in [*drive.tokens.issued, drive.tokens.refresh, "secret"])


def test_neither_errors_nor_logs_show_a_token_or_a_sessions_address(
    drive: DriveServer, store: DriveStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    drive.faults.append(Refuse("send", 403, "insufficientFilePermissions", times=99))
    with pytest.raises(StoreError) as caught:
        store.put_if_absent(PACK, LARGE)
    drive.faults += [Refuse("create", 403, "userRateLimitExceeded"), Refuse("create", 403, "text of somebody's")]
    with pytest.raises(StoreError) as second:
        store.put_if_absent("packs/other", SMALL)
    shown = f"{caught.value} {caught.value.hint} {second.value} {second.value.hint} {caplog.text}"
    assert not any(s in shown for s in [*drive.tokens.issued, drive.tokens.refresh, "upload_id", "text of somebody's"])


def test_a_server_that_is_down_is_a_store_error_in_bounded_time(drive: DriveServer, store: DriveStore) -> None:
    drive.__exit__()
    with pytest.raises(StoreError, match="connection failed"):
        store.put_if_absent(PACK, SMALL)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"error": 1}', b'{"error": {"errors": []}}', b"<html>"])
def test_answers_without_a_reason(body: bytes) -> None:
    assert reason_of(body) == ""


def test_every_status_is_judged() -> None:
    for status in range(300, 600):
        for reason in ("", "unknownReason", "rateLimitExceeded", "storageQuotaExceeded"):
            verdict = judge("x", status, reason)
            assert verdict.error.hint
            assert not (verdict.again and reason == "storageQuotaExceeded")
            assert verdict.again or status < 500 or reason == "storageQuotaExceeded"
