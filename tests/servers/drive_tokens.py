"""The token server beside the Drive server: RFC 6749 (code, refresh), 7523 (service accounts), 8628 (devices)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SCOPE = "https://www.googleapis.com/auth/drive.file"


class Tokens:
    """refresh: the refresh token it accepts · codes: authorisation code -> PKCE challenge · pending: how often a
    device is told to wait."""

    def __init__(self) -> None:
        self.address = ""
        self.refresh = "refresh-token-1"
        self.refused = ""
        self.codes: dict[str, str] = {}
        self.pending: list[str] = []
        self.issued: list[str] = []
        self.valid: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self._number = itertools.count(1)
        self._key: rsa.RSAPrivateKey | None = None

    def good(self, authorization: str) -> bool:
        return authorization.removeprefix("Bearer ") in self.valid

    def revoke(self) -> None:
        """Every access token given so far is worth nothing."""
        self.valid.clear()

    def service_account(self) -> dict[str, str]:
        """The key file of a service account, as Google's console gives it."""
        self._key = self._key or rsa.generate_private_key(65537, 2048)
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "k",
            "private_key": pem.decode(),
            "client_email": "robot@p.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.address}/token",
        }

    def client(self) -> dict[str, Any]:
        """The file of an OAuth client."""
        return {
            "installed": {
                "client_id": "client",
                "client_secret": "secret",
                "auth_uri": f"{self.address}/auth",
                "token_uri": f"{self.address}/token",
            }
        }

    def answer(self, path: str, form: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        given = {key: values[0] for key, values in form.items()}
        self.asked.append(given)
        found = self._device(given) if path == "/device/code" else self._token(given)
        status = 400 if "error" in found else 200
        return status, {"content-type": "application/json"}, json.dumps(found).encode()

    def _device(self, given: dict[str, str]) -> dict[str, Any]:
        if given["scope"] != SCOPE:
            return {"error": "invalid_scope"}
        codes = {"device_code": "device-1", "user_code": "ABCD-EFGH", "verification_url": "https://g.example/device"}
        return {**codes, "expires_in": 1800, "interval": 0}

    def _token(self, given: dict[str, str]) -> dict[str, Any]:
        if self.refused:
            return {"error": self.refused, "error_description": "text"}
        kind = given["grant_type"]
        if kind == "refresh_token":
            return self._access() if given["refresh_token"] == self.refresh else {"error": "invalid_grant"}
        if kind == "authorization_code":
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            right = self.codes.get(given["code"]) == base64.urlsafe_b64encode(digest).decode().rstrip("=")
            return self._access() | {"refresh_token": self.refresh} if right else {"error": "invalid_grant"}
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            if self.pending:
                return {"error": self.pending.pop(0)}
            return self._access() | {"refresh_token": self.refresh}
        return self._assertion(given["assertion"])

    def _assertion(self, assertion: str) -> dict[str, Any]:
        assert self._key is not None
        signed, _, signature = assertion.rpartition(".")
        self._key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(_decoded(signed.partition(".")[2]))
        return self._access() if claims["scope"] == SCOPE else {"error": "invalid_scope"}

    def _access(self) -> dict[str, Any]:
        token = f"access-token-{next(self._number)}"
        self.issued.append(token)
        self.valid.add(token)
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer", "scope": SCOPE}


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
