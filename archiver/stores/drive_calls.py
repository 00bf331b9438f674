"""Calls to the Drive v3 API: one connection a thread, paced, tried again by kind of error, errors translated.

This is the edge at which google-api-python-client is called. Its description of the API is the one in the package
(static discovery): nothing is asked of the network to build it.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, TypeVar

from archiver.errors import AuthError, MailarkError, QuotaError, StoreError
from archiver.stores.drive_auth import missing_extra
from archiver.stores.drive_errors import LOGIN, judge, reason_of
from archiver.stores.drive_url import Place

T = TypeVar("T")
Body = bytes | Iterable[memoryview]


@dataclass(frozen=True, slots=True)
class Limits:
    """timeout: seconds a connection may be silent · tries of one call · first and longest wait between two, in seconds.

    Google asks for exponential back-off with jitter up to 32 or 64 s (…/guides/limits#exponential).
    """

    timeout: float = 60.0
    tries: int = 7
    wait: float = 1.0
    longest_wait: float = 64.0


class Expected(Exception):  # noqa: N818 - an answer that the caller asked to hear of, not an error
    """An answer with a status that the caller named in `expected`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Passing(Exception):  # noqa: N818 - becomes `error` when it does not pass
    """A failure that may pass: `wait` is the least number of seconds that the server asks for."""

    def __init__(self, error: MailarkError, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a raw request: status 2xx or 308; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Pace:
    """Lets one caller through each 1/rate seconds, in the order of asking."""

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        time.sleep(max(0.0, turn - now))


class Calls:
    """The API of one place. Thread-safe: httplib2 is not, so every thread has a connection of its own."""

    def __init__(self, place: Place, credentials: Any, limits: Limits | None = None) -> None:
        self.place = place
        self.limits = limits or Limits()
        self._credentials = credentials
        self._pace = Pace(place.writes_per_second)
        self._local = threading.local()
        self.files: Any = self._service().files()

    def call(self, request: Any, what: str, *, write: bool = False, expected: Iterable[int] = ()) -> Any:
        """Execute a request of `files` until it is answered; the parsed answer (bytes for media).

        Raises Expected for the statuses named, QuotaError, AuthError, StoreError.
        """
        return self.persist(lambda: self._once(lambda http: request.execute(http=http), what, expected), write=write)

    def persist(self, attempt: Callable[[], T], *, write: bool = False) -> T:
        """Call `attempt` until it does not raise Passing, with longer and longer waits; at last raise its error."""
        for number in range(self.limits.tries):
            if write:
                self._pace.wait()
            try:
                return attempt()
            except Passing as passing:
                if number + 1 == self.limits.tries:
                    raise passing.error from None
                self.pause(number, passing)
        raise AssertionError("at least one try")

    def pause(self, number: int, passing: Passing) -> None:
        """Wait after failure `number` (from 0); its error is raised when the server asks for more than we wait."""
        if passing.wait > 5 * self.limits.longest_wait:
            raise passing.error from None
        longest = min(self.limits.wait * 2**number, self.limits.longest_wait)
        time.sleep(max(passing.wait, random.uniform(longest / 2, longest)))  # noqa: S311 - jitter, not a secret

    def send(
        self, method: str, uri: str, headers: Mapping[str, str], body: Body, what: str, expected: Iterable[int] = ()
    ) -> Answer:
        """One raw request, for upload sessions: status 2xx or 308. Raises Passing and Expected as well."""

        def attempt(http: Any) -> Answer:
            response, content = http.request(uri, method, body=body, headers=dict(headers))
            if response.status >= 300 and response.status != 308:
                raise self._http_error(response, content)
            return Answer(response.status, {key.lower(): value for key, value in response.items()}, content)

        return self._once(attempt, what, expected)

    def _once(self, attempt: Callable[[Any], T], what: str, expected: Iterable[int]) -> T:
        """One try, its errors translated: Expected, Passing, or a final MailarkError. No address, no token in them."""
        import google.auth.exceptions as auth
        import httplib2
        from googleapiclient.errors import HttpError

        what = f"{self.place.url}: {what}"
        try:
            return attempt(self._http())
        except HttpError as error:
            raise self._judged(error, what, expected) from None
        except auth.RefreshError as error:
            self._forget_connection()
            if error.retryable:
                raise Passing(StoreError(f"{what}: Google's login server has trouble")) from None
            raise AuthError(f"{what}: Google refuses the login ({_refusal(error)})", LOGIN) from None
        except auth.GoogleAuthError as error:
            self._forget_connection()
            raise Passing(
                StoreError(f"{what}: no answer from Google's login server ({type(error).__name__})")
            ) from None
        except (OSError, httplib2.HttpLib2Error, HTTPException) as error:
            self._forget_connection()
            raise Passing(StoreError(f"{what}: connection failed ({_cause(error)})", "Check the network.")) from None

    def _judged(self, error: Any, what: str, expected: Iterable[int]) -> Exception:
        status = int(error.resp.status)
        verdict = judge(what, status, reason_of(error.content))
        if status in expected and not verdict.again and not isinstance(verdict.error, (QuotaError, AuthError)):
            return Expected(status)
        return Passing(verdict.error, _retry_after(error.resp)) if verdict.again else verdict.error

    def _service(self) -> Any:
        try:
            from googleapiclient import discovery, discovery_cache
            from httplib2 import Http
        except ImportError:
            raise missing_extra() from None
        # It warns of every refused answer, with its address or body; ours are judged here.
        logging.getLogger("googleapiclient.http").setLevel(logging.CRITICAL)
        description = json.loads(discovery_cache.get_static_doc("drive", "v3"))
        description["rootUrl"] = f"{self.place.endpoint}/"
        description.pop("mtlsRootUrl", None)
        return discovery.build_from_document(description, http=Http())

    def _http(self) -> Any:
        """This thread's connection. 308 is an answer of upload sessions, no redirection; a 401 refreshes once."""
        found = getattr(self._local, "http", None)
        if found is None:
            import httplib2
            from google_auth_httplib2 import AuthorizedHttp

            plain = httplib2.Http(timeout=self.limits.timeout)
            plain.redirect_codes = plain.redirect_codes - {308}
            found = self._local.http = AuthorizedHttp(self._credentials, http=plain, max_refresh_attempts=1)
        return found

    def _forget_connection(self) -> None:
        found = getattr(self._local, "http", None)
        self._local.http = None
        if found is not None:
            found.close()

    @staticmethod
    def _http_error(response: Any, content: bytes) -> Exception:
        from googleapiclient.errors import HttpError

        return HttpError(response, content)  # type: ignore[no-any-return]


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _refusal(error: Any) -> str:
    """The reason in a refused refresh: its second argument is the body of the answer (RFC 6749 section 5.2)."""
    body = error.args[1] if len(error.args) > 1 else b""
    text = json.dumps(body) if isinstance(body, dict) else str(body)
    return reason_of(text.encode()) or "no reason given"


def _retry_after(response: Mapping[str, str]) -> float:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3); the form with a date is not used by Google."""
    value = str(response.get("retry-after", "")).strip()
    return float(value) if value.isdigit() else 0.0
