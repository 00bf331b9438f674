"""A person logs in to Google Drive once; what is left behind is a refresh token, which drive_kept.py keeps.

With a browser on this machine: the loopback flow (RFC 8252 section 7.3) with PKCE (RFC 7636). Without one: the device
flow (RFC 8628), where a code is typed in at another machine. Both with a client of the company's own Google project:
developers.google.com/identity/protocols/oauth2/native-app and …/limited-input-device; the latter allows drive.file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from archiver.errors import AuthError, ConfigError, ConnectError
from archiver.stores.drive_auth import SCOPE, Client, missing_extra
from archiver.stores.drive_errors import reason_of
from archiver.stores.drive_kept import Login, keep, require_room
from archiver.stores.drive_url import parse

PATIENCE = 300.0
"""Seconds the person may take in the browser."""

TIMEOUT = 30.0
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_DONE = (
    b"<!doctype html><meta charset=utf-8><title>Mailark</title><p>Mailark may use its folder. You can close this page."
)


def login(url: str, say: Callable[[str], None], *, device: bool = False, patience: float = PATIENCE) -> None:
    """Let a person allow Mailark its own files in their Drive, and keep that where the URL says.

    say: shows a line to the person (the address to open, the code to type). device: no browser on this machine.
    Raises ConfigError (no `client` in the URL, no place for the file), AuthError (refused, or not in time) and
    ConnectError.
    """
    place = parse(url)
    if place.client is None:
        hint = "Add ?client=/path/client.json, the OAuth client of your own Google project; see docs/operating.md."
        raise ConfigError(f"{url}: no OAuth client to log in with", hint)
    client = Client.load(place.client)
    require_room(place)
    answer = _by_device(client, say, patience) if device else _by_browser(client, say, patience)
    if SCOPE not in str(answer.get("scope", SCOPE)).split():
        raise AuthError("the access to Mailark's own files was not ticked", "Log in again and tick it.")
    if not answer.get("refresh_token"):
        raise AuthError("Google gave no lasting access", "Remove Mailark at myaccount.google.com, then log in again.")
    kept = Login(str(answer["refresh_token"]), client.client_id, client.client_secret, client.token_uri)
    say(f"Logged in; kept in {keep(place, kept)}.")


def _by_browser(client: Client, say: Callable[[str], None], patience: float) -> Mapping[str, Any]:
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(24)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    with _Listener(state) as listener:
        query = {
            "client_id": client.client_id,
            "redirect_uri": listener.address,
            "response_type": "code",
            "scope": SCOPE,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",
        }
        say(f"Open this address in a browser on this machine:\n{client.auth_uri}?{urlencode(query)}")
        code = listener.code(patience)
        exchange = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        status, answer = _post(client.token_uri, exchange | _identity(client) | {"redirect_uri": listener.address})
    if status != 200:
        raise AuthError(f"Google refuses the login ({_reason(answer)})", "Try again from the beginning.")
    return answer


def _by_device(client: Client, say: Callable[[str], None], patience: float) -> Mapping[str, Any]:
    status, begun = _post(urljoin(client.token_uri, "/device/code"), {"client_id": client.client_id, "scope": SCOPE})
    if status != 200:
        hint = 'The client must be of the type "TVs and Limited Input devices".'
        raise AuthError(f"Google refuses to begin the login ({_reason(begun)})", hint)
    say(f"On any machine open {begun['verification_url']} and type {begun['user_code']}")
    interval = float(begun.get("interval", 5))
    end = time.monotonic() + min(patience, float(begun["expires_in"]))
    while time.monotonic() < end:
        time.sleep(interval)
        ask = {"grant_type": _DEVICE_GRANT, "device_code": str(begun["device_code"])}
        status, answer = _post(client.token_uri, ask | _identity(client))
        if status == 200:
            return answer
        reason = _reason(answer)
        if reason == "slow_down":  # RFC 8628 section 3.5: five seconds more, for good
            interval += 5
        elif reason != "authorization_pending":
            raise AuthError(f"Google refuses the login ({reason})", "Try again from the beginning.")
    raise AuthError("nobody allowed the access in time", "Try again from the beginning.")


def _identity(client: Client) -> dict[str, str]:
    return {"client_id": client.client_id, "client_secret": client.client_secret}


def _reason(answer: Mapping[str, Any]) -> str:
    return reason_of(json.dumps(dict(answer)).encode()) or "no reason given"


def _post(uri: str, form: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
    """Send a form to the login server: status, and the JSON of the answer."""
    try:
        import httplib2
    except ImportError:
        raise missing_extra() from None
    headers = {"content-type": "application/x-www-form-urlencoded"}
    try:
        response, content = httplib2.Http(timeout=TIMEOUT).request(uri, "POST", body=urlencode(form), headers=headers)
        found = json.loads(content)
    except (OSError, httplib2.HttpLib2Error, HTTPException) as error:
        host = urlsplit(uri).hostname
        raise ConnectError(f"{host} cannot be reached ({type(error).__name__})", "Check the network.") from None
    except ValueError:
        raise ConnectError(f"{urlsplit(uri).hostname} gives no answer that can be read") from None
    return response.status, found if isinstance(found, dict) else {}


class _Listener:
    """Waits on a free port of 127.0.0.1 for the browser to come back with the code."""

    def __init__(self, state: str) -> None:
        listener = self
        self._state = state
        self._code = self._error = ""

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                known = listener._take(self.path)
                self.send_response(200 if known else 400)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_DONE if known else b"")

            def log_message(self, *_arguments: object) -> None:
                """The path holds the code: nothing is logged."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> _Listener:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.server_close()

    def code(self, patience: float) -> str:
        """The code; AuthError when it is refused or does not come in time."""
        end = time.monotonic() + patience
        while not (self._code or self._error):
            self._server.timeout = end - time.monotonic()
            if self._server.timeout <= 0:
                raise AuthError("nobody allowed the access in time", "Try again from the beginning.")
            self._server.handle_request()
        if self._error:
            raise AuthError("the access was not allowed in the browser", "Try again from the beginning.")
        return self._code

    def _take(self, path: str) -> bool:
        """Whether this is the answer to our question: only who saw it knows the state."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        if not secrets.compare_digest(query.get("state", "").encode(), self._state.encode()):
            return False
        self._code, self._error = query.get("code", ""), query.get("error", "")
        return bool(self._code or self._error)
