"""What Google Drive's answers mean: try again, wait, or give up; pure, from the published table of errors.

Source: developers.google.com/workspace/drive/api/guides/handle-errors and …/guides/limits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from archiver.errors import AuthError, MailarkError, QuotaError, StoreError

THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded", "backendError"})
"""Reasons of a 403 that pass when the client slows down."""

FULL = {
    "storageQuotaExceeded": "Free space in this Drive or buy more; the next run goes on.",
    "teamDriveFileLimitExceeded": "The shared drive holds as many files as it may; use another one.",
    "numChildrenInNonRootLimitExceeded": "A folder holds as many files as it may; use another folder.",
    "activeItemCreationLimitExceeded": "The account has made as many files as it may; use another account.",
    "teamDriveHierarchyTooDeep": "Put the folder nearer to the top of the drive.",
    "myDriveHierarchyDepthLimitExceeded": "Put the folder nearer to the top of the drive.",
    "dailyLimitExceeded": "The day's limit of the Google project is used up; a run tomorrow goes on.",
    "quotaExceeded": "A limit of the Google project is used up; a later run goes on.",
    "downloadQuotaExceeded": "Too much was downloaded today; a run tomorrow goes on.",
    "uploadLimitExceeded": "Too much was uploaded today; a run tomorrow goes on.",
}
"""Reasons that waiting within one run does not cure, and what does."""

REFUSED = {
    "insufficientFilePermissions": "Give this account the right to write there (Content manager in a shared drive).",
    "insufficientParentPermissions": "Give this account the right to write there (Content manager in a shared drive).",
    "appNotAuthorizedToFile": "Another program made this file; Mailark sees only what it made itself.",
    "domainPolicy": "The administrator of the domain has switched off Drive apps.",
    "accessNotConfigured": "Switch on the Google Drive API in the Google project of this client.",
    "SERVICE_DISABLED": "Switch on the Google Drive API in the Google project of this client.",
    "notFound": "Was the folder removed, or is the shared drive not shared with this account?",
}

LOGIN = "Log in again: mailark store login URL"
_NOT_LOGGED_IN = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "authError"})
_LONGEST_REASON = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """`again`: the same request may succeed later · `error`: what to raise when it does not."""

    again: bool
    error: MailarkError


def judge(what: str, status: int, reason: str) -> Verdict:
    """The verdict on an answer with this status (not 2xx) and reason ("" when it gave none)."""
    text = f"{what}: Google Drive answered {status} {reason}".rstrip()
    if status == 401 or reason in _NOT_LOGGED_IN:
        return Verdict(False, AuthError(text, LOGIN))
    if reason in FULL:
        return Verdict(False, QuotaError(text, FULL[reason]))
    if status == 429 or (status == 403 and reason in THROTTLED):
        return Verdict(True, QuotaError(text, "Google asks to slow down; a later run goes on."))
    if status >= 500 or status == 408:
        return Verdict(True, StoreError(text, "Google Drive has trouble; a later run goes on."))
    return Verdict(False, StoreError(text, REFUSED.get(reason, "See the reason in Google's documentation.")))


def reason_of(content: bytes) -> str:
    """The machine-readable reason in an error's body, "" when there is none; never its free text."""
    try:
        error = json.loads(content)["error"]
        if isinstance(error, str):  # the form of the token server, RFC 6749 section 5.2
            return _plain(error)
        errors = error.get("errors") or error.get("details") or [{}]
        found = [item["reason"] for item in errors if isinstance(item, dict) and "reason" in item]
        return _plain(found[0] if found else error.get("status", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _plain(reason: object) -> str:
    text = str(reason)[:_LONGEST_REASON]
    return text if text.replace("_", "").isalnum() and text.isascii() else ""
