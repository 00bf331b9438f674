"""Ways to log in: a password (LOGIN, or AUTHENTICATE PLAIN where needed), or an OAuth 2 access token.

SASL-IR is never used: NetEase and Coremail advertise it and fail on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from archiver.config import AccountSettings
from archiver.errors import AuthError
from archiver.sources.names import quote
from archiver.sources.providers import Provider


class Conversation(Protocol):
    """What a way to log in needs of a session. Both raise AuthError when the server refuses."""

    def offers(self, capability: str) -> bool:
        """Whether the server advertises it."""

    def login(self, user: bytes, password: bytes) -> None:
        """LOGIN with two quoted strings (RFC 3501 section 6.2.3)."""

    def authenticate(self, mechanism: str, answer: Callable[[bytes], bytes]) -> None:
        """AUTHENTICATE: `answer` is called with each challenge (RFC 3501 section 6.2.2)."""


def log_in(session: Conversation, settings: AccountSettings, provider: Provider) -> None:
    """Log in the way the provider and the server want it. The secret is asked for each time: tokens run out.

    Raises AuthError when the server refuses or offers no way.
    """
    secret = settings.password.reveal()
    if provider.oauth:
        _by_token(session, settings, secret)
    elif session.offers("LOGINDISABLED") or not (settings.user + secret).isascii():
        if not session.offers("AUTH=PLAIN"):
            raise AuthError(f"{settings.host} offers no way to log in with a password", provider.hint)
        session.authenticate("PLAIN", _once(plain(settings.user, secret)))
    else:
        session.login(_quoted(settings.user), _quoted(secret))


def plain(user: str, password: str) -> bytes:
    """The message of SASL PLAIN (RFC 4616)."""
    return b"\0".join((b"", user.encode("utf-8"), password.encode("utf-8")))


def xoauth2(user: str, token: str) -> bytes:
    """The message of XOAUTH2 (Google, Microsoft)."""
    return f"user={user}\1auth=Bearer {token}\1\1".encode()


def oauthbearer(user: str, host: str, port: int, token: str) -> bytes:
    """The message of OAUTHBEARER (RFC 7628 section 3.1)."""
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1".encode()


def _by_token(session: Conversation, settings: AccountSettings, token: str) -> None:
    if session.offers("AUTH=OAUTHBEARER") and not session.offers("AUTH=XOAUTH2"):
        message = oauthbearer(settings.user, settings.host, settings.port, token)
        session.authenticate("OAUTHBEARER", _once(message))
    else:
        session.authenticate("XOAUTH2", _once(xoauth2(settings.user, token)))


def _once(message: bytes) -> Callable[[bytes], bytes]:
    """The message to the first challenge, nothing to a second: that one tells of an error and wants an empty answer."""
    answers = iter((message,))
    return lambda _challenge: next(answers, b"")


def _quoted(text: str) -> bytes:
    try:
        return quote(text.encode("ascii"))
    except ValueError:
        raise AuthError("the user name or password holds a control character", "look at the configuration") from None
